"""Read tables of region time series in every format: a file and a line of `READERS` for each."""

from causal_ivae.imaging.readers.content import Content, Reader
from causal_ivae.imaging.readers.registry import READERS, TABLE_ENDINGS, reader_of

__all__ = ["READERS", "TABLE_ENDINGS", "Content", "Reader", "reader_of"]
