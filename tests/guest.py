"""Import, fit and analyse in a fresh process, and print what that changed of it, as JSON.

Run by `test_guest.py` with a folder to write in.
"""

import json
import logging
import os
import sys
import threading
import warnings
from pathlib import Path

import distributed
import jinja2
import matplotlib.figure
import networkx
import nibabel
import numpy as np
import pydantic
import scipy.stats
import sklearn.decomposition
import statsmodels.api
import torch

# Imported first, since what they change themselves is not ours: scikit-learn sets two variables of
# OpenMP, and scipy a filter of warnings.
LIBRARIES = (
    distributed, jinja2, matplotlib.figure, networkx, nibabel, pydantic, scipy.stats,
    sklearn.decomposition, statsmodels.api,
)  # fmt: skip


def state_of_the_process():
    """Return what a user of the process would notice if it changed, by name."""
    in_a_new_thread = []
    thread = threading.Thread(target=lambda: in_a_new_thread.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    loggers = {"": logging.root} | {
        name: logger
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }
    return {
        "environment": dict(os.environ),
        "threads of torch": (torch.get_num_threads(), *in_a_new_thread),
        "threads between operations of torch": torch.get_num_interop_threads(),
        "random state of numpy": repr(np.random.get_state()),  # noqa: NPY002
        "random state of torch": torch.get_rng_state().numpy().tobytes().hex(),
        "settings of torch": (
            str(torch.get_default_dtype()),
            torch.get_float32_matmul_precision(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_grad_enabled(),
        ),
        "errors of numpy": np.geterr(),
        "settings of matplotlib": dict(matplotlib.rcParams),
        "filters of warnings": [str(entry) for entry in warnings.filters],
        # A library that is imported on demand may bring its own loggers.
        "levels of logs": {name: logger.level for name, logger in loggers.items() if logger.level},
        "memory is kept": "causal_ivae.batch.workers.process" in sys.modules
        and sys.modules["causal_ivae.batch.workers.process"].keep_freed_memory.cache_info().misses,
    }


def import_all():
    """Import every public name."""
    import causal_ivae

    for name in causal_ivae.__all__:
        getattr(causal_ivae, name)


def fit():
    """Fit a model, test for independence, and discover with every method."""
    from causal_ivae import IVAE, discover
    from causal_ivae.discovery.methods import METHODS
    from causal_ivae.independence import hsic_test
    from causal_ivae.settings import UnmixingSettings

    rng = np.random.default_rng(0)
    x = rng.laplace(size=(150, 3)).round(3)
    u = np.arange(150) // 30
    IVAE(steps=3, hidden=8).fit(x, u).transform(x, u)
    hsic_test(x[:, 0], x[:, 1], groups=u)
    few = UnmixingSettings.model_validate(
        {
            "structural": {"trial_steps": 5, "steps": 5, "passes": 0.0},
            "ivae": {"steps": 5},
            "tcl": {"steps": 5},
            "memory_gib": 0.01,
        }
    )
    for method in METHODS:
        discover(x, u, method=method, restarts=2, unmixing=few)


def analyse(folder, labels):
    """Run subjects as the command line does: one in this process, several in others."""
    from tiny_study import run_study, states, write_study

    source = write_study(folder / "input", labels)
    workers = {"nprocs": 2} if len(labels) > 1 else {}
    assert set(states(run_study(source, folder / "out", **workers)).values()) == {"done"}


def main(folder):
    """Print what each step changes, by step and name: the values before and after."""
    steps = {
        "import": import_all,
        "fit": fit,
        "one subject": lambda: analyse(folder / "one", ("01",)),
        "two subjects": lambda: analyse(folder / "two", ("01", "02")),
    }
    changed = {}
    for step, work in steps.items():
        before = state_of_the_process()
        work()
        after = state_of_the_process()
        changed |= {
            f"{step}: {name}": (before[name], after[name])
            for name in before
            if before[name] != after[name]
        }
    print(json.dumps(changed, default=str))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
