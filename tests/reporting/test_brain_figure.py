import numpy as np
import pytest
from fake_records import names_of
from svg_reading import drawn, edge_table, label_position, part, size, texts

from causal_ivae.reporting.brain_figure import brain_figure
from causal_ivae.reporting.mni_maps import is_mni

CENTRES = {"left": (-40.0, 0.0, 0.0), "front": (40.0, 50.0, 10.0), "top": (40.0, -40.0, 60.0)}
NAMES = tuple(CENTRES)


def brain(edges, names=NAMES, centres=CENTRES):
    return drawn(brain_figure, names, edges, {}, "fig", "iVAE", centres)


def test_an_arrow_leads_from_cause_to_effect_in_both_views():
    svg = brain(edge_table([("left", "front", "y->x", 0.5, 0.9)]))
    # From above: right is right, and the front is up; from the side, the front is right.
    above = part(svg, "fig-edge-0")
    assert above[0, 0] > above[-1, 0]
    assert above[0, 1] < above[-1, 1]
    side = part(svg, "fig-edge-0-side")
    assert side[0, 0] > side[-1, 0]
    assert side[0, 1] < side[-1, 1]
    for view in ("", "-side"):
        tip = part(svg, f"fig-edge-0{view}-head")[0]
        line = part(svg, f"fig-edge-0{view}")
        assert np.linalg.norm(tip - line[-1]) < np.linalg.norm(tip - line[0])


def test_every_part_is_within_the_drawing_and_the_outline_behind_it():
    svg = brain(edge_table([("left", "front", "x->y", 0.5, 0.9)]))
    numbers = np.concatenate([part(svg, f"fig-edge-0{view}") for view in ("", "-side", "-front")])
    assert (numbers > 0).all()
    assert (numbers < size(svg)).all()
    # The outline is drawn in two shades in each view, and first.
    assert svg.count('stroke-opacity="0.55"') == 6
    assert svg.rindex("stroke-opacity", 0, svg.index("fig-edge-0-side")) > 0


def test_regions_one_behind_the_other_have_no_arrow_in_that_view():
    centres = {"left": (-40.0, 0.0, 0.0), "right": (40.0, 0.0, 0.0)}
    svg = brain(edge_table([("left", "right", "x->y", 0.5, 0.9)]), tuple(centres), centres)
    assert "fig-edge-0-head" in svg
    assert "fig-edge-0-side" not in svg


def test_regions_without_a_centre_are_left_out_and_counted():
    names = (*NAMES, "nowhere")
    edges = edge_table(
        [("nowhere", "left", "x->y", 0.5, 0.9), ("left", "top", "x->y", 0.5, 0.9),
         ("front", "top", "undecided", 0.1, 0.5)]
    )  # fmt: skip
    svg = brain(edges, names)
    assert "1 region without coordinates" in svg
    assert set(texts(svg)) == {*NAMES, "L", "R"}
    assert "fig-edge-0" not in svg
    assert "fig-edge-1-head" in svg
    assert "fig-edge-2" not in svg
    assert brain(edges, names, {}) is None


@pytest.mark.parametrize("n", [3, 20, 90])
def test_labels_keep_apart_within_the_drawing(n):
    names = tuple(f"{name}_{'x' * 20}"[:26] for name in names_of(n))
    names = tuple(dict.fromkeys(names))
    rng = np.random.default_rng(n)
    spots = rng.uniform([-60, -90, -40], [5, 60, 60], size=(len(names), 3))
    centres = dict(zip(names, spots.tolist(), strict=True))
    svg = brain(edge_table([(*names[:2], "x->y", 0.5, 0.9)]), names, centres)
    places = np.array([label_position(svg, name) for name in names])
    width, height = size(svg)
    assert (places[:, 1] > 0).all()
    assert (places[:, 1] < height).all()
    for side in (places[:, 0] > width / 2, places[:, 0] <= width / 2):
        assert (np.diff(np.sort(places[side, 1])) > 9).all()
    # Measured in the layout's font: from where it begins, every name ends within.
    longest = max(places[:, 0].max() - width / 2, width / 2 - places[:, 0].min())
    assert longest + 26 * 5.3 < width / 2 + 26


def test_which_spaces_are_of_the_frame():
    assert is_mni("MNI152NLin2009cAsym")
    assert is_mni("MNI")
    assert not is_mni("T1w")
    assert not is_mni(None)
