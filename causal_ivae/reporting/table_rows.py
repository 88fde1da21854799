"""Make the rows of the pages' tables from the results of a unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.tables import DIAGNOSTICS, EVIDENCE, RESTARTS, STABILITY, TESTS
from causal_ivae.discovery.methods import METHODS
from causal_ivae.outcomes import CONNECTED, LEAST_LEANING, WHY, arrows_of, is_decided, outcomes_of

MOST_DETAILED = 120
"""A page lists tests, fits, evidence and stability of this many pairs, to limit its size."""
SCREENED = "by the screen"
"""A pair that the screen left out."""
IMPOSSIBLE = "impossible"
"""A pair of which no direction can be asked."""
_ARROW = "\N{RIGHTWARDS ARROW}"
_DETAILS = (TESTS, RESTARTS, DIAGNOSTICS, EVIDENCE, STABILITY)
_COUNTS = ("n_subjects", "n_x_to_y", "n_y_to_x", "n_both", "n_none", "n_undecided")


@dataclass(frozen=True)
class SubjectCounts:
    """Count the subjects' decisions on one pair, for the direction in which the row is shown."""

    subjects: int
    forward: int
    backward: int
    both: int
    none: int
    undecided: int
    low: float
    high: float
    p_dependence: float
    unexplained_spread: float
    leave_one_out: float
    sign_without_one: float
    split_half: float
    usable: float
    usable_decision: str


@dataclass(frozen=True)
class EdgeRow:
    """Hold the edge of one pair, from cause to effect if one direction is decided.

    ``decision`` is "directed", "both" or the outcome (`causal_ivae.outcomes.outcomes_of`) of a pair
    without an arrow, ``decided`` is true if there is an arrow, ``score`` is positive if it favours
    `first` as the cause, ``judged`` has verdict and path of every arrow that was compared with the
    prior, ``adjacent`` is the probability of a direct connection, ``leaning`` names the likelier
    direction given an arrow and ``given_arrow`` its probability, ``why`` says in words why there is
    no arrow, ``index`` is the row in the table, ``pair`` is the same for this pair by every method,
    and ``reason`` says why no direction can be asked of the pair, if so.  ``screened`` is
    true if the screen alone gave the pair no edge; ``quality`` is the verdict on its fit, or empty.
    """

    index: int
    pair: str
    first: str
    second: str
    decision: str
    decided: bool
    score: float
    p_value: float
    q_value: float
    interval_level: float
    confidence: float
    adjacent: float
    leaning: str
    given_arrow: float
    why: str
    judged: tuple[tuple[str, str], ...]
    counts: SubjectCounts | None
    reason: str
    screened: bool
    quality: str

    @property
    def clear(self) -> bool:
        """Return whether one direction is so much likelier that it is named."""
        return bool(self.given_arrow >= LEAST_LEANING)


@dataclass(frozen=True)
class RestartRow:
    """Hold the p-values of one pair and restart, for x ~ n1, x ~ n2, y ~ n1 and y ~ n2."""

    restart: int
    p_values: tuple[float, float, float, float]
    vote: str
    score: float


@dataclass(frozen=True)
class PairTests:
    """Hold all tests of one pair; the test of dependence is NaN if it was not stored."""

    x: str
    y: str
    statistic: float
    null_mean: float
    p_dependence: float
    restarts: tuple[RestartRow, ...]


@dataclass(frozen=True)
class EvidenceRow:
    """Hold the probabilities of one pair and the evidence behind them.

    Attributes
    ----------
    forward, backward, none, unknown : float
        Probabilities of x -> y, y -> x, no edge and anything else.
    likelier : str
        The likelier direction, "x->y" or "y->x"; empty if neither has a probability.
    given_arrow : float
        Probability of that direction if one of both is true.
    """

    x: str
    y: str
    forward: float
    backward: float
    none: float
    unknown: float
    likelier: str
    given_arrow: float
    mechanism: str
    gain: float
    statistic: float
    residual_forward: float
    residual_backward: float


@dataclass(frozen=True)
class StabilityRow:
    """Hold how often resamples lead to each decision on one pair.

    Attributes
    ----------
    same : float or None
        Share of resamples with the same decision; None for an undecided pair if resamples cannot
        be undecided.
    shares : tuple of float
        Shares of resamples with x -> y, y -> x, none and undecided.
    restarts : tuple of float
        Shares of restarts whose score favours x -> y, and y -> x.
    """

    x: str
    y: str
    decision: str
    same: float | None
    shares: tuple[float, ...]
    restarts: tuple[float, float]


def edge_rows(method: CausalGraph) -> list[EdgeRow]:
    """Return one row per pair, first decided edges, and each kind by confidence."""
    judged = method.verdicts
    arrows: dict[int, list[tuple[str, str]]] = {}
    for cause, effect, row, _ in arrows_of(method.edges.reset_index(drop=True)).itertuples(
        index=False
    ):
        arrows.setdefault(row, []).append((cause, effect))
    outcomes = outcomes_of(method.edges)
    rows = []
    left_out = untested(method)
    for index, edge in enumerate(method.edges.to_dict("records")):
        ends = arrows.get(index, [])
        turned = ends == [(edge["y"], edge["x"])]
        first, second = ends[0] if ends else (edge["x"], edge["y"])
        found = [judged[arrow] for arrow in ends if arrow in judged]
        rows.append(
            EdgeRow(
                index=index,
                pair=pair_key(method.names, edge["x"], edge["y"]),
                first=first,
                second=second,
                decision="directed" if len(ends) == 1 else str(outcomes[index]),
                decided=bool(ends),
                score=-edge["score"] if turned else edge["score"],
                p_value=edge["p_value"],
                q_value=edge["q_value"],
                interval_level=edge.get("interval_level", np.nan),
                confidence=edge["confidence"],
                adjacent=edge.get("probability_adjacent", np.nan),
                leaning=leaning_words(edge),
                given_arrow=edge.get("probability_leaning", np.nan),
                why=WHY.get(edge.get("why") or "", ""),
                judged=tuple((verdict, path.replace(" > ", " → ")) for verdict, path in found),
                counts=_counts(edge, turned),
                reason=edge.get("reason") or "",
                screened=left_out.iloc[index] == SCREENED,
                quality=edge.get("quality") or "",
            )
        )
    order = {"directed": 0, "both": 0, CONNECTED: 1, "undecided": 2, "none": 3}
    rows.sort(key=lambda row: (order[row.decision], _last(-row.confidence)))
    return rows


def pair_key(names: Sequence[str], x: str, y: str) -> str:
    """Return what stands for a pair of regions on a page, whichever of the two comes first."""
    return "-".join(str(place) for place in sorted((names.index(x), names.index(y))))


def leaning_words(edge: Mapping[Any, Any]) -> str:
    """Return the likelier direction of a pair, given an arrow, with the names of its regions."""
    ends = {"x->y": ("x", "y"), "y->x": ("y", "x")}.get(edge.get("leaning") or "")
    return f" {_ARROW} ".join(str(edge[end]) for end in ends) if ends else ""


def untested(method: CausalGraph) -> "pd.Series[str]":
    """Return for every row of the edges why the pair was not tested; empty if it was."""
    edges = method.edges
    why = pd.Series("", index=edges.index)
    if method.screen is not None:
        dropped = _pairs(method.screen[method.screen["kept"] == 0])
        why[_pairs(edges).isin(dropped)] = SCREENED
    if "reason" in edges:
        why[edges["reason"].fillna("") != ""] = IMPOSSIBLE
    return why


def surest(edges: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return a number of rows of an edge table, by direction and then by confidence."""
    sure = edges["confidence"].fillna(0.0).to_numpy()
    order = np.lexsort((-sure, ~is_decided(edges)))
    return edges.iloc[order[:most]]


def detailed(method: CausalGraph) -> tuple[CausalGraph, int]:
    """Return a method with all edges but with details of the `surest` unmixed pairs only.

    Returns
    -------
    method : CausalGraph
        The same object if there are few pairs.
    left_out : int
        Number of unmixed pairs without details.
    """
    if len(method.edges) <= MOST_DETAILED:
        return method, 0
    edges = method.edges.set_index(["x", "y"])
    unmixed = edges if method.diagnostics is None else edges.loc[_pairs(method.diagnostics)]
    listed = surest(unmixed, MOST_DETAILED).index
    tables = dict(method.tables)
    for name in {kind.name for kind in _DETAILS} & tables.keys():
        tables[name] = tables[name][_pairs(tables[name]).isin(listed)]
    return replace(method, tables=tables), len(unmixed) - len(listed)


def _pairs(table: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(table[["x", "y"]])


def pair_tests(method: CausalGraph) -> list[PairTests]:
    """Return the tests of every pair, in the order of the edges; empty without a test table."""
    if method.tests is None:
        return []
    tests = method.tests
    four: dict[tuple[str, str, int], dict[tuple[str, str], float]] = {}
    dependence: dict[tuple[str, str], tuple[float, float, float]] = {}
    for test in tests.to_dict("records"):
        x, y = test["x"], test["y"]
        if pd.isna(test["restart"]):
            dependence[x, y] = (test["statistic"], test["null_mean"], test["p_value"])
            continue
        role = "x" if test["first"] == x else "y"
        cell = four.setdefault((x, y, int(test["restart"])), {})
        cell[role, test["second"]] = test["p_value"]
    votes: dict[tuple[str, str, int], tuple[str, float]] = {}
    if method.restarts is not None:
        for row in method.restarts.to_dict("records"):
            vote = "diverged" if row.get("diverged") else row["vote"]
            votes[row["x"], row["y"], int(row["restart"])] = (vote, row["score"])
    by_pair: dict[tuple[str, str], list[RestartRow]] = {}
    roles = (("x", "n1"), ("x", "n2"), ("y", "n1"), ("y", "n2"))
    for (x, y, restart), cell in sorted(four.items(), key=lambda item: item[0][2]):
        a, b, c, d = (cell.get(role, np.nan) for role in roles)
        vote, score = votes.get((x, y, restart), ("", np.nan))
        by_pair.setdefault((x, y), []).append(RestartRow(restart, (a, b, c, d), vote, score))
    missing = (np.nan, np.nan, np.nan)
    pairs = dict.fromkeys(zip(tests["x"], tests["y"], strict=True))
    return [
        PairTests(x, y, *dependence.get((x, y), missing), tuple(by_pair.get((x, y), ())))
        for x, y in pairs
    ]


def evidence_rows(method: CausalGraph) -> list[EvidenceRow]:
    """Return the evidence for either direction of every pair; empty for methods without it."""
    if method.evidence is None:
        return []
    edges = method.edges.set_index(["x", "y"])
    rows = []
    for row in method.evidence.to_dict("records"):
        edge = edges.loc[(row["x"], row["y"])]
        forward, backward = edge["probability_forward"], edge["probability_backward"]
        either = forward + backward
        likelier = ("x->y" if forward >= backward else "y->x") if either > 0 else ""
        rows.append(
            EvidenceRow(
                x=row["x"],
                y=row["y"],
                forward=forward,
                backward=backward,
                likelier=likelier,
                given_arrow=max(forward, backward) / either if likelier else np.nan,
                none=edge["probability_none"],
                unknown=edge["probability_unknown"],
                mechanism=row["mechanism"],
                gain=row["gain"],
                statistic=row["statistic"],
                residual_forward=row["residual_forward"],
                residual_backward=row["residual_backward"],
            )
        )
    return rows


def stability_rows(method: CausalGraph) -> list[StabilityRow]:
    """Return how stable the decision on every pair is; empty if it was not stored."""
    if method.stability is None:
        return []
    decisions = method.edges.set_index(["x", "y"])["decision"]
    place = ("x->y", "y->x", "none", "undecided")
    how = METHODS.get(method.estimator)
    can_be_undecided = how is not None and how.resamples_can_be_undecided
    rows = []
    for row in method.stability.to_dict("records"):
        decision = str(decisions.loc[(row["x"], row["y"])])
        kinds = ("forward", "backward", "none", "undecided")
        shares = tuple(float(row[f"resamples_{kind}"]) for kind in kinds)
        unheard_of = decision == "undecided" and not can_be_undecided
        same = None if unheard_of or decision not in place else shares[place.index(decision)]
        restarts = (float(row["restarts_forward"]), float(row["restarts_backward"]))
        rows.append(StabilityRow(row["x"], row["y"], decision, same, shares, restarts))
    return rows


def _counts(edge: Mapping[Any, Any], turned: bool) -> SubjectCounts | None:
    if "n_subjects" not in edge:
        return None
    n, forward, backward, both, none, undecided = (int(edge.get(name, 0)) for name in _COUNTS)
    if turned:
        forward, backward = backward, forward
    return SubjectCounts(
        n, forward, backward, both, none, undecided,
        edge["share_low"], edge["share_high"], edge["p_dependence"],
        edge.get("unexplained_spread", np.nan), edge["leave_one_out"],
        edge.get("sign_without_one", np.nan), edge["split_half"],
        edge.get("n_usable", np.nan), _usable_decision(edge, turned),
    )  # fmt: skip


def _usable_decision(edge: Mapping[Any, Any], turned: bool) -> str:
    """Return the decision of the usable subjects for the direction in which a row is shown."""
    said = edge.get("usable_decision") or ""
    first, second = ("y", "x") if turned else ("x", "y")
    words = {
        f"{first}->{second}": f"{edge[first]} {_ARROW} {edge[second]}",
        f"{second}->{first}": f"{edge[second]} {_ARROW} {edge[first]}",
    }
    return words.get(said, said)


def _last(value: float) -> float:
    return np.inf if np.isnan(value) else value
