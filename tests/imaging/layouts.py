"""Write folders as other programs leave them, with known series inside."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import scipy.io
import scipy.signal

from tests.imaging.layout_files import (
    N_TIMES,
    NAMES,
    TR,
    about,
    bad_volumes,
    confounds,
    dlabel,
    dtseries,
    frame,
    ptseries,
    put,
    rows,
    series,
    table,
)


@dataclass(frozen=True)
class Layout:
    """Say how a folder is used, and what must be found in it.

    ``volumes`` are the acquired volumes that are kept, ``source`` the folder that is given.
    """

    source: str = "in"
    atlas: str | None = None
    subjects: tuple[str, ...] = ("01", "02")
    names: tuple[str, ...] = NAMES
    volumes: np.ndarray = field(default_factory=lambda: np.arange(N_TIMES))
    n_acquired: int = N_TIMES
    tr: float = TR
    tasks: tuple[str, ...] = ()
    settings: dict[str, object] = field(default_factory=dict)
    tolerance: float = 1e-4


LAYOUTS: dict[str, Callable[[Path], Layout]] = {}


def layout(write: Callable[[Path], Layout]) -> Callable[[Path], Layout]:
    """Add a layout under the name of its function."""
    LAYOUTS[write.__name__] = write
    return write


def xcpd(folder: Path, entity: str, *, kept_only: bool) -> None:
    """Write one atlas too many, and all that stands beside series in XCP-D's folder."""
    bad = bad_volumes()
    for number in (1, 2):
        func = folder / f"sub-0{number}" / "func"
        start = f"sub-0{number}_task-rest_space-fsLR"
        for atlas, names in (("4S156Parcels", NAMES), ("Tian", (*NAMES, "PHC"))):
            data = frame(number, names)
            named = f"{start}_{entity}-{atlas}_den-91k_stat-"
            shown = data.drop(index=list(bad)) if kept_only else data.copy()
            if not kept_only:
                # Interpolated volumes would give away the truth.
                shown.loc[bad] = 100.0 + np.arange(len(names))
            table(func / f"{named.replace('_den-91k', '')}mean_timeseries.tsv", shown)
            ptseries(func / f"{named}mean_timeseries.ptseries.nii", shown.to_numpy(), names)
            for stat in ("coverage", "alff", "reho"):
                table(func / f"{named}{stat}_bold.tsv", data.iloc[:1])
            table(func / f"{named}pearsoncorrelation_relmat.tsv", data.corr())
            table(
                folder / "atlases" / f"atlas-{atlas}" / f"atlas-{atlas}_dseg.tsv",
                pd.DataFrame({"index": range(1, len(names) + 1), "label": names}),
            )
        flags = np.isin(np.arange(N_TIMES), bad).astype(int)
        table(
            func / f"sub-0{number}_task-rest_outliers.tsv",
            pd.DataFrame({"framewise_displacement": flags}),
        )
        motion = pd.DataFrame({"trans_x": 0.0, "framewise_displacement": 0.1 + flags})
        table(func / f"sub-0{number}_task-rest_motion.tsv", motion)
        table(func / f"sub-0{number}_task-rest_desc-linc_qc.tsv", motion[:1])
        dtseries(func / f"{start}_den-91k_desc-denoised_bold.dtseries.nii", series(number))
        put(
            func / f"{start}_{entity}-4S156Parcels_stat-mean_timeseries.json",
            '{"SamplingFrequency": 0.5}',
        )
    about(folder)


@layout
def xcpd_interpolated(root: Path) -> Layout:
    xcpd(root / "in", "seg", kept_only=False)
    kept = np.setdiff1d(np.arange(N_TIMES), bad_volumes())
    return Layout(atlas="4S156Parcels", volumes=kept)


@layout
def xcpd_censored_of_an_older_version(root: Path) -> Layout:
    xcpd(root / "in", "atlas", kept_only=True)
    kept = np.setdiff1d(np.arange(N_TIMES), bad_volumes())
    return Layout(atlas="4s156parcels", volumes=kept, settings={"tables.tr": 2.0})


@layout
def xcpd_parcel_not_covered(root: Path) -> Layout:
    for number in (1, 2):
        data = frame(number, (*NAMES, "PHC"))
        data["PHC"] = np.nan
        name = f"sub-0{number}_task-rest_seg-Tiny_stat-mean_timeseries.tsv"
        table(root / "in" / f"sub-0{number}" / "func" / name, data)
    names = (*NAMES, "PHC")
    return Layout(names=names, settings={"denoise.missing_regions": "drop"})


@layout
def xcpd_grayordinates(root: Path) -> Layout:
    xcpd(root / "in", "seg", kept_only=False)
    label = dlabel(root / "atlas-mine_dseg.dlabel.nii")
    kept = np.setdiff1d(np.arange(N_TIMES), bad_volumes())
    return Layout(atlas=str(label), volumes=kept)


@layout
def hcp_parcellated(root: Path) -> Layout:
    for number in (1, 2):
        run = "rfMRI_REST1_LR"
        folder = root / "in" / f"10030{number}" / "MNINonLinear" / "Results" / run
        ptseries(folder / f"{run}_Atlas_MSMAll_hp2000_clean_Glasser.ptseries.nii", series(number))
        put(folder / "Movement_Regressors.txt", rows(series(number, 12), " "))
    return Layout(subjects=("100301", "100302"))


@layout
def hcp_grayordinates(root: Path) -> Layout:
    for number in (1, 2):
        for run in ("rfMRI_REST1_LR", "tfMRI_WM_RL"):
            folder = root / "in" / f"10030{number}" / "MNINonLinear" / "Results" / run
            dtseries(folder / f"{run}_Atlas.dtseries.nii", series(number + 20))
            dtseries(folder / f"{run}_Atlas_MSMAll_hp2000_clean.dtseries.nii", series(number))
    label = dlabel(root / "atlas-mine_dseg.dlabel.nii")
    return Layout(atlas=str(label), subjects=("100301", "100302"), tasks=("REST",))


@layout
def abcd(root: Path) -> Layout:
    for number in (1, 2):
        label = f"NDARINV{number}"
        func = root / "in" / f"sub-{label}" / "ses-baselineYear1Arm1" / "func"
        start = f"sub-{label}_ses-baselineYear1Arm1_task-rest_bold"
        for atlas, names in (("Gordon2014FreeSurferSubcortical", NAMES), ("HCP2016", NAMES[:2])):
            name = f"{start}_atlas-{atlas}_desc-filtered_timeseries.ptseries.nii"
            ptseries(func / name, series(number, len(names)), names)
        table(func / f"{start}_desc-filtered_motion.tsv", frame(number))
    return Layout(
        atlas="Gordon2014FreeSurferSubcortical", subjects=("NDARINV1", "NDARINV2"), tolerance=0.03
    )


@layout
def fmriprep_cifti(root: Path) -> Layout:
    for number in (1, 2):
        stem = root / "in" / f"sub-0{number}" / "func" / f"sub-0{number}_task-rest"
        dtseries(Path(f"{stem}_space-fsLR_den-91k_bold.dtseries.nii"), series(number))
        put(Path(f"{stem}_space-fsLR_den-91k_bold.json"), json.dumps({"RepetitionTime": TR}))
        confounds(stem, number)
    about(root / "in")
    return Layout(atlas=str(dlabel(root / "atlas-mine_dseg.dlabel.nii")), tolerance=0.2)


@layout
def fmriprep_surfaces(root: Path) -> Layout:
    for number in (1, 2):
        stem = root / "in" / f"sub-0{number}" / "func" / f"sub-0{number}_task-rest"
        values = series(number)
        for hemi, columns in (("L", (0, 1)), ("R", (2, 2))):
            data = np.repeat(values[:, list(columns)], 4, axis=1).astype(np.float32)
            data = np.concatenate([np.zeros((N_TIMES, 2), np.float32), data], axis=1)
            image = nib.GiftiImage(darrays=[nib.gifti.GiftiDataArray(row) for row in data])
            path = Path(f"{stem}_hemi-{hemi}_space-fsaverage5_bold.func.gii")
            path.parent.mkdir(parents=True, exist_ok=True)
            image.to_filename(path)
            put(path.with_name(path.name.replace(".func.gii", ".json")), '{"RepetitionTime": 2.0}')
        confounds(stem, number)
    colours = np.array([[0, 0, 0, 0, 0], [10, 0, 0, 0, 0], [0, 10, 0, 0, 0]])
    colours[:, 4] = colours[:, :3] @ [1, 256, 65536]
    for side, labels in (("lh", [0, 0, 1, 1, 1, 1, 2, 2, 2, 2]), ("rh", [0, 0, *[1] * 8])):
        names = ["unknown", "ERC" if side == "lh" else "SUB", "CA1"]
        nib.freesurfer.write_annot(root / f"{side}.my.annot", np.array(labels), colours, names)
    return Layout(atlas=str(root / "lh.my.annot"), names=("L_ERC", "L_CA1", "R_SUB"), tolerance=0.2)


@layout
def giga_connectome(root: Path) -> Layout:
    for number in (1, 2):
        func = root / "in" / f"sub-0{number}" / "func"
        start = f"sub-0{number}_task-rest_seg-Small_desc-denoiseSimple"
        table(func / f"{start}_timeseries.tsv", frame(number).set_axis(range(3), axis=1))
        put(func / f"{start}_timeseries.json", '{"SamplingFrequency": 0.5}')
        matrix = func / f"sub-0{number}_task-rest_seg-Small_meas-PearsonCorrelation_relmat.tsv"
        table(matrix, frame(number).corr())
    return Layout(names=("region_01", "region_02", "region_03"))


@layout
def giga_connectome_in_one_file(root: Path) -> Layout:
    (root / "in").mkdir()
    with h5py.File(root / "in" / "atlas-Small_desc-simple.h5", "w") as file:
        for number in (1, 2):
            start = f"sub-0{number}/sub-0{number}_task-rest_atlas-Small_desc-3Parcels"
            file[f"{start}_timeseries"] = series(number)
            file[f"{start}_connectome"] = np.corrcoef(series(number).T)
    return Layout(names=("region_01", "region_02", "region_03"))


@layout
def halfpipe(root: Path) -> Layout:
    for number in (1, 2):
        func = root / "in" / f"sub-0{number}" / "func" / "task-rest"
        start = f"sub-0{number}_task-rest_feature-corrMatrix_atlas-small"
        table(func / f"{start}_timeseries.tsv", frame(number), header=False)
        put(func / f"{start}_timeseries.json", '{"SamplingFrequency": 0.5}')
        table(func / f"{start}_desc-correlation_matrix.tsv", frame(number).corr(), header=False)
    regions = pd.DataFrame({"index": [1, 2, 3], "name": NAMES})
    table(root / "in" / "atlas-small_dseg.tsv", regions)
    return Layout()


@layout
def cpac(root: Path) -> Layout:
    for number in (1, 2):
        func = root / "in" / f"sub-0{number}" / "ses-1" / "func"
        start = f"sub-0{number}_ses-1_task-rest_atlas-CC200"
        text = "#2001\t#2002\t#2101\n" + rows(series(number), "\t")
        put(func / f"{start}_desc-Mean-1_timeseries.1D", text)
        put(func / f"sub-0{number}_ses-1_task-rest_desc-1_motion.1D", rows(series(9, 6), " "))
    return Layout(names=("2001", "2002", "2101"))


@layout
def afni_3droistats(root: Path) -> Layout:
    for number in (1, 2):
        text = "File\tSub-brick\tMean_1  \tNZcount_1 \tMean_2  \tNZcount_2 \tMean_7  \tNZcount_7 \n"
        for t, row in enumerate(series(number)):
            cells = "\t".join(f"{v:.4f}\t9" for v in row)
            text += f"rest+tlrc\t{t}[?]\t{cells}\n"
        put(root / "in" / f"sub-0{number}_roistats.1D", text)
    labels = np.zeros((4, 4, 4), np.int16)
    labels[1, 1, 1:4] = (1, 2, 7)
    nib.Nifti1Image(labels, np.eye(4)).to_filename(root / "atlas.nii.gz")
    table(root / "atlas.tsv", pd.DataFrame({"index": [1, 2, 7], "name": NAMES}))
    return Layout(atlas=str(root / "atlas.nii.gz"))


@layout
def fsl_fslmeants(root: Path) -> Layout:
    for number in (1, 2):
        text = rows(series(number), "  ").replace("\n", "  \n")
        put(root / "in" / f"sub-0{number}_meants.txt", text)
    put(root / "in" / "README.txt", "Made with fslmeants.\nTwo people.\n")
    return Layout(names=("region_01", "region_02", "region_03"))


@layout
def fsl_dual_regression(root: Path) -> Layout:
    for number in (0, 1):
        put(root / "in" / f"dr_stage1_subject0000{number}.txt", rows(series(number + 1), "  "))
    return Layout(
        subjects=("subject00000", "subject00001"), names=("region_01", "region_02", "region_03")
    )


@layout
def conn(root: Path) -> Layout:
    (root / "in").mkdir()
    for number in (1, 2):
        for condition in (0, 1):
            values = series(number + 10 * condition)
            cells, names = np.empty((1, 3), dtype=object), np.empty((1, 3), dtype=object)
            for i in range(3):
                cells[0, i], names[0, i] = values[:, [i]], NAMES[i]
            content = {"data": cells, "names": names}
            name = f"ROI_Subject00{number}_Condition00{condition}.mat"
            scipy.io.savemat(root / "in" / name, content)
        scipy.io.savemat(root / "in" / f"COV_Subject00{number}_Session001.mat", {"data": values})
    return Layout(subjects=("Subject001", "Subject002"), tasks=("condition000",))


@layout
def dpabi(root: Path) -> Layout:
    (root / "in").mkdir()
    for number in (1, 2):
        values = series(number)
        for kind, matrix in (("ROISignals", values), ("ROICorrelation", np.corrcoef(values.T))):
            scipy.io.savemat(root / "in" / f"{kind}_Sub_00{number}.mat", {kind: matrix})
            np.savetxt(root / "in" / f"{kind}_Sub_00{number}.txt", matrix, delimiter="\t")
        put(root / "in" / f"ROI_OrderKey_Sub_00{number}.tsv", "Order\tLabel\n1\t1\n2\t2\n")
    return Layout(
        subjects=("ROISignalsSub001", "ROISignalsSub002"),
        names=("region_01", "region_02", "region_03"),
    )


@layout
def semicolons_and_decimal_commas(root: Path) -> Layout:
    for number in (1, 2):
        table(root / "in" / f"sub-0{number}.csv", frame(number), sep=";", decimal=",")
    return Layout()


@layout
def index_column(root: Path) -> Layout:
    for number in (1, 2):
        data = frame(number)
        data.index = pd.Index([f"vol {t}" for t in range(N_TIMES)])
        table(root / "in" / f"sub-0{number}.csv", data, sep=",", index=True)
    return Layout()


@layout
def row_names_of_r(root: Path) -> Layout:
    for number in (1, 2):
        body = rows(np.column_stack([np.arange(1, N_TIMES + 1), series(number)]), ",")
        put(root / "in" / f"sub-0{number}.csv", "ERC,CA1,SUB\n" + body)
    return Layout()


@layout
def workbooks(root: Path) -> Layout:
    (root / "in").mkdir()
    for number in (1, 2):
        frame(number).to_excel(root / "in" / f"sub-0{number}.xlsx", index=False)
    return Layout()


@layout
def parquet(root: Path) -> Layout:
    (root / "in").mkdir()
    for number in (1, 2):
        frame(number).to_parquet(root / "in" / f"sub-0{number}.parquet")
    return Layout()


@layout
def derivatives_inside_a_dataset(root: Path) -> Layout:
    """Events are in the raw tree only, where three blocks of 160 s are said."""
    raw = root / "bids"
    for number in (1, 2):
        func = raw / "derivatives" / "tables" / f"sub-0{number}" / "func"
        table(func / f"sub-0{number}_task-rest_timeseries.tsv", frame(number))
        (raw / f"sub-0{number}" / "func").mkdir(parents=True)
        (raw / f"sub-0{number}" / "func" / f"sub-0{number}_task-rest_bold.nii.gz").touch()
    blocks = pd.DataFrame(
        {"onset": [0, 160, 320], "duration": [160] * 3, "trial_type": ["a", "b", "c"]}
    )
    table(raw / "task-rest_events.tsv", blocks)
    about(raw / "derivatives" / "tables")
    return Layout(source="bids/derivatives/tables", settings={"segments.by": "task"})


@layout
def regions_of_every_subject(root: Path) -> Layout:
    """Every subject has labels of its own, in native space, with one table for all."""
    for number in (1, 2):
        func = root / "bids" / "derivatives" / "fmriprep" / f"sub-0{number}" / "func"
        values = series(number)
        labels = np.zeros((6, 6, 6), np.int16)
        data = np.full((6, 6, 6, N_TIMES), 100.0, np.float32)
        for region in range(3):
            block = (slice(2 * region, 2 * region + 2), slice(number, number + 3), slice(1, 4))
            labels[block] = region + 1
            data[block] = values[:, region]
        image = nib.Nifti1Image(data, np.diag([3, 3, 3, 1]))
        image.header.set_zooms((3, 3, 3, TR))
        func.mkdir(parents=True)
        stem = func / f"sub-0{number}_task-rest"
        image.to_filename(f"{stem}_space-T1w_desc-preproc_bold.nii.gz")
        mask = nib.Nifti1Image(np.ones((6, 6, 6), np.uint8), np.diag([3, 3, 3, 1]))
        mask.to_filename(f"{stem}_space-T1w_desc-brain_mask.nii.gz")
        confounds(stem, number)
        own = root / "bids" / "derivatives" / "ashs" / f"sub-0{number}"
        own.mkdir(parents=True)
        nib.Nifti1Image(labels, np.diag([3, 3, 3, 1])).to_filename(own / "dseg.nii.gz")
    lines = [f'  {i + 1}   255 0 0   1  1  1   "{name}"' for i, name in enumerate(NAMES)]
    head = '# ITK-SnAP\n  0   0 0 0   0  0  0   "Clear Label"\n'
    put(root / "bids" / "derivatives" / "ashs" / "dseg.txt", head + "\n".join(lines) + "\n")
    return Layout(
        source="bids/derivatives/fmriprep",
        atlas="derivatives/ashs/{subject}/dseg.nii.gz",
        tolerance=0.2,
    )
