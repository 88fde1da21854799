"""Packages list the names that others may import from them."""

import importlib
import types

import pytest


@pytest.mark.parametrize(
    "package",
    [
        "anatomy", "discovery", "group", "imaging", "independence", "settings", "simulate",
        "unmixing", "unmixing.estimators",
    ],
)  # fmt: skip
def test_a_package_lists_what_it_offers_and_nothing_else(package):
    module = importlib.import_module(f"causal_ivae.{package}")
    offered = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert offered == set(module.__all__)


def test_the_top_level_offers_what_users_rely_on():
    import causal_ivae

    wanted = {"discover", "discover_all", "IVAE", "TCL", "VAE", "FlowIVAE"}
    assert wanted <= set(causal_ivae.__all__)
    assert all(callable(getattr(causal_ivae, name)) for name in wanted)
