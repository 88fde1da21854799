"""List the formats of tables of region time series, each with the function that reads it."""

from pathlib import Path

from causal_ivae.imaging.file_names import split_name
from causal_ivae.imaging.readers.array_files import read_array
from causal_ivae.imaging.readers.content import Reader
from causal_ivae.imaging.readers.parcellated import read_parcellated
from causal_ivae.imaging.readers.spreadsheets import read_parquet, read_workbook
from causal_ivae.imaging.readers.text import read_text_table

READERS: dict[str, Reader] = {
    ".tsv": read_text_table,
    ".tsv.gz": read_text_table,
    ".csv": read_text_table,
    ".ptseries.nii": read_parcellated,
    ".parquet": read_parquet,
    ".xlsx": read_workbook,
    ".mat": read_array,
    ".npz": read_array,
    ".npy": read_array,
    ".h5": read_array,
    ".hdf5": read_array,
    ".1d": read_text_table,
    ".txt": read_text_table,
}
"""The function for every end of a file name."""
TABLE_ENDINGS = tuple(READERS)
"""Ends of the names of files that can hold region time series, in lower case."""


def reader_of(path: Path) -> Reader | None:
    """Return the reader for a file by its name, or None."""
    return READERS.get(split_name(path.name)[1].lower())
