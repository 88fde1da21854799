import nibabel as nib
import numpy as np
import pytest

from causal_ivae.errors import InputError
from causal_ivae.imaging.atlas import load_atlas
from causal_ivae.imaging.atlas_images import region_centres
from causal_ivae.imaging.hemispheres import homologues

AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2, 0, -4], [0, 0, 2, 0], [0, 0, 0, 1]])


def write(folder, values, table, kind="dseg"):
    nib.save(nib.Nifti1Image(values, AFFINE), folder / f"mine_{kind}.nii.gz")
    (folder / f"mine_{kind}.tsv").write_text(table)
    return load_atlas(folder / f"mine_{kind}.nii.gz")


def test_labels_have_their_centre_of_mass_in_mm(tmp_path):
    labels = np.zeros((6, 5, 4), dtype=np.int16)
    labels[1:3, 2, 3] = 7
    labels[4, :, 0] = 2
    mine = write(tmp_path, labels, "index\tname\n7\tA\n9\tlost\n2\tB\n")
    assert region_centres(mine) == {"A": [7.0, 0.0, 6.0], "B": [2.0, 0.0, 0.0]}
    assert region_centres(mine.subset(("B", "A"))) == region_centres(mine)


def test_maps_count_by_their_weights(tmp_path):
    maps = np.zeros((6, 5, 4, 2), dtype=np.float32)
    maps[0, 0, 0, 0], maps[4, 0, 0, 0] = 3.0, 1.0
    maps[..., 1] = 1.0
    mine = write(tmp_path, maps, "name\nA\nB\n", "probseg")
    assert region_centres(mine) == {"A": [8.0, -4.0, 0.0], "B": [5.0, 0.0, 3.0]}


def test_spheres_and_tables_say_it_themselves(tmp_path):
    dosenbach = load_atlas("dosenbach160")
    assert region_centres(dosenbach)["vmPFC_1"] == list(dosenbach.coordinates[0])
    table = "index\tname\tcentre_x\tcentre_y\tcentre_z\n0\tnothing\t9\t9\t9\n3\tA\t-1\t2\t3.5\n"
    image = nib.Nifti1Image(np.full((2, 2, 2), 3, np.int16), AFFINE)
    nib.save(image, tmp_path / "mine.nii.gz")
    (tmp_path / "mine.tsv").write_text(table)
    assert region_centres(load_atlas(tmp_path / "mine.nii.gz")) == {"A": [-1.0, 2.0, 3.5]}
    (tmp_path / "names.tsv").write_text("name\nA\nB\n")
    assert region_centres(load_atlas(tmp_path / "names.tsv")) == {}
    (tmp_path / "mine.tsv").write_text(table.replace("3.5", "high"))
    with pytest.raises(InputError, match="'centre_z', row 2: 'high' is no number"):
        load_atlas(tmp_path / "mine.nii.gz")


@pytest.mark.parametrize("name", ["aal2", "aicha", "desikankilliany", "destrieux"])
def test_the_left_is_left_and_the_right_is_right_of_it(name):
    atlas = load_atlas(name)
    centres = region_centres(atlas)
    assert set(centres) == set(atlas.names)
    for _, left, right in homologues(atlas.names):
        assert centres[left][0] < 0 < centres[right][0]
        mirrored = np.array(centres[left]) * [-1, 1, 1]
        assert np.abs(mirrored - centres[right]).max() < 20


def test_the_centres_of_aal2_are_where_its_names_say():
    aal2 = load_atlas("aal2")
    centres = region_centres(aal2)
    assert set(centres) == set(aal2.names)
    for name, (x, _, _) in centres.items():
        assert (x < 0) == name.endswith("_L")
    assert centres["Occipital_Inf_L"][1] < centres["Precentral_L"][1] < centres["Rectus_L"][1]
    assert centres["Temporal_Inf_R"][2] < centres["Precentral_R"][2]
