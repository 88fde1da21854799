"""The library is a guest in the process of its user, on every system."""

import json
import os
import subprocess
import sys
from pathlib import Path

EVERY_MODULE = """
import builtins, importlib, pkgutil

POSIX_ONLY = {"fcntl", "grp", "pwd", "resource", "termios"}
honest = builtins.__import__


def imported(name, within=None, *rest):
    if name in POSIX_ONLY and (within or {}).get("__name__", "").startswith("causal_ivae"):
        raise ModuleNotFoundError(f"No module named '{name}', asked for by {within['__name__']}")
    return honest(name, within, *rest)


builtins.__import__ = imported
import causal_ivae

for module in pkgutil.walk_packages(causal_ivae.__path__, "causal_ivae."):
    if module.name != "causal_ivae.__main__":
        importlib.import_module(module.name)
"""


def test_importing_fitting_and_running_change_nothing_in_the_process(tmp_path):
    unset = ("MKL_CBWR", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("guest.py")), str(tmp_path)],
        env={name: value for name, value in os.environ.items() if name not in unset},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == {}


def test_every_module_can_be_imported_where_there_is_no_posix():
    subprocess.run([sys.executable, "-c", EVERY_MODULE], check=True)


def test_the_program_sets_what_makes_it_reproducible_and_keeps_what_the_user_set():
    program = """
import os, sys
from causal_ivae.cli import main
main(["atlas", "list"])
print(os.environ["MKL_CBWR"], "torch" in sys.modules)
"""
    for given, set_by_it in (({}, "AVX2,STRICT"), ({"MKL_CBWR": "COMPATIBLE"}, "COMPATIBLE")):
        rest = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=rest | given, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == f"{set_by_it} False"
