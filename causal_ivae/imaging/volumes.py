"""Read NIfTI images: open each file once for header and voxels, and keep an atlas in memory."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.fileholders import FileHolder
from nibabel.nifti1 import Nifti1Image
from nibabel.nifti2 import Nifti2Image
from nibabel.openers import ImageOpener
from nibabel.spatialimages import HeaderDataError, SpatialImage
from nibabel.wrapstruct import WrapStructError
from numpy.typing import DTypeLike, NDArray

from causal_ivae.errors import InputError
from causal_ivae.given_files import require_file, require_ordinary

_HEADER_BYTES = 540
"""The header of NIfTI-2, the longer one of the two versions, has this many bytes."""


@contextmanager
def open_image(path: Path, what: str) -> Iterator[SpatialImage]:
    """Open an image whose voxels are read from the same open file only when they are needed.

    nibabel's `load` opens a file three times: for its type, the header and the voxels.  This is
    slow on network file systems, where every opening is a request to the server.

    Parameters
    ----------
    what : str
        How error messages call the image.

    Yields
    ------
    nibabel.spatialimages.SpatialImage
        Read its voxels with `read_voxels` before the block ends.

    Raises
    ------
    InputError
        If the image cannot be read.
    """
    require_ordinary(path)
    try:
        stream = ImageOpener(str(path))
    except OSError as error:
        raise _unreadable(path, what, error) from error
    with stream:
        try:
            image = _image(path, stream)
        except (
            OSError, EOFError, zlib.error, ImageFileError, HeaderDataError, WrapStructError,
        ) as error:  # fmt: skip
            # A pointer to content that was not fetched is no image either, but says so.
            require_file(path)
            raise _unreadable(path, what, error) from error
        yield image


def _image(path: Path, stream: Any) -> SpatialImage:
    """Return the image of either version of NIfTI in an open file."""
    start = stream.read(_HEADER_BYTES)
    if not start:
        raise ImageFileError(f"Empty file: '{path}'")
    stream.seek(0)
    kinds: tuple[Any, ...] = (Nifti1Image, Nifti2Image)
    for kind in kinds:
        if kind.header_class.may_contain_header(start):
            image: SpatialImage = kind.from_file_map({"image": FileHolder(fileobj=stream)})
            return image
    raise ImageFileError(f'Cannot work out file type of "{path}"')


def _unreadable(path: Path, what: str, error: Exception) -> InputError:
    return InputError(f"The {what} '{path}' cannot be read: {error}")


def read_voxels(image: SpatialImage, path: Path, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return the scaled voxels of an image as an array of a given type.

    Raises
    ------
    InputError
        If the file is damaged or its content was not fetched.
    """
    try:
        return np.asarray(image.dataobj, dtype=dtype)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(
            f"The voxels of '{path}' cannot be read, the file may be damaged: {error}"
        ) from error


def image_shape(path: Path, what: str) -> tuple[int, ...]:
    """Return the shape of an image from its header.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with open_image(path, what) as image:
        return tuple(image.shape)


@dataclass(frozen=True, eq=False)
class AtlasImage:
    """Hold the header of an atlas's image and, if it is one volume of labels, its voxels.

    Attributes
    ----------
    shape : tuple of int
    affine : ndarray, shape (4, 4)
        Affine from voxels to mm.
    labels : ndarray of int32, shape (x, y, z), or None
        None if there are several volumes, or if the voxels cannot be read or are not whole numbers.
    """

    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    labels: NDArray[np.int32] | None = None

    @property
    def is_one_volume(self) -> bool:
        """Check whether the image holds one volume, as labels do."""
        return len(self.shape) == 3 or self.shape[3:] == (1,)


def atlas_image(path: Path) -> AtlasImage:
    """Return an atlas's image, which is read again only if the file changed.

    Raises
    ------
    InputError
        If its header cannot be read.
    """
    require_ordinary(path)
    facts = path.stat()
    return _atlas_image(path, facts.st_mtime_ns, facts.st_size)


# Planning, the map of the regions, every run and the regions' centres need the same image.
@lru_cache(maxsize=1)
def _atlas_image(path: Path, _mtime_ns: int, _size: int) -> AtlasImage:
    with open_image(path, "image of the atlas") as image:
        found = AtlasImage(tuple(image.shape), np.asarray(image.affine, dtype=np.float64))
        if not found.is_one_volume:
            return found
        try:
            voxels = read_voxels(image, path).reshape(found.shape[:3])
        except InputError:
            # Whoever needs the labels reads them again and reports the error.
            return found
    with np.errstate(invalid="ignore"):
        # Numbers beyond the range become others, so that the image counts as no labels.
        labels = np.rint(voxels).astype(np.int32)
    labels.flags.writeable = False
    return replace(found, labels=labels) if np.allclose(labels, voxels, atol=1e-3) else found


def most_probable(path: Path, least: float) -> NDArray[np.int32]:
    """Return the number of the most probable map of every voxel, counted from 1; 0 for none.

    Parameters
    ----------
    path : pathlib.Path
        Image of several volumes, one map each.
    least : float
        Smallest probability of the winner, in the unit of the image.

    Raises
    ------
    InputError
        If the image cannot be read.
    """
    facts = path.stat()
    return _most_probable(path, least, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=1)
def _most_probable(path: Path, least: float, _mtime_ns: int, _size: int) -> NDArray[np.int32]:
    with open_image(path, "image of the atlas") as image:
        labels = np.zeros(image.shape[:3], dtype=np.int32)
        best = np.full(image.shape[:3], least, dtype=np.float32)
        try:
            # All maps at once would take gigabytes.
            for number in range(image.shape[3]):
                values = np.asarray(image.dataobj[..., number], dtype=np.float32)
                better = (values > best) | ((values == best) & (labels == 0))
                labels[better], best[better] = number + 1, values[better]
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(f"The maps of '{path}' cannot be read: {error}") from error
    labels.flags.writeable = False
    return labels
