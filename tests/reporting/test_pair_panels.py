"""Scatters and spreads of pairs show what the arrays hold."""

import io
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fake_records import HOSTILE, SIX, changed, names_of, subject_record
from page_parser import Page
from PIL import Image
from rendering import render_subject

from causal_ivae.derivatives.units import Unit
from causal_ivae.reporting import pair_panels as module
from causal_ivae.reporting.pair_panels import MOST_PAIRS, pair_panels


def decoded(text):
    return np.asarray(Image.open(io.BytesIO(b64decode(text))).convert("RGB"))


def colors_at(image, x, y):
    """The colours near a point in standard deviations, x across and y up."""
    row = round((3.5 - y) / 7 * (image.shape[0] - 4))
    column = round((x + 3.5) / 7 * (image.shape[1] - 4))
    patch = image[row : row + 4, column : column + 4].reshape(-1, 3)
    return {f"#{pixel.tobytes().hex()}" for pixel in patch}


@pytest.fixture
def two_places():
    """First segment at (2, 1), second at (-2, -1); disturbances at (-1, 2) and (1, -2)."""
    record = subject_record(SIX[:2], ("structural",), n_volumes=200)
    first = np.arange(200) < 100
    outliers = pd.DataFrame(
        {"run": "r", "volume": np.arange(200), "kept": 1,
         "segment": np.where(first, "a", "b"), "framewise_displacement": np.nan}
    )  # fmt: skip
    series = pd.DataFrame({SIX[0]: np.where(first, 2.0, -2.0), SIX[1]: np.where(first, 1.0, -1.0)})
    found = np.stack([np.where(first, -1.0, 1.0), np.where(first, 2.0, -2.0)])[None]
    method = replace(record.methods["structural"], disturbances=found.astype(np.float16))
    return Unit(
        "sub-01",
        {"structural": method},
        {"timeseries": series, "outliers": outliers},
        record.sidecar,
    )


def test_points_lie_where_they_are_in_the_colour_of_their_segment(two_places):
    (panel,), left_out = pair_panels(two_places)
    assert left_out == 0
    regions = decoded(panel.scatter)
    assert module._FEW[0] in colors_at(regions, 2, 1)
    assert module._FEW[1] in colors_at(regions, -2, -1)
    assert colors_at(regions, 2, -1) == {"#ffffff"}
    (unmixed,) = panel.unmixed
    found = decoded(unmixed.scatter)
    assert module._FEW[0] in colors_at(found, -1, 2)
    assert module._FEW[1] in colors_at(found, 1, -2)
    assert colors_at(found, -1, -2) == {"#ffffff"}
    # Each disturbance is constant in either segment.
    assert "from 0.00 to 0.00 over 2 segments" in unmixed.spread


def test_the_spread_is_the_standard_deviation_in_every_segment():
    rng = np.random.default_rng(0)
    segment = np.repeat([0, 1, 2], 500)
    values = rng.normal(3.0, 1.0, (4, 2, 1500)) * np.array([1.0, 2.0, 0.5])[segment]
    expected = np.stack([values[..., segment == k].std(axis=-1) for k in range(3)], axis=-1)
    np.testing.assert_allclose(module._spread(values, segment), expected, rtol=1e-9)


def test_many_segments_go_from_dark_to_light():
    palette = np.array(module._palette(np.arange(40))).reshape(-1, 3)[2:]
    assert (np.diff(palette.sum(axis=1)) > 0).all()
    shades = module._shades(np.arange(40))
    assert (np.diff(shades) >= 0).all()
    assert set(shades) == set(range(len(palette)))


def test_the_surest_directions_come_first_and_what_is_left_out_is_counted():
    record = subject_record(names_of(22), ("structural", "ivae"))
    panels, left_out = pair_panels(record)
    assert len(panels) == MOST_PAIRS
    assert left_out == 22 * 21 // 2 - MOST_PAIRS
    edges = record.methods["structural"].edges.set_index(["x", "y"])
    shown = edges.loc[[(panel.x, panel.y) for panel in panels]]
    directed = (shown["cause"] != "").to_numpy()
    assert directed[: directed.sum()].all()
    assert (np.diff(shown["confidence"].to_numpy()[: directed.sum()]) <= 0).all()
    assert all([u.method for u in p.unmixed] == ["Structural flow", "iVAE"] for p in panels)


def test_no_panel_without_what_it_shows():
    record = subject_record(SIX, ("ivae",))
    assert pair_panels(changed(record, timeseries=None)) == ([], 0)
    other = replace(record.methods["ivae"], disturbances=None)
    assert pair_panels(replace(record, methods={"ivae": other})) == ([], 0)
    shorter = replace(record.methods["ivae"], disturbances=np.zeros((15, 2, 3)))
    assert pair_panels(replace(record, methods={"ivae": shorter})) == ([], 0)


def test_names_in_panels_are_text():
    page = Page(render_subject(subject_record((HOSTILE, "B"), ("ivae",))))
    headings = [tag for tag, attrs in page.tags if tag == "script"]
    assert len(headings) == 1
    assert f"{HOSTILE}, B" in page.flat
