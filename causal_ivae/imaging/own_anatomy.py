"""Find a subject's own anatomical image in the space of its functional ones."""

from pathlib import Path

from causal_ivae.imaging.bids import SubjectFiles
from causal_ivae.imaging.file_names import natural_key, parse_entities

_NATIVE = "T1w"
"""Space of functional images that lie on the anatomical one, whose own name states no space."""


def own_anatomy(subject: SubjectFiles) -> Path | None:
    """Return the preprocessed T1-weighted image in the space of a subject's runs.

    Parameters
    ----------
    subject : SubjectFiles

    Returns
    -------
    pathlib.Path or None
        ``sub-*/[ses-*/]anat/*_desc-preproc_T1w.nii.gz``, as fMRIPrep leaves it, if possible with
        the resolution of the runs; None if there is none, or if runs lie in several spaces.
    """
    spaces = {(run.entity("space"), run.entity("cohort")) for run in subject.runs}
    if subject.kind != "images" or len(spaces) != 1:
        return None
    first = subject.runs[0]
    home = next((p for p in first.path.parents if p.name == f"sub-{subject.label}"), None)
    if home is None:
        return None
    name = "anat/*_desc-preproc_T1w.nii*"
    found = []
    for path in sorted({*home.glob(name), *home.glob(f"ses-*/{name}")}):
        entities = parse_entities(path.name)
        space = entities.get("space", _NATIVE), entities.get("cohort")
        if space in spaces:
            found.append((entities.get("res") != first.entity("res"), natural_key(path.name), path))
    return min(found)[-1] if found else None
