"""Define what methods share that judge one pair of regions at a time, many pairs in a stack."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from causal_ivae.discovery.methods.base import Method
from causal_ivae.discovery.problem import Found, Problem
from causal_ivae.discovery.workload import Workload
from causal_ivae.seeding import child_seed
from causal_ivae.settings import PassesSettings, TrainingSettings, UnmixingSettings

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from causal_ivae.discovery.chunks import Chunks
    from causal_ivae.discovery.estimation import Estimate, Subject
    from causal_ivae.discovery.screen import Screen
    from causal_ivae.independence.hsic import IndependenceTable
    from causal_ivae.unmixing.training.fit_size import FitSize

S = TypeVar("S", bound=TrainingSettings)

GUARD = frozenset({"guard", "decoy_share"})
"""These settings of the decision say what arrows demand beside twins."""
WORDS = {
    "gaussian": "Gaussian",
    "laplace": "Laplace",
    "variance": "scale",
    "mean_variance": "location and scale",
    "leaky_relu": "leaky ReLU",
    "xtanh": "tanh-plus-linear (xtanh)",
}
"""A methods paragraph uses these words for values of settings."""


class PairMethod(Method[S]):
    """Unmix the disturbances of every pair, test them, and decide on each pair by itself."""

    sections = frozenset({"screen", "independence"})

    @abstractmethod
    def size(self, settings: S) -> FitSize:
        """Return the memory and the cache that one fit needs."""

    @abstractmethod
    def estimate(self, subject: Subject, chunks: Chunks, dependence: IndependenceTable) -> Estimate:
        """Orient pairs of regions.

        Parameters
        ----------
        subject : Subject
        chunks : Chunks
            The pairs, as positions of their two regions.
        dependence : IndependenceTable, shape (pairs, 1, 1)
            Tests of the two regions of every pair.

        Raises
        ------
        FitError
            If every fit of a pair diverged.
        """

    def discover(self, problem: Problem) -> Found:
        """Test and screen all pairs, unmix those that are kept, and decide on every pair.

        With ``unmixing.pair_twins`` arrows are set against those of twins of the series.
        """
        if not problem.unmixing.pair_twins:
            return self._judged(problem)
        from causal_ivae.discovery.pair_twins import beside_twins

        return beside_twins(problem, self._judged)

    def _judged(self, problem: Problem) -> Found:
        """Decide on every pair by itself."""
        import torch

        from causal_ivae.discovery import graph_tables
        from causal_ivae.discovery.chunks import Chunks
        from causal_ivae.discovery.estimation import Subject
        from causal_ivae.discovery.same_series import (
            reasons_undecided,
            tables_without_fits,
            undecided_edges,
        )
        from causal_ivae.discovery.screen import screen_pairs
        from causal_ivae.discovery.skeleton import skeleton_of
        from causal_ivae.independence.blocks import make_blocks
        from causal_ivae.independence.hsic import hsic_table
        from causal_ivae.unmixing.standard_form import in_standard_order

        x, pairs, names = problem.values, problem.pairs, problem.names
        reasons = reasons_undecided(x, pairs, names)
        if (reasons != "").all():
            return Found(tables_without_fits(undecided_edges(names, pairs, reasons)))
        unmixing, independence = problem.unmixing, problem.independence
        blocks_of_tests = make_blocks(problem.blocks, problem.device)
        tested_rows = torch.cat([rows[:, 0] for rows in blocks_of_tests.rows])
        seed = child_seed(problem.seed, problem.key)
        test = partial(
            hsic_table,
            blocks=blocks_of_tests,
            null=independence.null,
            draws=independence.draws,
            seed=seed,
            memory_gib=unmixing.memory_gib,
        )
        series = torch.as_tensor(x, device=problem.device).T[..., None]
        ordered = in_standard_order(x, pairs)
        dependence = test(series[ordered[:, :1]], series[ordered[:, 1:]])
        screened = screen_pairs(
            x,
            problem.blocks,
            pairs,
            problem.screen,
            lambda: dependence,
            lambda: skeleton_of(
                x,
                problem.blocks,
                problem.screen,
                independence,
                seed=seed,
                device=problem.device,
                memory_gib=unmixing.memory_gib,
            ),
        )
        connected = screened.connected(problem.screen.alpha)
        screened = replace(screened, kept=_some(screened, reasons == ""))
        kept = pairs[screened.kept]
        subject = Subject(
            **vars(problem),
            series=series,
            test=test,
            tested_blocks=problem.blocks[tested_rows.numpy(force=True)],
            connected=connected,
        )
        chunks = Chunks(
            kept,
            self.pairs_at_once(unmixing, len(x), problem.device),
            self.size(self.own(unmixing)).stacks_at_once(
                len(x), unmixing.memory_gib, problem.device
            ),
            problem.progress,
        )
        found = self.estimate(subject, chunks, dependence.of(screened.kept))
        diagnostics = graph_tables.diagnostics_table(names, kept, found.diagnostics)
        edges = graph_tables.edges_table(names, pairs, found.orientation, screened, reasons)
        made = {
            "edges": graph_tables.with_quality(edges, diagnostics),
            "tests": graph_tables.tests_table(
                names, pairs, dependence, kept, found.tests, found.usable
            ),
            "restarts": graph_tables.restarts_table(names, kept, found.orientation, found.fit),
            "training": graph_tables.training_table(names, kept, found.fit),
            "diagnostics": diagnostics,
            "screen": graph_tables.screen_table(names, pairs, screened),
            "evidence": graph_tables.evidence_table(names, kept, found.evidence),
            "stability": graph_tables.stability_table(names, kept, found.orientation),
        }
        return Found(
            {name: table for name, table in made.items() if table is not None}, found.disturbances
        )

    def fits_per_pair(self, unmixing: UnmixingSettings) -> int:
        """Return the number of fits of a pair."""
        return len(self.fit_names) or unmixing.restarts

    def pairs_at_once(self, unmixing: UnmixingSettings, n_times: int, device: torch.device) -> int:
        """Return the number of pairs whose fits make one stack and are then tested."""
        size = self.size(self.own(unmixing))
        members = size.members_at_once(n_times, unmixing.memory_gib, device)
        return max(1, members // self.fits_per_pair(unmixing))

    def decision_of_twins(self, unmixing: UnmixingSettings) -> frozenset[str]:
        """Return the settings of the guard, if twins are asked for."""
        return GUARD if unmixing.pair_twins else frozenset()

    def steps(self, unmixing: UnmixingSettings, n_pairs: int) -> int:
        """Return the number of training steps of all fits."""
        fits = n_pairs * self.fits_per_pair(unmixing) * (1 + unmixing.pair_twins)
        return fits * self.own(unmixing).steps

    def workload(self, problem: Problem) -> Workload:
        """Rehearse one stack for a few steps and forecast the work for the whole graph."""
        from causal_ivae.discovery.rehearsal import rehearse

        return rehearse(self, problem)

    def shared_settings(self) -> tuple[str, ...]:
        """Return the number of twins and, unless the fits of a pair have names, of restarts."""
        return ("pair_twins",) if self.fit_names else ("pair_twins", "restarts")


def _some(screened: Screen, possible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pairs that the screen keeps and that have a direction to ask for, at least one."""
    kept = screened.kept & possible
    if not kept.any():
        p_value = np.where(possible, np.nan_to_num(screened.p_value, nan=1.0), np.inf)
        kept[int(p_value.argmin())] = True
    return kept


def steps_in_words(settings: TrainingSettings) -> str:
    """Describe the length of a training for a methods paragraph."""
    steps = f"{settings.steps:,} steps"
    if isinstance(settings, PassesSettings) and settings.passes:
        steps += f", or {settings.passes:g} passes over the volumes where these are more"
    if not settings.patience:
        return steps
    return f"up to {steps}, fewer where {settings.patience:.0%} of them brought no gain"
