"""Images are opened once for header and voxels, and label images once in a process."""

import nibabel as nib
import numpy as np
import pytest
from opened_files import opened_files

from causal_ivae.errors import InputError
from causal_ivae.imaging.volumes import atlas_image, image_shape, open_image, read_voxels


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_voxels_and_affine_are_nibabels_from_a_single_opening(tmp_path, kind, ending):
    path = tmp_path / f"image{ending}"
    image = kind(np.arange(120, dtype=np.int16).reshape(2, 3, 4, 5), np.diag([2.0, 3.0, 4.0, 1.0]))
    # Scaled by the header, so that voxels are not just what lies in the file.
    image.header.set_slope_inter(0.5, 7.0)
    nib.save(image, path)
    expected = nib.load(path)
    with opened_files() as opened, open_image(path, "image") as found:
        voxels = read_voxels(found, path, np.float32)
    assert opened[path] == 1
    np.testing.assert_array_equal(voxels, np.asarray(expected.dataobj, dtype=np.float32))
    np.testing.assert_array_equal(found.affine, expected.affine)
    assert found.header.get_zooms() == expected.header.get_zooms()
    assert image_shape(path, "image") == (2, 3, 4, 5)


@pytest.mark.parametrize("content", [b"", b"no image " * 100, b"\x1f\x8b no gzip"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_what_is_no_image_is_said_with_its_path(tmp_path, content, ending):
    path = tmp_path / f"image{ending}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"The picture '.*image\.nii.*cannot be read"):
        image_shape(path, "picture")


def test_labels_are_read_once_and_again_when_the_image_changed(tmp_path):
    path = tmp_path / "atlas.nii.gz"
    labels = np.zeros((3, 4, 5), dtype=np.int16)
    nib.save(nib.Nifti1Image(labels, np.eye(4)), path)
    with opened_files() as opened:
        first = atlas_image(path)
        assert atlas_image(path) is first
    assert opened[path] == 1
    with pytest.raises(ValueError, match="read-only"):
        first.labels[0, 0, 0] = 9
    labels[1] = 2
    nib.save(nib.Nifti1Image(labels, np.eye(4)), path)
    np.testing.assert_array_equal(atlas_image(path).labels, labels)


def test_of_maps_only_the_header_is_kept(tmp_path):
    path = tmp_path / "maps.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5, 2), dtype=np.float32), np.eye(4)), path)
    found = atlas_image(path)
    assert found.shape == (3, 4, 5, 2)
    assert found.labels is None
