"""Whether directions in real data come back: in other subjects, in other volumes, on the right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import InputError, SettingsError, nearest
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.seeding import generator
from causal_ivae.settings import UnmixingSettings
from causal_ivae.validation.suites.cases import Say, run_cases
from causal_ivae.validation.suites.methods import choose, citations, judge, remarks, settings_of
from causal_ivae.validation.suites.ours import quick_settings
from causal_ivae.validation.suites.report import Session, write_report
from causal_ivae.validation.suites.reproducibility_summary import as_blocks, draw, summarise
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

DEFAULT_METHODS = (*METHODS, "hs-tanh", "direct-lingam")
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
    """Some pairs of regions in one part of the data, by one method.

    Attributes
    ----------
    comparison, part : str
    split : int
        Of the subjects; 0 elsewhere.
    method : str
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
        """The part of the data, the method and the pairs."""
        pairs = f"pairs {self.first}-{self.first + self.count - 1}"
        return f"{self.comparison}, split {self.split}, {self.part}, {self.method}, {pairs}"


@dataclass(frozen=True)
class Effort:
    """How much is done where no option says it."""

    splits: int = 5
    permutations: int = 999
    at_once: int = 50
    unmixing: UnmixingSettings = field(default_factory=UnmixingSettings)


def benchmark_reproducibility(
    output: Path,
    *,
    data: Path | None,
    quick: bool = False,
    seed: int = 0,
    nprocs: int | None = None,
    command: str = "",
    say: Say = lambda _: None,
    methods: Sequence[str] | None = None,
    comparisons: Sequence[str] | None = None,
    regions: Sequence[str] | None = None,
    splits: int | None = None,
    segments: str = "subjects",
) -> list[Path]:
    """Compare the directions that a method finds in two parts of the same data.

    Parameters
    ----------
    output : pathlib.Path
        Folder; see `causal_ivae.validation.suites.report.write_report`.
    data : pathlib.Path
        Folder of tables of region time series, as `causal-ivae run` reads them.
    quick : bool
        One split and short fits, to see that it works.
    seed : int
    nprocs : int, optional
        Processes; default one per core.
    command : str
        The command line, for the record.
    say : callable
        Told every case that is done.
    methods : sequence of str, optional
        Default ours, the tanh measure and DirectLiNGAM.
    comparisons : sequence of str, optional
        "subjects", "volumes", "hemispheres"; default those that the data allow.
    regions : sequence of str, optional
        Default all of the tables.
    splits : int, optional
        Of the subjects; default 5.
    segments : str
        What plays the part of u: "subjects", "windows" (of 60 s in every subject) or
        "windows:SECONDS".

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    SettingsError
        If there is no such method, comparison or region.
    InputError
        If the tables cannot be read or pooled, or are too few for a comparison.
    """
    session = Session()
    effort = Effort(1, 99, 50, quick_settings()) if quick else Effort()
    chosen = choose(methods, DEFAULT_METHODS, say)
    if data is None:
        raise SettingsError("Give the folder of the subjects' tables with --data.")
    window = _window(segments)
    folder = data.expanduser().resolve()
    study = Study(folder, content_of(folder), tuple(regions) if regions else None, window)
    subjects = load_study(study)
    compared = tuple(_applicable(subjects, comparisons, say))
    settings = {
        "seed": seed,
        "segments": segments,
        # Where the tables lie has no part in the rows.
        "content": study.content,
        "regions": list(subjects[0].names),
    }
    own = {name: settings_of(name, effort.unmixing) for name in chosen}
    cases = list(_cases(subjects, compared, chosen, splits or effort.splits, effort.at_once))
    table = run_cases(
        "reproducibility",
        cases,
        partial(_judge, study=study, seed=seed, unmixing=effort.unmixing),
        output,
        settings=settings,
        own_settings=lambda case: own[case.method],
        nprocs=nprocs,
        say=say,
    )
    summary, curves = summarise(table, PARTS, permutations=effort.permutations, seed=seed)
    return write_report(
        "reproducibility",
        output,
        table=table,
        summary=summary,
        more={"curves": curves},
        text=as_blocks(summary),
        figure=draw(summary, curves),
        settings={
            **settings,
            "data": str(study.data),
            "subjects": [subject.label for subject in subjects],
            "splits": splits or effort.splits,
            "permutations": effort.permutations,
            "methods": own,
        },
        method={**METHOD, **citations(chosen)},
        session=session,
        seed=seed,
        quick=quick,
        command=command,
        remarks=remarks(chosen),
    )


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
    subjects: Sequence[RegionSeries], asked: Sequence[str] | None, say: Say
) -> Iterator[Comparison]:
    for name in asked or ():
        if name not in COMPARISONS:
            raise SettingsError(f"Unknown comparison '{name}'. {nearest(name, COMPARISONS)}")
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


def _cases(
    subjects: Sequence[RegionSeries],
    comparisons: Sequence[Comparison],
    methods: Sequence[str],
    splits: int,
    at_once: int,
) -> Iterator[PartCase]:
    for comparison in comparisons:
        for split in range(splits if comparison == "subjects" else 1):
            for part in PARTS[comparison]:
                regions = len(regions_of(subjects, comparison, part)[0])
                pairs = regions * (regions - 1) // 2
                for method in methods:
                    for first in range(0, pairs, at_once):
                        count = min(at_once, pairs - first)
                        yield PartCase(comparison, part, split, method, first, count)


def _judge(case: PartCase, *, study: Study, seed: int, unmixing: UnmixingSettings) -> pd.DataFrame:
    subjects = load_study(study)
    values, segments, blocks = pooled(subjects, case.comparison, case.part, case.split, seed)
    called, common = regions_of(subjects, case.comparison, case.part)
    columns = [subjects[0].names.index(name) for name in called]
    pairs = np.stack(np.triu_indices(len(columns), 1), axis=1)
    pairs = pairs[case.first : case.first + case.count]
    # A method that prefers the first of two columns must not agree with itself for that.
    keys = [f"{common[i]} and {common[j]}" for i, j in pairs]
    turned = np.array(
        [
            generator(seed, case.comparison, case.split, case.part, key).random() < 0.5
            for key in keys
        ]
    )
    placed = np.where(turned[:, None], pairs[:, ::-1], pairs)
    series = values[:, np.array(columns)[placed]].transpose(1, 0, 2)
    data = f"{case.comparison}, split {case.split}, {case.part}"
    found = judge(
        series,
        segments,
        method=case.method,
        keys=[f"{data}, {key}" for key in keys],
        seed=seed,
        blocks=blocks,
        unmixing=unmixing,
    )
    place = found["pair"].to_numpy(dtype=np.int64)
    back = {"x->y": "y->x", "y->x": "x->y"}
    found["decision"] = np.where(turned[place], found["decision"].replace(back), found["decision"])
    found["score"] = np.where(turned[place], -found["score"], found["score"])
    rows = found.assign(
        comparison=case.comparison,
        split=case.split,
        part=case.part,
        x=[common[i] for i in pairs[place, 0]],
        y=[common[j] for j in pairs[place, 1]],
    )
    columns_out = ["comparison", "split", "part", "method", "x", "y", "decision", "score"]
    return rows.reindex(columns=[*columns_out, "confidence", "p_value"])
