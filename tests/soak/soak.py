"""Run cohorts while workers and the whole program are killed, and compare with a quiet run.

`make soak`; `make soak SOAK="--subjects 20 --images 4 --kills 6"` for a quick try.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from cohort import (
    REGIONS,
    write_default_settings,
    write_images,
    write_settings,
    write_table_run,
    write_tables,
)
from output_checks import broken, differences, status

_PROCESSES = 2
# Within which the workers of a program that was killed must be gone, s.
_GONE = 10.0
_BAR_GB = 1.5


@dataclass
class Tally:
    """What was done to a cohort, and what it took."""

    workers_killed: int = 0
    programs_killed: int = 0
    runs: int = 0
    seconds: float = 0.0
    peak_mib: float = 0.0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cohort:
    name: str
    source: Path
    options: tuple[str, ...]
    bad: frozenset[str]
    levels: tuple[str, ...] = ("participant", "group")

    def command(self, output: Path) -> list[str]:
        return [
            sys.executable, "-m", "causal_ivae", "run", str(self.source), str(output),
            *self.levels, "--device", "cpu", "--nprocs", str(_PROCESSES), *self.options,
        ]  # fmt: skip


def undisturbed(cohort: Cohort, output: Path) -> Tally:
    """Run a cohort once."""
    tally = Tally(runs=1)
    began = time.monotonic()
    done = subprocess.run(cohort.command(output), stderr=subprocess.PIPE, text=True, check=False)
    tally.seconds = time.monotonic() - began
    if done.returncode not in (0, 1):
        sys.exit(f"{cohort.name}: the program ended with {done.returncode}: {done.stderr[-500:]}")
    _examine(cohort, output, done.returncode, tally)
    return tally


def disturbed(
    cohort: Cohort, output: Path, kills: int, seconds: float, chance: random.Random
) -> Tally:
    """Run a cohort again and again, killing at random, until only bad subjects fail.

    ``seconds`` is about the time that a quiet run takes: the kills are spread over it.
    """
    tally = Tally()
    began = time.monotonic()
    settled: set[str] = set()
    while tally.runs < kills + 5:
        tally.runs += 1
        program = subprocess.Popen(
            cohort.command(output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if tally.runs == 1:
            _refuse_another(cohort, output, tally)
        while program.poll() is None:
            left = kills - tally.workers_killed - tally.programs_killed
            try:
                program.wait(chance.expovariate(kills / seconds) if left > 0 else None)
            except subprocess.TimeoutExpired:
                if chance.random() < 0.6:
                    tally.workers_killed += _kill_a_worker(program.pid, chance)
                else:
                    tally.programs_killed += _kill(program, tally)
        tally.wrong += broken(output)
        settled = _check_nothing_was_redone(output, settled, tally)
        if program.returncode in (0, 1):
            states = status(output)
            failed = set(states.index[states["state"] == "failed"])
            if failed == set(cohort.bad):
                break
    tally.seconds = time.monotonic() - began
    _examine(cohort, output, program.returncode, tally)
    return tally


def _kill_a_worker(pid: int, chance: random.Random) -> bool:
    workers = [
        child
        for child in psutil.Process(pid).children(recursive=True)
        if any("spawn_main" in part for part in child.cmdline())
    ]
    if not workers:
        return False
    chance.choice(workers).kill()
    return True


def _kill(program: "subprocess.Popen[bytes]", tally: Tally) -> bool:
    children = psutil.Process(program.pid).children(recursive=True)
    program.kill()
    program.wait()
    alive = psutil.wait_procs(children, timeout=_GONE)[1]
    tally.wrong += [f"process {child.pid} outlived the program" for child in alive]
    return True


def _refuse_another(cohort: Cohort, output: Path, tally: Tally) -> None:
    deadline = time.monotonic() + 60
    while not list(output.glob("logs/*/status.tsv")) and time.monotonic() < deadline:
        time.sleep(0.2)
    again = subprocess.run(cohort.command(output), capture_output=True, text=True, check=False)
    if again.returncode != 2 or "Another program is writing" not in again.stderr:
        tally.wrong.append(f"a second program was not refused: {again.stderr[-300:]}")


def _check_nothing_was_redone(output: Path, settled: set[str], tally: Tally) -> set[str]:
    """Check that what was done before this run was not touched in it; return what is done now."""
    if not list(output.glob("logs/*/status.tsv")):
        return settled
    states = status(output)["state"].drop("group", errors="ignore")
    redone = settled & set(states.index[states.isin(["done", "running", "failed"])])
    tally.wrong += [f"{unit} was done before and redone" for unit in sorted(redone)]
    return settled | set(states.index[states.isin(["done", "up to date"])])


def _examine(cohort: Cohort, output: Path, code: int, tally: Tally) -> None:
    """Check how the last run ended."""
    states = status(output)
    failed = set(states.index[states["state"] == "failed"])
    if failed != set(cohort.bad):
        tally.wrong.append(f"failed: {sorted(failed)}, expected {sorted(cohort.bad)}")
    if code != bool(cohort.bad):
        tally.wrong.append(f"exit code {code}")
    if not states.loc[sorted(cohort.bad), "message"].str.len().gt(0).all():
        tally.wrong.append("a failed subject has no message")
    tally.wrong += [f"{path} is left over" for path in output.glob("sub-*/**/.*.partial")]
    tally.wrong += broken(output)
    tables = output.glob("logs/*/status.tsv")
    tally.peak_mib = max(float(_peak(table)) for table in tables)


def _peak(table: Path) -> float:
    import pandas as pd

    peaks = pd.read_csv(table, sep="\t").set_index("subject")["peak_memory_mib"]
    # The group is combined in the program itself.
    return peaks.drop("group", errors="ignore").max()


def soak(cohort: Cohort, folder: Path, kills: int, chance: random.Random) -> bool:
    """Compare a quiet run of a cohort with a disturbed one; whether nothing was wrong."""
    quiet = undisturbed(cohort, folder / "quiet")
    print(f"{cohort.name}: quiet run {quiet.seconds:.0f} s, peak {quiet.peak_mib:.0f} MiB")
    rough = disturbed(cohort, folder / "rough", kills, quiet.seconds, chance)
    differ = differences(folder / "quiet", folder / "rough")
    print(
        f"{cohort.name}: {rough.workers_killed} workers and {rough.programs_killed} programs "
        f"killed, {rough.runs} runs, {rough.seconds:.0f} s, peak {rough.peak_mib:.0f} MiB, "
        f"{len(cohort.bad)} bad subjects failed, {len(differ)} files differ"
    )
    wrong = [*quiet.wrong, *rough.wrong, *(f"differs: {name}" for name in differ)]
    for line in wrong:
        print(f"  WRONG {line}")
    return not wrong


def large_subject(folder: Path, settings: Path, regions: int) -> bool:
    """Measure the peak memory of a worker with one large subject; whether it is below the bar."""
    names = tuple(f"{REGIONS[0]}{i:03d}" for i in range(regions))
    source = folder / "input"
    source.mkdir(parents=True)
    for label in ("1", "2"):
        write_table_run(source, label, 1, names, 1200)
    options = ("--pipeline", str(settings))
    cohort = Cohort("large", source, options, frozenset(), levels=("participant",))
    tally = undisturbed(cohort, folder / "out")
    peak = tally.peak_mib * 2**20 / 1e9
    print(
        f"{regions} regions x 1200 volumes, two workers: peak {peak:.2f} GB a worker "
        f"(bar {_BAR_GB}), {tally.seconds:.0f} s"
    )
    for line in tally.wrong:
        print(f"  WRONG {line}")
    return not tally.wrong and peak < _BAR_GB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=200, help="with two tables each")
    parser.add_argument("--images", type=int, default=20, help="subjects with images")
    parser.add_argument(
        "--kills", type=int, default=24, help="of workers and programs, each cohort"
    )
    parser.add_argument("--regions", type=int, default=100, help="of the large subject; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="default: a temporary one")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="causal-ivae-soak-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        settings = write_settings(folder / "settings.yaml")
        fine = True
        if options.regions:
            default = write_default_settings(folder / "default.yaml")
            fine &= large_subject(folder / "large", default, options.regions)
        if options.images:
            root, atlas, bad = write_images(folder / "images", options.images)
            given = ("--pipeline", str(settings), "--atlas", str(atlas))
            images = Cohort("images", root, given, frozenset(bad))
            fine &= soak(images, folder / "images", max(2, options.kills // 4), chance)
        if options.subjects:
            bad = write_tables(folder / "tables" / "input", options.subjects)
            given = ("--pipeline", str(settings))
            tables = Cohort("tables", folder / "tables" / "input", given, frozenset(bad))
            fine &= soak(tables, folder / "tables", options.kills, chance)
    print("nothing was lost" if fine else "something was lost")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
