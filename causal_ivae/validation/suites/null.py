"""How often tests reject where nothing depends on anything."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.errors import InputError, SettingsError, nearest
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.conditional import conditional_table
from causal_ivae.independence.hsic import hsic_table
from causal_ivae.independence.partial import partial_correlations
from causal_ivae.provenance import digest_of, fingerprint
from causal_ivae.seeding import child_seed
from causal_ivae.settings import IndependenceSettings, Null
from causal_ivae.validation.suites.cases import Say, run_cases
from causal_ivae.validation.suites.null_series import Layout, NullSeries, Row, draw_series, rows
from causal_ivae.validation.suites.null_summary import as_blocks, draw_null, summarise
from causal_ivae.validation.suites.report import Session, write_report

Test = Literal["HSIC", "distance covariance", "conditional", "partial correlation"]
ALPHA = 0.05
DEFAULT_NULL = IndependenceSettings().null
NULLS: dict[Test, tuple[Null, ...]] = {
    "HSIC": get_args(Null),
    # The others have the same nulls; by permutation they take hours.
    "distance covariance": (DEFAULT_NULL, "gamma"),
    "conditional": (DEFAULT_NULL, "gamma"),
}
_NORMAL = "normal"
"""What partial correlation, which has no draws, is compared with."""
_AT_ONCE = 50
_FEWER_DRAWS = 199
"""Of nulls that are not the default."""

METHOD = {
    "Pairs": "x and y are independent of one another and of z. 'conditional' and 'partial "
    "correlation' test x + z against y + z given z; the others x against y. All tests of a row "
    "have the same series.",
    "Blocks": "Every test is conditional on the blocks: windows of a run, or runs.",
    "Share": f"Of the pairs with p <= {ALPHA:g}, with its 95 % Wilson interval. The same draws "
    f"serve {_AT_ONCE} pairs, others the next.",
    "Default": "The null that every test has unless another is asked for.",
}


@dataclass(frozen=True)
class NullCase:
    """One test with one null on one kind of series.

    Attributes
    ----------
    source : str
    coefficient : float
    blocks, length : int
    apart : bool
        See `causal_ivae.validation.suites.null_series.Row` and `Layout`.
    test, null : str
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
        """The kind of series."""
        return Row(self.source, Layout(self.blocks, self.length, self.apart), self.coefficient)

    @property
    def key(self) -> str:
        """The series, the test and the null."""
        return f"{self.row.key}: {self.test}, {self.null}"


def benchmark_null(
    output: Path,
    *,
    data: Path | None,
    quick: bool = False,
    seed: int = 0,
    nprocs: int | None = None,
    command: str = "",
    say: Say = lambda _: None,
    pairs: int | None = None,
    nulls: Sequence[str] | None = None,
) -> list[Path]:
    """Measure the false-positive rate of every test with every null.

    Parameters
    ----------
    output : pathlib.Path
        Folder; see `causal_ivae.validation.suites.report.write_report`.
    data : pathlib.Path or None
        Folder of tables of region time series, for phase-randomised data and for pairs of
        different subjects; without it simulated BOLD is phase-randomised.
    quick : bool
        Few pairs and rows, to see that it works.
    seed : int
    nprocs : int, optional
        Processes; default one per core.
    command : str
        The command line, for the record.
    say : callable
        Told every case that is done.
    pairs : int, optional
        Of every cell; default 400.
    nulls : sequence of str, optional
        Default all; partial correlation, which draws from none, is tested in any case.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    InputError
        If the tables cannot be read, or are of fewer than three subjects.
    SettingsError
        If there is no such null.
    """
    for name in nulls or ():
        if name not in NULLS["HSIC"]:
            raise SettingsError(f"Unknown null '{name}'. {nearest(name, NULLS['HSIC'])}")
    wanted = (*(nulls or NULLS["HSIC"]), _NORMAL)
    session = Session()
    draws = 99 if quick else IndependenceSettings().draws
    count = pairs or (20 if quick else 400)
    settings = {
        "seed": seed,
        "pairs": count,
        "draws": draws,
        "alpha": ALPHA,
    }
    content = None if data is None else _content(data)
    table = run_cases(
        "null",
        [case for row in rows(data, quick=quick) for case in _cases(row) if case.null in wanted],
        partial(_judge, data=data, seed=seed, pairs=count, draws=draws),
        output,
        settings=settings,
        own_settings=lambda case: {"content": content} if case.row.of_data else {},
        nprocs=nprocs,
        say=say,
    )
    summary = summarise(table)
    return write_report(
        "null",
        output,
        table=table,
        summary=summary,
        text=as_blocks(summary),
        figure=draw_null(summary),
        settings={**settings, "data": None if data is None else str(data), "content": content},
        method=METHOD,
        session=session,
        seed=seed,
        quick=quick,
        command=command,
    )


def _content(data: Path) -> str:
    files = (run.path for subject in find_subjects(data) for run in subject.runs)
    return digest_of(*(f"{path.name} {fingerprint(path)}" for path in files))


def _cases(row: Row) -> Iterator[NullCase]:
    layout = row.layout
    make = partial(
        NullCase, row.source, row.coefficient, layout.blocks, layout.length, layout.apart
    )
    for test, nulls in NULLS.items():
        for null in nulls:
            yield make(test, null)
    yield make("partial correlation", _NORMAL)


def _judge(
    case: NullCase, *, data: Path | None, seed: int, pairs: int, draws: int
) -> list[dict[str, Any]]:
    series = draw_series(case.row, pairs, seed, data)
    p_value = _p_values(case, series, draws, seed)
    return [
        {
            "series": case.row.key,
            "test": case.test,
            "null": case.null,
            "default": case.null == DEFAULT_NULL,
            "pairs": pairs,
            "rejected": int((p_value <= ALPHA).sum()),
        }
    ]


def _p_values(case: NullCase, series: NullSeries, draws: int, seed: int) -> NDArray[np.float64]:
    x, y, z = series.values
    if case.test == "partial correlation":
        triples = (np.stack([a + c, b + c, c], axis=1) for a, b, c in zip(x, y, z, strict=True))
        return np.array([_partial(triple, series.blocks) for triple in triples])
    if case.test == "conditional":
        x, y = (x + z) / np.sqrt(2.0), (y + z) / np.sqrt(2.0)
    first, second, given = (torch.as_tensor(v, dtype=torch.float32)[..., None] for v in (x, y, z))
    test = _TESTS[cast("Test", case.test)]
    fewer = draws if case.null == DEFAULT_NULL else min(draws, _FEWER_DRAWS)
    options = {"null": cast("Null", case.null), "draws": fewer}
    blocks = make_blocks(series.blocks)
    found = []
    for start in range(0, len(x), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        key = child_seed(seed, case.row.key, start)
        found.append(test(first[some], second[some], given[some], blocks, options, key))
    return np.concatenate(found)


def _partial(triple: NDArray[np.float64], blocks: NDArray[np.int64]) -> float:
    try:
        return float(partial_correlations(triple, blocks, np.array([[0, 1]])).p_value[0])
    except InputError:
        # Too few volumes count as independent: the test says so and rejects nothing.
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
