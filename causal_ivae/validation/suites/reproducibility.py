"""Test whether directions in real data recur in other subjects, volumes or hemispheres."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.outcomes import TURNED
from causal_ivae.seeding import generator
from causal_ivae.validation.report import Say
from causal_ivae.validation.session import check_names
from causal_ivae.validation.suites.ours import PAIR_METHODS
from causal_ivae.validation.suites.pair_suite import PairSuite
from causal_ivae.validation.suites.reproducibility_summary import draw, summarise
from causal_ivae.validation.suites.study import (
    COMPARISONS,
    PARTS,
    Comparison,
    Study,
    content_of,
    lacking,
    load_study,
    pooled,
    regions_of,
)
from causal_ivae.validation.suites.suite import SUMMARY, Tables, portions
from causal_ivae.validation.text_tables import as_text

_CURVES = "curves"

METHOD = {
    "subjects": "Subjects are split into halves at random, several times; each half is one pooled "
    "fit.",
    "volumes": "The first and the second half of every run, all subjects pooled.",
    "hemispheres": "Pairs of regions on the left against their counterparts on the right, all "
    "subjects pooled.",
    "Agreement": "Of the pairs of regions for which both parts have a direction, the share with "
    "the same; 'expected' and 'p' with the regions of one part permuted (quadratic assignment). "
    "'sign' takes the sign of every score, 'decided' the directions that the method claims. "
    "Which region of a pair comes first is drawn at random in every part.",
    "Abstained": "Share of pairs of regions without a decided direction in at least one part.",
    "Curve": "Pairs with at least this confidence in both parts (for methods without one: absolute "
    "score). A pair called independent has confidence 0.",
}


@dataclass(frozen=True)
class PartCase:
    """Describe some pairs of regions in one part of the data that one method orients.

    Attributes
    ----------
    split : int
        Of the subjects; 0 elsewhere.
    first, count : int
        Pairs of regions.
    """

    comparison: str
    part: str
    split: int
    method: str
    first: int
    count: int

    @property
    def key(self) -> str:
        """Return a key of the part of the data, the method and the pairs."""
        pairs = f"pairs {self.first}-{self.first + self.count - 1}"
        return f"{self.comparison}, split {self.split}, {self.part}, {self.method}, {pairs}"


@dataclass(frozen=True, kw_only=True)
class Reproducibility(PairSuite[PartCase]):
    """Measure how directions in two parts of the same data agree.

    Attributes
    ----------
    data : pathlib.Path
        Folder of tables of region time series, as `causal-ivae run` reads them.
    comparisons : tuple of {"subjects", "volumes", "hemispheres"}
        Those that the data allow, if none is asked for.
    regions : tuple of str
        All of the tables, if empty.
    splits : int
        Of the subjects.
    segments : str
        What plays the part of u: "subjects", "windows" (of 60 s in every subject) or
        "windows:SECONDS".
    permutations, at_once : int
        Of the regions, for the p-values; pairs of a case.
    study : Study
        What is read from `data`.
    """

    name = "reproducibility"
    method = METHOD

    study: Study
    data: Path | None = None
    methods: tuple[str, ...] = (*PAIR_METHODS, "hs-tanh", "direct-lingam")
    comparisons: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    splits: int = 5
    segments: str = "subjects"
    permutations: int = 999
    at_once: int = 50

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Return the options of a quick run: one split and short fits."""
        return {**super().small(), "splits": 1, "permutations": 99}

    @classmethod
    def asked(cls, options: Mapping[str, Any], *, quick: bool, say: Say) -> Self:
        """Return the suite with the options given, and the comparisons to make; see `Suite`.

        Raises
        ------
        SettingsError
            If there is no such method, comparison or region.
        InputError
            If the tables cannot be read or pooled, or are too few for a comparison.
        """
        data, regions = options.get("data"), options.get("regions")
        if data is None:
            raise SettingsError("Give the folder of the subjects' tables with --data.")
        window = _window(options.get("segments") or cls.segments)
        folder = data.expanduser().resolve()
        study = Study(folder, content_of(folder), tuple(regions) if regions else None, window)
        suite = super().asked({**options, "study": study}, quick=quick, say=say)
        compared = _applicable(load_study(study), suite.comparisons, say)
        return replace(suite, comparisons=tuple(compared))

    def settings(self) -> dict[str, Any]:
        """Return the seed, what plays the part of u, the regions, and the digest of the tables."""
        return {
            "seed": self.seed,
            "segments": self.segments,
            # The place of the tables does not affect the rows.
            "content": self.study.content,
            "regions": list(load_study(self.study)[0].names),
        }

    def described(self) -> dict[str, Any]:
        """Return the subjects, the numbers of splits and permutations, and the methods."""
        return {
            "data": str(self.study.data),
            "subjects": [subject.label for subject in load_study(self.study)],
            "splits": self.splits,
            "permutations": self.permutations,
            **super().described(),
        }

    def cases(self) -> Iterator[PartCase]:
        """Yield the pairs of regions of every part of the data by every method."""
        subjects = load_study(self.study)
        for comparison in cast("Sequence[Comparison]", self.comparisons):
            for split in range(self.splits if comparison == "subjects" else 1):
                for part in PARTS[comparison]:
                    regions = len(regions_of(subjects, comparison, part)[0])
                    pairs = regions * (regions - 1) // 2
                    for method in self.methods:
                        for first, count in portions(pairs, self.at_once):
                            yield PartCase(comparison, part, split, method, first, count)

    def work(self, case: PartCase) -> pd.DataFrame:
        """Orient the pairs of a case, which region of a pair comes first being drawn at random."""
        subjects = load_study(self.study)
        comparison, part, split = case.comparison, case.part, case.split
        values, segments, blocks = pooled(subjects, comparison, part, split, self.seed)
        called, common = regions_of(subjects, comparison, part)
        columns = [subjects[0].names.index(name) for name in called]
        pairs = np.stack(np.triu_indices(len(columns), 1), axis=1)
        pairs = pairs[case.first : case.first + case.count]
        # Columns change places, so that a method that prefers the first one does not agree by that.
        keys = [f"{common[i]} and {common[j]}" for i, j in pairs]
        turned = np.array(
            [generator(self.seed, comparison, split, part, key).random() < 0.5 for key in keys]
        )
        placed = np.where(turned[:, None], pairs[:, ::-1], pairs)
        series = values[:, np.array(columns)[placed]].transpose(1, 0, 2)
        data = f"{comparison}, split {split}, {part}"
        names = [f"{data}, {key}" for key in keys]
        found = self.judge(case.method, series, segments, names, blocks)
        place = found["pair"].to_numpy(dtype=np.int64)
        decision = found["decision"].map(TURNED)
        rows = found.assign(
            decision=np.where(turned[place], decision, found["decision"]),
            score=np.where(turned[place], -found["score"], found["score"]),
            comparison=comparison,
            split=split,
            part=part,
            x=[common[i] for i in pairs[place, 0]],
            y=[common[j] for j in pairs[place, 1]],
        )
        head = ["comparison", "split", "part", "method", "x", "y", "decision", "score"]
        return rows.reindex(columns=[*head, "confidence", "p_value"])

    def tables(self, rows: pd.DataFrame) -> Tables:
        """Return the agreement of the two parts, and its curve over the confidence."""
        summary, curves = summarise(rows, PARTS, permutations=self.permutations, seed=self.seed)
        return {SUMMARY: summary, _CURVES: curves}

    def blocks(self, tables: Tables) -> Iterator[str]:
        """Yield a table for each comparison."""
        for comparison, rows in tables[SUMMARY].groupby("comparison", sort=False):
            shown = as_text(rows.drop(columns="comparison"))
            yield f"{comparison}: do the two parts agree?\n{shown}"

    def draw(self, _: pd.DataFrame, tables: Tables) -> Figure:
        """Draw agreement against abstention, one panel per comparison."""
        return draw(tables[SUMMARY], tables[_CURVES])


def _window(segments: str) -> float | None:
    kind, colon, seconds = segments.partition(":")
    if segments == "subjects":
        return None
    number = seconds if colon else "60"
    if kind != "windows" or not number.replace(".", "", 1).isdecimal():
        raise SettingsError(
            f"Invalid value '{segments}' for --segments. Allowed: subjects, windows, "
            "windows:SECONDS."
        )
    return float(number)


def _applicable(
    subjects: Sequence[RegionSeries], asked: Sequence[str], say: Say
) -> Iterator[Comparison]:
    check_names("comparison", asked, COMPARISONS)
    for comparison in COMPARISONS:
        if asked and comparison not in asked:
            continue
        why = lacking(subjects, comparison)
        if not why:
            yield comparison
        elif asked:
            raise InputError(f"'{comparison}' cannot be compared: {why}.")
        else:
            say(f"'{comparison}' is left out: {why}.")
