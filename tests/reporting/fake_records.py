"""Records as a run writes them, made up but consistent, for pages of any size."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.tables import (
    DIAGNOSTICS,
    EDGES,
    EVIDENCE,
    RESTARTS,
    STABILITY,
    TESTS,
    TRAINING,
)
from causal_ivae.derivatives.units import Unit
from causal_ivae.discovery.graph_tables import diagnostics_table
from causal_ivae.outcomes import leaning_columns
from causal_ivae.settings import Pipeline
from causal_ivae.unmixing.diagnostics import Diagnostics

SIX = (
    "Hippocampus_L", "ParaHippocampal_L", "Amygdala_L", "Cingulate_Post_L", "Precuneus_L",
    "Frontal_Sup_Medial_L",
)  # fmt: skip
HOSTILE = "<script>alert(1)</script>"


def names_of(n: int) -> tuple[str, ...]:
    """Return n distinct region names, long and short."""
    stems = (*SIX, "CA1", "Temporal_Pole_Mid_R", "Supp_Motor_Area_L", "Insula", "Cuneus")
    return tuple(stems[i] if i < len(stems) else f"{stems[i % len(stems)]}_{i}" for i in range(n))


def method_record(
    names: tuple[str, ...],
    method: str = "ivae",
    seed: int = 0,
    *,
    restarts: int = 4,
    prior: bool = True,
    decided: bool = True,
    simulated: bool = False,
    pipeline: Pipeline | None = None,
    volumes: int = 0,
    placed: bool = False,
) -> CausalGraph:
    rng = np.random.default_rng([seed, len(names), len(method), ord(method[0])])
    pairs = list(combinations(names, 2))
    pipeline = pipeline or Pipeline().changed(
        {"prior.name": "hippocampal_circuit" if prior else None, "unmixing.restarts": restarts}
    )
    # Of structural flows there is one fit of each direction.
    restarts = 2 if method == "structural" else restarts
    edges, tests, members, curves = [], [], [], []
    for index, (x, y) in enumerate(pairs):
        score = float(rng.normal(0, 0.3))
        decision = "undecided"
        if index % 4 == 3:
            decision = "none"
        elif decided and (abs(score) > 0.2 or index == 0):
            decision = "x->y" if score > 0 else "y->x"
        cause, effect = {"x->y": (x, y), "y->x": (y, x)}.get(decision, ("", ""))
        p = float(np.exp(-abs(score) * 9))
        confidence = float(np.clip(0.5 + abs(score), 0, 1))
        probable = [np.nan] * 4
        if method == "structural":
            confidence, probable = probabilities(decision, score)
            score = probable[1] - probable[2]
        edges.append(
            (
                x,
                y,
                decision,
                cause,
                effect,
                score,
                max(-1.0, score - 0.2),
                min(1.0, score + 0.1),
                0.07,
                p,
                min(1.0, 2 * p),
                confidence,
                *probable,
            )
        )
        tests.append((x, y, np.nan, x, y, 4.1, 1.2, float(rng.uniform(0, 0.2))))
        for restart in range(restarts):
            for first in (x, y):
                for second in ("n1", "n2"):
                    value = float(rng.choice([0.001, rng.uniform()]))
                    tests.append((x, y, restart, first, second, 2.0, 1.0, value))
            vote = str(rng.choice(["x->y", "y->x", "none", "inconclusive"]))
            members.append(
                (x, y, restart, vote, score + rng.normal(0, 0.1), -2.1, 0.004, 1500, 0, 0)
            )
            level = rng.normal(-2.2, 0.15)
            for step in range(0, 1500, 50):
                noise = rng.normal(0, 0.03)
                objective = level - 3 * np.exp(-step / 150) + noise
                curves.append((x, y, restart, step, float(objective)))
    check = None
    described: dict[str, Any] | None = None
    if prior:
        verdicts = ("direct", "indirect", "not feasible")
        rows = []
        for i, edge in enumerate(e for e in edges if e[3]):
            verdict = verdicts[i % 3]
            between = [n for n in names if n not in (edge[3], edge[4])][:1]
            path = {
                "direct": f"{edge[3]} > {edge[4]}",
                "indirect": " > ".join((edge[3], *between, edge[4])),
            }.get(verdict, "")
            rows.append((edge[3], edge[4], verdict, path))
        check = pd.DataFrame(rows, columns=["cause", "effect", "verdict", "path"])
        n = len(rows)
        direct = int((check["verdict"] == "direct").sum())
        feasible = int((check["verdict"] != "not feasible").sum())
        described = {
            "Name": "hippocampal_circuit",
            "Directed": True,
            "Edges": n,
            "EdgesLeftOut": 0,
            "PairsTested": len(pairs),
            "Unknown": [],
            "Direct": {
                "Count": direct, "Share": direct / n if n else None, "ChanceShare": 0.31,
                "PValue": 0.21 if n else None,
            },
            "Feasible": {
                "Count": feasible, "Share": feasible / n if n else None, "ChanceShare": 0.83,
                "PValue": 0.0004 if n else None,
            },
            "Projections": [[names[0], names[1]], [names[1], names[0]], [names[0], names[-1]]],
            "Rows": [[names[0]], list(names[1:3])],
        }  # fmt: skip
    sidecar = {
        "Method": method,
        "Settings": pipeline.model_dump(mode="json"),
        "SettingsHash": pipeline.digest,
        "Regions": list(names),
        "Seed": 0,
        "Versions": {"causal-ivae": "0.1.0", "torch": "2.13.0", "nilearn": "0.14.1"},
        "Command": "causal-ivae run bold out participant --participant-label 01 --seed 0",
        "Seconds": 83.2,
        "InputFingerprints": {"sub-01_timeseries.tsv": "sha256:" + "0123456789abcdef" * 4},
        "Device": "cpu",
        "Simulated": simulated,
    }
    if method == "structural":
        bins = [(0.05, 0.04, 300), (0.45, 0.5, 20), (0.85, 0.9, 80), (0.97, 0.98, 500)]
        sidecar["Calibration"] = {
            "Bins": [dict(zip(("confidence", "right", "count"), b, strict=True)) for b in bins],
            "ExpectedCalibrationError": 0.02,
            "Designs": 12,
            "DirectedShare": 0.5,
        }
    if described is not None:
        sidecar["Prior"] = described
    if placed:
        places = rng.uniform([-60, -90, -30], [60, 60, 60], size=(len(names), 3)).round(1)
        # One region that the atlas lacks.
        sidecar["Coordinates"] = dict(zip(names[:-1], places.tolist(), strict=False))
        sidecar["Space"] = "MNI152NLin2009cAsym"
    disturbances = None
    if volumes:
        change = 0.4 + np.sin(np.arange(volumes) / 90) ** 2
        disturbances = (rng.laplace(size=(len(pairs), 2, volumes)) * change).astype(np.float16)
    judged = diagnostics(names, method)
    tables = {
        "edges": certain(pd.DataFrame(edges, columns=list(EDGES.required)), method).assign(
            quality=judged["verdict"].to_numpy()
        ),
        "tests": pd.DataFrame(tests, columns=list(TESTS.columns)),
        "restarts": pd.DataFrame(members, columns=list(RESTARTS.columns)),
        "training": pd.DataFrame(curves, columns=list(TRAINING.columns)),
        "diagnostics": judged,
        "stability": stability(edges, method),
    }
    if method == "structural":
        tables["evidence"] = evidence(edges)
    if check is not None:
        tables["priorcheck"] = check
    return CausalGraph(
        method, names, tables, sidecar["Settings"], sidecar["Seconds"],
        disturbances=disturbances, sidecar=sidecar,
    )  # fmt: skip


def changed(holder: Any, **tables: pd.DataFrame | None) -> Any:
    """Return a graph or a unit with other tables; None takes one away."""
    together = {**holder.tables, **tables}
    kept = {name: table for name, table in together.items() if table is not None}
    return replace(holder, tables=kept)


def stability(edges: list[tuple[Any, ...]], method: str) -> pd.DataFrame:
    """Return shares of resamples, .7 of them with the decision that is in the edges."""
    rows = []
    for x, y, decision, *_ in edges:
        shares = dict.fromkeys(("x->y", "y->x", "none", "undecided"), 0.1)
        shares[decision] = 0.7
        restarts = (np.nan, np.nan) if method == "structural" else (0.75, 0.25)
        rows.append((x, y, *shares.values(), *restarts))
    return pd.DataFrame(rows, columns=list(STABILITY.columns))


def probabilities(decision: str, score: float) -> tuple[float, list[float]]:
    """Return the confidence of a decision and the probabilities that it is made by."""
    forward, backward = (0.8, 0.02) if score > 0 else (0.02, 0.8)
    probable = {
        "none": [0.04, 0.01, 0.01, 0.94],
        "undecided": [0.5, 0.3, 0.15, 0.05] if score > 0 else [0.5, 0.15, 0.3, 0.05],
    }.get(decision, [0.15, forward, backward, 0.03])
    return probable[3] if decision == "none" else max(probable[1:3]), probable


def certain(edges: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return the edges with an interval level in place of p and q, as iVAE and TCL have."""
    if method == "structural":
        forward, backward = edges["probability_forward"], edges["probability_backward"]
        given = leaning_columns((forward / (forward + backward)).to_numpy())
        return edges.assign(**given, why=np.where(edges["cause"] == "", "direction", ""))
    return edges.assign(interval_level=1.0 - edges["p_value"], p_value=np.nan, q_value=np.nan)


def evidence(edges: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return evidence that favours the directions that the edges do."""
    rows = []
    for index, edge in enumerate(edges):
        score = edge[5]
        left = (0.0002, 0.0041) if score > 0 else (0.0041, 0.0002)
        mechanism = ("linear", "nonlinear")[index % 2]
        rows.append(
            (*edge[:2], mechanism, 0.003, 0.1 * score, 5 * score, *left, 1e-4, 1e-4, 0.021, 0.001,
             0.2, 1.1, -0.4, 0.3)
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(EVIDENCE.columns))


def diagnostics(names: tuple[str, ...], method: str = "ivae") -> pd.DataFrame:
    """Return fits of which most are usable, every fourth doubtful and every seventh worse."""
    good = Diagnostics(
        n_segments=14, n_components=2, n_statistics=1, rank=2, condition=1.8,
        modulation=(0.41, 0.38), modulation_error=(0.11, 0.1), rise=0.004,
        kl=(1.2, 0.9) if method == "ivae" else None, agreement=0.97, detectable=0.24,
        dependence_p=0.41,
    )  # fmt: skip
    shaky = replace(good, agreement=0.55, modulation=(0.41, 0.08))
    pairs = np.array(list(combinations(range(len(names)), 2)))
    fits = [
        replace(good, rank=1) if i % 7 == 6 else shaky if i % 4 == 1 else good
        for i in range(len(pairs))
    ]
    table = diagnostics_table(names, pairs, fits)
    assert list(table.columns) == list(DIAGNOSTICS.columns)
    return table


def subject_record(
    names: tuple[str, ...] = SIX,
    methods: tuple[str, ...] = ("ivae", "tcl"),
    *,
    n_volumes: int = 600,
    simulated: bool = False,
    notes: tuple[str, ...] = (),
    **options: Any,
) -> Unit:
    rng = np.random.default_rng(len(names))
    kept = np.ones(n_volumes, dtype=int)
    kept[100:107] = 0
    kept[n_volumes // 2] = 0
    walk = np.cumsum(rng.normal(size=(kept.sum(), len(names))), axis=0)
    series = walk - pd.DataFrame(walk).rolling(15, min_periods=1).mean().to_numpy()
    series = series / series.std(axis=0)
    runs = np.where(np.arange(n_volumes) < n_volumes // 2, "task-rest_run-1", "task-rest_run-2")
    window = np.arange(n_volumes) // 83
    segment = np.array([f"{run}_{w}" for run, w in zip(runs, window, strict=True)], dtype=object)
    segment[kept == 0] = ""
    motion = np.abs(rng.normal(0.12, 0.05, n_volumes)) + 0.8 * (kept == 0)
    motion[[0, n_volumes // 2]] = np.nan
    outliers = pd.DataFrame(
        {
            "run": runs,
            "volume": np.r_[np.arange(n_volumes // 2), np.arange(n_volumes - n_volumes // 2)],
            "kept": kept,
            "segment": segment,
            "framewise_displacement": motion,
        }
    )
    sidecar = {
        "RepetitionTime": 0.72,
        "SegmentKind": "windows of 60 s",
        "Segments": [name for name in dict.fromkeys(segment) if name],
        "Coverage": {name: 1.0 - 0.01 * i for i, name in enumerate(names)},
        "Sources": ["sub-01_timeseries.tsv"],
        "Notes": list(notes),
        "Simulated": simulated,
    }
    return Unit(
        "sub-01",
        tables={
            "timeseries": pd.DataFrame(series, columns=list(names)),
            "outliers": outliers,
        },
        sidecar=sidecar,
        methods={
            method: method_record(
                names, method, simulated=simulated, volumes=int(kept.sum()), **options
            )
            for method in methods
        },
    )


def group_record(
    names: tuple[str, ...] = SIX,
    methods: tuple[str, ...] = ("ivae", "tcl"),
    n_subjects: int = 7,
    *,
    formula: str | None = None,
    **options: Any,
) -> Unit:
    from statsmodels.stats.proportion import proportion_confint

    records = {}
    for method in methods:
        record = method_record(names, method, **options)
        rng = np.random.default_rng([len(names), ord(method[0])])
        edges = record.edges.drop(columns="quality")
        if "interval_level" in edges:
            # The tests over subjects have p-values, whatever the method.
            edges["p_value"] = edges["q_value"] = 1.0 - edges.pop("interval_level")
        forward = rng.integers(0, n_subjects + 1, len(edges))
        leading = np.maximum(forward, n_subjects - forward)
        low, high = proportion_confint(leading, n_subjects, method="wilson")
        edges["score"] = np.where(forward > n_subjects / 2, 1, -1) * edges["score"].abs()
        edges["score_low"], edges["score_high"] = edges["score"] - 0.2, edges["score"] + 0.1
        edges["confidence"] = leading / n_subjects
        edges["n_subjects"] = n_subjects
        edges["n_x_to_y"] = forward // 2
        edges["n_y_to_x"] = (n_subjects - forward) // 2
        edges["n_none"] = 1
        edges["n_undecided"] = n_subjects - 1 - edges["n_x_to_y"] - edges["n_y_to_x"]
        edges["share_low"], edges["share_high"] = low, high
        edges["p_dependence"] = np.where(edges["decision"] == "none", 0.4, 0.01)
        edges.loc[edges["decision"] == "none", "q_value"] = np.nan
        edges["unexplained_spread"] = rng.uniform(0, 0.9, len(edges))
        edges["leave_one_out"] = rng.integers(0, n_subjects + 1, len(edges)) / n_subjects
        edges["sign_without_one"] = rng.integers(0, n_subjects + 1, len(edges)) / n_subjects
        edges["split_half"] = rng.uniform(0.4, 1, len(edges))
        about = record.sidecar | {
            "SplitHalf": {
                "Splits": 500,
                "SameDirection": 0.62,
                "Correlation": {"Median": 0.41, "Low": -0.1, "High": 0.72},
            }
        }
        tables = {name: record.tables[name] for name in ("priorcheck",) if name in record.tables}
        if formula is not None:
            tables["model"] = model_table(edges)
            units = [f"sub-{i + 1:02d}" for i in range(n_subjects)]
            left_out = {units[-1]: "has no age"}
            about["Model"] = {"Formula": formula, "Subjects": units[:-1], "LeftOut": left_out}
        records[method] = replace(record, tables={"edges": edges, **tables}, sidecar=about)
    return Unit("group", records, sidecar={"Simulated": False, "Notes": []})


def model_table(edges: pd.DataFrame) -> pd.DataFrame:
    """Return estimates of a group and an age for every pair."""
    rng = np.random.default_rng(len(edges))
    terms = ("Intercept", "group[T.patient]", "age")
    table = edges.loc[edges.index.repeat(len(terms)), ["x", "y"]].reset_index(drop=True)
    table["term"] = list(terms) * len(edges)
    table["estimate"] = rng.normal(0, 0.2, len(table))
    table["error"] = 0.1
    table["low"], table["high"] = table["estimate"] - 0.2, table["estimate"] + 0.2
    table["p_value"] = rng.uniform(size=len(table)) ** 3
    table["q_value"] = np.minimum(1.0, 2 * table["p_value"])
    return table


def statuses(n_subjects: int = 7) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"label": f"{i + 1:02d}", "state": "done", "seconds": 61.3 + i, "message": ""}
        for i in range(n_subjects)
    ]
    rows[1].update(state="up to date")
    rows[2].update(state="skipped", seconds=None, message="Has no results.")
    rows[-1].update(
        state="failed", message="'x.tsv' holds NaN in column 'CA1' (row 17): remove it."
    )
    return rows
