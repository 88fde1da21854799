"""Fixtures for all tests: no global random state, and a small fMRIPrep-like tree."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

# Tests run beside each other; threads that wait for each other made them ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Some tests compare results to the last bit; MKL reads this at its first product.
os.environ.setdefault("MKL_CBWR", "AVX2,STRICT")

SPACE = "MNI152NLin2009cAsym"
SHAPE = (12, 12, 10)
AFFINE = np.array([[3.0, 0, 0, -16], [0, 3.0, 0, -17], [0, 0, 3.0, -14], [0, 0, 0, 1]])
REGIONS = ("CA1", "SUB", "ERC", "PHC")
# One block of voxels per region, label values with a gap.
BLOCKS = {
    5: (slice(2, 5), slice(2, 5), slice(2, 5)),
    7: (slice(7, 10), slice(2, 5), slice(2, 5)),
    8: (slice(2, 5), slice(7, 10), slice(2, 5)),
    20: (slice(7, 10), slice(7, 10), slice(5, 9)),
}


@pytest.fixture(autouse=True)
def _global_random_state_is_left_alone() -> Iterator[None]:
    """Fail a test that draws from, or seeds, numpy's or torch's global generator."""
    before = np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    torch_before = None if torch is None else torch.get_rng_state()
    yield
    after = np.random.get_state()  # noqa: NPY002
    same = before[2:] == after[2:] and np.array_equal(before[1], after[1])
    assert same, "the test changed numpy's global random state"
    if torch is not None:
        assert torch.equal(torch_before, torch.get_rng_state()), (
            "the test changed torch's global random state"
        )


@dataclass(frozen=True)
class FMRIPrepTree:
    """What was written, and what is to be found again.

    ``planted`` maps (subject, run name) to the regions' series (n_volumes, 4); ``bad`` are the
    volumes with large framewise displacement.
    """

    root: Path
    atlas: Path
    planted: dict[tuple[str, str], np.ndarray]
    bad: tuple[int, ...]
    tr: float
    names: tuple[str, ...] = REGIONS


@pytest.fixture
def make_fmriprep_tree() -> Callable[..., FMRIPrepTree]:
    """Return the function that writes a tree; see `write_fmriprep_tree`."""
    return write_fmriprep_tree


def write_fmriprep_tree(
    folder: Path,
    *,
    n_subjects: int = 2,
    sessions: tuple[str, ...] = (),
    tasks: tuple[str, ...] = ("rest",),
    n_runs: int = 1,
    spaces: tuple[str, ...] = (SPACE,),
    n_volumes: int = 120,
    tr: float = 2.0,
    bad: tuple[int, ...] = (30, 31, 75),
    non_steady: int = 0,
    uncovered: tuple[str, ...] = (),
    uncovered_subjects: tuple[str, ...] | None = None,
    brain_mask: bool = True,
    seed: int = 0,
) -> FMRIPrepTree:
    """Write fMRIPrep-like derivatives and a label atlas of four regions.

    Every region's voxels hold its planted series, motion, a slow cosine and the white-matter
    signal in shares that differ by region, and voxel noise.  Volumes in `bad` hold large spikes.
    Regions in `uncovered` lie outside the brain mask (and are zero) for `uncovered_subjects`,
    all by default.  Subjects are ``01``, ``02``, ...; runs have a ``run-`` entity if there are
    several.
    """
    rng = np.random.default_rng(seed)
    root = folder / "fmriprep"
    planted = {}
    for number in range(1, n_subjects + 1):
        label = f"{number:02d}"
        lacks = uncovered if uncovered_subjects is None or label in uncovered_subjects else ()
        for session in sessions or (None,):
            for task in tasks:
                for run in range(1, n_runs + 1):
                    parts = [f"ses-{session}"] * (session is not None) + [f"task-{task}"]
                    parts += [f"run-{run}"] * (n_runs > 1)
                    func = root / f"sub-{label}" / (f"ses-{session}" if session else "") / "func"
                    func.mkdir(parents=True, exist_ok=True)
                    stem = func / "_".join([f"sub-{label}", *parts])
                    planted[label, "_".join(parts)] = _write_run(
                        stem, rng, spaces, n_volumes, tr, bad, non_steady, lacks, brain_mask
                    )
    (root / "dataset_description.json").write_text(
        json.dumps({"Name": "test", "BIDSVersion": "1.9.0", "DatasetType": "derivative"})
    )
    atlas = _write_atlas(folder)
    return FMRIPrepTree(root, atlas, planted, bad, tr)


def _write_atlas(folder: Path) -> Path:
    labels = np.zeros(SHAPE, dtype=np.int16)
    for index, block in BLOCKS.items():
        labels[block] = index
    path = folder / "atlas-tiny_dseg.nii.gz"
    nib.save(nib.Nifti1Image(labels, AFFINE), path)
    pd.DataFrame({"index": list(BLOCKS), "name": REGIONS}).to_csv(
        folder / "atlas-tiny_dseg.tsv", sep="\t", index=False
    )
    (folder / "atlas-tiny_dseg.json").write_text(json.dumps({"Name": "tiny", "Space": SPACE}))
    return path


def _write_run(stem, rng, spaces, n_volumes, tr, bad, non_steady, lacks, brain_mask):
    series = np.zeros((n_volumes, len(REGIONS)))
    drive = rng.laplace(size=series.shape) * rng.uniform(0.6, 1.6, size=series.shape[1])
    for t in range(1, n_volumes):
        series[t] = 0.5 * series[t - 1] + drive[t]
        series[t, 1] += 0.5 * series[t - 1, 0]
    motion = np.cumsum(rng.normal(scale=0.02, size=(n_volumes, 6)), axis=0)
    tissue = rng.normal(size=(n_volumes, 3))
    time = (np.arange(n_volumes) + 0.5) / n_volumes
    cosines = np.cos(np.pi * time[:, None] * np.arange(1, 4))
    # What regression can tell from nothing but itself is lost: plant what is left.
    common = np.column_stack([np.ones(n_volumes), motion, tissue, cosines])
    series -= common @ np.linalg.lstsq(common, series, rcond=None)[0]
    series /= series.std(axis=0)
    displacement = np.abs(rng.normal(scale=0.05, size=n_volumes)) + 0.05
    displacement[list(bad)] = 1.5
    dvars = 1 + 0.1 * rng.normal(size=n_volumes)
    nuisance = (
        30 * motion @ rng.normal(size=(6, len(REGIONS)))
        + 2 * tissue[:, :2] @ rng.normal(size=(2, len(REGIONS)))
        + 3 * cosines @ rng.normal(size=(3, len(REGIONS)))
    )
    data = np.zeros((*SHAPE, n_volumes), dtype=np.float32)
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[1:11, 1:11, 1:9] = 1
    data[mask > 0] = 1000 + rng.normal(scale=2.0, size=(int(mask.sum()), n_volumes))
    for column, block in enumerate(BLOCKS.values()):
        data[block] += (10 * (series[:, column] + nuisance[:, column])).astype(np.float32)
    # As strong as motion is: a censored volume that leaked would be seen.
    data[mask > 0] += 400.0 * np.isin(np.arange(n_volumes), bad)
    for name, block in zip(REGIONS, BLOCKS.values(), strict=True):
        if name in lacks:
            mask[block] = 0
            data[block] = 0
    for space in spaces:
        base = f"{stem}_space-{space}" if space else str(stem)
        image = nib.Nifti1Image(data, AFFINE)
        image.header.set_zooms((3.0, 3.0, 3.0, tr))
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, f"{base}_desc-preproc_bold.nii.gz")
        Path(f"{base}_desc-preproc_bold.json").write_text(json.dumps({"RepetitionTime": tr}))
        if brain_mask:
            nib.save(nib.Nifti1Image(mask, AFFINE), f"{base}_desc-brain_mask.nii.gz")
    table = {}
    for column, name in enumerate(("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")):
        table |= _with_derivative(name, motion[:, column])
    for column, name in enumerate(("csf", "white_matter", "global_signal")):
        table |= _with_derivative(name, tissue[:, column])
    table |= {f"cosine{k:02d}": cosines[:, k] for k in range(3)}
    table["framewise_displacement"] = np.r_[np.nan, displacement[1:]]
    table["std_dvars"] = np.r_[np.nan, dvars[1:]]
    for k in range(non_steady):
        table[f"non_steady_state_outlier{k:02d}"] = (np.arange(n_volumes) == k).astype(int)
    confounds = pd.DataFrame(table)
    confounds.to_csv(f"{stem}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a")
    Path(f"{stem}_desc-confounds_timeseries.json").write_text("{}")
    return series


def _with_derivative(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values, f"{name}_derivative1": np.r_[np.nan, np.diff(values)]}
