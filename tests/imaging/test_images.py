import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from causal_ivae.errors import InputError
from causal_ivae.imaging.atlas import load_atlas
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.confounds import load_run_confounds
from causal_ivae.imaging.images import region_means
from causal_ivae.settings import DenoiseSettings


@pytest.fixture
def tree(tmp_path, make_fmriprep_tree):
    return make_fmriprep_tree(tmp_path, n_subjects=1, uncovered=("PHC",))


def only_run(tree):
    return find_subjects(tree.root)[0].runs[0]


def spheres(folder, text, **about):
    (folder / "balls.tsv").write_text(text)
    (folder / "balls.json").write_text(json.dumps({"Radius": 5, **about}))
    return load_atlas(folder / "balls.tsv")


def test_label_means_are_those_of_nilearn(tmp_path, make_fmriprep_tree):
    from nilearn.maskers import NiftiLabelsMasker

    tree = make_fmriprep_tree(tmp_path, n_subjects=1)
    run = only_run(tree)
    theirs = NiftiLabelsMasker(labels_img=str(tree.atlas), standardize=None).fit_transform(
        str(run.path)
    )
    ours = region_means(run, load_atlas(tree.atlas), 0.0)
    np.testing.assert_allclose(ours.values, theirs, rtol=1e-5)
    assert ours.tr == 2.0


def test_sphere_means_are_those_of_nilearn(tmp_path, tree):
    from nilearn.maskers import NiftiSpheresMasker

    run = only_run(tree)
    atlas = spheres(tmp_path, "name\tx\ty\tz\nA\t-7\t-8\t-5\nB\t8\t-8\t-5\n")
    theirs = NiftiSpheresMasker(
        seeds=[(-7, -8, -5), (8, -8, -5)], radius=5, standardize=None
    ).fit_transform(str(run.path))
    np.testing.assert_allclose(region_means(run, atlas, 0.0).values, theirs, rtol=1e-5)


def test_means_under_maps_are_weighted(tmp_path, tree):
    run = only_run(tree)
    labels = nib.load(tree.atlas)
    values = np.asarray(labels.dataobj)
    maps = np.stack([values == 5, 0.25 * (values == 7) + 0.75 * (values == 20)], axis=-1)
    path = tmp_path / "two_probseg.nii.gz"
    nib.save(nib.Nifti1Image(100 * maps.astype(np.float32), labels.affine), path)
    (tmp_path / "two_probseg.tsv").write_text("name\nCA1\nboth\n")
    found = region_means(run, load_atlas(path), 0.0)
    parts = region_means(run, load_atlas(tree.atlas), 0.0)
    np.testing.assert_allclose(found.values[:, 0], parts.values[:, 0], rtol=1e-6)
    # PHC, label 20, is not covered: what is left of the second map is label 7.
    np.testing.assert_allclose(found.values[:, 1], parts.values[:, 1], rtol=1e-6)
    weight = 0.25 * (values == 7).sum(), 0.75 * (values == 20).sum()
    np.testing.assert_allclose(found.coverage, [1, weight[0] / sum(weight)], rtol=1e-6)


def test_overlapping_maps_share_voxels(tmp_path, make_fmriprep_tree):
    run = only_run(make_fmriprep_tree(tmp_path, n_subjects=1))
    image = nib.load(run.path)
    data = np.asarray(image.dataobj)
    maps = np.random.default_rng(0).random((*data.shape[:3], 2))
    path = tmp_path / "fuzzy_probseg.nii.gz"
    nib.save(nib.Nifti1Image(maps, image.affine), path)
    (tmp_path / "fuzzy_probseg.tsv").write_text("name\nA\nB\n")
    (mask,) = run.path.parent.glob("*brain_mask.nii.gz")
    weights = maps * (np.asarray(nib.load(mask).dataobj) > 0)[..., None]
    expected = np.einsum("xyzt,xyzr->tr", data, weights) / weights.sum(axis=(0, 1, 2))
    np.testing.assert_allclose(region_means(run, load_atlas(path), 0.0).values, expected, rtol=1e-5)


def test_smoothing_is_that_of_nilearn(tree):
    from nilearn.maskers import NiftiLabelsMasker

    run = only_run(tree)
    atlas = load_atlas(tree.atlas).subset(("CA1", "ERC"))
    theirs = NiftiLabelsMasker(
        labels_img=str(tree.atlas), smoothing_fwhm=6.0, standardize=None
    ).fit_transform(str(run.path))
    ours = region_means(run, atlas, 6.0).values
    np.testing.assert_allclose(ours, theirs[:, [0, 2]], rtol=1e-5)
    assert np.abs(ours - region_means(run, atlas, 0.0).values).max() > 1


def test_columns_are_the_table_even_where_nothing_is_covered(tree):
    atlas = load_atlas(tree.atlas)
    means = region_means(only_run(tree), atlas, 0.0)
    np.testing.assert_allclose(means.coverage, [1, 1, 1, 0])
    assert np.isnan(means.values[:, 3]).all()
    assert np.isfinite(means.values[:, :3]).all()


def test_partial_coverage_counts_volume_outside_the_image(tmp_path, tree):
    run = only_run(tree)
    # The field of view ends half a voxel beyond the last centre, x = 18.5 mm.
    inside, half, outside = (
        spheres(tmp_path, f"name\tx\ty\tz\nA\t{x}\t-2\t0\nB\t-7\t-8\t-5\n", Radius=4)
        for x in (5, 18.5, 60)
    )
    mask = run.path.with_name(run.path.name.replace("preproc_bold", "brain_mask"))
    image = nib.load(mask)
    nib.save(nib.Nifti1Image(np.ones(image.shape, dtype=np.uint8), image.affine), mask)
    assert region_means(run, inside, 0.0).coverage[0] == 1
    assert 0.4 < region_means(run, half, 0.0).coverage[0] < 0.65
    assert region_means(run, replace(outside, space="MNI"), 0.0).coverage[0] == 0


def test_without_a_brain_mask_constant_voxels_are_outside(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1, uncovered=("SUB",), brain_mask=False)
    atlas = load_atlas(tree.atlas)
    means = region_means(only_run(tree), atlas, 0.0)
    np.testing.assert_allclose(means.coverage, [1, 0, 1, 1])


def test_an_atlas_on_a_finer_grid(tmp_path, tree):
    atlas = load_atlas(tree.atlas)
    coarse = nib.load(tree.atlas)
    fine = np.kron(np.asarray(coarse.dataobj), np.ones((3, 3, 3), dtype=np.int16))
    affine = coarse.affine @ np.diag([1 / 3, 1 / 3, 1 / 3, 1])
    affine[:3, 3] = coarse.affine[:3, 3] - 1.0
    path = tmp_path / "fine_dseg.nii.gz"
    nib.save(nib.Nifti1Image(fine, affine), path)
    refined = replace(atlas, image=path)
    ours = region_means(only_run(tree), refined, 0.0)
    direct = region_means(only_run(tree), atlas, 0.0)
    np.testing.assert_allclose(ours.values, direct.values)
    np.testing.assert_allclose(ours.coverage, direct.coverage)


def test_left_and_right_are_not_exchanged(tmp_path, tree):
    # The same picture stored from right to left, as AAL2's is.
    atlas = load_atlas(tree.atlas)
    stored = nib.load(tree.atlas)
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = stored.shape[0] - 1
    path = tmp_path / "flipped_dseg.nii.gz"
    values = np.asarray(stored.dataobj)[::-1]
    nib.save(nib.Nifti1Image(values, stored.affine @ flip), path)
    ours = region_means(only_run(tree), replace(atlas, image=path), 0.0)
    np.testing.assert_allclose(ours.values, region_means(only_run(tree), atlas, 0.0).values)


def test_spaces_that_differ_are_an_error(tmp_path, tree):
    run = only_run(tree)
    atlas = replace(load_atlas(tree.atlas), space="MNI152NLin6Asym")
    with pytest.raises(InputError, match=r"'MNI152NLin2009cAsym', but atlas.*'MNI152NLin6Asym'"):
        region_means(run, atlas, 0.0)
    native = replace(run, entities=tuple(e for e in run.entities if e[0] != "space"))
    with pytest.raises(InputError, match=r"native space.*'MNI152NLin6Asym'"):
        region_means(native, atlas, 0.0)
    region_means(run, replace(atlas, space="MNI"), 0.0)
    far = spheres(tmp_path, "name\tx\ty\tz\nA\t-7\t-8\t80\nB\t8\t-8\t-90\n")
    with pytest.raises(InputError, match=r"Only 0% of atlas 'balls'.*not in the same space"):
        region_means(run, far, 0.0)


def test_repetition_time_from_the_header(tree):
    run = only_run(tree)
    sidecar = run.path.with_name(run.path.name.replace(".nii.gz", ".json"))
    sidecar.unlink()
    means = region_means(run, load_atlas(tree.atlas), 0.0)
    assert means.tr == 2.0
    assert "from its header" in means.notes[0]
    image = nib.load(run.path)
    data = np.asarray(image.dataobj)
    image.header.set_zooms((3.0, 3.0, 3.0, 720.0))
    image.header.set_xyzt_units("mm", "msec")
    nib.save(nib.Nifti1Image(data, image.affine, image.header), run.path)
    assert region_means(run, load_atlas(tree.atlas), 0.0).tr == pytest.approx(0.72)
    image.header.set_zooms((3.0, 3.0, 3.0, 0.0))
    nib.save(nib.Nifti1Image(data, image.affine, image.header), run.path)
    with pytest.raises(InputError, match=r"No repetition time.*RepetitionTime"):
        region_means(run, load_atlas(tree.atlas), 0.0)


@pytest.mark.parametrize(("number", "unit"), [(2.0, "msec"), (2000.0, "sec")])
def test_a_repetition_time_in_the_wrong_unit_is_asked_for(tree, number, unit):
    run = only_run(tree)
    run.path.with_name(run.path.name.replace(".nii.gz", ".json")).unlink()
    image = nib.load(run.path)
    image.header.set_zooms((3.0, 3.0, 3.0, number))
    image.header.set_xyzt_units("mm", unit)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header), run.path)
    with pytest.raises(InputError, match=r"whose header says .* s: write \"RepetitionTime\""):
        region_means(run, load_atlas(tree.atlas), 0.0)


def test_images_that_are_not_compressed(tree):
    run = only_run(tree)
    expected = region_means(run, load_atlas(tree.atlas), 0.0)
    for path in list(run.path.parent.glob("*.nii.gz")):
        nib.save(nib.load(path), path.with_name(path.name.removesuffix(".gz")))
        path.unlink()
    plain = only_run(tree)
    assert plain.path.name.endswith("_desc-preproc_bold.nii")
    found = region_means(plain, load_atlas(tree.atlas), 0.0)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.coverage, expected.coverage)
    assert found.tr == expected.tr
    settings = DenoiseSettings(min_volumes=40)
    confounds = load_run_confounds(plain.path, len(found.values), found.tr, settings)
    assert len(confounds.names) == confounds.design.shape[1] > 10


def test_images_of_old_versions_of_fmriprep_are_called_what_they_are(tmp_path):
    name, what = "sub-01_task-rest_bold_space-X_preproc.nii.gz", "before version 1.2"
    path = tmp_path / "in" / "sub-01" / "func" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=f"{name}.*fMRIPrep 1.2 or newer") as caught:
        find_subjects(tmp_path / "in")
    assert what in str(caught.value)


def test_a_mask_that_was_not_fetched_is_no_missing_mask(tree):
    run = only_run(tree)
    (mask,) = run.path.parent.glob("*brain_mask.nii.gz")
    mask.unlink()
    mask.symlink_to("nowhere")
    with pytest.raises(InputError, match=r"brain_mask\.nii\.gz' is a link to content"):
        region_means(run, load_atlas(tree.atlas), 0.0)


def test_labels_as_large_as_they_can_be(tree):
    run = only_run(tree)
    expected = region_means(run, load_atlas(tree.atlas), 0.0)
    large = 2_000_000_000
    image = nib.load(tree.atlas)
    labels = np.asarray(image.dataobj).astype(np.int32)
    nib.save(nib.Nifti1Image(np.where(labels > 0, large + labels, 0), image.affine), tree.atlas)
    table = tree.atlas.with_name(tree.atlas.name.replace(".nii.gz", ".tsv"))
    lines = table.read_text().splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    shifted = [[str(large + int(i)) if int(i) else i, *rest] for i, *rest in rows]
    table.write_text("\n".join([lines[0], *("\t".join(row) for row in shifted)]) + "\n")
    found = region_means(run, load_atlas(tree.atlas), 0.0)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.coverage, expected.coverage)


def test_a_radius_is_not_in_other_units(tmp_path):
    with pytest.raises(InputError, match=r"radius of 'A'.*is 700 mm; it must be .* at most 100"):
        spheres(tmp_path, "name\tx\ty\tz\tradius\nA\t0\t0\t0\t700\nB\t9\t9\t9\t5\n")


def test_damaged_images(tree):
    run, atlas = only_run(tree), load_atlas(tree.atlas)
    whole = run.path.read_bytes()
    run.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"bold\.nii\.gz.*damaged"):
        region_means(run, atlas, 0.0)
    run.path.write_bytes(b"")
    with pytest.raises(InputError, match=r"bold\.nii\.gz.*cannot be read"):
        region_means(run, atlas, 0.0)
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4)), np.eye(4)), run.path)
    with pytest.raises(InputError, match=r"shape \(4, 4, 4\); a series"):
        region_means(run, atlas, 0.0)


def test_not_finite_voxels_inside_a_region(tree):
    run = only_run(tree)
    image = nib.load(run.path)
    data = np.asarray(image.dataobj).copy()
    data[3, 3, 3, 7] = np.nan
    nib.save(nib.Nifti1Image(data, image.affine, image.header), run.path)
    with pytest.raises(InputError, match=r"not finite.*'CA1'"):
        region_means(run, load_atlas(tree.atlas), 0.0)
