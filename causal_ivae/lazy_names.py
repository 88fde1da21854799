"""Give the names that a package offers when they are first used.

Importing any module of a package imports the package itself.  A package that imported all that it
offers would therefore import torch for whoever needs one light module of it.
"""

from collections.abc import Callable, Mapping
from importlib import import_module


def on_first_use(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module's ``__getattr__`` that imports each name from its home when it is asked for.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    homes : mapping of str to str
        Module of every name that the package offers.
    """

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(homes[name]), name)

    return get
