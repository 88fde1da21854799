"""Matplotlib figures as inline SVG: no pyplot, no global state, same data same bytes."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK = "#1f2933"
FAINT = "#9aa5b1"
GRID = "#e4e7eb"
BLUE = "#0b57a4"
RED = "#c4161c"
AMBER = "#b35c00"

_DPI = 150
_FONTS = "'Helvetica Neue',Helvetica,Arial,'DejaVu Sans',sans-serif"
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9.0,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    # A region may be called "a$b$".
    "text.parse_math": False,
    "svg.fonttype": "none",
}
_TAG = re.compile(r"<[a-zA-Z/][^>]*>")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")


@contextmanager
def figure_style(name: str) -> Iterator[None]:
    """Draw and save within this context; every setting is put back when it ends.

    Parameters
    ----------
    name : str
        Name of the figure; seeds the identifiers of its parts, so that they are reproducible.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The reader's browser chooses the font, so a letter that the layout font lacks is drawn.
        warnings.filterwarnings(
            "ignore", message=r"Glyph \d+ .* missing from", category=UserWarning
        )
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, with constrained layout."""
    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def shorten(name: object, longest: int = 26) -> str:
    """Return a name as figures show it; the tables have all of it."""
    text = str(name)
    return text if len(text) <= longest else text[: longest - 1] + "…"


@dataclass
class Drawing:
    """A figure for a page and for files.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
    name : str
        Unique in the page; prefixes every identifier, since inlined figures share one name space.
    label : str
        What the figure shows, for readers who do not see it.
    """

    figure: Figure
    name: str
    label: str

    @cached_property
    def svg(self) -> Markup:
        """One ``<svg>`` element to be placed in a page, see `to_svg`."""
        with figure_style(self.name):
            return to_svg(self.figure, self.name, self.label)

    def __html__(self) -> str:
        """Return the element, which templates place as it is."""
        return self.svg

    def files(self) -> dict[str, bytes]:
        """Return the content of a file for each suffix, ``svg`` and ``png``."""
        png = io.BytesIO()
        with figure_style(self.name):
            # The SVG backend leaves its own behind.
            self.figure.dpi = _DPI
            FigureCanvasAgg(self.figure).print_png(png)  # type: ignore[no-untyped-call]
        svg = f'<?xml version="1.0" encoding="utf-8"?>\n{self.svg}\n'
        return {"svg": svg.encode(), "png": png.getvalue()}


def png_and_svg(figure: Figure) -> tuple[bytes, str]:
    """Return a figure as the content of a PNG file and of an SVG file."""
    png, svg = io.BytesIO(), io.StringIO()
    FigureCanvasAgg(figure).print_png(png)  # type: ignore[no-untyped-call]
    figure.savefig(svg, format="svg", metadata={"Date": None})
    return png.getvalue(), svg.getvalue()


def to_svg(figure: Figure, name: str, label: str) -> Markup:
    """Return a figure as one ``<svg>`` element to be placed in a page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    name : str
        Unique in the page; prefixes every identifier, since inlined figures share one name space.
    label : str
        What the figure shows, for readers who do not see it.

    Returns
    -------
    markupsafe.Markup
        Without XML declaration, date or metadata; text stays text and is escaped.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # Figure.savefig would draw twice.
    FigureCanvasSVG(figure).print_svg(buffer, metadata=nothing)  # type: ignore[no-untyped-call]
    drawn = buffer.getvalue()
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    # Matplotlib's style sheet is for every element of the page once it is inlined.
    drawn = re.sub(r"<style[^>]*>.*?</style>", "", drawn, flags=re.DOTALL)
    opening = re.search(r"<svg[^>]*>", drawn)
    if opening is None:  # pragma: no cover
        raise RuntimeError("Matplotlib wrote no <svg> element.")
    size = " ".join(re.findall(r'(?:viewBox|width|height)="[^"]*"', opening.group()))
    body = drawn[opening.end() :].replace("\n", " ")
    body = re.sub(r" {2,}", " ", body)
    # Angle brackets in text and attributes are escaped, so every match is a tag.
    body = _TAG.sub(lambda match: _tidy(match.group(), name), body)
    title = f"{name}-title"
    return Markup(  # noqa: S704 - every text in it is escaped, by Matplotlib or here
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'id="{name}" role="img" aria-labelledby="{title}" {size} '
        f'style="stroke-linejoin:round;stroke-linecap:butt">'
        f'<title id="{title}">{escape(label)}</title>{body.rstrip()}'
    )


def _tidy(tag: str, name: str) -> str:
    tag = re.sub(r'\bid="', f'id="{name}-', tag)
    tag = tag.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    tag = re.sub("'DejaVu Sans'(, sans-serif)?", _FONTS, tag)
    if 'd="' in tag or tag.startswith(("<use", "<text", "<g")):
        tag = re.sub(r'(?<= )(d|x|y|transform)="[^"]*"', _rounded, tag)
    return tag


def _rounded(attribute: "re.Match[str]") -> str:
    """Return an attribute with its coordinates to a tenth of a point, which no eye can tell."""
    return _LONG_NUMBER.sub(lambda number: f"{float(number.group()):.1f}", attribute.group())
