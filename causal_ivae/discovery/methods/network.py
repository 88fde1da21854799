"""Define the network method, which judges all regions at once and sets claims against twins."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from causal_ivae.derivatives.network_tables import POWER
from causal_ivae.derivatives.tables import EDGES
from causal_ivae.discovery.methods.base import Method
from causal_ivae.discovery.methods.network_inputs import discover_with_inputs
from causal_ivae.discovery.methods.pair_method import GUARD
from causal_ivae.discovery.methods.structural import StructuralMethod
from causal_ivae.discovery.network.decoys import decoy_q_values, is_settled, least_drawn
from causal_ivae.discovery.network.linearity import MOST_GAIN, nonlinear_gain
from causal_ivae.discovery.network.result_tables import evidence_table, twins_table
from causal_ivae.discovery.problem import Found, Problem
from causal_ivae.discovery.same_series import first_copies, reasons_of_copies
from causal_ivae.discovery.workload import NetworkWorkload, Workload
from causal_ivae.drawing.wording import count
from causal_ivae.errors import InputError
from causal_ivae.outcomes import LEAST_ADJACENT, arrow_columns, leaning_columns
from causal_ivae.seeding import child_seed, generator
from causal_ivae.settings import DecisionSettings, NetworkSettings, UnmixingSettings

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from causal_ivae.discovery.network.judgement import NetworkJudgement
    from causal_ivae.discovery.network.power import Power

_FEWEST_REGIONS = 3
_VOLUMES_PER_REGION = 2
_STEPS_PER_PAIR = 25
"""A pair of a network is judged in about the time of this many steps of a fit."""
_FEWEST_TWINS = 6
"""There are at least this many twins, and more only if they may change what is drawn."""


@dataclass(frozen=True)
class _Claims:
    """Hold the judgement of the data beside those of its twins.

    Attributes
    ----------
    decoys : ndarray, shape (n_twins, 2 * n_pairs), float64
        Probabilities of all arrows of every twin.
    least : float
        Probability from which arrows are drawn; infinite if none are.
    least_beside_twins : float
        Probability from which arrows would be drawn if planted arrows were not looked at.
    """

    judgement: NetworkJudgement
    decoys: NDArray[np.float64]
    least: float
    least_beside_twins: float


class NetworkMethod(Method[NetworkSettings]):
    """Judge all pairs together, by equations with feedback that hold for all regions."""

    name = "network"
    title = "Network"
    settings = NetworkSettings
    pools = True
    cyclic = True
    takes_inputs = True
    # What the method hands over to structural flows depends on all that these depend on.
    decision = StructuralMethod.decision | GUARD
    sections = StructuralMethod.sections | {"power"}

    def discover(self, problem: Problem) -> Found:
        """Judge the network, or hand over to structural flows where it cannot be judged so.

        Two regions are no network, and where nonlinear terms predict much better than linear
        equations, linear evidence is confidently wrong.
        """
        if problem.exogenous:
            return discover_with_inputs(problem, self.discover)
        first = first_copies(problem.values)
        distinct = np.flatnonzero(first == np.arange(len(first)))
        values = problem.values[:, distinct]
        if len(distinct) < _FEWEST_REGIONS:
            return _by_structural_flows(problem, {})
        if len(values) < _VOLUMES_PER_REGION * len(distinct):
            raise InputError(
                f"{len(values)} volumes are too few for a network of {len(distinct)} regions; the "
                f"method 'network' needs {_VOLUMES_PER_REGION * len(distinct)}. Choose fewer "
                "regions ('regions') or another method ('unmixing.methods')."
            )
        gain = nonlinear_gain(values, problem.segments)
        about: dict[str, Any] = {"NonlinearGain": gain, "MostNonlinearGain": MOST_GAIN}
        if gain > MOST_GAIN:
            return _by_structural_flows(problem, about)
        claims = self._claims(problem, values, distinct)
        power = _power(problem, values, claims)
        withheld = power is not None and power.misleads and np.isfinite(claims.least)
        if withheld:
            claims = replace(claims, least=np.inf)
        judgement = claims.judgement
        about |= {
            "ScaledBySegment": judgement.scaled_by_segment,
            "Twins": len(claims.decoys),
            "Claims": int((judgement.directed >= problem.decision.confidence).sum()),
            "ClaimsPerTwin": (
                float((claims.decoys >= problem.decision.confidence).sum() / len(claims.decoys))
                if len(claims.decoys)
                else None
            ),
            "LeastProbabilityDrawn": claims.least if np.isfinite(claims.least) else None,
        }
        rows = _rows_of(problem.pairs, distinct, judgement.pairs)
        if power is not None:
            drawn = bool((judgement.directed >= claims.least).any())
            about["WithheldByPlantedArrows"] = bool(withheld)
            about["Power"] = power.about(values, problem.segments, problem.tr, drawn=drawn)
        slope = None if power is None else power.slope
        return Found(
            {
                "edges": _edges(problem, claims, rows, first, slope),
                **({} if power is None else {POWER.name: power.frame()}),
                "network": evidence_table(problem, judgement, rows),
                "twins": twins_table(judgement.directed, claims.decoys),
            },
            about=about,
        )

    def shared_settings(self) -> tuple[str, ...]:
        """Return the name of the block of the method that it may hand over to."""
        return (StructuralMethod.name, "pair_twins")

    def steps(self, unmixing: UnmixingSettings, n_pairs: int) -> int:
        """Return how many training steps would take as long as judging the data and the twins."""
        return _STEPS_PER_PAIR * n_pairs * (1 + self.own(unmixing).twins)

    def workload(self, problem: Problem) -> Workload | None:
        """Judge a network of the shape of the data once, and forecast the work for all of them."""
        from causal_ivae.discovery.network.judgement import judge_scaled
        from causal_ivae.discovery.network.power import networks_with_arrows

        (rows, d), power = problem.values.shape, problem.power
        if d < _FEWEST_REGIONS or nonlinear_gain(problem.values, problem.segments) > MOST_GAIN:
            return StructuralMethod().workload(problem)
        began = time.perf_counter()
        found = judge_scaled(problem.values, problem.segments, problem.blocks, growing=False)
        seconds = time.perf_counter() - began
        networks = 1 + self.own(problem.unmixing).twins
        networks += 0 if power is None else networks_with_arrows(power, d)
        coefficients = 2 * int(found.kept.sum())
        # Second derivatives with their eigenvectors, graphs with every arrow, and the series.
        size = 48 * coefficients**2 + 4 * coefficients * d**2 + 96 * rows * d
        return NetworkWorkload(self.name, size / 2**30, seconds * networks, "cpu", d, networks)

    def calibration(self) -> dict[str, Any]:
        """Return how reliable the probabilities are on simulated networks."""
        from causal_ivae.discovery.network.weights import read_weights

        tree = read_weights()
        found = tree["Reliability"]
        return {
            "Bins": found["Bins"],
            "ExpectedCalibrationError": found["ExpectedCalibrationError"],
            "Designs": tree["Networks"],
            "What": "networks of BOLD series: hubs, colliders, chains, rings and two-cycles, with "
            "common causes that are not measured, haemodynamic delays and noise",
        }

    def fit_sentences(
        self,
        unmixing: UnmixingSettings,
        n_pairs: int,
        *,
        alone: bool,  # noqa: ARG002
    ) -> list[str]:
        """Describe the evidence and the twins."""
        twins = self.own(unmixing).twins
        against = (
            f" Claims were set against those of up to {count(twins, 'twin')} of the data, series "
            "with the same covariance, spectra and regional delays but without any arrow: a factor "
            "model whose factors and specific parts were each moved in time by themselves. There "
            "were fewer if more could not change what was drawn."
            if twins
            else ""
        )
        return [
            f"All regions were judged together ({count(n_pairs, 'pair')}). The probability that a "
            "pair is directly connected came from the sizes of partial correlations. Directions "
            "came from linear equations with feedback between all connected regions "
            "[@hyvarinen2013], x = Bx + n, by a non-Gaussian likelihood with a scale of every "
            "disturbance for every segment, fitted to the series and to their innovations; from "
            "the best acyclic graph [@silander2006], with scales that may grow with the causes; "
            "and from pairwise likelihood ratios [@hyvarinen2013]. A multinomial logistic model "
            "that was calibrated on simulated BOLD networks turned this evidence into "
            "probabilities. Where nonlinear terms predicted held-out volumes better by more than "
            f"{MOST_GAIN:g} nats per volume and region, structural flows decided instead.{against}"
        ]

    def decision_sentences(self, decision: DecisionSettings, whose: str) -> list[str]:
        """Describe what an arrow required."""
        return [
            f"An arrow{whose} needed a probability of {decision.confidence:g}; confidence is the "
            "probability of what was decided."
        ]

    def _claims(
        self, problem: Problem, values: NDArray[np.float32], distinct: NDArray[np.int64]
    ) -> _Claims:
        """Judge the data and their twins, and find the probability from which arrows are drawn."""
        from causal_ivae.discovery.network.judgement import judge_scaled
        from causal_ivae.discovery.network.scaling import scaled
        from causal_ivae.discovery.network.twins import Twins

        decision, twins = problem.decision, self.own(problem.unmixing).twins
        seed = child_seed(problem.seed, problem.key, self.name)
        series, by_segment = scaled(values, problem.segments, seed)
        possible, done = _possible(problem, distinct), 0

        def judged(values: NDArray[np.floating], *, growing: bool) -> NetworkJudgement:
            nonlocal done
            found = judge_scaled(
                values,
                problem.segments,
                problem.blocks,
                possible=possible,
                seed=seed,
                growing=growing,
            )
            done += 1
            if problem.progress is not None:
                problem.progress("judging", done / (1 + twins))
            return found

        judgement = replace(judged(series, growing=True), scaled_by_segment=by_segment)
        claims = judgement.directed.ravel()
        decoys = np.empty((0, len(claims)))
        maker = Twins(series, problem.segments, problem.blocks) if twins else None
        while maker is not None and len(decoys) < twins:
            twin = maker.draw(generator(seed, "twin", len(decoys)))
            # Twins need the full form of the evidence only where the data do.
            found = judged(twin, growing=judgement.scales_pay)
            decoys = np.vstack([decoys, found.directed.ravel()])
            if len(decoys) >= _FEWEST_TWINS and is_settled(
                claims, decoys, decision, twins, decision.confidence
            ):
                break
        least = least_drawn(claims, decoys, decision, decision.confidence)
        return _Claims(judgement, decoys, least, least_beside_twins=least)


def _power(problem: Problem, values: NDArray[np.float32], claims: _Claims) -> Power | None:
    """Estimate the power; None if it is not asked for or only some pairs can have an arrow."""
    settings, n_pairs = problem.power, len(claims.judgement.pairs)
    if settings is None or not settings.plants or len(problem.pairs) < n_pairs:
        return None
    from causal_ivae.discovery.network.judgement import judge_scaled
    from causal_ivae.discovery.network.power import estimate_power
    from causal_ivae.discovery.network.scaling import scaled
    from causal_ivae.discovery.network.twins import Twins

    seed = child_seed(problem.seed, problem.key, NetworkMethod.name)
    growing = claims.judgement.scales_pay

    def judged(series: NDArray[np.float64]) -> NetworkJudgement:
        return judge_scaled(series, problem.segments, problem.blocks, seed=seed, growing=growing)

    series, _ = scaled(values, problem.segments, seed)
    # Fewer twins were drawn if no more could change what is drawn of the data; those that were
    # stand for the others, since planted arrows are to be set against as many as the data's are.
    twins = NetworkMethod().own(problem.unmixing).twins
    decoys = np.resize(claims.decoys, (twins, claims.decoys.shape[1]))
    return estimate_power(
        Twins(series, problem.segments, problem.blocks),
        problem.segments,
        problem.blocks,
        judged,
        lambda own, decoys: least_drawn(own, decoys, problem.decision, problem.decision.confidence),
        decoys,
        tr=problem.tr,
        settings=settings,
        seed=seed,
        progress=problem.progress,
    )


def _by_structural_flows(problem: Problem, about: dict[str, Any]) -> Found:
    """Let structural flows decide on every pair."""
    structural = StructuralMethod()
    found = structural.discover(problem)
    return replace(found, made_by=structural.name, about={**found.about, **about})


def _possible(problem: Problem, distinct: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Return which pairs of distinct regions a given skeleton holds; None if it holds all pairs."""
    n = len(problem.names)
    if len(problem.pairs) == n * (n - 1) // 2:
        return None
    given = np.zeros((n, n), dtype=bool)
    given[tuple(problem.pairs.T)] = True
    inside = given[np.ix_(distinct, distinct)]
    return np.asarray((inside | inside.T)[np.triu_indices(len(distinct), 1)])


def _rows_of(
    pairs: NDArray[np.int64], distinct: NDArray[np.int64], judged: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the row of every pair in a judgement; -1 for pairs with a copy of another region."""
    n = int(pairs.max()) + 1
    row = np.full((n, n), -1)
    first, second = distinct[judged].T
    inside = (first < n) & (second < n)
    row[first[inside], second[inside]] = np.flatnonzero(inside)
    return np.asarray(row[tuple(pairs.T)])


def _edges(
    problem: Problem,
    claims: _Claims,
    rows: NDArray[np.int64],
    first: NDArray[np.int64],
    slope: float | None,
) -> pd.DataFrame:
    """Return the table of edges."""
    judgement, confidence = claims.judgement, problem.decision.confidence
    judged = rows >= 0
    arrows = np.where(judged[:, None], judgement.arrows[rows], np.nan)
    directed, adjacent = arrows[:, 1:3] + arrows[:, 3:], judgement.adjacent[rows]
    none = arrows[:, 0]
    drawn = directed >= claims.least
    chosen = [drawn.all(axis=1), drawn[:, 0], drawn[:, 1], none >= confidence]
    decision = np.select(chosen, ["both", "x->y", "y->x", "none"], "undecided").astype(object)
    sure = np.select(
        chosen, [directed.min(axis=1), directed[:, 0], directed[:, 1], none], directed.max(axis=1)
    )
    q_value = decoy_q_values(judgement.directed.ravel(), claims.decoys, confidence)
    forth, back = q_value.reshape(-1, 2)[rows].T
    of_pair = np.where(decision == "both", np.fmax(forth, back), np.fmin(forth, back))
    why = np.select(
        [
            ~judged,
            decision == "none",
            decision != "undecided",
            directed.max(axis=1) >= claims.least_beside_twins,
            directed.max(axis=1) >= confidence,
            adjacent >= LEAST_ADJACENT,
        ],
        ["same", "independent", "", "planted", "twins", "direction"],
        "data",
    ).astype(object)
    x, y = np.array(problem.names, dtype=object)[problem.pairs.T]
    reason = np.full(len(rows), "", dtype=object)
    reason[~judged] = reasons_of_copies(
        problem.values, problem.pairs[~judged], problem.names, first
    )
    return EDGES.frame(
        {
            "x": x,
            "y": y,
            "decision": decision,
            **arrow_columns(decision, x, y),
            "score": directed[:, 0] - directed[:, 1],
            "q_value": np.where(judged, of_pair, np.nan),
            "confidence": sure,
            "probability_unknown": np.where(judged, 0.0, np.nan),
            "probability_forward": arrows[:, 1],
            "probability_backward": arrows[:, 2],
            "probability_none": none,
            "probability_both": arrows[:, 3],
            "probability_adjacent": np.where(judged, adjacent, np.nan),
            **leaning_columns(judgement.leaning(slope)[rows] * np.where(judged, 1.0, np.nan)),
            "why": why,
            **({} if judged.all() else {"reason": reason}),
        }
    )
