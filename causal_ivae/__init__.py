"""Estimate which brain region drives which from fMRI, with identifiable VAEs.

Public names are imported on first use, so that the command line starts without torch.
"""

from typing import TYPE_CHECKING

from causal_ivae.lazy_names import on_first_use

if TYPE_CHECKING:
    __version__: str

    from causal_ivae.derivatives import load_results as load_results
    from causal_ivae.discovery import discover as discover
    from causal_ivae.discovery import discover_all as discover_all
    from causal_ivae.image_discovery import discover_images as discover_images
    from causal_ivae.imaging.series_from_files import load_series as load_series
    from causal_ivae.unmixing.estimators import IVAE as IVAE
    from causal_ivae.unmixing.estimators import TCL as TCL
    from causal_ivae.unmixing.estimators import VAE as VAE
    from causal_ivae.unmixing.estimators import FlowIVAE as FlowIVAE

_HOMES = {
    "load_results": "causal_ivae.derivatives",
    "discover": "causal_ivae.discovery",
    "discover_all": "causal_ivae.discovery",
    "discover_images": "causal_ivae.image_discovery",
    "load_series": "causal_ivae.imaging.series_from_files",
    "IVAE": "causal_ivae.unmixing.estimators",
    "TCL": "causal_ivae.unmixing.estimators",
    "VAE": "causal_ivae.unmixing.estimators",
    "FlowIVAE": "causal_ivae.unmixing.estimators",
}

__all__ = [
    "IVAE",
    "TCL",
    "VAE",
    "FlowIVAE",
    "__version__",
    "discover",
    "discover_all",
    "discover_images",
    "load_results",
    "load_series",
]

_offered = on_first_use(__name__, _HOMES)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from causal_ivae.provenance import package_version

        return package_version()
    return _offered(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
