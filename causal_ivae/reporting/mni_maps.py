"""Say what can be drawn on the MNI template, and in which file the picture of an atlas is."""

from causal_ivae.imaging.atlas import Parcellation


def is_mni(space: str | None) -> bool:
    """Check whether a space is an MNI space, in which the outline of the brain is drawn."""
    return (space or "").upper().startswith("MNI")


def has_map(parcellation: Parcellation) -> bool:
    """Check whether the places of the regions in MNI space are known."""
    image = parcellation.image is not None and parcellation.kind in ("labels", "maps")
    placed = image or parcellation.coordinates is not None
    return placed and is_mni(parcellation.space)


def map_name(parcellation: Parcellation) -> str:
    """Return the name of the file that holds the picture of the regions."""
    return f"atlas-{parcellation.name}_regions.png"
