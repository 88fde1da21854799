"""Check and time everything on a GPU in some eight minutes, as `make gpu` does.

The tests that need a GPU come first, then ``benchmark speed`` in its quick form, then one subject
of a hundred regions with eight fits of every pair.  What was measured is written to the folder.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import torch

from causal_ivae.validation.session import machine
from causal_ivae.validation.speed.subject import Subject, default_segments, number_of_pairs

REGIONS, VOLUMES, RESTARTS = 100, 1200, 8
STEPS = {"ivae": 400, "tcl": 500, "structural": 300}


def whole_brain(method: str) -> dict[str, float]:
    """Time one method on all pairs of a hundred regions; without the process's own start."""
    pairs = number_of_pairs(REGIONS)
    work = Subject(
        REGIONS, VOLUMES, default_segments(VOLUMES), pairs, RESTARTS, STEPS[method], "cuda", method
    ).prepared()
    began = time.perf_counter()
    torch.cuda.reset_peak_memory_stats()
    work()
    seconds = time.perf_counter() - began
    peak = torch.cuda.max_memory_allocated() / 2**20
    return {"Pairs": pairs, "Seconds": seconds, "PeakMiB": peak}


def main(folder: Path) -> int:
    """Run all parts, and write what each gave as soon as it is known."""
    if not torch.cuda.is_available():
        print("torch sees no GPU here")  # noqa: T201
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, object] = {"Machine": machine(torch.device("cuda"))}
    tests = Path(__file__).with_name("unmixing") / "test_steps.py"
    commands = {
        "Tests": ["pytest", "-q", "-p", "no:cacheprovider", str(tests), "-k", "gpu"],
        "Speed": ["causal_ivae", "benchmark", "speed", str(folder), "--device", "cuda", "--quick"],
    }
    for name, words in commands.items():
        began = time.perf_counter()
        code = subprocess.run([sys.executable, "-m", *words], check=False).returncode
        found[name] = {"ExitCode": code, "Seconds": time.perf_counter() - began}
        write(folder, found)
    for method in STEPS:
        found[method] = whole_brain(method)
        write(folder, found)
    print(json.dumps(found, indent=2))  # noqa: T201
    return max(part["ExitCode"] for part in (found["Tests"], found["Speed"]))


def write(folder: Path, found: dict[str, object]) -> None:
    """Write what was found so far, in case the time ends."""
    (folder / "gpu_check.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/gpu")))
