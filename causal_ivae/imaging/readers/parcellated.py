"""Read parcellated CIFTI series (.ptseries.nii), as HCP, ABCD and XCP-D give them."""

from pathlib import Path

import numpy as np
from nibabel.cifti2.cifti2 import Cifti2Image
from nibabel.cifti2.cifti2_axes import ParcelsAxis, SeriesAxis

from causal_ivae.errors import InputError
from causal_ivae.imaging.opening import open_cifti, seconds_per_volume
from causal_ivae.imaging.readers.content import Content, of_matrix
from causal_ivae.settings import TableSettings


def read_parcellated(path: Path, _settings: TableSettings, _key: str | None) -> Content:
    """Read the series of all parcels, with their names and the repetition time."""
    return content_of(open_cifti(path, "parcellated series"), str(path))


def content_of(image: Cifti2Image, where: str) -> Content:
    """Return what a parcellated series in memory holds.

    Raises
    ------
    InputError
        If it holds something else; the message calls it `where`.
    """
    axes = [image.header.get_axis(i) for i in range(image.ndim)]
    series = next((i for i, axis in enumerate(axes) if isinstance(axis, SeriesAxis)), None)
    parcels = next((i for i, axis in enumerate(axes) if isinstance(axis, ParcelsAxis)), None)
    if series is None or parcels is None or len(axes) != 2:
        raise InputError(f"'{where}' does not hold time series of parcels; give a .ptseries.nii.")
    values = np.asarray(image.dataobj, dtype=np.float64)
    return Content(
        of_matrix(values if series == 0 else values.T),
        header=tuple(str(name) for name in axes[parcels].name),
        tr=seconds_per_volume(axes[series]),
    )
