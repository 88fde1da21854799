"""Test whether directions in real data recur in other subjects, volumes or hemispheres."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from causal_ivae.discovery import discover
from causal_ivae.discovery.methods import AUTO
from causal_ivae.discovery.network.twins import Twins
from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.outcomes import TURNED
from causal_ivae.seeding import child_seed, generator
from causal_ivae.validation.report import Say
from causal_ivae.validation.session import check_names
from causal_ivae.validation.suites.ours import PAIR_METHODS
from causal_ivae.validation.suites.pair_suite import PACKAGES, PairSuite
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
SERIES = ("data", "twins")

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
    "series": "'data', or 'twins': series with the covariance and the spectra of every part, drawn "
    "for each part by itself, in which no region drives another. Directions that agree as often in "
    "twins as in the data come back for other reasons than arrows.",
    "network": "Judges all regions of a part at once, beside twins of the series that it gets.",
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
    series : {"data", "twins"}
    first, count : int
        Pairs of regions.
    """

    comparison: str
    part: str
    split: int
    series: str
    method: str
    first: int
    count: int

    @property
    def key(self) -> str:
        """Return a key of the part of the data, the method and the pairs."""
        pairs = f"pairs {self.first}-{self.first + self.count - 1}"
        part = f"{self.part}{' of twins' if self.series == 'twins' else ''}"
        return f"{self.comparison}, split {self.split}, {part}, {self.method}, {pairs}"


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
    packages: ClassVar[Mapping[str, str | None]] = {**PACKAGES, AUTO: None}

    study: Study
    data: Path | None = None
    methods: tuple[str, ...] = (AUTO, *PAIR_METHODS, "hs-tanh", "direct-lingam")
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

    def settings_of(self, method: str) -> dict[str, Any]:
        """Return every setting that the decisions of a method depend on."""
        found = super().settings_of(method)
        return {name: found[name] for name in (method, "decision")} if method == AUTO else found

    def cases(self) -> Iterator[PartCase]:
        """Yield the pairs of regions of every part of the data by every method."""
        subjects = load_study(self.study)
        for comparison in cast("Sequence[Comparison]", self.comparisons):
            for split in range(self.splits if comparison == "subjects" else 1):
                for part, series, method in product(PARTS[comparison], SERIES, self.methods):
                    regions = len(regions_of(subjects, comparison, part)[0])
                    pairs = regions * (regions - 1) // 2
                    at_once = pairs if method == AUTO else self.at_once
                    for first, count in portions(pairs, at_once):
                        yield PartCase(comparison, part, split, series, method, first, count)

    def work(self, case: PartCase) -> pd.DataFrame:
        """Orient the pairs of a case."""
        subjects = load_study(self.study)
        comparison, part, split = case.comparison, case.part, case.split
        values, segments, blocks = pooled(subjects, comparison, part, split, self.seed)
        if case.series == "twins":
            rng = generator(self.seed, "twin", comparison, split, part)
            values = Twins(values, segments, blocks).draw(rng)
        called, common = regions_of(subjects, comparison, part)
        values = values[:, [subjects[0].names.index(name) for name in called]]
        pairs = np.stack(np.triu_indices(len(called), 1), axis=1)
        pairs = pairs[case.first : case.first + case.count]
        names = [(common[i], common[j]) for i, j in pairs]
        judge = self._together if case.method == AUTO else self._by_pair
        found = judge(case, values, segments, blocks, pairs, names)
        place = found["pair"].to_numpy(dtype=np.int64)
        rows = found.assign(
            comparison=comparison,
            split=split,
            part=part,
            series=case.series,
            x=[names[k][0] for k in place],
            y=[names[k][1] for k in place],
        )
        head = ["comparison", "split", "part", "series", "method", "x", "y", "decision", "score"]
        return rows.reindex(columns=[*head, "confidence", "p_value"])

    def _by_pair(
        self,
        case: PartCase,
        values: NDArray[np.float64],
        segments: NDArray[np.int64],
        blocks: NDArray[np.int64],
        pairs: NDArray[np.int64],
        names: Sequence[tuple[str, str]],
    ) -> pd.DataFrame:
        """Orient every pair by itself, which region comes first being drawn at random.

        A method that prefers the first one does not agree with itself by that.
        """
        comparison, split, part = case.comparison, case.split, case.part
        keys = [f"{x} and {y}" for x, y in names]
        turned = np.array(
            [generator(self.seed, comparison, split, part, key).random() < 0.5 for key in keys]
        )
        placed = np.where(turned[:, None], pairs[:, ::-1], pairs)
        series = values[:, placed].transpose(1, 0, 2)
        keys = [f"{comparison}, split {split}, {part}, {key}" for key in keys]
        found = self.judge(case.method, series, segments, keys, blocks)
        back = turned[found["pair"].to_numpy(dtype=np.int64)]
        return found.assign(
            decision=np.where(back, found["decision"].map(TURNED), found["decision"]),
            score=np.where(back, -found["score"], found["score"]),
        )

    def _together(
        self,
        case: PartCase,
        values: NDArray[np.float64],
        segments: NDArray[np.int64],
        blocks: NDArray[np.int64],
        pairs: NDArray[np.int64],
        names: Sequence[tuple[str, str]],  # noqa: ARG002
    ) -> pd.DataFrame:
        """Orient all pairs at once, the order of the regions being drawn at random."""
        rng = generator(self.seed, "order", case.comparison, case.split, case.part)
        order = rng.permutation(values.shape[1])
        graph = discover(
            values[:, order],
            segments,
            blocks=blocks,
            method=case.method,
            seed=child_seed(self.seed, case.comparison, case.split, case.part),
            unmixing=self.unmixing,
            decision=self.decision,
        )
        x, y = order[np.stack(np.triu_indices(len(order), 1))]
        found = graph.edges.assign(first=np.minimum(x, y), last=np.maximum(x, y))
        found = found.assign(
            decision=np.where(x > y, found["decision"].map(TURNED), found["decision"]),
            score=np.where(x > y, -found["score"], found["score"]),
        )
        found = found.set_index(["first", "last"]).loc[list(map(tuple, pairs))]
        return found.assign(method=case.method, pair=range(len(pairs))).reset_index(drop=True)

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
