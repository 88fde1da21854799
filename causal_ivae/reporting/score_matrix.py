"""Draw the scores of all pairs as a matrix, with one colour scale for all methods and pages."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from numpy.typing import NDArray

from causal_ivae.drawing.sketch import Sketch
from causal_ivae.drawing.svg import FAINT, Drawing, shorten
from causal_ivae.drawing.text_width import text_width

_UNTESTED = (207, 214, 221)
"""Pairs that were not tested have this grey, hatched in white."""
_SIZE = 7.5
"""Size of the letters (points)."""
_SCALE = 150.0
"""Width of the bar of colours (points)."""


def score_matrix(
    names: Sequence[str],
    scores: NDArray[np.float64],
    decided: NDArray[np.bool_],
    figure_name: str,
    method: str,
) -> Drawing:
    """Draw the signed direction scores as a matrix, whose colours mean the same on every page.

    Parameters
    ----------
    names : sequence of str, length n_regions
    scores : ndarray, shape (n_regions, n_regions)
        Scores from -1 to 1; row = cause, column = effect; NaN for pairs that were not tested.
    decided : ndarray of bool, shape (n_regions, n_regions)
        True for decided edges, which are marked.
    figure_name : str
        Name that is unique on the page.
    method : str
        Name of the method on pages.
    """
    n = len(names)
    shown = [shorten(name, 22) for name in names]
    size = 72 * float(np.clip(0.34 * n, 1.5, 4.4 if n <= 24 else 8.0))
    cell = size / n
    letters = min(_SIZE, cell)
    margin = max((text_width(name, letters) for name in shown), default=0.0) + 22.0
    # The upper left corner of the matrix is the origin.
    sketch = Sketch(-margin, -size - margin, size + 6.0, 4.0)
    sketch.picture(cell_pixels(scores, 8 if n <= 60 else 4), 0.0, -size, size, size)
    for row, column in np.argwhere(decided):
        x, y = cell * (column + 0.5), -cell * (row + 0.5)
        sketch.disc(x, y, min(1.8, cell / 3), fill="#000000", edge="#ffffff", width=0.7, layer=3.0)
    for index, name in enumerate(shown):
        middle = cell * (index + 0.5)
        sketch.words(-4.0, -middle, name, size=letters, align="right")
        sketch.words(middle, -size - 4.0, name, size=letters, align="right", turn=90.0)
    sketch.words(6.0 - margin, -size / 2, "cause (row)", align="center", turn=90.0)
    sketch.words(size / 2, 7.0 - size - margin, "effect (column)", align="center")
    label = (
        f"Matrix of the direction scores by {method}: {n} causes in rows, {n} effects in "
        f"columns, {int(decided.sum())} decided edges marked with a dot."
    )
    return Drawing(sketch, figure_name, label)


def score_scale(figure_name: str) -> Drawing:
    """Draw the scale of colours of all matrices of a page, and what their marks mean."""
    sketch = Sketch(0.0, -14.0, 520.0, 15.0)
    left = 96.0
    sketch.words(left - 6.0, 0.0, "column drives row", size=_SIZE, align="right")
    bar = np.linspace(-1.0, 1.0, 128)[None]
    sketch.picture(_colors(bar), left, -4.5, _SCALE, 9.0)
    sketch.words(left + _SCALE + 6.0, 0.0, "row drives column", size=_SIZE)
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = left + _SCALE * (value + 1.0) / 2
        sketch.line([(x, -4.5), (x, -7.0)], FAINT, 0.6)
        text = f"{value:g}".replace("-", "\N{MINUS SIGN}")
        sketch.words(x, -10.5, text, size=_SIZE, align="center")
    sketch.words(left + _SCALE / 2, 10.0, "score", size=_SIZE, align="center")
    for x, score, words in ((346.0, np.nan, "not tested"), (412.0, 1.0, "decided edge")):
        pixels = cell_pixels(np.array([[0.0, score], [score, 0.0]]), 8)[:8, 8:]
        sketch.picture(pixels, x, -4.5, 9.0, 9.0)
        sketch.words(x + 13.0, 0.0, words, size=_SIZE)
    sketch.disc(416.5, 0.0, 1.8, fill="#000000", edge="#ffffff", width=0.7, layer=3.0)
    label = (
        "Scale of the colours of all matrices: from -1, where the region of the column drives that "
        "of the row, over 0 in white to 1, where the row drives the column; hatched cells were not "
        "tested, and a dot marks a decided edge."
    )
    return Drawing(sketch, figure_name, label)


def cell_pixels(scores: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    """Return the picture of a matrix, shape (side * n_regions, side * n_regions, 3), uint8.

    Parameters
    ----------
    scores : ndarray, shape (n_regions, n_regions)
        Scores from -1 to 1, NaN for pairs that were not tested; the diagonal stays empty.
    side : int
        Pixels of a cell.
    """
    each = np.ones((side, side, 1), dtype=np.uint8)
    pixels = np.kron(_colors(scores), each)
    tested = np.kron(np.isfinite(scores), each[..., 0]).astype(bool)
    row, column = np.indices(tested.shape)
    pixels[~tested] = _UNTESTED
    hatched = ~tested & ((row + column) % 4 == 0)
    own = row // side == column // side
    edge = (row % side == side - 1) | (column % side == side - 1)
    pixels[hatched | own | edge] = 255
    return np.asarray(pixels)


def _colors(scores: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a colour for every score, shape (..., 3)."""
    colors = matplotlib.colormaps["PuOr"]((np.nan_to_num(scores) + 1.0) / 2.0)
    return np.asarray(np.rint(255 * colors[..., :3]), dtype=np.uint8)
