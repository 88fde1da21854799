"""Draw small pictures of every pair: regions and recovered disturbances, coloured by segment.

A page has hundreds of them, so that they are made as pixel images of few colours, all at once.
"""

import io
from base64 import b64encode
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from numpy.typing import NDArray
from PIL import Image

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.svg import AMBER, BLUE, GRID
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.table_rows import pair_key, surest

MOST_PAIRS = 200
"""At most this many pairs are shown; those with a direction come first."""

_SIDE = 72
"""Width and height of a scatter plot (pixels)."""
_REACH = 3.5
"""A scatter plot covers this many standard deviations on either side of zero."""
_MOST_POINTS = 220
"""A scatter plot has at most this many points."""
_SHADES = 8
"""Many segments share this many shades of one colour scale."""
_FEW = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c8c00",
)  # fmt: skip
_WIDE, _HIGH = 150.0, 64.0


@dataclass(frozen=True)
class Unmixed:
    """Hold the pictures of what one method recovered from a pair.

    Attributes
    ----------
    method : str
        Name of the method on pages.
    scatter : str
        Scatter plot of the two disturbances, a PNG as base64.
    spread : markupsafe.Markup
        SVG element with the standard deviation of both disturbances in every segment.
    """

    method: str
    scatter: str
    spread: Markup


@dataclass(frozen=True)
class PairPanel:
    """Hold the pictures of one pair.

    Attributes
    ----------
    pair : str
        What stands for the pair, as in the tables of edges.
    x, y : str
        Names of the two regions.
    scatter : str
        Scatter plot of the two regions, a PNG as base64.
    unmixed : tuple of Unmixed
        Pictures of every method that stored its disturbances.
    """

    pair: str
    x: str
    y: str
    scatter: str
    unmixed: tuple[Unmixed, ...]


def pair_panels(record: Unit) -> tuple[list[PairPanel], int]:
    """Draw the pairs that were unmixed, at most `MOST_PAIRS`.

    Parameters
    ----------
    record : Unit
        Results with the time series and the segment of every volume.

    Returns
    -------
    panels : list of PairPanel
        The pairs of the first method, those with a direction first.  Empty if disturbances or
        series were not stored or do not match.
    left_out : int
        Number of pairs that are not drawn.
    """
    if record.timeseries is None or record.outliers is None:
        return [], 0
    volumes = record.outliers[record.outliers["kept"] == 1]
    used = (volumes["segment"] != "").to_numpy()
    if len(used) != len(record.timeseries):
        return [], 0
    segment = pd.factorize(volumes["segment"].to_numpy()[used])[0]
    series = record.timeseries[used]
    members = {
        method_label(name, method.sidecar): method
        for name, method in record.methods.items()
        if method.disturbances is not None
        and method.diagnostics is not None
        and method.disturbances.shape == (len(method.diagnostics), 2, used.sum())
    }
    if not members:
        return [], 0
    pairs, left_out = _surest(next(iter(members.values())))
    regions = np.stack([series[[pair[i] for pair in pairs]].to_numpy().T for i in (0, 1)], axis=1)
    scatters = _scatters(regions, segment)
    unmixed: list[list[Unmixed]] = [[] for _ in pairs]
    for label, method in members.items():
        _add_unmixed(unmixed, pairs, label, method, segment)
    panels = [
        PairPanel(pair_key(record.names, *pair), *pair, scatter, tuple(found))
        for pair, scatter, found in zip(pairs, scatters, unmixed, strict=True)
    ]
    return panels, left_out


def _add_unmixed(
    unmixed: list[list[Unmixed]],
    pairs: list[tuple[str, str]],
    label: str,
    method: CausalGraph,
    segment: NDArray[np.int64],
) -> None:
    """Add one method's pictures to the pairs for which it has disturbances."""
    assert method.disturbances is not None
    place = {pair: row for row, pair in enumerate(_pairs(method))}
    mine = [index for index, pair in enumerate(pairs) if pair in place]
    rows = [place[pairs[index]] for index in mine]
    found = np.asarray(method.disturbances[rows], dtype=np.float64)
    spread = _spread(found, segment)
    for index, scatter, sd in zip(mine, _scatters(found, segment), spread, strict=True):
        unmixed[index].append(Unmixed(label, scatter, _spread_figure(sd, label)))


def _pairs(method: CausalGraph) -> list[tuple[str, str]]:
    assert method.diagnostics is not None
    return list(zip(method.diagnostics["x"], method.diagnostics["y"], strict=True))


def _surest(method: CausalGraph) -> tuple[list[tuple[str, str]], int]:
    """Return the pairs to draw, by direction and confidence, and the number of the others."""
    pairs = _pairs(method)
    edges = method.edges.set_index(["x", "y"]).loc[pairs]
    drawn = surest(edges, MOST_PAIRS).index.tolist()
    return drawn, len(pairs) - len(drawn)


def has_many_segments(record: Unit) -> bool:
    """Check whether there are more segments than easily distinguished colours."""
    return len(record.sidecar.get("Segments", ())) > len(_FEW)


def _scatters(values: NDArray[np.floating], segment: NDArray[np.int64]) -> list[str]:
    """Draw scatter plots of z-scored series (pairs, 2, n_times), with the second upwards."""
    some = np.linspace(0, len(segment) - 1, min(len(segment), _MOST_POINTS)).astype(int)
    images = np.zeros((len(values), _SIDE, _SIDE), dtype=np.uint8)
    images[:, [0, -1]] = images[:, :, [0, -1]] = 1
    share = (np.clip(values[:, :, some], -_REACH, _REACH) + _REACH) / (2 * _REACH)
    place = 1 + np.rint(share * (_SIDE - 4)).astype(int)
    shade = (2 + _shades(segment))[some]
    pair = np.arange(len(values))[:, None]
    for down in (0, 1):
        for right in (0, 1):
            images[pair, _SIDE - 3 - place[:, 1] + down, place[:, 0] + right] = shade
    palette = _palette(segment)
    return [_png(image, palette) for image in images]


def _shades(segment: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the colour in `_palette` of every volume; neighbours of many segments share one."""
    n_segments = int(segment.max()) + 1
    return segment if n_segments <= len(_FEW) else segment * _SHADES // n_segments


def _palette(segment: NDArray[np.int64]) -> list[int]:
    n_segments = int(segment.max()) + 1
    colors = _FEW[:n_segments]
    if n_segments > len(_FEW):
        # The yellow end of the scale is left out, since it is hardly visible on white.
        ramp = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.9, _SHADES))
        colors = tuple(matplotlib.colors.to_hex(color) for color in ramp)
    return [int(color[i : i + 2], 16) for color in ("#ffffff", GRID, *colors) for i in (1, 3, 5)]


def _png(image: NDArray[np.uint8], palette: list[int]) -> str:
    picture = Image.fromarray(image, mode="P")
    picture.putpalette(palette)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", bits=4)
    return b64encode(buffer.getvalue()).decode()


def _spread(disturbances: NDArray[np.float64], segment: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the standard deviations in every segment, shape (pairs, 2, n_segments)."""
    counts = np.bincount(segment).astype(np.float64)
    member = np.zeros((len(segment), len(counts)))
    member[np.arange(len(segment)), segment] = 1.0
    mean = disturbances @ member / counts
    square = np.square(disturbances, dtype=np.float64) @ member / counts
    return np.asarray(np.sqrt(np.maximum(square - np.square(mean), 0.0)))


def _spread_figure(sd: NDArray[np.float64], method: str) -> Markup:
    """Draw a solid and a dashed line of two disturbances' standard deviations over segments."""
    top = max(float(sd.max()), 1e-9)
    across = np.linspace(4.0, _WIDE - 4.0, sd.shape[1])
    lines = []
    styles = ((BLUE, ""), (AMBER, ' stroke-dasharray="4 2"'))
    for values, (color, dashes) in zip(sd, styles, strict=True):
        height = _HIGH - 4.0 - (_HIGH - 8.0) * values / top
        points = " ".join(f"{a:.0f},{b:.1f}" for a, b in zip(across, height, strict=True))
        lines.append(f'<polyline points="{points}" stroke="{color}"{dashes}/>')
    label = (
        f"{method}: standard deviation of the first disturbance from {sd[0].min():.2f} to "
        f"{sd[0].max():.2f} over {sd.shape[1]} segments, of the second from {sd[1].min():.2f} to "
        f"{sd[1].max():.2f}."
    )
    return Markup(  # noqa: S704 - numbers and an escaped label
        f'<svg viewBox="0 0 {_WIDE:.0f} {_HIGH:.0f}" width="{_WIDE:.0f}" height="{_HIGH:.0f}" '
        f'role="img" aria-label="{escape(label)}" fill="none" stroke-width="1.4">'
        f'<path d="M4 4V{_HIGH - 4:.0f}H{_WIDE - 4:.0f}" stroke="{GRID}" stroke-width="1"/>'
        f"{''.join(lines)}</svg>"
    )
