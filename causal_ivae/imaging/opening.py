"""Open image files of any format that nibabel reads, or say in one line why that is impossible."""

from pathlib import Path
from typing import Any

import nibabel as nib
from nibabel.filebasedimages import ImageFileError

from causal_ivae.errors import InputError
from causal_ivae.given_files import require_file


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
