"""Write files as other programs leave them, with known series inside."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import scipy.io
import scipy.signal
from nibabel.cifti2 import cifti2_axes as axes

NAMES = ("ERC", "CA1", "SUB")
N_TIMES = 240
TR = 2.0
SPACE = "MNI152NLin2009cAsym"


def series(subject: int, n_regions: int = 3) -> np.ndarray:
    """Return what was planted: independent regions around a baseline, whose variances change."""
    columns = []
    for region in range(n_regions):
        rng = np.random.default_rng([subject, region])
        drive = rng.laplace(size=N_TIMES) * np.repeat(rng.uniform(0.5, 2.0, 8), N_TIMES // 8)
        columns.append(scipy.signal.lfilter([1.0], [1.0, -0.3], drive))
    return np.round(100 + np.column_stack(columns), 4)


def frame(subject: int, names: tuple[str, ...] = NAMES) -> pd.DataFrame:
    return pd.DataFrame(series(subject, len(names)), columns=list(names))


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def table(path: Path, data: pd.DataFrame, **how: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data.to_csv(path, **{"sep": "\t", "index": False, "na_rep": "n/a", **how})


def rows(values: np.ndarray, separator: str) -> str:
    return "".join(separator.join(f"{v:.4f}" for v in row) + "\n" for row in values)


def bad_volumes() -> np.ndarray:
    return np.r_[20:26, 100, 101, 180]


def ptseries(path: Path, values: np.ndarray, names: tuple[str, ...] = NAMES) -> None:
    """Write series of parcels, each of which has one vertex."""
    models = [
        (name, axes.BrainModelAxis.from_surface(np.array([i]), 100, "CortexLeft"))
        for i, name in enumerate(names)
    ]
    header = (axes.SeriesAxis(0, TR, len(values)), axes.ParcelsAxis.from_brain_models(models))
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Cifti2Image(values.astype(np.float32), header).to_filename(path)


def grayordinates() -> axes.BrainModelAxis:
    """Return eight vertices of each hemisphere and eight voxels of the left hippocampus."""
    mask = np.zeros((4, 4, 4), dtype=bool)
    mask[1:3, 1:3, 1:3] = True
    left = axes.BrainModelAxis.from_surface(np.arange(2, 10), 16, "CortexLeft")
    right = axes.BrainModelAxis.from_surface(np.arange(4, 12), 16, "CortexRight")
    return left + right + axes.BrainModelAxis.from_mask(mask, "HippocampusLeft", np.eye(4))


def dtseries(path: Path, values: np.ndarray) -> None:
    """Spread every region over eight grayordinates, with noise that their mean removes."""
    noise = np.random.default_rng(9).normal(size=(len(values), 4))
    spread = np.concatenate([noise, -noise], axis=1)
    data = np.concatenate([values[:, [i]] + spread for i in range(3)], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    header = (axes.SeriesAxis(0, TR, len(values)), grayordinates())
    nib.Cifti2Image(data.astype(np.float32), header).to_filename(path)


def dlabel(path: Path) -> Path:
    table_of_labels = {0: ("???", (0, 0, 0, 0)), 2: (NAMES[0], (1, 0, 0, 1)),
                       4: (NAMES[1], (0, 1, 0, 1)), 7: (NAMES[2], (0, 0, 1, 1))}  # fmt: skip
    labels = np.repeat([2, 4, 7], 8)[None].astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Cifti2Image(
        labels, (axes.LabelAxis(["a"], [table_of_labels]), grayordinates())
    ).to_filename(path)
    return path


def confounds(stem: Path, subject: int) -> None:
    """Write fMRIPrep's confounds; none of them is in the series, up to chance."""
    rng = np.random.default_rng(subject + 50)
    columns = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z", "csf", "white_matter"]
    data = pd.DataFrame(rng.normal(size=(N_TIMES, len(columns))) * 0.01, columns=columns)
    for column in columns[:6]:
        data[f"{column}_derivative1"] = data[column].diff()
    steps = (np.arange(N_TIMES) + 0.5) / N_TIMES
    for k in range(2):
        data[f"cosine0{k}"] = np.cos(np.pi * (k + 1) * steps)
    data["framewise_displacement"] = 0.1
    data.loc[0, "framewise_displacement"] = np.nan
    data["std_dvars"] = 1.0
    table(Path(f"{stem}_desc-confounds_timeseries.tsv"), data)
    put(Path(f"{stem}_desc-confounds_timeseries.json"), "{}")


def about(folder: Path, **content: object) -> None:
    put(
        folder / "dataset_description.json",
        json.dumps({"Name": "x", "BIDSVersion": "1.9.0", "DatasetType": "derivative", **content}),
    )
