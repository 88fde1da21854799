"""Which way a simulated pair points: ours and published methods on the same pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd

from causal_ivae.errors import SettingsError, nearest
from causal_ivae.seeding import child_seed, generator
from causal_ivae.settings import UnmixingSettings
from causal_ivae.simulate.structural import SimulatedSeries, simulate_pair
from causal_ivae.validation.suites.cases import Say, run_cases
from causal_ivae.validation.suites.mechanisms import (
    LAWS,
    MECHANISMS,
    MODULATIONS,
    Mechanism,
    simulate_mechanism_pair,
)
from causal_ivae.validation.suites.methods import (
    ALL_METHODS,
    COLUMNS,
    choose,
    citations,
    judge,
    remarks,
    settings_of,
)
from causal_ivae.validation.suites.ours import RULE, quick_settings
from causal_ivae.validation.suites.pairs_figure import draw_pairs
from causal_ivae.validation.suites.pairs_summary import as_blocks, calibrate, summarise
from causal_ivae.validation.suites.report import Session, write_report

Kind = Literal["directed", "cyclic", "independent"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NETWORK = "network"
GENERATORS: tuple[str, ...] = (NETWORK, *MECHANISMS)
_NOT_BY_DEFAULT = ("coin", "patel-tau")
_AUTOCORRELATIONS = (0.0, 0.3, 0.6)

METHOD = {
    "Pairs": "The protocol of Monti, Zhang, Hyvarinen 2019: Laplace disturbances whose variances "
    "change from segment to segment, 512 points a segment, mixed by lower triangular matrices "
    "with leaky ReLU between them; the direction is drawn at random. 'cyclic' pairs have full "
    "matrices and 'independent' ones none between the regions: claiming a direction is wrong.",
    "Other generators": "Additive noise, noise whose scale depends on the cause, post-nonlinear "
    "and sigmoid mechanisms, each pair with a law of the disturbances, a modulation over segments "
    "and a lag-one autocorrelation (0, 0.3 or 0.6) drawn at random.",
    "Share correct": "Of all pairs; to abstain, or to call a directed pair independent, is wrong.",
    "Sign right": "Share of all pairs whose score has the sign of the true direction; a half where "
    "it is zero.",
    "ECE": "Expected calibration error, ten bins, over all cells of a generator: 'directions' is "
    "that of the confidence of every direction claimed, on pairs that have none too; 'outcomes' "
    "that of the largest of the probabilities of x -> y, y -> x, no edge and cannot tell.",
}


RULE_REMARK = f"'ivae{RULE}' is the rule of Monti et al. 2019 on the fits of 'ivae'."


@dataclass(frozen=True)
class Cells:
    """Which cells are computed.

    Attributes
    ----------
    layers : tuple of int
        Of the mixing network; other generators have none.
    segments : tuple of int
    pairs : int
        In every cell.
    methods, kinds, generators : tuple of str
    """

    layers: tuple[int, ...] = (1, 2, 3, 4, 5)
    segments: tuple[int, ...] = (4, 8, 16, 32, 48)
    pairs: int = 100
    methods: tuple[str, ...] = tuple(name for name in ALL_METHODS if name not in _NOT_BY_DEFAULT)
    kinds: tuple[str, ...] = KINDS
    generators: tuple[str, ...] = (NETWORK,)

    def __post_init__(self) -> None:
        for what, given, allowed in (
            ("kind", self.kinds, KINDS),
            ("generator", self.generators, GENERATORS),
        ):
            for name in given:
                if name not in allowed:
                    raise SettingsError(f"Unknown {what} '{name}'. {nearest(name, allowed)}")
        if self.segments and min(self.segments) < 3:
            raise SettingsError(
                f"{min(self.segments)} segments were asked for; at least three are needed."
            )


@dataclass(frozen=True)
class Effort:
    """How much is done where no option says it."""

    cells: Cells = field(default_factory=Cells)
    n_per_segment: int = 512
    at_once: int = 25
    unmixing: UnmixingSettings = field(default_factory=UnmixingSettings)


def _quick() -> Effort:
    cells = Cells(layers=(1, 2), segments=(4,), pairs=4)
    return Effort(cells, n_per_segment=64, at_once=2, unmixing=quick_settings())


@dataclass(frozen=True)
class PairsCase:
    """Some pairs of a cell, by one method.

    Attributes
    ----------
    generator, kind : str
    layers : int
        0 for generators that have none.
    segments : int
    method : str
    first, count : int
        Pairs of the cell.
    """

    generator: str
    kind: str
    layers: int
    segments: int
    method: str
    first: int
    count: int

    @property
    def key(self) -> str:
        """The cell, the method and the pairs."""
        return f"{self.cell}, {self.method}, pairs {self.first}-{self.first + self.count - 1}"

    @property
    def cell(self) -> str:
        """What the pairs are; their seeds are made of it."""
        layers = f"{self.layers} layers, " if self.layers else ""
        return f"{self.generator}, {self.kind}, {layers}{self.segments} segments"


def benchmark_pairs(
    output: Path,
    *,
    quick: bool = False,
    seed: int = 0,
    nprocs: int | None = None,
    command: str = "",
    say: Say = lambda _: None,
    **chosen: Sequence[Any] | int | None,
) -> list[Path]:
    """Orient simulated pairs by our methods and by published ones.

    Parameters
    ----------
    output : pathlib.Path
        Folder; see `causal_ivae.validation.suites.report.write_report`.
    quick : bool
        Few small cells and short fits, to see that it works.
    seed : int
    nprocs : int, optional
        Processes; default one per core.
    command : str
        The command line, for the record.
    say : callable
        Told every case that is done.
    **chosen
        Fields of `Cells` in place of the default; None leaves the default.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    SettingsError
        If a method, kind or generator is unknown, or the package of a method that was asked for
        is not installed.
    """
    session = Session()
    effort = _quick() if quick else Effort()
    given = {name: value for name, value in chosen.items() if value is not None}
    fields = {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in given.items()}
    cells = replace(effort.cells, **fields)  # type: ignore[arg-type]
    methods = choose(cast("Sequence[str] | None", given.get("methods")), cells.methods, say)
    cells = replace(cells, methods=methods)
    settings = {"seed": seed, "n_per_segment": effort.n_per_segment}
    own = {name: settings_of(name, effort.unmixing) for name in methods}
    table = run_cases(
        "pairs",
        list(_cases(cells, effort.at_once)),
        partial(_judge, seed=seed, n_per_segment=effort.n_per_segment, unmixing=effort.unmixing),
        output,
        settings=settings,
        own_settings=lambda case: own[case.method],
        nprocs=nprocs,
        say=say,
    )
    summary, calibration = summarise(table), calibrate(table)
    return write_report(
        "pairs",
        output,
        table=table,
        summary=summary,
        text=as_blocks(summary, calibration),
        more={"calibration": calibration} if len(calibration) else None,
        figure=draw_pairs(table, summary),
        settings={**settings, "cells": asdict(cells), "methods": own},
        method={**METHOD, **citations(methods)},
        session=session,
        seed=seed,
        quick=quick,
        command=command,
        remarks=[*remarks(methods), *([RULE_REMARK] if "ivae" in methods else [])],
    )


def _cases(cells: Cells, at_once: int) -> Iterator[PairsCase]:
    for generator_name in cells.generators:
        for kind in cells.kinds:
            if kind == "cyclic" and generator_name != NETWORK:
                continue
            for layers in cells.layers if generator_name == NETWORK else (0,):
                for segments in cells.segments:
                    for method in cells.methods:
                        for first in range(0, cells.pairs, at_once):
                            count = min(at_once, cells.pairs - first)
                            yield PairsCase(
                                generator_name, kind, layers, segments, method, first, count
                            )


def _judge(
    case: PairsCase, *, seed: int, n_per_segment: int, unmixing: UnmixingSettings
) -> pd.DataFrame:
    numbers = range(case.first, case.first + case.count)
    simulated = [simulate(case, number, n_per_segment, seed) for number in numbers]
    truths = [truth for truth, _ in simulated]
    pairs = [pair for _, pair in simulated]
    found = judge(
        np.stack([pair.values for pair in pairs]),
        pairs[0].segments,
        method=case.method,
        keys=[f"{case.cell}, pair {number}" for number in numbers],
        seed=seed,
        unmixing=unmixing,
    )
    cell = {name: getattr(case, name) for name in ("generator", "kind", "layers", "segments")}
    truth = [truths[place] for place in found["pair"]]
    found = found.assign(**cell, pair=found["pair"] + case.first, truth=truth)
    head = [*cell, "method", "pair", "truth"]
    usual = [*head, *(name for name in COLUMNS if name not in head)]
    return found[[*usual, *found.columns.drop(usual)]]


def simulate(
    case: PairsCase, number: int, n_per_segment: int, seed: int
) -> tuple[str, SimulatedSeries]:
    """Return the truth ("x->y", "y->x", "cyclic" or "none") and the series of one pair.

    Parameters
    ----------
    case : PairsCase
        Its method has no part in it.
    number : int
        Of the pair in its cell.
    n_per_segment, seed : int
    """
    keys = ("pairs", case.cell, number)
    rng = generator(seed, *keys, "kind")
    truth: Any = {"cyclic": "cyclic", "independent": "none"}.get(
        case.kind, str(rng.choice(["x->y", "y->x"]))
    )
    own = child_seed(seed, *keys)
    if case.generator == NETWORK:
        return truth, simulate_pair(
            truth,
            n_segments=case.segments,
            n_per_segment=n_per_segment,
            layers=case.layers,
            seed=own,
        )
    return truth, simulate_mechanism_pair(
        truth,
        mechanism=cast("Mechanism", case.generator),
        law=LAWS[rng.integers(len(LAWS))],
        modulation=MODULATIONS[rng.integers(len(MODULATIONS))],
        n_segments=case.segments,
        n_per_segment=n_per_segment,
        autocorrelation=_AUTOCORRELATIONS[rng.integers(len(_AUTOCORRELATIONS))],
        seed=own,
    )
