"""Define what methods share that fit a model from several random starts and test its results."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from causal_ivae.discovery.methods.pair_method import PairMethod
from causal_ivae.seeding import child_seed
from causal_ivae.settings import DecisionSettings, TrainingSettings

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from causal_ivae.discovery.chunks import Chunk, Chunks
    from causal_ivae.discovery.estimation import Estimate, Subject
    from causal_ivae.independence.hsic import IndependenceTable
    from causal_ivae.unmixing.diagnostics import Diagnostics
    from causal_ivae.unmixing.models.stacked import Auxiliary, StackedModel
    from causal_ivae.unmixing.training.stacks import Fit

S = TypeVar("S", bound=TrainingSettings)


@dataclass(frozen=True)
class _Unmixed:
    """Hold the results of some pairs, as in `Estimate`."""

    fit: Fit
    tests: IndependenceTable
    diagnostics: list[Diagnostics]
    shown: NDArray[np.float32]


class RestartedMethod(PairMethod[S]):
    """Fit a model from several random starts and average the direction score over them.

    A subclass gives its name, its settings and a description of the model in words.  It overrides
    `build` if `causal_ivae.unmixing.training.ensemble.make_model` does not know its settings.
    """

    decision = frozenset({"alpha", "rule", "resamples", "acyclic"})
    has_p_values = False

    def statistics_per_disturbance(self, settings: S) -> int:  # noqa: ARG002
        """Return how many statistics of a disturbance change with the segment, k of theorem 1."""
        return 1

    def build(
        self, seeds: list[int], *, auxiliary: Auxiliary, settings: S, device: torch.device
    ) -> StackedModel:
        """Build a stack of models of two columns, with one member for each seed."""
        from causal_ivae.unmixing.training.ensemble import make_model

        return make_model(
            seeds, n_features=2, auxiliary=auxiliary, settings=settings, device=device
        )

    def estimate(self, subject: Subject, chunks: Chunks, dependence: IndependenceTable) -> Estimate:
        """Fit and test every restart, and orient pairs by all of them together."""
        from causal_ivae.discovery.estimation import Estimate
        from causal_ivae.discovery.orientation import orient
        from causal_ivae.independence.hsic import IndependenceTable
        from causal_ivae.unmixing.training.stacks import Fit

        parts = chunks.map(partial(self._unmix, subject))
        fit = Fit.joined([part.fit for part in parts])
        table = IndependenceTable.joined([part.tests for part in parts])
        usable = np.isfinite(fit.objective).reshape(len(dependence.statistic), -1)
        diagnostics = [one for part in parts for one in part.diagnostics]
        identified = np.array([not (one.obstacles or one.unshown) for one in diagnostics])
        seed = child_seed(subject.seed, subject.key, self.name)
        return Estimate(
            fit,
            table,
            usable,
            orient(dependence, table, usable, identified, subject.decision, seed),
            diagnostics,
            np.concatenate([part.shown for part in parts]),
        )

    def decision_sentences(self, decision: DecisionSettings, whose: str) -> list[str]:
        """Describe the rule or the score, and the meaning of confidence."""
        from causal_ivae.discovery.orientation import RESAMPLES

        if decision.rule == "paper":
            rule = (
                f"Each restart{whose} voted by the rule of non-linear causal discovery "
                "[@monti2019]: a region is the cause if, of the four tests at level "
                f"{decision.alpha:g}/4, its independence of the other region's disturbance is the "
                "only one not rejected; the majority of the restarts decided."
            )
        else:
            rule = (
                f"A direction{whose} needed two regions that were dependent at level "
                f"{decision.alpha:g}, and a direction score with an interval level of at least "
                f"{1 - decision.alpha:g}: the mass of the t distribution within plus and minus its "
                "t value, whose standard error comes from resampling segments and restarts. Since "
                "nothing is fitted again for that, the level is no p-value, and no error rate is "
                "claimed. The score follows the "
                "test pattern of non-linear causal discovery [@monti2019]: it says how much more "
                "independent one region than the other is of the disturbance that it depends on "
                "least. Pairs that were not dependent were given no edge, all others were left "
                "undecided."
            )
        rule += (
            " No direction was taken from fits whose segments did not show the modulation that "
            "identifies the disturbances."
        )
        sure = (
            "of the restarts"
            if decision.rule == "paper"
            else f"of {decision.resamples or RESAMPLES:,} resamples of segments and restarts"
        )
        return [
            rule,
            f"The stability of a decision{whose} is the share {sure} with the same outcome.",
        ]

    def _unmix(self, subject: Subject, some: NDArray[np.int64], chunk: Chunk) -> _Unmixed:
        """Fit and test some pairs."""
        from causal_ivae.discovery.estimation import by_pair, check_converged, of_fit
        from causal_ivae.unmixing.diagnostics import best_restarts
        from causal_ivae.unmixing.training.ensemble import unmix_pairs

        settings, restarts = self.own(subject.unmixing), subject.unmixing.restarts
        fit = unmix_pairs(
            subject.values,
            subject.segments,
            some,
            build=self.build,
            settings=settings,
            restarts=restarts,
            at_once=subject.members_at_once(self.size(settings)),
            keys=(subject.seed, subject.key, self.name),
            device=subject.series.device,
            progress=chunk.training,
        )
        usable = np.isfinite(fit.objective).reshape(len(some), -1)
        check_converged(usable, some, subject, self.name, " or more restarts")
        chunk.testing()
        recovered = by_pair(fit.disturbances, len(some))
        return _Unmixed(
            fit.without_disturbances(),
            subject.test(subject.series[some], recovered),
            self._diagnostics(subject, fit),
            of_fit(recovered, best_restarts(fit, restarts)),
        )

    def _diagnostics(self, subject: Subject, fit: Fit) -> list[Diagnostics]:
        """Judge the best restart of every pair."""
        import torch

        from causal_ivae.unmixing.diagnostics import best_restarts, diagnose, residual_dependence

        device, restarts = fit.disturbances.device, subject.unmixing.restarts
        best = torch.as_tensor(best_restarts(fit, restarts), device=device)
        dependence_p = residual_dependence(
            fit.disturbances[best],
            subject.blocks,
            null=subject.independence.null,
            draws=subject.independence.draws,
            seed=child_seed(subject.seed, subject.key),
            memory_gib=subject.unmixing.memory_gib,
        )
        return diagnose(
            fit,
            torch.as_tensor(subject.segments, device=device),
            restarts=restarts,
            n_statistics=self.statistics_per_disturbance(self.own(subject.unmixing)),
            dependence_p=dependence_p,
        )
