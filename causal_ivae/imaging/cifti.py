"""Open CIFTI files, and read what their axes say."""

from pathlib import Path

from nibabel.cifti2.cifti2 import Cifti2Image
from nibabel.cifti2.cifti2_axes import SeriesAxis

from causal_ivae.errors import InputError
from causal_ivae.imaging.opening import open_image
from causal_ivae.settings.input import LONGEST_TR, SHORTEST_TR


def open_cifti(path: Path, what: str) -> Cifti2Image:
    """Open a CIFTI file, whose numbers are read when they are asked for.

    Parameters
    ----------
    what : str
        How error messages call the file.

    Raises
    ------
    InputError
        If it cannot be read or is no CIFTI file.
    """
    image = open_image(path, f"The {what} '{path}'")
    if not isinstance(image, Cifti2Image):
        raise InputError(f"The {what} '{path}' is no CIFTI file, whatever its name says.")
    return image


def seconds_per_volume(axis: SeriesAxis) -> float | None:
    """Return the repetition time (s) of a series, or None if the axis does not give one."""
    seconds = float(axis.step) if str(axis.unit).upper() == "SECOND" else 0.0
    return seconds if SHORTEST_TR <= seconds <= LONGEST_TR else None
