"""The evidence of structural flows, from a run's files back to probabilities."""

import json

import numpy as np
import pandas as pd
from tiny_study import (
    ENTITIES,
    file_of,
    run_study,
    snapshot,
    states,
    tiny_pipeline,
    write_study,
)

from causal_ivae import discovery
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.tables import PROBABILITY_COLUMNS
from causal_ivae.derivatives.units import Unit
from causal_ivae.discovery.probability import Evidence, calibration


def test_evidence_is_written_described_read_back_and_resumed(tmp_path, monkeypatch, no_cluster):
    made = []

    def keep(*args, **options):
        made.append(discover(*args, **options))
        return made[-1]

    discover = discovery.discover
    monkeypatch.setattr(discovery, "discover", keep)
    source, out = write_study(tmp_path / "input", ("01",)), tmp_path / "out"
    pipeline = tiny_pipeline(unmixing__methods=["structural", "tcl"])
    run_study(source, out, pipeline=pipeline)
    graph = made[0]
    record = Unit.read(UnitPaths(out, "sub-01", ENTITIES), ("structural", "tcl"))
    method = record.methods["structural"]
    assert record.methods["tcl"].evidence is None
    pd.testing.assert_frame_equal(method.evidence, graph.evidence, check_dtype=False)
    pd.testing.assert_frame_equal(method.edges, graph.edges, check_dtype=False)
    probability = calibration().probabilities(Evidence.of_table(method.evidence))
    written = method.edges[list(PROBABILITY_COLUMNS)]
    np.testing.assert_allclose(probability, written, rtol=1e-5, atol=1e-8)
    about = json.loads(file_of(out, "sub-01", "evidence.json", "structural").read_text())
    assert list(about) == list(method.evidence.columns)
    assert "the evidence for either direction" in (out / "sub-01.html").read_text()

    before = snapshot(out)
    assert set(states(run_study(source, out, pipeline=pipeline)).values()) == {"up to date"}
    assert snapshot(out) == before
    assert len(made) == 2
    # Restarts are TCL's; the probability that is asked for is the structural flows'.
    for change, stale in (
        ({"unmixing__restarts": 3}, {"tcl"}),
        ({"decision__confidence": 0.9}, {"structural"}),
    ):
        made.clear()
        run_study(
            source, out, pipeline=tiny_pipeline(unmixing__methods=["structural", "tcl"], **change)
        )
        assert {graph.method for graph in made} == stale
        run_study(source, out, pipeline=pipeline)
