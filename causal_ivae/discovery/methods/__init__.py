"""Register the methods of causal discovery, one file each."""

from typing import Any

from causal_ivae.derivatives.tables import ADDED_TABLES
from causal_ivae.discovery.methods.base import Method
from causal_ivae.discovery.methods.ivae import IVAEMethod
from causal_ivae.discovery.methods.network import NetworkMethod
from causal_ivae.discovery.methods.pair_method import PairMethod
from causal_ivae.discovery.methods.structural import StructuralMethod
from causal_ivae.discovery.methods.tcl import TCLMethod
from causal_ivae.settings import ADDED_BLOCKS, Pipeline, UnmixingSettings

__all__ = ["AUTO", "METHODS", "Method", "PairMethod", "pooled_methods", "register", "unregister"]

METHODS: dict[str, Method[Any]] = {}
"""Every method by its name, in the order of pages."""
AUTO = NetworkMethod.name
"""``method="auto"`` means this method, which hands over to structural flows where they are best."""


def pooled_methods(pipeline: Pipeline) -> tuple[str, ...]:
    """Return the methods by which all subjects are judged in one fit beside the group."""
    wanted, methods = pipeline.group.pooled, tuple(pipeline.unmixing.methods)
    if wanted is None:
        return tuple(name for name in methods if METHODS[name].pools)
    return methods if wanted else ()


def register(method: Method[Any]) -> None:
    """Make a method known to `causal_ivae.discover`, to pipelines and to pages.

    Parameters
    ----------
    method : Method
        Its settings become the block ``unmixing.<name>`` of every pipeline that is made later.  The
        workers of a run know the method if importing the module of its settings registers it.
    """
    METHODS[method.name] = method
    ADDED_TABLES.update({table.name: table for table in method.tables})
    if method.name not in UnmixingSettings.model_fields:
        ADDED_BLOCKS[method.name] = method.settings


def unregister(name: str) -> None:
    """Undo the registration of a method."""
    for table in METHODS.pop(name).tables:
        del ADDED_TABLES[table.name]
    ADDED_BLOCKS.pop(name, None)


for _method in (NetworkMethod(), StructuralMethod(), IVAEMethod(), TCLMethod()):
    register(_method)
