"""List the formats of tables of region time series, each with the function that reads it.

`READERS` has the module and the function for every end of a file name.
"""

from importlib import import_module
from pathlib import Path
from typing import cast

from causal_ivae.imaging.file_names import split_name
from causal_ivae.imaging.readers.content import Reader

READERS = {
    ".tsv": ("text", "read_text_table"),
    ".tsv.gz": ("text", "read_text_table"),
    ".csv": ("text", "read_text_table"),
    ".ptseries.nii": ("parcellated", "read_parcellated"),
    ".parquet": ("spreadsheets", "read_parquet"),
    ".xlsx": ("spreadsheets", "read_workbook"),
    ".mat": ("array_files", "read_array"),
    ".npz": ("array_files", "read_array"),
    ".npy": ("array_files", "read_array"),
    ".h5": ("array_files", "read_array"),
    ".hdf5": ("array_files", "read_array"),
    ".1d": ("text", "read_text_table"),
    ".txt": ("text", "read_text_table"),
}
TABLE_ENDINGS = tuple(READERS)
"""Ends of the names of files that can hold region time series, in lower case."""


def reader_of(path: Path) -> Reader | None:
    """Return the reader for a file by its name, or None."""
    found = READERS.get(split_name(path.name)[1].lower())
    if found is None:
        return None
    # Only the reader that is needed is imported, since looking for files needs none.
    module, name = found
    return cast("Reader", getattr(import_module(f"{__package__}.{module}"), name))
