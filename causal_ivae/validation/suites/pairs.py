"""Compare our and published methods on the directions of the same simulated pairs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from causal_ivae.errors import SettingsError
from causal_ivae.seeding import child_seed, generator
from causal_ivae.simulate.known_graphs import SimulatedSeries, simulate_pair
from causal_ivae.validation.session import check_names
from causal_ivae.validation.suites.mechanisms import (
    LAWS,
    MECHANISMS,
    MODULATIONS,
    Mechanism,
    simulate_mechanism_pair,
)
from causal_ivae.validation.suites.ours import PAIR_METHODS, RULE
from causal_ivae.validation.suites.pair_suite import COLUMNS, PACKAGES, PairSuite
from causal_ivae.validation.suites.pairs_summary import blocks_of, calibrate, draw_pairs, summarise
from causal_ivae.validation.suites.suite import SUMMARY, Tables, portions
from causal_ivae.validation.text_tables import as_text

Kind = Literal["directed", "cyclic", "independent"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NETWORK = "network"
GENERATORS: tuple[str, ...] = (NETWORK, *MECHANISMS)
_NOT_BY_DEFAULT = ("coin", "patel-tau")
_AUTOCORRELATIONS = (0.0, 0.3, 0.6)
_CALIBRATION = "calibration"
_CELL = ("generator", "kind", "layers", "segments")

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
    "Changed": "Share of pairs that the same method decides otherwise with another seed; only of "
    "methods that start at random.",
    "ECE": "Expected calibration error, ten bins, over all cells of a generator: 'directions' is "
    "that of the confidence of every direction claimed, on pairs that have none too; 'outcomes' "
    "that of the largest of the probabilities of x -> y, y -> x, no edge and cannot tell.",
}


@dataclass(frozen=True)
class PairsCase:
    """Describe some pairs of a cell that one method orients.

    Attributes
    ----------
    layers : int
        0 for generators that have none.
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
        """Return a key of the cell, the method and the pairs."""
        return f"{self.cell}, {self.method}, pairs {self.first}-{self.first + self.count - 1}"

    @property
    def cell(self) -> str:
        """Return a key of the pairs, from which their seeds are derived."""
        layers = f"{self.layers} layers, " if self.layers else ""
        return f"{self.generator}, {self.kind}, {layers}{self.segments} segments"


@dataclass(frozen=True, kw_only=True)
class Pairs(PairSuite[PairsCase]):
    """Measure methods on simulated pairs.

    Attributes
    ----------
    layers : tuple of int
        Of the mixing network; other generators have none.
    pairs : int
        In every cell.
    at_once : int
        Pairs of a case.
    """

    name = "pairs"
    method = METHOD
    cells = ("layers", "segments", "pairs", "methods", "kinds", "generators")

    layers: tuple[int, ...] = (1, 2, 3, 4, 5)
    segments: tuple[int, ...] = (4, 8, 16, 32, 48)
    pairs: int = 100
    methods: tuple[str, ...] = tuple(name for name in PACKAGES if name not in _NOT_BY_DEFAULT)
    kinds: tuple[str, ...] = KINDS
    generators: tuple[str, ...] = (NETWORK,)
    n_per_segment: int = 512
    at_once: int = 25

    def __post_init__(self) -> None:
        check_names("kind", self.kinds, KINDS)
        check_names("generator", self.generators, GENERATORS)
        if self.segments and min(self.segments) < 3:
            raise SettingsError(
                f"{min(self.segments)} segments were asked for; at least three are needed."
            )

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Return the options of a quick run: few and small cells, and short fits."""
        cells = {"layers": (1, 2), "segments": (4,), "pairs": 4}
        return {**super().small(), **cells, "n_per_segment": 64, "at_once": 2}

    def settings(self) -> dict[str, Any]:
        """Return the seed and the length of segments."""
        return {"seed": self.seed, "n_per_segment": self.n_per_segment}

    def remarks(self) -> list[str]:
        """Return what a reader of the table must know of the methods."""
        rule = f"'ivae{RULE}' is the rule of Monti et al. 2019 on the fits of 'ivae'."
        return [*super().remarks(), *([rule] if "ivae" in self.methods else [])]

    def cases(self) -> Iterator[PairsCase]:
        """Yield every case; the other generators have neither layers nor cyclic pairs."""
        for generator_name in self.generators:
            for kind in self.kinds:
                if kind == "cyclic" and generator_name != NETWORK:
                    continue
                for layers in self.layers if generator_name == NETWORK else (0,):
                    for segments in self.segments:
                        for method in self.methods:
                            for first, count in portions(self.pairs, self.at_once):
                                yield PairsCase(
                                    generator_name, kind, layers, segments, method, first, count
                                )

    def work(self, case: PairsCase) -> pd.DataFrame:
        """Simulate the pairs of a case and orient them."""
        numbers = range(case.first, case.first + case.count)
        simulated = [simulate(case, number, self.n_per_segment, self.seed) for number in numbers]
        series = np.stack([pair.values for _, pair in simulated])
        segments = simulated[0][1].segments
        keys = [f"{case.cell}, pair {number}" for number in numbers]
        found = self.judge(case.method, series, segments, keys)
        reseeded = None
        if case.method in PAIR_METHODS:
            other = replace(self, seed=child_seed(self.seed, "another seed"))
            reseeded = other.judge(case.method, series, segments, keys)["decision"]
        found = found.assign(
            reseeded=reseeded,
            **{name: getattr(case, name) for name in _CELL},
            pair=found["pair"] + case.first,
            truth=[simulated[place][0] for place in found["pair"]],
        )
        head = [*_CELL, "method", "pair", "truth"]
        return found[[*head, *(name for name in COLUMNS if name not in head), "reseeded"]]

    def tables(self, rows: pd.DataFrame) -> Tables:
        """Return shares by cell and method, and calibration errors where there are confidences."""
        calibration = calibrate(rows)
        some = {_CALIBRATION: calibration} if len(calibration) else {}
        return {SUMMARY: summarise(rows), **some}

    def blocks(self, tables: Tables) -> Iterator[str]:
        """Yield tables with methods in rows and cells in columns."""
        yield from blocks_of(tables[SUMMARY])
        if _CALIBRATION in tables:
            yield f"Expected calibration errors\n{as_text(tables[_CALIBRATION])}"

    def draw(self, rows: pd.DataFrame, tables: Tables) -> Figure:
        """Draw shares by layers, and how reliable confidences are."""
        return draw_pairs(rows, tables[SUMMARY])


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
