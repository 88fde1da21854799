"""Write a small simulated study as fMRIPrep would leave it, and a label atlas of four regions.

    python docs/examples/fmriprep_like.py FOLDER

ERC drives CA1, and CA1 drives SUB; PHC stands alone.  No measurement of a brain.
"""

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from causal_ivae.seeding import generator
from causal_ivae.simulate import simulate_bold

REGIONS = ("ERC", "CA1", "SUB", "PHC")
SHAPE, TR, VOLUMES = (12, 12, 10), 1.0, 600
AFFINE = np.array([[3.0, 0, 0, -16], [0, 3.0, 0, -17], [0, 0, 3.0, -14], [0, 0, 0, 1]])


def write_atlas(folder: Path) -> np.ndarray:
    """Write a label image, its table and its description; return the labels, shape `SHAPE`."""
    labels = np.zeros(SHAPE, dtype=np.int16)
    for index in range(len(REGIONS)):
        labels[2 + 4 * (index % 2) :, 2 + 4 * (index // 2) :, 2:6][:3, :3] = index + 1
    nib.save(nib.Nifti1Image(labels, AFFINE), folder / "example_dseg.nii.gz")
    table = pd.DataFrame({"index": range(1, 5), "name": REGIONS})
    table.to_csv(folder / "example_dseg.tsv", sep="\t", index=False)
    about = {"Name": "example", "Space": "MNI152NLin2009cAsym"}
    (folder / "example_dseg.json").write_text(json.dumps(about))
    return labels


def write_subject(root: Path, label: str, labels: np.ndarray) -> None:
    """Write one resting run with its mask and confounds."""
    adjacency = np.zeros((4, 4), dtype=bool)
    adjacency[0, 1] = adjacency[1, 2] = True
    series = simulate_bold(adjacency, n_times=VOLUMES, tr=TR, subject=label).values
    rng = generator(0, "example", label)
    data = 1000 + rng.normal(scale=2.0, size=(*SHAPE, VOLUMES))
    for index, region in enumerate(series.T, start=1):
        data[labels == index] += 10 * region
    func = root / f"sub-{label}" / "func"
    func.mkdir(parents=True)
    stem = f"sub-{label}_task-rest"
    image = nib.Nifti1Image(data.astype(np.float32), AFFINE)
    image.header.set_zooms((3.0, 3.0, 3.0, TR))
    image.header.set_xyzt_units("mm", "sec")
    space = f"{stem}_space-MNI152NLin2009cAsym"
    nib.save(image, func / f"{space}_desc-preproc_bold.nii.gz")
    (func / f"{space}_desc-preproc_bold.json").write_text(json.dumps({"RepetitionTime": TR}))
    mask = nib.Nifti1Image(np.ones(SHAPE, dtype=np.uint8), AFFINE)
    nib.save(mask, func / f"{space}_desc-brain_mask.nii.gz")
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    columns = {}
    for name in (*names, "csf", "white_matter"):
        values = rng.normal(scale=0.01, size=VOLUMES)
        columns |= {name: values, f"{name}_derivative1": np.r_[np.nan, np.diff(values)]}
    columns |= {f"{name}_power2": values**2 for name, values in columns.items()}
    time = (np.arange(VOLUMES) + 0.5) / VOLUMES
    columns |= {f"cosine{k:02d}": np.cos(np.pi * time * (k + 1)) for k in range(3)}
    columns["framewise_displacement"] = np.r_[np.nan, rng.uniform(0.05, 0.2, VOLUMES - 1)]
    columns["std_dvars"] = np.r_[np.nan, rng.uniform(0.9, 1.1, VOLUMES - 1)]
    confounds = func / f"{stem}_desc-confounds_timeseries"
    pd.DataFrame(columns).to_csv(f"{confounds}.tsv", sep="\t", index=False, na_rep="n/a")
    Path(f"{confounds}.json").write_text("{}")


def main(folder: Path) -> None:
    """Write three subjects."""
    root = folder / "fmriprep"
    root.mkdir(parents=True)
    about = {"Name": "Simulated example", "BIDSVersion": "1.9.0", "DatasetType": "derivative"}
    (root / "dataset_description.json").write_text(json.dumps(about))
    labels = write_atlas(folder)
    for label in ("01", "02", "03"):
        write_subject(root, label, labels)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
