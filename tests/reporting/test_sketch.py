"""A drawing that is laid out once and saved as SVG, PNG and PDF."""

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from svg_reading import SVG, edge_table, part

from causal_ivae.drawing.graph_figure import graph_figure
from causal_ivae.drawing.sketch import Sketch
from causal_ivae.drawing.svg import Drawing
from causal_ivae.drawing.text_width import text_width
from causal_ivae.reporting.brain_outline import brain_outline


@pytest.fixture
def sketch():
    """Return a drawing of 100 x 50 points whose origin is its lower left corner."""
    sketch = Sketch(0.0, 0.0, 100.0, 50.0)
    sketch.rectangle(10.0, 10.0, 20.0, 10.0, fill="#ff0000", name="red")
    sketch.disc(80.0, 40.0, 5.0, fill="#0000ff", layer=0.0)
    sketch.line([(0.0, 25.0), (100.0, 25.0)], "#00ff00", 2.0, dashes=(50.0, 50.0))
    sketch.picture(np.full((1, 1, 3), 7, dtype=np.uint8), 60.0, 5.0, 10.0, 10.0)
    sketch.words(50.0, 45.0, "a <name>", align="center", turn=90.0)
    return sketch


def test_every_format_has_everything_in_the_same_place(sketch):
    files = Drawing(sketch, "fig", "A label", for_print=True).files
    with Image.open(io.BytesIO(files["png"])) as image:
        pixels = np.asarray(image.convert("RGB"))
    at = lambda x, y: tuple(pixels[round((50 - y) / 72 * 300), round(x / 72 * 300)])  # noqa: E731
    assert [at(20, 15), at(80, 40), at(65, 10)] == [(255, 0, 0), (0, 0, 255), (7, 7, 7)]
    # The line has a dash in its first half and a gap in its second.
    assert [at(25, 25), at(75, 25)] == [(0, 255, 0), (255, 255, 255)]
    # It is two points thick, of which there are 300 / 72 pixels each.
    assert (pixels[:, 30] == (0, 255, 0)).all(axis=1).sum() == pytest.approx(2 / 72 * 300, abs=1)
    svg = files["svg"].decode().partition("?>\n")[2]
    # In an SVG file, y leads downwards.
    assert part(svg, "fig-red")[0] == pytest.approx([10, 40])
    (disc,) = ET.fromstring(svg).iter(f"{SVG}circle")
    assert [float(disc.get(name)) for name in ("cx", "cy", "r")] == [80, 10, 5]
    # The disc has a lower layer, and comes before the rectangle.
    assert svg.index("<circle") < svg.index("fig-red")
    (words,) = ET.fromstring(svg).iter(f"{SVG}text")
    assert (words.text, words.get("text-anchor")) == ("a <name>", "middle")
    assert words.get("transform") == "rotate(-90.0 50 5)"
    assert files["pdf"].startswith(b"%PDF")


def test_texts_are_measured_letter_by_letter():
    assert text_width("ii") == pytest.approx(2 * text_width("i"))
    assert text_width("m") > 2 * text_width("i")
    assert text_width("mm", 17.0) == pytest.approx(2 * text_width("mm", 8.5))
    assert text_width("漢") == 8.5


def test_known_inputs_are_squares_and_regions_discs():
    edges = edge_table([("light", "V1", "x->y", 0.5, 0.9)])
    svg = graph_figure(("light", "V1"), edges, {}, "fig", "network", ("light",)).svg
    assert svg.count("<circle") == 1
    squares = [
        shape
        for shape in ET.fromstring(svg).iter(f"{SVG}path")
        if shape.get("fill") == "#ffffff" and shape.get("stroke-width") == "1.1"
    ]
    assert len(squares) == 1


@pytest.mark.parametrize("view", ["x", "y", "z"])
def test_the_outline_is_that_of_nilearn(view):
    from matplotlib.figure import Figure
    from nilearn.plotting.glass_brain import plot_brain_schematics

    axes = Figure().add_axes((0, 0, 1, 1))
    plot_brain_schematics(axes, view, alpha=0.5)
    theirs = np.concatenate(
        [
            (p.get_transform() - axes.transData).transform(p.get_path().vertices)
            for p in axes.patches
        ]
    )
    ours = np.concatenate([path.vertices for _, path in brain_outline(view)])
    assert ours.min(axis=0) == pytest.approx(theirs.min(axis=0), abs=1e-6)
    assert ours.max(axis=0) == pytest.approx(theirs.max(axis=0), abs=1e-6)
    assert len({tuple(point) for point in theirs.round(3)} ^ {tuple(p) for p in ours.round(3)}) < 9
