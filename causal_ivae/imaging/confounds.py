"""Read fMRIPrep's confounds of one run and decide which volumes are kept."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.errors import InputError, TooShortError
from causal_ivae.given_files import is_given, read_table, require_file
from causal_ivae.imaging.file_names import split_name
from causal_ivae.settings import DenoiseSettings

_MANY_CONFOUNDS = 0.15
"""Share of the kept volumes from which on the number of confounds deserves a note."""
_HIGH_PASS_PERIOD = 128.0
"""fMRIPrep's high-pass filter cuts off at this period (s)."""
_FIRST_ROWS = 10
"""Values that are missing in no later row are those of volumes before the signal was steady."""
_ENDINGS = ("_timeseries.tsv", "_regressors.tsv")


@dataclass(frozen=True, eq=False)
class Confounds:
    """Hold the confounds of one run.

    Attributes
    ----------
    design : ndarray, shape (n_volumes, n_confounds), float64
        Regressors without the intercept.
    names : tuple of str, length n_confounds
        Names of the regressors.
    kept : ndarray, shape (n_volumes,), bool
        True for volumes that are not censored.
    framewise_displacement : ndarray, shape (n_volumes,)
        Framewise displacement (mm) of every acquired volume; NaN if it is not known.
    notes : tuple of str
        Sentences for the reader.
    """

    design: NDArray[np.float64]
    names: tuple[str, ...]
    kept: NDArray[np.bool_]
    framewise_displacement: NDArray[np.float64]
    notes: tuple[str, ...]


def load_run_confounds(
    image: Path, n_volumes: int, tr: float, settings: DenoiseSettings
) -> Confounds:
    """Read the confounds that fMRIPrep wrote beside an image.

    Parameters
    ----------
    image : pathlib.Path
        Path of ``*_desc-preproc_bold.nii.gz``.
    n_volumes : int
        Number of volumes of the image.
    tr : float
        Repetition time (s).

    Raises
    ------
    InputError
        If the file or a column is missing, the lengths differ or a value is missing.
    TooShortError
        If fewer volumes than ``settings.min_volumes`` or less time than ``settings.min_time`` is
        kept.

    Notes
    -----
    Every parameter of nilearn's `load_confounds` is passed explicitly, since the scrubbing defaults
    of its code and of its documentation differ.  Non-steady-state volumes that fMRIPrep marked are
    always censored.  Drifts are removed by fMRIPrep's cosines and never by a filter, which would
    spread censored volumes to their neighbours.
    """
    table, path = _read(image)
    if len(table) != n_volumes:
        raise InputError(
            f"'{path}' has {len(table)} rows but '{image.name}' has {n_volumes} volumes."
        )
    if "scrub" in settings.strategy:
        for column in ("framewise_displacement", "std_dvars"):
            if column not in table:
                raise InputError(
                    f"'{path}' has no column '{column}', which censoring needs; run fMRIPrep "
                    "1.4 or newer, or leave 'scrub' out of denoise.strategy."
                )
    chosen, sample = _load(image, path, n_volumes, settings)
    design = chosen.to_numpy(dtype=np.float64)
    names = tuple(map(str, chosen.columns))
    notes: list[str] = []
    if "high_pass" in settings.strategy and not any(n.startswith("cosine") for n in names):
        cosines = cosine_drifts(n_volumes, tr)
        design = np.column_stack([design, cosines])
        names += tuple(f"cosine{k:02d}" for k in range(cosines.shape[1]))
        notes.append(
            f"'{path.name}' has no cosine columns; {cosines.shape[1]} drifts slower than "
            f"{_HIGH_PASS_PERIOD:g} s were made."
        )
    kept = np.zeros(n_volumes, dtype=bool)
    kept[sample] = True
    kept[: settings.dummy_volumes] = False
    displacement = np.full(n_volumes, np.nan)
    if "framewise_displacement" in table:
        displacement = pd.to_numeric(table["framewise_displacement"], errors="coerce").to_numpy(
            dtype=np.float64
        )
    check_length(
        f"'{image.name}'", int(kept.sum()), n_volumes, tr, settings, _why_censored(settings)
    )
    missing = ~np.isfinite(design[kept])
    if missing.any():
        first = int(np.flatnonzero(missing.any(axis=0))[0])
        row = int(np.flatnonzero(kept)[np.flatnonzero(missing[:, first])[0]])
        rows = np.flatnonzero(kept)[missing.any(axis=1)]
        remedy = "The run cannot be cleaned."
        if rows[-1] < _FIRST_ROWS:
            remedy = (
                "The first volumes, before the signal is steady, are left out with "
                f"denoise.dummy_volumes: {rows[-1] + 1}."
            )
        raise InputError(f"'{path}', column '{names[first]}', row {row + 1} is missing. {remedy}")
    # NaN in rows of censored volumes would spread through sums, although these rows are not used.
    return Confounds(np.nan_to_num(design), names, kept, displacement, tuple(notes))


def _why_censored(settings: DenoiseSettings) -> str:
    if "scrub" not in settings.strategy:
        return ""
    return (
        f" (framewise displacement above {settings.fd_threshold:g} mm or standardised DVARS "
        f"above {settings.std_dvars_threshold:g})"
    )


def check_length(
    where: str, n_kept: int, n_volumes: int, tr: float, settings: DenoiseSettings, why: str = ""
) -> None:
    """Raise `TooShortError` if a run keeps fewer volumes or less time than the settings ask for.

    Parameters
    ----------
    where : str
        The run, for the error.
    n_kept, n_volumes : int
        Volumes kept, and as acquired.
    tr : float
        Repetition time, s.
    why : str
        Why volumes are left out, in parentheses.
    """
    short = n_kept < settings.min_volumes
    if not short and n_kept * tr >= settings.min_time:
        return
    kept = "all volumes are censored" if n_kept == 0 else f"{n_kept} volumes are kept"
    needed = (
        f"at least {settings.min_volumes} are needed (denoise.min_volumes)"
        if short
        else f"these are {n_kept * tr:g} s, and at least {settings.min_time:g} s are needed "
        "(denoise.min_time)"
    )
    raise TooShortError(f"{where}: {kept} of {n_volumes}{why}; {needed}.")


def cosine_drifts(n_volumes: int, tr: float) -> NDArray[np.float64]:
    """Return the discrete cosines with periods above 128 s, shape (n_volumes, n_drifts)."""
    order = max(int(np.floor(2 * n_volumes * tr / _HIGH_PASS_PERIOD)), 1)
    phase = np.pi * (np.arange(n_volumes) + 0.5) / n_volumes
    drifts: NDArray[np.float64] = np.cos(phase[:, None] * np.arange(1, order)[None])
    return drifts


def _read(image: Path) -> tuple[pd.DataFrame, Path]:
    # One file serves all spaces of a run, so that its name lacks some of the image's entities.
    have = set(image.name.split("_")) | {"desc-confounds"}
    found = [
        candidate
        for ending in _ENDINGS
        for candidate in sorted(image.parent.glob(f"*desc-confounds{ending}"))
        if set(candidate.name.removesuffix(ending).split("_")) <= have
    ]
    if not found:
        run = split_name(image.name)[0].split("_space-")[0].removesuffix("_desc-preproc_bold")
        raise InputError(
            f"No confounds for '{image.name}': looked for '{run}_desc-confounds_timeseries.tsv' in "
            f"'{image.parent}'."
        )
    path = found[0]
    if is_given(path.with_suffix(".json")):
        # nilearn reads the JSON file too.
        require_file(path.with_suffix(".json"))
    return read_table(path, "The confounds", na_values=["n/a"], encoding="utf-8"), path


def _load(
    image: Path, path: Path, n_volumes: int, settings: DenoiseSettings
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    # The import takes seconds, and tables do not need it.
    from nilearn.interfaces.fmriprep import load_confounds

    stem = path.name.split("_desc-confounds")[0]
    with warnings.catch_warnings():
        # The caller raises an error with numbers instead.
        warnings.filterwarnings(
            "ignore", message="All volumes were marked as motion outliers", category=RuntimeWarning
        )
        # Non-steady-state volumes are censored whether or not anything is regressed out.
        warnings.filterwarnings("ignore", message="strategy is empty", category=UserWarning)
        try:
            chosen, sample = load_confounds(
                # nilearn derives the table's name from that of an image with .gz.
                str(image.with_name(f"{stem}_space-any_desc-preproc_bold.nii.gz")),
                strategy=settings.strategy,
                motion=settings.motion,
                wm_csf=settings.wm_csf,
                global_signal=settings.global_signal,
                compcor=settings.compcor,
                n_compcor=settings.n_compcor,
                scrub=settings.scrub,
                fd_threshold=settings.fd_threshold,
                std_dvars_threshold=settings.std_dvars_threshold,
                demean=False,
            )
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            # Columns that are not numbers raise errors of different types.
            reason = " ".join(str(error).split())
            raise InputError(f"The confounds '{path}' do not fit denoise: {reason}") from error
    if chosen is None or chosen.empty:
        chosen = pd.DataFrame(index=range(n_volumes))
    if sample is None:
        sample = np.arange(n_volumes)
    return chosen, sample


def many_confounds(rank: int, n_kept: int, run: str) -> tuple[str, ...]:
    """Warn where confounds take so many degrees of freedom that tests lose their level."""
    if rank - 1 < _MANY_CONFOUNDS * n_kept:
        return ()
    return (
        f"Run '{run}': {rank - 1} independent confounds were removed from {n_kept} volumes. What "
        "is left is smoother and less free than tests assume; with 200 confounds of 1,200 volumes, "
        "p-values below .05 occur in 8.5% of independent pairs.",
    )
