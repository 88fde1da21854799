import io

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from causal_ivae.batch.pages import write_region_map
from causal_ivae.errors import InputError
from causal_ivae.imaging.atlas import load_atlas
from causal_ivae.reporting.mni_maps import has_map
from causal_ivae.reporting.region_map import region_map


def write_atlas(folder, values, table, space="MNI"):
    stem = f"mine_space-{space}_dseg"
    affine = np.array([[4.0, 0, 0, -40], [0, 4, 0, -40], [0, 0, 4, -40], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(values, affine), folder / f"{stem}.nii.gz")
    (folder / f"{stem}.tsv").write_text(table)
    return folder / f"{stem}.nii.gz"


def blobs():
    labels = np.zeros((20, 20, 20), dtype=np.int16)
    labels[2:9, 4:16, 4:16], labels[11:18, 4:16, 4:16] = 3, 8
    return labels


def colours(png):
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("HSV")).reshape(-1, 3)
    vivid = pixels[(pixels[:, 1] > 100) & (pixels[:, 2] > 60)]
    return len(vivid), np.unique(vivid[:, 0] // 8, return_counts=True)


def test_labels_are_drawn_each_in_a_colour(tmp_path):
    mine = load_atlas(write_atlas(tmp_path, blobs(), "index\tname\n3\tA\n8\tB\n"))
    assert has_map(mine)
    count, (_, sizes) = colours(region_map(mine))
    assert count > 5000
    assert (sizes > 0.2 * count).sum() == 2
    one = load_atlas(write_atlas(tmp_path, blobs(), "index\tname\n3\tA\n4\tnowhere\n"))
    _, (_, sizes) = colours(region_map(one))
    assert (sizes > 0.2 * sizes.sum()).sum() == 1


def test_the_sheet_is_black_so_that_no_page_has_to_turn_the_lightness_of_a_brain(tmp_path):
    mine = load_atlas(write_atlas(tmp_path, blobs(), "index\tname\n3\tA\n8\tB\n"))
    pixels = np.asarray(Image.open(io.BytesIO(region_map(mine))).convert("L"))
    edge = np.concatenate([pixels[:2].ravel(), pixels[-2:].ravel(), pixels[:, :2].ravel()])
    assert np.mean(edge < 10) > 0.95
    assert (pixels > 240).sum() > 100


def test_spheres_and_maps_are_drawn(tmp_path):
    balls = "name\tx\ty\tz\tradius\nA\t-20\t0\t0\t18\nB\t20\t0\t0\t18\n"
    (tmp_path / "balls.tsv").write_text(balls)
    (tmp_path / "balls.json").write_text('{"Space": "MNI"}')
    assert colours(region_map(load_atlas(tmp_path / "balls.tsv")))[0] > 1000
    maps = np.stack([blobs() == 3, 0.5 * (blobs() == 8)], axis=-1).astype(np.float32)
    mine = load_atlas(write_atlas(tmp_path, maps, "name\nA\nB\n"))
    _, (_, sizes) = colours(region_map(mine))
    assert (sizes > 0.2 * sizes.sum()).sum() == 2


def test_without_the_frame_of_mni_there_is_no_map(tmp_path):
    table = "index\tname\n3\tA\n8\tB\n"
    assert not has_map(load_atlas(write_atlas(tmp_path, blobs(), table, "T1w")))
    (tmp_path / "names.tsv").write_text("name\nA\nB\n")
    assert not has_map(load_atlas(tmp_path / "names.tsv"))
    write_region_map(tmp_path / "out", load_atlas(tmp_path / "names.tsv"))
    assert not (tmp_path / "out").exists()


def test_a_map_is_drawn_again_only_when_its_atlas_changed(tmp_path):
    atlas = write_atlas(tmp_path, blobs(), "index\tname\n3\tA\n8\tB\n")
    write_region_map(tmp_path, load_atlas(atlas))
    (picture,) = tmp_path.glob("atlas-*_regions.png")
    drawn = picture.stat().st_mtime_ns
    write_region_map(tmp_path, load_atlas(atlas))
    assert picture.stat().st_mtime_ns == drawn
    write_atlas(tmp_path, blobs()[::-1].copy(), "index\tname\n3\tA\n8\tB\n")
    write_region_map(tmp_path, load_atlas(atlas))
    assert picture.stat().st_mtime_ns > drawn
    atlas.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        write_region_map(tmp_path, load_atlas(atlas))


def test_an_anatomy_that_is_cut_or_no_image_is_named(tmp_path):
    mine = load_atlas(write_atlas(tmp_path, blobs(), "index\tname\n3\tA\n8\tB\n"))
    anatomy = tmp_path / "sub-01_T1w.nii.gz"
    values = np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, np.eye(4)), anatomy)
    whole = anatomy.read_bytes()
    for content in (whole[:900], whole[: len(whole) // 2], b"no image at all"):
        anatomy.write_bytes(content)
        with pytest.raises(InputError, match=r"sub-01_T1w\.nii\.gz' cannot be read"):
            region_map(mine, anatomy)
