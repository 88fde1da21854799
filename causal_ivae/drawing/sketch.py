"""Hold a drawing in points, which is laid out once and saved in any format.

Its SVG is written here.  One artist draws all of it on Matplotlib's canvases for PNG and PDF files,
which takes a tenth of the time of an artist for every line.
"""

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.transforms import Affine2D
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from causal_ivae.drawing.svg import FONTS, INK, ShownFigure
from causal_ivae.drawing.text_width import FONT, text_width

_RISE = 0.36
"""The middle of a line of text lies so far above its base line (share of the font's size)."""
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_BEFORE = {"left": 0.0, "center": 0.5, "right": 1.0}
"""The share of a text that lies before its place."""
_LETTERS: Mapping[int, str] = {
    int(code): letter
    for code, letter in ((Path.MOVETO, "M"), (Path.LINETO, "L"), (Path.CURVE4, "C"))
}


@dataclass(frozen=True)
class _Shape:
    path: Path
    fill: str | None
    edge: str | None
    width: float
    dashes: tuple[float, ...]
    opacity: float
    name: str | None
    disc: tuple[float, float, float] | None = None
    """Centre and radius, if it is a disc."""


@dataclass(frozen=True)
class _Text:
    x: float
    y: float
    text: str
    size: float
    align: str
    turn: float
    color: str
    bold: bool
    name: str | None


@dataclass(frozen=True)
class _Picture:
    pixels: NDArray[np.uint8]
    left: float
    bottom: float
    width: float
    height: float


class Sketch(ShownFigure):
    """Hold a drawing whose unit is a point, with x to the right and y upwards.

    Parameters
    ----------
    left, bottom, right, top : float
        Bounds of the drawing (points).
    """

    def __init__(self, left: float, bottom: float, right: float, top: float) -> None:
        super().__init__(figsize=((right - left) / 72, (top - bottom) / 72))
        self.left, self.bottom, self.right, self.top = map(float, (left, bottom, right, top))
        self._layers: list[tuple[float, _Shape | _Text | _Picture]] = []
        self.add_artist(_Marks(self))

    def shape(
        self,
        path: Path,
        *,
        fill: str | None = None,
        edge: str | None = None,
        width: float = 0.0,
        dashes: Sequence[float] = (),
        layer: float = 1.0,
        name: str | None = None,
        opacity: float = 1.0,
        disc: tuple[float, float, float] | None = None,
    ) -> None:
        """Add a path.

        Parameters
        ----------
        path : matplotlib.path.Path
            Of lines and cubic Bézier curves.
        fill, edge : str, optional
            Colours of its inside and of its line.
        width : float
            Of the line (points).
        dashes : sequence of float
            Lengths of dashes and gaps in turn (points); empty for a continuous line.
        layer : float
            Parts of a higher layer cover those of lower ones.
        name : str, optional
            Identifier, without the name of the figure.
        opacity : float
            Of its line.
        disc : (x, y, radius), optional
            If the path is a disc, which SVG files write shorter.
        """
        shape = _Shape(path, fill, edge, width, tuple(dashes), opacity, name, disc)
        self._layers.append((layer, shape))

    def line(self, points: ArrayLike, color: str, width: float, **how: Any) -> None:
        """Add straight lines through points, shape (n_points, 2)."""
        self.shape(Path(np.asarray(points, dtype=float)), edge=color, width=width, **how)

    def polygon(self, corners: ArrayLike, **how: Any) -> None:
        """Add a closed shape with these corners, shape (n_corners, 2)."""
        points = np.asarray(corners, dtype=float)
        codes = [Path.MOVETO, *[Path.LINETO] * (len(points) - 1), Path.CLOSEPOLY]
        self.shape(Path(np.vstack([points, points[:1]]), codes), **how)

    def rectangle(self, left: float, bottom: float, across: float, up: float, **how: Any) -> None:
        """Add a rectangle, so many points wide and high."""
        right, top = left + across, bottom + up
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], **how)

    def disc(self, x: float, y: float, radius: float, **how: Any) -> None:
        """Add a disc."""
        self.shape(Path.circle((x, y), radius), disc=(float(x), float(y), radius), **how)

    def arc(
        self, x: float, y: float, radius: float, begin: float, end: float, color: str, width: float
    ) -> None:
        """Add a part of a circle beneath all else, between two angles (radians)."""
        path = Path.arc(*np.degrees(sorted((begin, end))))
        turned = path.transformed(Affine2D().scale(radius).translate(x, y))
        self.shape(turned, edge=color, width=width, layer=0.0)

    def box(self, x: float, y: float, half_width: float, half_height: float) -> None:
        """Add the box of a region, with round corners, around its centre."""
        corner = 4.0
        (w, h), c = (half_width, half_height), 0.45 * corner
        points = np.array(
            [
                (-w + corner, -h), (w - corner, -h), (w - c, -h), (w, -h + c), (w, -h + corner),
                (w, h - corner), (w, h - c), (w - c, h), (w - corner, h), (-w + corner, h),
                (-w + c, h), (-w, h - c), (-w, h - corner), (-w, -h + corner), (-w, -h + c),
                (-w + c, -h), (-w + corner, -h), (-w + corner, -h),
            ]
        )  # fmt: skip
        side = [Path.LINETO, *[Path.CURVE4] * 3]
        path = Path(points + np.array([x, y]), [Path.MOVETO, *side * 4, Path.CLOSEPOLY])
        self.shape(path, fill="#ffffff", edge=INK, width=0.9, layer=3.0)

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = FONT,
        align: str = "left",
        turn: float = 0.0,
        color: str = INK,
        bold: bool = False,
        layer: float = 4.0,
        name: str | None = None,
    ) -> None:
        """Add a line of text, whose middle has the height of its place.

        Parameters
        ----------
        size : float
            Size of the font (points).
        align : {"left", "center", "right"}
            Which part of the text is at its place.
        turn : float
            Angle by which it is turned to the left (degrees).
        layer, name
            As in `shape`.
        """
        part = _Text(float(x), float(y), text, size, align, turn, color, bold, name)
        self._layers.append((layer, part))

    def picture(
        self, pixels: NDArray[np.uint8], left: float, bottom: float, width: float, height: float
    ) -> None:
        """Add an image, shape (rows, columns, 3), whose pixels keep sharp edges."""
        self._layers.append((1.0, _Picture(pixels, left, bottom, width, height)))

    @property
    def parts(self) -> list["_Shape | _Text | _Picture"]:
        """Return all parts from the lowest to the highest."""
        return [part for _, part in sorted(self._layers, key=lambda pair: pair[0])]

    def inline(self, name: str, label: str) -> Markup:
        """Return the drawing as one ``<svg>`` element, as `causal_ivae.drawing.svg.to_svg` does."""
        drawn = "".join(self._element(part, name) for part in self.parts)
        width, height = _short(self.right - self.left), _short(self.top - self.bottom)
        title = f"{name}-title"
        return Markup(  # noqa: S704 - every text in it is escaped
            '<svg xmlns="http://www.w3.org/2000/svg" '
            f'id="{name}" role="img" aria-labelledby="{title}" width="{width}pt" '
            f'height="{height}pt" viewBox="0 0 {width} {height}" font-family="{FONTS}" '
            f'fill="none"><title id="{title}">{escape(label)}</title>{drawn}</svg>'
        )

    def _element(self, part: "_Shape | _Text | _Picture", name: str) -> str:
        if isinstance(part, _Shape):
            return self._path(part, name)
        if isinstance(part, _Text):
            return self._words(part, name)
        left, top = part.left - self.left, self.top - part.bottom - part.height
        content = io.BytesIO()
        # Few colours make the file small.
        Image.fromarray(part.pixels).quantize(256).save(content, "PNG")
        return (
            f'<image x="{_short(left)}" y="{_short(top)}" width="{_short(part.width)}" '
            f'height="{_short(part.height)}" preserveAspectRatio="none" '
            'style="image-rendering:pixelated" '
            f'href="data:image/png;base64,{b64encode(content.getvalue()).decode()}"/>'
        )

    def _path(self, part: _Shape, name: str) -> str:
        how = _named(part.name, name)
        if part.fill:
            how += f' fill="{part.fill}"'
        if part.edge and part.width:
            how += f' stroke="{part.edge}" stroke-width="{round(part.width, 2):g}"'
            if part.dashes:
                how += f' stroke-dasharray="{",".join(f"{d:g}" for d in part.dashes)}"'
            if part.opacity < 1:
                how += f' stroke-opacity="{part.opacity:g}"'
        if part.disc is not None:
            x, y, radius = part.disc
            place = f'cx="{_short(x - self.left)}" cy="{_short(self.top - y)}"'
            return f'<circle {place} r="{radius:g}"{how}/>'
        return f'<path d="{_commands(part.path, self.left, self.top)}"{how}/>'

    def _words(self, part: _Text, name: str) -> str:
        x, y = part.x - self.left, self.top - part.y
        how = _named(part.name, name)
        if part.align != "left":
            how += f' text-anchor="{_ANCHORS[part.align]}"'
        if part.bold:
            how += ' font-weight="bold"'
        if part.turn:
            how += f' transform="rotate({-part.turn:.1f} {_short(x)} {_short(y)})"'
        place = f'x="{_short(x)}" y="{_short(y + _RISE * part.size)}"'
        return (
            f'<text {place} font-size="{part.size:g}" fill="{part.color}"{how}>'
            f"{escape(part.text)}</text>"
        )


def _named(part: str | None, figure: str) -> str:
    return f' id="{figure}-{escape(part)}"' if part else ""


@lru_cache(maxsize=16)
def _commands(path: Path, left: float, top: float) -> str:
    """Return the commands of SVG for a path; the outlines of the brain come several times."""
    vertices = (np.asarray(path.vertices) - [left, top]) * [1.0, -1.0]
    known = path.codes
    if known is None:
        known = [Path.MOVETO, *[Path.LINETO] * (len(vertices) - 1)]
    codes = np.asarray(known, dtype=int).tolist()
    written, before = [], -1
    for code, (x, y) in zip(codes, vertices.tolist(), strict=True):
        if code == Path.CLOSEPOLY:
            written.append("Z")
        else:
            # The letter of a command need not be repeated.
            letter = " " if code == before and code != Path.MOVETO else _LETTERS[code]
            written.append(f"{letter}{_short(x)} {_short(y)}")
        before = code
    return "".join(written)


class _Marks(Artist):
    """Draw all parts of a sketch on a canvas of Matplotlib."""

    def __init__(self, sketch: Sketch) -> None:
        super().__init__()
        self._sketch = sketch

    def draw(self, renderer: Any) -> None:
        """Draw from the lowest to the highest part."""
        sketch = self._sketch
        scale = renderer.points_to_pixels(1.0)
        place = Affine2D().translate(-sketch.left, -sketch.bottom).scale(scale)
        for part in sketch.parts:
            if isinstance(part, _Shape):
                _draw_shape(renderer, part, place)
            elif isinstance(part, _Text):
                _draw_text(renderer, part, place, scale * (sketch.top - sketch.bottom))
            else:
                _draw_picture(renderer, part, place, scale)


def _draw_shape(renderer: Any, part: _Shape, place: Affine2D) -> None:
    gc = renderer.new_gc()
    lined = part.edge is not None and part.width > 0
    # The canvas turns points into pixels.
    gc.set_linewidth(part.width if lined else 0.0)
    gc.set_antialiased(True)
    gc.set_capstyle("butt")
    gc.set_joinstyle("miter")
    if lined:
        gc.set_foreground(part.edge)
        gc.set_alpha(part.opacity)
        gc.set_dashes(0, list(part.dashes) or None)
    renderer.draw_path(gc, part.path, place, to_rgb(part.fill) if part.fill else None)
    gc.restore()


def _draw_text(renderer: Any, part: _Text, place: Affine2D, height: float) -> None:
    font = FontProperties(
        family="sans-serif", size=part.size, weight="bold" if part.bold else "normal"
    )
    width = text_width(part.text, part.size)
    back = np.array([-_BEFORE[part.align] * width, -_RISE * part.size])
    turned = Affine2D().rotate_deg(part.turn).transform(back)
    x, y = place.transform(np.array([part.x, part.y]) + turned)
    gc = renderer.new_gc()
    gc.set_foreground(part.color)
    y = height - y if renderer.flipy() else y
    renderer.draw_text(gc, float(x), float(y), part.text, font, part.turn)
    gc.restore()


def _draw_picture(renderer: Any, part: _Picture, place: Affine2D, scale: float) -> None:
    rows, columns = (max(1, round(size * scale)) for size in (part.height, part.width))
    across = np.arange(columns) * part.pixels.shape[1] // columns
    down = np.arange(rows)[::-1] * part.pixels.shape[0] // rows
    solid = np.full((rows, columns, 4), 255, dtype=np.uint8)
    solid[..., :3] = part.pixels[np.ix_(down, across)]
    left, bottom = place.transform((part.left, part.bottom))
    gc = renderer.new_gc()
    renderer.draw_image(gc, float(left), float(bottom), solid)
    gc.restore()


def _short(value: float) -> str:
    """Write a coordinate with one decimal, which no eye can tell from more."""
    text = f"{value:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"
