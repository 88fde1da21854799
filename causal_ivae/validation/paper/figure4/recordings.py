"""Read six regions of the medial temporal lobe from the files of a study."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError
from causal_ivae.provenance import digest_of, fingerprint
from causal_ivae.validation.suites.study import Study, content_of, load_study

REGIONS: Mapping[str, tuple[str, ...]] = {
    "PRC": ("BA35", "BA36"),
    "PHC": (),
    "ERC": (),
    "SUB": (),
    "CA1": (),
    "CA3DG": ("CA2", "CA3", "DG"),
}
"""The regions of the figure, and those whose mean they are where the data lack them."""
LEAST_SUBJECTS = 6  # three segments in either half
_SUBFIELD_FILES = "functional/S*/res_tcourse_L.txt"
_ROW_NAME = re.compile(r"hipp_sf_\d+_(.+)")


@dataclass(frozen=True)
class Recordings:
    """Hold the series of the six regions of every subject.

    Attributes
    ----------
    labels : tuple of str
        Of the subjects.
    values : tuple of ndarray, each of shape (n_times, 6), float64
        Columns as in `REGIONS`, around zero; the differences of scale between subjects are kept.
    blocks : tuple of ndarray, each of shape (n_times,), int64
        Stretches of volumes without a gap.
    content : str
        Digest of the files read.
    """

    labels: tuple[str, ...]
    values: tuple[NDArray[np.float64], ...]
    blocks: tuple[NDArray[np.int64], ...]
    content: str

    def pooled(
        self, subjects: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Return values, segments (the subject) and blocks of some subjects, one below the other.

        Returns
        -------
        values : ndarray, shape (n_times, 6), float64
        segments : ndarray, shape (n_times,), int64
        blocks : ndarray, shape (n_times,), int64
        """
        segments = [np.full(len(self.values[i]), place) for place, i in enumerate(subjects)]
        blocks, start = [], 0
        for i in subjects:
            blocks.append(self.blocks[i] + start)
            start += int(self.blocks[i].max()) + 1
        values = np.concatenate([self.values[i] for i in subjects])
        return values, np.concatenate(segments), np.concatenate(blocks)


def load_recordings(folder: Path) -> Recordings:
    """Read the six regions of every subject.

    Parameters
    ----------
    folder : pathlib.Path
        Either of tables, as `causal-ivae run` reads them, or in the layout of the hippocampal
        set of Shah et al. 2018: ``functional/S<k>/res_tcourse_L.txt`` (left hemisphere), a line
        with the numbers of regions and volumes, then one region a line.

    Raises
    ------
    InputError
        If there are fewer than six subjects, a region is missing, or a file cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"The folder '{folder}' of --data does not exist; give a folder.")
    files = sorted(folder.glob(_SUBFIELD_FILES), key=_number)
    labels: list[str] = []
    values: list[NDArray[np.float64]] = []
    blocks: list[NDArray[np.int64]] = []
    if files:
        for path in files:
            rows = _read_subfields(path)
            labels.append(path.parent.name)
            values.append(_six_regions(rows, f"'{path}'"))
            blocks.append(np.zeros(len(values[-1]), dtype=np.int64))
        content = digest_of(*(f"{path.parent.name} {fingerprint(path)}" for path in files))
    else:
        content = content_of(folder)
        for series in load_study(Study(folder, content, None, None)):
            rows = dict(zip(series.names, series.in_units().T, strict=True))
            labels.append(series.label)
            values.append(_six_regions(rows, f"Subject '{series.label}' of '{folder}'"))
            blocks.append(series.stretches)
    if len(labels) < LEAST_SUBJECTS:
        raise InputError(
            f"'{folder}' has {len(labels)} subjects; at least {LEAST_SUBJECTS} are needed, three "
            "in either half."
        )
    return Recordings(tuple(labels), tuple(values), tuple(blocks), content)


def _number(path: Path) -> tuple[int, str]:
    digits = path.parent.name[1:]
    return (int(digits) if digits.isdecimal() else 0, path.parent.name)


def _read_subfields(path: Path) -> dict[str, NDArray[np.float64]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    rows: dict[str, NDArray[np.float64]] = {}
    try:
        n_regions, n_times = (int(word) for word in lines[0].split())
        for line in lines[1 : n_regions + 1]:
            name, *numbers = line.split()
            found = _ROW_NAME.fullmatch(name)
            rows[found.group(1) if found else name] = np.array(numbers, dtype=np.float64)
    except (IndexError, ValueError) as error:
        raise InputError(
            f"'{path}' is no table of subfields: a line 'regions volumes', then a name and one "
            f"number per volume in every line ({error})."
        ) from error
    for name, row in rows.items():
        if len(row) != n_times:
            raise InputError(
                f"'{path}', region '{name}': {len(row)} volumes, but the first line says {n_times}."
            )
    return rows


def _six_regions(rows: Mapping[str, NDArray[np.float64]], where: str) -> NDArray[np.float64]:
    columns = []
    for region, parts in REGIONS.items():
        names = (region,) if region in rows else parts
        missing = [name for name in names or (region,) if name not in rows]
        if missing:
            remedy = f"name it, or {' and '.join(parts)}" if parts else "name it"
            raise InputError(
                f"{where} lacks '{missing[0]}', needed for {region}; {remedy}. "
                f"It has {', '.join(rows)}."
            )
        columns.append(np.mean([rows[name] for name in names], axis=0))
        if not np.isfinite(columns[-1]).all() or not columns[-1].std() > 0:
            raise InputError(
                f"{where}: {region} is constant or has values that are not numbers; leave the "
                "subject out."
            )
    values = np.stack(columns, axis=1)
    return np.asarray(values - values.mean(axis=0), dtype=np.float64)
