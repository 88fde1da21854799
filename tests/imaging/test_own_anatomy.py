"""A subject's own anatomy is taken only where it lies in the space of the functional images."""

import nibabel as nib
import numpy as np
import pytest

from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.own_anatomy import own_anatomy

MNI = "MNI152NLin2009cAsym"


def study(folder, bold, *anatomies):
    """Write empty images, the functional one and the anatomical ones, and return the subject."""
    names = [
        f"func/sub-01_task-rest{bold}_desc-preproc_bold",
        *(f"anat/sub-01{a}" for a in anatomies),
    ]
    for name in names:
        path = folder / "sub-01" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(np.zeros((2, 2, 2, 4), dtype=np.float32), np.eye(4)), path)
    (subject,) = find_subjects(folder)
    return subject


@pytest.mark.parametrize(
    ("bold", "anatomies", "found"),
    [
        (f"_space-{MNI}", (f"_space-{MNI}_desc-preproc_T1w", "_desc-preproc_T1w"), 0),
        ("_space-T1w", (f"_space-{MNI}_desc-preproc_T1w", "_desc-preproc_T1w"), 1),
        # With the resolution of the functional image, if there are several.
        (f"_space-{MNI}_res-2", (f"_space-{MNI}_desc-preproc_T1w",
                                 f"_space-{MNI}_res-2_desc-preproc_T1w"), 1),
        (f"_space-{MNI}", ("_space-MNI152NLin6Asym_desc-preproc_T1w", "_desc-preproc_T1w"), None),
        (f"_space-{MNI}", (f"_space-{MNI}_desc-brain_mask",), None),
        # Nobody knows where an image without a space lies.
        ("", ("_desc-preproc_T1w",), None),
    ],
)  # fmt: skip
def test_the_space_decides(tmp_path, bold, anatomies, found):
    image = own_anatomy(study(tmp_path, bold, *anatomies))
    assert image == (
        None if found is None else tmp_path / "sub-01" / "anat" / f"sub-01{anatomies[found]}.nii.gz"
    )


def test_an_anatomy_of_a_session_is_found(tmp_path):
    subject = study(tmp_path, f"_space-{MNI}")
    image = (
        tmp_path / "sub-01" / "ses-1" / "anat" / f"sub-01_ses-1_space-{MNI}_desc-preproc_T1w.nii"
    )
    image.parent.mkdir(parents=True)
    image.write_bytes(b"")
    assert own_anatomy(subject) == image
