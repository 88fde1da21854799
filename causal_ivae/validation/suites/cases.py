"""Work on the cases of a benchmark in parallel, and on none of them twice.

What a finished case gave lies under the output folder in a file of its own, whose name is a
digest of the case and of every setting that its rows depend on.  A command that was interrupted
goes on where it stopped; another setting starts afresh.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import pandas as pd

from causal_ivae.batch.workers.machine import cores
from causal_ivae.batch.workers.pool import Lost, Stage, open_pool
from causal_ivae.derivatives.files import read_sidecar, write_json
from causal_ivae.errors import SettingsError
from causal_ivae.provenance import digest_of, package_version
from causal_ivae.unmixing.training.threads import torch_threads
from causal_ivae.validation.report import Say
from causal_ivae.validation.session import folder_to_write

Rows = Sequence[Mapping[str, Any]] | pd.DataFrame
"""A row of results holds numbers, texts, booleans and None."""

FOLDER = "cases"
CASE, ERROR = "case", "error"
"""Every table has these columns: the key of the case, and why it failed (missing if not)."""


class Case(Protocol):
    """Describe one piece of a benchmark by a frozen dataclass of plain values with a unique key."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> str:
        """Return a unique name of the case in the suite, from which seeds are derived."""
        ...


C = TypeVar("C", bound=Case)


def run_cases(
    suite: str,
    cases: Sequence[C],
    work: Callable[[C], Rows],
    output: Path,
    *,
    settings: Mapping[str, Any],
    own_settings: Callable[[C], Mapping[str, Any]] | None = None,
    nprocs: int | None = None,
    say: Say = lambda _: None,
) -> pd.DataFrame:
    """Work on the cases that are not finished, and return the rows of all.

    Parameters
    ----------
    suite : str
        Name of the benchmark.
    cases : sequence of frozen dataclasses
        Their fields are written beside the rows.
    work : callable
        Takes a case and returns its rows; a function of a module, or a `functools.partial` of
        one, because it runs in other processes.  Random numbers come from the seed in `settings`
        and the key of the case, never from the order of the cases.
    output : pathlib.Path
        Folder; gets ``cases/<suite>/<digest>.json`` for every finished case.
    settings : mapping
        Every value beside the case itself that its rows depend on, the seed among them; what JSON
        cannot hold counts by its `str`.
    own_settings : callable, optional
        Further settings that only this case depends on, such as those of its method: when they
        change, the other cases keep their rows.
    nprocs : int, optional
        Processes; default one per core.  Each has one thread, and one that is killed costs its own
        case only.  With 1 the cases run in this process.  No row depends on it.
    say : callable
        Told every case that ends.

    Returns
    -------
    pandas.DataFrame
        The rows in the order of the cases, after the columns ``case`` (key) and ``error``.  A
        case that failed, or whose process was killed, has one row with its message there and its
        own fields; the next run tries it again.

    Raises
    ------
    SettingsError
        If `output` is a file, there is no case, or two cases have the same key.
    """
    output = folder_to_write(output)
    if not cases:
        raise SettingsError(f"Nothing is left of the benchmark '{suite}'; choose less narrowly.")
    twice = [key for key, count in Counter(case.key for case in cases).items() if count > 1]
    if twice:
        raise SettingsError(f"Two cases of the benchmark '{suite}' have the key '{twice[0]}'.")
    files = {
        case.key: _file(
            output, suite, case, {**settings, **(own_settings(case) if own_settings else {})}
        )
        for case in cases
    }
    found = {key: _finished(path) for key, path in files.items()}
    waiting = {case.key: case for case in cases if found[case.key] is None}
    if len(waiting) < len(cases):
        say(f"{len(cases) - len(waiting)} of {len(cases)} cases are there already.")
    failed: dict[str, str] = {}
    started = time.perf_counter()
    for number, (key, outcome) in enumerate(_work_on(waiting, work, nprocs), start=1):
        if isinstance(outcome, Lost):
            failed[key] = outcome.message
            remark = f"failed: {outcome.message}"
        else:
            rows, seconds = outcome
            record = {"Suite": suite, "Key": key, "Case": _plain(asdict(waiting[key]))}
            write_json(files[key], {**record, "Seconds": seconds, "Rows": rows})
            found[key] = rows
            remark = f"{seconds:.1f} s"
        left = (time.perf_counter() - started) / number * (len(waiting) - number)
        say(f"{number} of {len(waiting)}, about {left / 60:.1f} min left: {key} ({remark})")
    return pd.DataFrame(list(_rows(cases, found, failed)))


def _work_on(
    waiting: Mapping[str, C], work: Callable[[C], Rows], nprocs: int | None
) -> Iterator[tuple[str, tuple[list[dict[str, Any]], float] | Lost]]:
    if not waiting:
        return
    with open_pool(
        # A pool for one piece runs it in this process.
        1 if nprocs == 1 else max(2, len(waiting)),
        nprocs=min(nprocs or cores(), len(waiting)),
        scheduler=None,
        threads=1,
        on_stage=lambda *_: None,
    ) as pool:
        yield from pool.map(_Worker(work), waiting)


@dataclass(frozen=True)
class _Worker(Generic[C]):
    """Do the work of a case in the process that it is sent to."""

    work: Callable[[C], Rows]

    def __call__(self, case: C, _: Stage) -> tuple[list[dict[str, Any]], float] | Lost:
        started = time.perf_counter()
        try:
            with torch_threads(1):
                rows = self.work(case)
        except Exception as error:  # noqa: BLE001 - whatever a case raises is that case's failure
            return Lost(" ".join(f"{type(error).__name__}: {error}".split()))
        records = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
        return [_plain(row) for row in records], round(time.perf_counter() - started, 3)


def _rows(
    cases: Sequence[C], found: Mapping[str, list[dict[str, Any]] | None], failed: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for case in cases:
        if case.key in failed:
            yield {CASE: case.key, ERROR: failed[case.key], **_plain(asdict(case))}
        for row in found[case.key] or ():
            yield {CASE: case.key, ERROR: None, **row}


def _file(output: Path, suite: str, case: Case, settings: Mapping[str, Any]) -> Path:
    content = {"case": asdict(case), "settings": settings, "version": package_version()}
    text = json.dumps(content, sort_keys=True, default=str)
    return output / FOLDER / suite / f"{digest_of(suite, case.key, text)}.json"


def _finished(path: Path) -> list[dict[str, Any]] | None:
    rows = read_sidecar(path).get("Rows")
    return rows if isinstance(rows, list) else None


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    """Return a value as JSON holds it, so that a resumed run has the very same table."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return " ".join(str(_value(part)) for part in value)
    return str(value)
