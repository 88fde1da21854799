"""Measure texts in the font of the figures."""

from functools import cache

from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font

FONT = 8.5
"""Size of the letters of graphs (points)."""


def text_width(text: str, size: float = FONT) -> float:
    """Return the width of a text (points) as the sum of its letters' widths.

    Parameters
    ----------
    text : str
    size : float
        Size of the font (points).
    """
    return size * sum(map(_width, text))


@cache
def _font() -> FT2Font:
    # Its own object, since Matplotlib changes the size of those that it shares.
    font = FT2Font(findfont("DejaVu Sans"))
    font.set_size(100.0, 72)
    return font


@cache
def _width(letter: str) -> float:
    """Return the width of a letter in a font of one point."""
    index = _font().get_char_index(ord(letter))
    # The reader's browser takes letters that the font lacks, mostly wide ones, from another font.
    return float(_font().load_glyph(index).linearHoriAdvance) / 65536 / 100 if index else 1.0
