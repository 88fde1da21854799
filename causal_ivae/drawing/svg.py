"""Turn Matplotlib figures into inline SVG without pyplot; equal data give equal bytes."""

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
import numpy as np
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

INK = "#1f2933"
FAINT = "#9aa5b1"
GRID = "#e4e7eb"
BLUE = "#0b57a4"
RED = "#c4161c"
AMBER = "#b35c00"

_DPI = 150
_PRINT_DPI = 300
FONTS = "'Helvetica Neue',Helvetica,Arial,'DejaVu Sans',sans-serif"
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
    # Region names such as "a$b$" must not be read as formulas.
    "text.parse_math": False,
    "svg.fonttype": "none",
    # Letters of a PDF stay letters, which journals ask for.
    "pdf.fonttype": 42,
}
_TAG = re.compile(r"<[a-zA-Z/][^>]*>")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")


@contextmanager
def figure_style(name: str) -> Iterator[None]:
    """Apply our Matplotlib style within this context, in which figures are drawn and saved.

    Parameters
    ----------
    name : str
        Name of the figure, from which the identifiers of its parts follow reproducibly.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The layout font may lack a letter, but the reader's browser draws it in another font.
        warnings.filterwarnings(
            "ignore", message=r"Glyph \d+ .* missing from", category=UserWarning
        )
        yield


class ShownFigure(Figure):
    """Be a figure that a notebook shows, although pyplot does not know of it."""

    def inline(self, name: str, label: str) -> Markup:
        """Return the figure as one ``<svg>`` element for a page, as `to_svg` does."""
        return to_svg(self, name, label)

    def _repr_svg_(self) -> str:
        content = io.StringIO()
        with figure_style("notebook"):
            self.savefig(content, format="svg")
        return content.getvalue()


def new_figure(width: float, height: float, *, placed: bool = False) -> ShownFigure:
    """Make an empty figure.

    Parameters
    ----------
    width, height : float
        In inches.
    placed : bool
        True if the places of its axes will be given, which saves Matplotlib's search for a layout.
    """
    layout = None if placed else "constrained"
    return ShownFigure(figsize=(width, height), dpi=_DPI, layout=layout)  # type: ignore[arg-type]


def shorten(name: object, longest: int = 26) -> str:
    """Shorten a name for figures; the tables show it in full."""
    text = str(name)
    return text if len(text) <= longest else text[: longest - 1] + "…"


@dataclass
class Drawing:
    """Hold a figure for a page and for files.

    Attributes
    ----------
    name : str
        Name that is unique on the page and prefixes all identifiers, since inline figures share
        one name space.
    label : str
        Description of the figure for readers who do not see it.
    for_print : bool
        True for a figure that goes into a paper: it has a PDF file too, and a PNG file of 300 dpi.
    """

    figure: ShownFigure
    name: str
    label: str
    for_print: bool = False

    @cached_property
    def svg(self) -> Markup:
        """Return the figure as one ``<svg>`` element for a page, as `to_svg` does."""
        with figure_style(self.name):
            return self.figure.inline(self.name, self.label)

    def __html__(self) -> str:
        """Return the element, which templates insert without escaping."""
        return self.svg

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Return the contents of the SVG and PNG files, and of the PDF for print, by suffix."""
        svg = f'<?xml version="1.0" encoding="utf-8"?>\n{self.svg}\n'
        files = {"svg": svg.encode()}
        png = io.BytesIO()
        with figure_style(self.name):
            # The SVG backend changes the figure's resolution.
            self.figure.dpi = _PRINT_DPI if self.for_print else _DPI
            canvas = FigureCanvasAgg(self.figure)
            if self.for_print:
                canvas.draw()  # type: ignore[no-untyped-call]
                # The page carries this file, which is a quarter as long with few colours.
                drawn = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
                pixels = Image.fromarray(np.ascontiguousarray(drawn[..., :3]))
                few = pixels.quantize(128, dither=Image.Dither.NONE)
                few.save(png, "PNG", dpi=(_PRINT_DPI, _PRINT_DPI))
            else:
                canvas.print_png(png)  # type: ignore[no-untyped-call]
            files["png"] = png.getvalue()
            if self.for_print:
                pdf = io.BytesIO()
                # Without a date, equal data give equal bytes.
                FigureCanvasPdf(self.figure).print_pdf(  # type: ignore[no-untyped-call]
                    pdf, metadata={"CreationDate": None}
                )
                files["pdf"] = pdf.getvalue()
        return files


def png_and_svg(figure: Figure) -> tuple[bytes, str]:
    """Return the contents of a PNG file and an SVG file of a figure."""
    png, svg = io.BytesIO(), io.StringIO()
    FigureCanvasAgg(figure).print_png(png)  # type: ignore[no-untyped-call]
    figure.savefig(svg, format="svg", metadata={"Date": None})
    return png.getvalue(), svg.getvalue()


def to_svg(figure: Figure, name: str, label: str) -> Markup:
    """Return a figure as one ``<svg>`` element for a page.

    Parameters
    ----------
    name, label : str
        As in `Drawing`.

    Returns
    -------
    markupsafe.Markup
        The element without XML declaration, date or metadata; text remains text and is escaped.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # Figure.savefig would draw the figure twice.
    FigureCanvasSVG(figure).print_svg(buffer, metadata=nothing)  # type: ignore[no-untyped-call]
    drawn = buffer.getvalue()
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    # An inline style sheet of Matplotlib would apply to the whole page.
    drawn = re.sub(r"<style[^>]*>.*?</style>", "", drawn, flags=re.DOTALL)
    opening = re.search(r"<svg[^>]*>", drawn)
    if opening is None:  # pragma: no cover
        raise RuntimeError("Matplotlib wrote no <svg> element.")
    size = " ".join(re.findall(r'(?:viewBox|width|height)="[^"]*"', opening.group()))
    body = drawn[opening.end() :].replace("\n", " ")
    body = re.sub(r" {2,}", " ", body)
    # Every match is a tag, since angle brackets in text and attributes are escaped.
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
    tag = re.sub("'DejaVu Sans'(, sans-serif)?", FONTS, tag)
    if 'd="' in tag or tag.startswith(("<use", "<text", "<g")):
        tag = re.sub(r'(?<= )(d|x|y|transform)="[^"]*"', _rounded, tag)
    return tag


def _rounded(attribute: "re.Match[str]") -> str:
    """Round the coordinates in an attribute to a tenth of a point, which is not visible."""
    return _LONG_NUMBER.sub(lambda number: f"{float(number.group()):.1f}", attribute.group())
