"""Estimate graphs of the six regions by every method, for all subjects and for halves of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from causal_ivae.anatomy import Prior, compare_with_prior
from causal_ivae.discovery import discover
from causal_ivae.discovery.methods import METHODS
from causal_ivae.outcomes import TURNED, arrows_of
from causal_ivae.seeding import generator
from causal_ivae.settings import UnmixingSettings
from causal_ivae.validation.paper.figure4.recordings import REGIONS, Recordings
from causal_ivae.validation.suites.reproducibility_summary import summarise
from causal_ivae.validation.suites.study import PARTS

ORDER: tuple[str, ...] = ("ivae", "tcl", *(m for m in METHODS if m not in ("ivae", "tcl")))
"""The paper's two methods come first, then ours."""
MAX_PATH = 2
"""The circuit is a loop, so that longer paths would make every edge feasible."""


@dataclass(frozen=True)
class Circuit:
    """Hold the results from which the figure is drawn.

    Attributes
    ----------
    edges : pandas.DataFrame
        ``method``, ``x``, ``y``, ``decision``, ``cause``, ``effect``, ``score``, ``confidence``,
        ``p_value``, ``verdict``, ``path``, and ``half_votes``: of the fits to halves of the
        subjects, the share whose score has the same sign.
    halves : pandas.DataFrame
        The same decisions in every half: ``split``, ``part``.
    chance : pandas.DataFrame
        One row per method: ``edges``; ``direct`` and ``feasible`` edges, each with what
        random graphs of the same size give (``_random``, ``_random_p``) and what permuted
        labels give (``_permuted``, ``_permuted_p``).
    stability : pandas.DataFrame
        As `causal_ivae.validation.suites.reproducibility_summary.summarise` returns it.
    """

    edges: pd.DataFrame
    halves: pd.DataFrame
    chance: pd.DataFrame
    stability: pd.DataFrame


def estimate_circuit(
    recordings: Recordings,
    prior: Prior,
    *,
    splits: int,
    seed: int,
    device: str,
    unmixing: UnmixingSettings,
    say: Callable[[str], None],
) -> Circuit:
    """Estimate the graph of all subjects and of halves of them, by every method.

    Parameters
    ----------
    splits : int
        Of the subjects into halves, at random.
    say : callable
        Told every fit that is done.
    """
    everybody = list(range(len(recordings.labels)))
    parts: list[tuple[int, str, list[int]]] = [(-1, "all", everybody)]
    for split in range(splits):
        order = generator(seed, "split of subjects", split).permutation(len(everybody))
        half = len(order) // 2
        for part, chosen in zip(PARTS["subjects"], (order[:half], order[half:]), strict=True):
            parts.append((split, part, sorted(int(i) for i in chosen)))
    found = []
    for split, part, subjects in parts:
        for method in ORDER:
            started = time.perf_counter()
            key = part if split < 0 else f"split {split}, {part}"
            table = _fit(recordings, subjects, method, key, seed, device, unmixing)
            found.append(table.assign(method=method, split=split, part=part))
            say(f"{key}, {method}: {time.perf_counter() - started:.0f} s")
    table = pd.concat(found, ignore_index=True)
    whole = table[table["split"] < 0].drop(columns=["split", "part"])
    halves = table[table["split"] >= 0].reset_index(drop=True)
    judged, chance = [], []
    for method in ORDER:
        own = whole[whole["method"] == method]
        verdicts, row = _against_prior(own, prior, seed)
        judged.append(_with_verdicts(own, verdicts))
        chance.append({"method": method, **row})
    edges = pd.concat(judged, ignore_index=True)
    stability, _ = summarise(
        halves.assign(comparison="subjects", series="data"), PARTS, permutations=999, seed=seed
    )
    return Circuit(_with_votes(edges, halves), halves, pd.DataFrame(chance), stability)


def _fit(
    recordings: Recordings,
    subjects: Sequence[int],
    method: str,
    key: str,
    seed: int,
    device: str,
    unmixing: UnmixingSettings,
) -> pd.DataFrame:
    """Return the pairs in the order of `REGIONS`."""
    values, segments, blocks = recordings.pooled(subjects)
    names = list(REGIONS)
    # Columns change places, so that a method that prefers the first one does not agree by that.
    order = generator(seed, "order of columns", key).permutation(len(names))
    result = discover(
        values[:, order],
        segments,
        [names[i] for i in order],
        method=method,
        seed=seed,
        device=device,
        blocks=blocks,
        unmixing=unmixing,
        key=key,
    )
    columns = ["x", "y", "decision", "cause", "effect", "score", "confidence", "p_value"]
    edges = result.edges[columns].copy()
    turned = edges["x"].map(names.index) > edges["y"].map(names.index)
    edges.loc[turned, ["x", "y"]] = edges.loc[turned, ["y", "x"]].to_numpy()
    edges.loc[turned, "score"] *= -1.0
    edges.loc[turned, "decision"] = edges.loc[turned, "decision"].map(TURNED)
    places = edges[["x", "y"]].map(names.index)
    return edges.loc[places.sort_values(["x", "y"]).index].reset_index(drop=True)


def _against_prior(
    edges: pd.DataFrame, prior: Prior, seed: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    found = compare_with_prior(edges, prior, max_path=MAX_PATH, seed=seed)
    row: dict[str, Any] = {"edges": found.summary["Edges"]}
    for what in ("Direct", "Feasible"):
        row[what.lower()] = found.summary[what]["Count"]
        share, p_value = found.summary[what]["ChanceShare"], found.summary[what]["PValue"]
        row[f"{what.lower()}_random"] = None if share is None else share * row["edges"]
        row[f"{what.lower()}_random_p"] = p_value
    return found.check, row | _permuted(edges, prior, row)


def _with_verdicts(edges: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Add verdict and path of every arrow; those of a row with two arrows are joined by " | "."""
    arrows = arrows_of(edges).merge(verdicts, on=["cause", "effect"])
    words = arrows.groupby("row")[["verdict", "path"]].agg(" | ".join)
    return edges.join(words.reindex(edges.index, fill_value=""))


def _permuted(edges: pd.DataFrame, prior: Prior, row: dict[str, Any]) -> dict[str, Any]:
    """Count the edges that the prior explains under every permutation of the regions' labels."""
    names = list(REGIONS)
    lookup = _explained(prior)
    decided = arrows_of(edges)
    causes = decided["cause"].map(names.index).to_numpy(dtype=np.int64)
    effects = decided["effect"].map(names.index).to_numpy(dtype=np.int64)
    orders = np.array(list(permutations(range(len(names)))))
    result: dict[str, Any] = {}
    for what, allowed in lookup.items():
        counts = allowed[orders[:, causes], orders[:, effects]].sum(axis=1)
        some = len(decided) > 0
        result[f"{what}_permuted"] = float(counts.mean()) if some else None
        result[f"{what}_permuted_p"] = float((counts >= row[what]).mean()) if some else None
    return result


def _explained(prior: Prior) -> dict[str, Any]:
    """Return which of all directed edges are direct, and which are feasible."""
    names = list(REGIONS)
    result = {what: np.zeros((len(names), len(names)), dtype=bool) for what in _KINDS}
    for i, x in enumerate(names):
        for j, y in enumerate(names):
            if i != j:
                edge = pd.DataFrame([(x, y, x, y)], columns=["x", "y", "cause", "effect"])
                check = compare_with_prior(edge, prior, max_path=MAX_PATH, draws=1).check
                for what, verdicts in _KINDS.items():
                    result[what][i, j] = check["verdict"].item() in verdicts
    return result


_KINDS = {"direct": ("direct",), "feasible": ("direct", "indirect")}


def _with_votes(edges: pd.DataFrame, halves: pd.DataFrame) -> pd.DataFrame:
    keys = ["method", "x", "y"]
    signs = halves.assign(sign=np.sign(halves["score"]))[[*keys, "sign"]]
    merged = edges[[*keys, "score"]].merge(signs, on=keys)
    merged["same"] = merged["sign"] == np.sign(merged["score"])
    votes = merged.groupby(keys)["same"].mean().rename("half_votes").reset_index()
    return edges.merge(votes, on=keys, how="left")
