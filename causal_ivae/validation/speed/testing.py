"""Time our HSIC tests and those of other packages that are installed."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.hsic import hsic_table, hsic_test
from causal_ivae.seeding import generator
from causal_ivae.settings import Null
from causal_ivae.validation.speed.effort import Effort
from causal_ivae.validation.speed.measurement import Baseline, Clock, Measurement, Setting, in_turns
from causal_ivae.validation.speed.peak_memory import peak_mib

METHOD = (
    "Two independent Gaussian series, one block, the gamma approximation of the null (hyppo: its "
    "chi-square approximation). Ours are in single precision with the median of all distances as "
    "bandwidth; the others in double precision with bandwidths of their own rules. hsic_test runs "
    "on the CPU, hsic_table on the device. The baseline is the best of the other packages that "
    "are installed. A table has the tests of two series against up to 16, fewer where they are "
    "long; every test counts once."
)

GROUP = "independence"
OURS, OUR_TABLE = "hsic_test", "hsic_table"
Test = Callable[[NDArray[np.float64], NDArray[np.float64]], float]

_NULLS: tuple[Null, ...] = ("permutation", "circular_shift")
_SMALL = 50
_ENOUGH = 4_000_000
"""A timing goes through at least this many pairs of rows."""
_MOST_SECOND, _ROOM = 16, 16_000_000


@dataclass(frozen=True)
class Source:
    """Describe where a test comes from.

    Attributes
    ----------
    make : callable
        From the module to a test of two series that returns a p-value; can be pickled.
    """

    module: str
    make: Callable[[Any], Test]

    def find(self) -> Test | str:
        """Return the test, or why there is none."""
        try:
            # Warnings of other packages while they are imported do not concern us.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self.make(import_module(self.module))
        except ModuleNotFoundError as error:
            absent = error.name == self.module.partition(".")[0]
            return "not installed" if absent else f"needs {error.name}"
        except ImportError as error:
            return f"cannot be imported: {error}"

    def run_once(self, n: int) -> None:
        """Test two series of n volumes."""
        test = self.find()
        assert not isinstance(test, str), test
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test(*_series(n))


def _ours(module: Any) -> Test:
    return lambda x, y: float(module.hsic_test(x, y, null="gamma").p_value)


def _lingam(module: Any) -> Test:
    return lambda x, y: float(module.hsic_test_gamma(x, y)[1])


def _causal_learn(module: Any) -> Test:
    test = module.KCI_UInd(kernelX="Gaussian", kernelY="Gaussian", approx=True)
    return lambda x, y: float(test.compute_pvalue(x[:, None], y[:, None])[0])


def _hyppo(module: Any) -> Test:
    test = module.Hsic()
    return lambda x, y: float(test.test(x[:, None], y[:, None], auto=True)[1])


OUR_SOURCE = Source("causal_ivae.independence", _ours)
OTHERS = {
    "lingam": Source("lingam.hsic", _lingam),
    "causal-learn": Source("causallearn.utils.KCI.KCI", _causal_learn),
    "hyppo": Source("hyppo.independence", _hyppo),
}
"""By name of the distribution."""


def measure_tests(effort: Effort, clock: Clock) -> list[Measurement]:
    """Time tests of independence at several lengths, draws from two nulls, and take memory.

    Returns
    -------
    list of Measurement
        Tests per second, ms, and MiB.
    """
    sources = {OURS: OUR_SOURCE, **OTHERS}
    found = {name: source.find() for name, source in sources.items()}
    tests = {name: test for name, test in found.items() if not isinstance(test, str)}
    rows = [row for n in effort.test_volumes for row in _rates(n, tests, effort, clock)]
    rows += [
        Measurement(GROUP, name, Setting(), (), "tests/s", remark=reason)
        for name, reason in found.items()
        if isinstance(reason, str)
    ]
    there = {name: sources[name] for name in tests}
    return [*rows, *_draws(effort, clock), *_memory(effort, there)]


def _series(n: int) -> NDArray[np.float64]:
    return generator(0, "benchmark speed", n).normal(size=(2, n))


def _rates(n: int, tests: dict[str, Test], effort: Effort, clock: Clock) -> list[Measurement]:
    x, y = _series(n)
    repeats = max(1, _ENOUGH // n**2)
    n_second = max(1, min(_MOST_SECOND, _ROOM // n**2))
    blocks = make_blocks(np.zeros(n, dtype=np.int64), clock.device)
    draws = torch.as_tensor(
        generator(0, "benchmark speed", "table", n).normal(size=(1, 2 + n_second, n, 1)),
        dtype=torch.float32,
        device=clock.device,
    )
    first, second = draws[:, :2], draws[:, 2:]

    def rate(test: Test) -> float:
        def run() -> None:
            for _ in range(repeats):
                test(x, y)

        return repeats / clock.seconds(run)

    def table_rate() -> float:
        run = partial(hsic_table, first, second, blocks, null="gamma", draws=0, seed=0)
        return 2 * n_second / clock.seconds(run)

    small = _series(_SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for test in tests.values():
            test(*small)
        measures: dict[str, Callable[[], float]] = {
            name: partial(rate, test) for name, test in tests.items()
        }
        taken = in_turns({OUR_TABLE: table_rate, **measures}, effort.turns)
    order = (OURS, OUR_TABLE, *OTHERS)
    counts = dict.fromkeys(order, 1) | {OUR_TABLE: 2 * n_second}
    rows = [
        Measurement(GROUP, name, Setting(volumes=n, tests=counts[name]), taken[name], "tests/s")
        for name in order
        if name in taken
    ]
    return against_best(rows)


def against_best(rows: list[Measurement]) -> list[Measurement]:
    """Set every row against the best of the other packages, if any is there."""
    others = [(row.median, row.name) for row in rows if row.name in OTHERS and row.median]
    if not others:
        return rows
    value, name = max(others) if rows[0].unit == "tests/s" else min(others)
    return [replace(row, baseline=Baseline(name, value)) for row in rows]


def _draws(effort: Effort, clock: Clock) -> list[Measurement]:
    n, draws = effort.draws_volumes, effort.draws
    x, y = _series(n)

    def ms(null: Null) -> float:
        return 1e3 * clock.seconds(partial(hsic_test, x, y, null=null, draws=draws))

    taken = in_turns({null: partial(ms, null) for null in _NULLS}, effort.turns)
    setting = Setting(volumes=n, tests=1, draws=draws)
    return [
        Measurement(GROUP, f"{OURS}, {null}", setting, values, "ms")
        for null, values in taken.items()
    ]


def _memory(effort: Effort, sources: dict[str, Source]) -> list[Measurement]:
    n = effort.memory_volumes
    # All of them run on the CPU.
    cpu = torch.device("cpu")
    rows = []
    for name, source in sources.items():
        peak = peak_mib(partial(source.run_once, n), partial(source.run_once, _SMALL), cpu)
        rows.append(Measurement(GROUP, name, Setting(volumes=n, tests=1), peak, "MiB"))
    return against_best(rows)
