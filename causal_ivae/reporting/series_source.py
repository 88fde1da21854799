"""Tell whether the series of a unit come from images, from tables or from a simulator."""

from causal_ivae.derivatives.units import Unit

_IMAGE_SUFFIXES = (".nii", ".nii.gz")


def from_images(record: Unit) -> bool | None:
    """Return whether the series come from images, or None if that is unknown."""
    if not record.sidecar.get("Sources"):
        return None
    sources = (str(source) for source in record.sidecar.get("Sources", ()))
    return any(source.endswith(_IMAGE_SUFFIXES) for source in sources)


def is_simulated(record: Unit) -> bool:
    """Return whether the series come from a simulator."""
    own = bool(record.sidecar.get("Simulated"))
    return own or any(method.sidecar.get("Simulated") for method in record.methods.values())
