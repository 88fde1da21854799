"""Measure how often tests reject independent series."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.discovery.network.judgement import judge
from causal_ivae.discovery.network.twins import Twins
from causal_ivae.drawing.svg import FAINT, new_figure
from causal_ivae.errors import InputError
from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.conditional import conditional_table
from causal_ivae.independence.hsic import hsic_table
from causal_ivae.independence.partial import partial_correlations
from causal_ivae.seeding import child_seed, generator
from causal_ivae.settings import DecisionSettings, IndependenceSettings, Null
from causal_ivae.validation.report import Say
from causal_ivae.validation.session import check_names
from causal_ivae.validation.suites.method_lines import colour, legend_below
from causal_ivae.validation.suites.null_series import (
    NETWORK_WINDOW,
    Layout,
    NullSeries,
    Row,
    draw_network,
    draw_series,
    every_row,
)
from causal_ivae.validation.suites.study import Study, content_of
from causal_ivae.validation.suites.suite import SUMMARY, Suite, Tables
from causal_ivae.validation.text_tables import as_block, share_with_interval

Test = Literal["HSIC", "distance covariance", "conditional", "partial correlation"]
ALPHA = 0.05
DEFAULT_NULL = IndependenceSettings().null
NULLS: dict[Test, tuple[Null, ...]] = {
    "HSIC": get_args(Null),
    # The other tests have the same nulls, but by permutation they take hours.
    "distance covariance": (DEFAULT_NULL, "gamma"),
    "conditional": (DEFAULT_NULL, "gamma"),
}
_NORMAL = "normal"
"""Partial correlation has no draws and is compared with this distribution."""
ARROWS = "arrows of the network method"
_KINDS = {"data": "the series themselves", "twins": "their twins", "moved": "moved in time"}
_REGIONS = 6
_AT_ONCE = 50
_FEWER_DRAWS = 199
"""Nulls other than the default take this many draws."""
BAND = (0.03, 0.07)
"""A test of nominal level .05 should reject a share in this range."""

METHOD = {
    "Pairs": "x and y are independent of one another and of z. 'conditional' and 'partial "
    "correlation' test x + z against y + z given z; the others x against y. All tests of a row "
    "have the same series.",
    ARROWS: f"Networks of {_REGIONS} regions of a subject, or simulated ones without --data. Share "
    "of the pairs with an arrow of at least the probability 'decision.confidence', without regard "
    "to twins: in the series themselves; in twins, which have the covariance and the spectra of "
    "the series and no arrow; and by chance, in regions that were moved in time each by itself, "
    "which share nothing.",
    "Blocks": "Every test is conditional on the blocks: windows of a run, or runs.",
    "Share": f"Of the pairs with p <= {ALPHA:g}, with its 95 % Wilson interval. The same draws "
    f"serve {_AT_ONCE} pairs, others the next.",
    "Default": "The null that every test has unless another is asked for.",
}


@dataclass(frozen=True)
class NullCase:
    """Describe one test with one null on one kind of series.

    Attributes
    ----------
    apart : bool
        See `causal_ivae.validation.suites.null_series.Row` and `Layout`.
    """

    source: str
    coefficient: float
    blocks: int
    length: int
    apart: bool
    test: str
    null: str

    @property
    def row(self) -> Row:
        """Return a key of the kind of series."""
        return Row(self.source, Layout(self.blocks, self.length, self.apart), self.coefficient)

    @property
    def key(self) -> str:
        """Return a key of the series, the test and the null."""
        if self.test == ARROWS:
            return f"{self.source}: {self.test}, {self.null}"
        return f"{self.row.key}: {self.test}, {self.null}"


@dataclass(frozen=True, kw_only=True)
class FalsePositives(Suite[NullCase]):
    """Measure tests of independence on independent series.

    Attributes
    ----------
    data : pathlib.Path or None
        Folder of tables of region time series, for phase-randomised data and for pairs of
        different subjects; without it simulated BOLD is phase-randomised.
    pairs : int
        Of every cell.
    nulls : tuple of str
        Beside partial correlation, which draws from none and is tested in any case.
    networks : int
        Of which the network method judges the series, their twins, and regions moved in time.
    draws : int
        From the null distributions that need draws.
    few : bool
        Whether some rows only are computed.
    content : str or None
        Digest of the tables.
    """

    name = "null"
    method = METHOD

    data: Path | None = None
    pairs: int = 400
    nulls: tuple[str, ...] = NULLS["HSIC"]
    networks: int = 20
    draws: int = IndependenceSettings().draws
    few: bool = False
    content: str | None = None

    def __post_init__(self) -> None:
        check_names("null", self.nulls, NULLS["HSIC"])

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Return the options of a quick run: few pairs, draws and kinds of series."""
        return {"pairs": 20, "networks": 1, "draws": 99, "few": True}

    @classmethod
    def asked(cls, options: Mapping[str, Any], *, quick: bool, say: Say) -> Self:
        """Return the suite with the options given, and the digest of the tables; see `Suite`."""
        suite = super().asked(options, quick=quick, say=say)
        return suite if suite.data is None else replace(suite, content=content_of(suite.data))

    def settings(self) -> dict[str, Any]:
        """Return the seed, the numbers of pairs and draws, and the level."""
        return {"seed": self.seed, "pairs": self.pairs, "draws": self.draws, "alpha": ALPHA}

    def own_settings(self, case: NullCase) -> dict[str, Any]:
        """Return the digest of the tables for series that are made of them."""
        own = {"networks": self.networks} if case.test == ARROWS else {}
        of_data = case.row.of_data or case.test == ARROWS
        return {"content": self.content, **own} if of_data else own

    def described(self) -> dict[str, Any]:
        """Return where the tables are, and their digest."""
        return {"data": None if self.data is None else str(self.data), "content": self.content}

    def cases(self) -> Iterator[NullCase]:
        """Yield every test with every null on every kind of series."""
        for row in every_row(self.data, quick=self.few):
            layout = row.layout
            make = partial(
                NullCase, row.source, row.coefficient, layout.blocks, layout.length, layout.apart
            )
            for test, nulls in NULLS.items():
                for null in nulls:
                    if null in self.nulls:
                        yield make(test, null)
            yield make("partial correlation", _NORMAL)
        for kind in _KINDS:
            yield NullCase("networks", 0.0, 0, 0, apart=False, test=ARROWS, null=kind)

    def work(self, case: NullCase) -> list[dict[str, Any]]:
        """Return how many pairs of a case are rejected, or have an arrow."""
        if case.test == ARROWS:
            return [self._arrows(case.null)]
        series = draw_series(case.row, self.pairs, self.seed, self.data)
        return [
            {
                "series": case.row.key,
                "test": case.test,
                "null": case.null,
                "default": case.null == DEFAULT_NULL,
                "pairs": self.pairs,
                "rejected": int((self._p_values(case, series) <= ALPHA).sum()),
            }
        ]

    def _p_values(self, case: NullCase, series: NullSeries) -> NDArray[np.float64]:
        x, y, z = series.values
        if case.test == "partial correlation":
            triples = (np.stack([a + c, b + c, c], axis=1) for a, b, c in zip(x, y, z, strict=True))
            return np.array([_partial(triple, series.blocks) for triple in triples])
        if case.test == "conditional":
            x, y = (x + z) / np.sqrt(2.0), (y + z) / np.sqrt(2.0)
        first, second, given = (
            torch.as_tensor(v, dtype=torch.float32)[..., None] for v in (x, y, z)
        )
        test = _TESTS[cast("Test", case.test)]
        fewer = self.draws if case.null == DEFAULT_NULL else min(self.draws, _FEWER_DRAWS)
        options = {"null": cast("Null", case.null), "draws": fewer}
        blocks = make_blocks(series.blocks)
        found = []
        for start in range(0, len(x), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            key = child_seed(self.seed, case.row.key, start)
            found.append(test(first[some], second[some], given[some], blocks, options, key))
        return np.concatenate(found)

    def _arrows(self, kind: str) -> dict[str, Any]:
        """Return how many pairs the network method claims an arrow for in series of a kind."""
        study = None
        if self.data is not None and self.content is not None:
            study = Study(self.data.expanduser().resolve(), self.content, None, NETWORK_WINDOW)
        pairs = claimed = 0
        for number in range(self.networks):
            values, segments, blocks, _ = draw_network(study, number, _REGIONS, 1, self.seed)
            rng = generator(self.seed, "networks", kind, number)
            if kind != "data":
                twins = Twins(values, segments, blocks)
                values = twins.draw(rng) if kind == "twins" else twins.shifted(rng)
            found = judge(values, segments, blocks, seed=self.seed)
            pairs += len(found.pairs)
            claimed += int((found.directed.max(axis=1) >= DecisionSettings().confidence).sum())
        of = "simulated networks" if study is None else f"networks of {_REGIONS} regions"
        head = {"series": of, "test": ARROWS, "null": _KINDS[kind], "default": False}
        return {**head, "pairs": pairs, "rejected": claimed}

    def tables(self, rows: pd.DataFrame) -> Tables:
        """Return the share rejected of every series, test and null with its Wilson interval.

        ``within`` says whether the share lies in `BAND`.
        """
        shares = pd.DataFrame(
            share_with_interval("rejected", hits, count)
            for hits, count in zip(rows["rejected"], rows["pairs"], strict=True)
        ).set_index(rows.index)
        head = rows[["series", "test", "null", "default", "pairs"]].astype({"default": bool})
        summary = head.join(shares)
        return {SUMMARY: summary.assign(within=summary["rejected"].between(*BAND))}

    def blocks(self, tables: Tables) -> Iterator[str]:
        """Yield a table for each test, with series in rows and nulls in columns."""
        summary = tables[SUMMARY]
        marked = summary["null"] + summary["default"].map({True: " *", False: ""})
        for test, rows in summary.assign(null=marked).groupby("test", sort=False):
            what = "pairs with an arrow" if test == ARROWS else "share rejected at .05"
            yield as_block(f"{test}: {what}", rows, "rejected", "series", "null")
        default = summary[summary["default"]]
        if len(default):
            yield (
                f"* the default. It lies between {BAND[0]:g} and {BAND[1]:g} in "
                f"{int(default['within'].sum())} of {len(default)} cells."
            )

    def draw(self, _: pd.DataFrame, tables: Tables) -> Figure:
        """Draw the share of every series, one panel per test, the default filled."""
        summary = tables[SUMMARY]
        tests = list(dict.fromkeys(summary["test"]))
        series = list(dict.fromkeys(summary["series"]))
        nulls = list(dict.fromkeys(summary["null"]))
        figure = new_figure(2.5 + 1.7 * len(tests), 1.2 + 0.16 * len(series))
        axes = figure.subplots(1, len(tests), squeeze=False, sharey=True)[0]
        for test, ax in zip(tests, axes, strict=True):
            rows = summary[summary["test"] == test]
            ax.axvspan(*BAND, color=FAINT, alpha=0.25, lw=0)
            for null in nulls:
                own = rows[rows["null"] == null]
                where = [series.index(name) for name in own["series"]]
                drawn = colour(null, nulls)
                ax.hlines(where, own["low"], own["high"], color=drawn, lw=1.0, alpha=0.6)
                face = drawn if own["default"].any() else "none"
                ax.scatter(
                    own["rejected"], where, s=14, edgecolors=drawn, facecolors=face, label=null
                )
            ax.set_title(test)
            ax.set_xscale("symlog", linthresh=0.1)
            ax.set_xlim(0.0, 1.0)
            ax.set_xticks([0.0, 0.05, 0.1, 0.5, 1.0], ["0", ".05", ".1", ".5", "1"])
            ax.set_yticks(range(len(series)), series)
        axes[0].invert_yaxis()
        legend_below(figure, axes, columns=5)
        return figure


def _partial(triple: NDArray[np.float64], blocks: NDArray[np.int64]) -> float:
    try:
        return float(partial_correlations(triple, blocks, np.array([[0, 1]])).p_value[0])
    except InputError:
        # With too few effective volumes, the test raises an error and so rejects nothing.
        return 1.0


def _unconditional(kernel: Any) -> Callable[..., NDArray[np.float64]]:
    def test(
        x: Tensor, y: Tensor, _: Tensor, blocks: Any, options: Any, seed: int
    ) -> NDArray[np.float64]:
        table = hsic_table(x[:, None], y[:, None], blocks, seed=seed, kernel=kernel, **options)
        return table.p_value[:, 0, 0]

    return test


def _conditional(
    x: Tensor, y: Tensor, z: Tensor, blocks: Any, options: Any, seed: int
) -> NDArray[np.float64]:
    return conditional_table(x, y, z, blocks, seed=seed, **options).p_value[:, 0, 0]


_TESTS: dict[Test, Callable[..., NDArray[np.float64]]] = {
    "HSIC": _unconditional("gaussian"),
    "distance covariance": _unconditional("distance"),
    "conditional": _conditional,
}
