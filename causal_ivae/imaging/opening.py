"""Open image files of any format that nibabel reads, or say in one line why that is impossible."""

from pathlib import Path
from typing import Any

import nibabel as nib
from nibabel.cifti2.cifti2 import Cifti2Image
from nibabel.cifti2.cifti2_axes import SeriesAxis
from nibabel.filebasedimages import ImageFileError

from causal_ivae.errors import InputError
from causal_ivae.given_files import require_file
from causal_ivae.settings.input import LONGEST_TR, SHORTEST_TR


def open_image(path: Path, called: str) -> Any:
    """Open an image, whose numbers are read when they are asked for.

    Parameters
    ----------
    called : str
        How error messages call the file, its path included.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.
    """
    require_file(path)
    try:
        return nib.load(path)
    except (OSError, EOFError, ValueError, ImageFileError) as error:
        raise InputError(f"{called} cannot be read: {error}") from error
    except Exception as error:
        # The parsers of XML below nibabel have errors of their own for damaged headers.
        raise InputError(f"{called} is damaged: {error}") from error


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


def seconds_in_header(header: Any) -> float:
    """Return the repetition time (s) that the header of a series of volumes states; 0 for none."""
    zooms = header.get_zooms()
    seconds = float(zooms[3]) if len(zooms) > 3 else 0.0
    if hasattr(header, "get_xyzt_units"):
        seconds *= {"msec": 1e-3, "usec": 1e-6}.get(header.get_xyzt_units()[1], 1.0)
    return seconds


def seconds_per_volume(axis: SeriesAxis) -> float | None:
    """Return the repetition time (s) of a series, or None if the axis does not give one."""
    seconds = float(axis.step) if str(axis.unit).upper() == "SECOND" else 0.0
    return seconds if SHORTEST_TR <= seconds <= LONGEST_TR else None
