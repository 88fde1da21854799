"""Define the method of structural flows, which fits the equations of both directions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from causal_ivae.discovery.methods.pair_method import WORDS, PairMethod, steps_in_words
from causal_ivae.drawing.wording import count
from causal_ivae.seeding import child_seed
from causal_ivae.settings import DecisionSettings, StructuralSettings, UnmixingSettings
from causal_ivae.unmixing.training.fit_size import FitSize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from causal_ivae.discovery.chunks import Chunk, Chunks
    from causal_ivae.discovery.estimation import Estimate, Subject
    from causal_ivae.independence.hsic import IndependenceTable
    from causal_ivae.unmixing.both_directions import Hypotheses
    from causal_ivae.unmixing.diagnostics import Diagnostics
    from causal_ivae.unmixing.training.stacks import Fit

_MOST_ON_CPU = 192
"""Networks are so small that a step of this many fits takes but twice as long as one of twelve."""
_ARRAYS_PER_SPLINE = 14
"""An increasing function holds this many arrays of one number per row, and one for each piece."""


@dataclass(frozen=True)
class _Directions:
    """Hold the results of some pairs, as in `Estimate`.

    ``residual`` (pairs, 2, 1) tests the two disturbances of each direction against each other, the
    mean over its fits.
    """

    hypotheses: Hypotheses
    tests: IndependenceTable
    residual: IndependenceTable
    diagnostics: list[Diagnostics]
    shown: NDArray[np.float32]


class StructuralMethod(PairMethod[StructuralSettings]):
    """Fit both directions of a pair as structural equations and decide by a probability."""

    name = "structural"
    title = "Structural flow"
    settings = StructuralSettings
    decision = frozenset({"alpha", "confidence", "prior", "assume_arrow", "resamples", "acyclic"})
    fit_names = ("x \N{RIGHTWARDS ARROW} y", "y \N{RIGHTWARDS ARROW} x")
    resamples_can_be_undecided = True

    def size(self, settings: StructuralSettings) -> FitSize:
        """Return the size of the network of the cause and of the increasing functions."""
        splines = (_ARRAYS_PER_SPLINE + settings.knots) * (settings.layers + 1)
        width, batch = settings.hidden, settings.batch_size
        return FitSize(3 * width + splines, width, batch, most_on_cpu=_MOST_ON_CPU)

    def calibration(self) -> dict[str, Any]:
        """Return how reliable the probabilities are on simulated pairs."""
        from causal_ivae.discovery.probability import calibration_entry

        return calibration_entry()

    def estimate(self, subject: Subject, chunks: Chunks, dependence: IndependenceTable) -> Estimate:
        """Fit both directions, gather the evidence for each, and decide by its probability."""
        from causal_ivae.discovery.estimation import Estimate
        from causal_ivae.discovery.measurement_noise import measurement_noise
        from causal_ivae.discovery.pair_evidence import gather_evidence, orient_by_evidence
        from causal_ivae.discovery.resampling import BlockSums
        from causal_ivae.independence.hsic import IndependenceTable
        from causal_ivae.unmixing.both_directions import Hypotheses

        parts = chunks.map(partial(self._fit_directions, subject))
        hypotheses = Hypotheses.joined([part.hypotheses for part in parts])
        table, usable = IndependenceTable.joined([part.tests for part in parts]), hypotheses.usable
        residual = IndependenceTable.joined([part.residual for part in parts])
        noise = measurement_noise(subject.values, subject.segments, subject.blocks, chunks.pairs)
        evidence = gather_evidence(hypotheses, residual, dependence, noise, len(subject.values))
        sums = BlockSums.of(
            np.nan_to_num(hypotheses.log_likelihood[:, 0] - hypotheses.log_likelihood[:, 1]),
            np.bincount(subject.blocks),
            subject.tested_blocks,
            residual,
            dependence,
        )
        seed = child_seed(subject.seed, subject.key, self.name)
        diagnostics = [one for part in parts for one in part.diagnostics]
        identifiable = np.array([not one.obstacles for one in diagnostics])
        orientation = orient_by_evidence(
            evidence,
            sums,
            table,
            usable & identifiable[:, None],
            subject.decision,
            seed,
            connected=subject.connected,
        )
        return Estimate(
            hypotheses.fit,
            table,
            usable,
            orientation,
            diagnostics,
            np.concatenate([part.shown for part in parts]),
            evidence,
        )

    def fit_sentences(
        self,
        unmixing: UnmixingSettings,
        n_pairs: int,
        *,
        alone: bool,  # noqa: ARG002
    ) -> list[str]:
        """Describe the equations, how their form was chosen, and the training."""
        model = self.own(unmixing)
        held = (
            f"{count(model.folds, 'fold')} of segments, each judged on those that it was not "
            "trained on"
            if model.folds > 1
            else "all segments"
        )
        return [
            f"For every pair of regions ({count(n_pairs, 'pair')}), the structural equations "
            "of either direction [@monti2019] were fitted by exact likelihood, as the noiseless "
            "case of the identifiable variational autoencoder [@khemakhem2020]: each disturbance "
            "is an increasing function of its region, given the cause where there is one, with a "
            f"{WORDS[model.prior]} law whose {WORDS[model.modulates]} varied between segments. The "
            "effect depended on its cause linearly, or through a network of "
            f"{count(model.hidden, 'unit')} a layer and "
            f"{count(model.layers, 'piecewise function')} "
            "[@mueller2019]; the linear form was taken where it predicted nearly as well and told "
            f"the directions further apart, by trials of {model.trial_steps:,} steps on {held}.",
            f"The {count(model.folds, 'trial')} of the form that was taken were then trained on "
            "all segments, and what they say was averaged (Adam [@kingma2015], "
            f"{steps_in_words(model)}, batches of {model.batch_size}, learning rate "
            f"{model.learning_rate:g}).",
        ]

    def decision_sentences(self, decision: DecisionSettings, whose: str) -> list[str]:  # noqa: ARG002
        """Describe the probabilities, their evidence and what a direction requires."""
        from causal_ivae.discovery.probability import calibration

        outcomes, needed = (
            "both directions, of no edge and of none of these",
            f"{decision.confidence:g}, and dependence of the two regions at level "
            f"{decision.alpha:g}; no edge needed the same probability, and no such dependence",
        )
        share = calibration().directed if decision.prior is None else decision.prior
        given = (
            f" They take {share:.0%} of the pairs to have an arrow"
            f"{', or what a screen leaves of it,' if decision.prior is None else ''} and"
        )
        if decision.assume_arrow:
            outcomes = "both directions, taking for granted that one of them is true,"
            needed, given = f"{decision.confidence:g}", " They"
        return [
            f"The structural fits gave each pair the probabilities of {outcomes} by a logistic "
            "model of the gain in likelihood of one direction over the other, its statistic over "
            "stretches of volumes [@vuong1989], the dependence that either leaves between the "
            "disturbances, and whether the supposed cause looks "
            "like a noisy measurement of what drives the effect: tests of the slope by "
            "instruments [@durbin1954; @hausman1978], the neighbours in time and the variance in "
            f"the segment.{given} were calibrated on simulated pairs. A direction needed a "
            f"probability of {needed}; confidence is the probability of what was decided. The "
            "p-value of a pair is the larger of those of the test of dependence and of Vuong's "
            "test that both directions predict equally well."
        ]

    def _fit_directions(
        self, subject: Subject, some: NDArray[np.int64], chunk: Chunk
    ) -> _Directions:
        """Fit and test both directions of some pairs."""
        import torch

        from causal_ivae.discovery.estimation import by_pair, check_converged, of_fit
        from causal_ivae.discovery.pair_evidence import diagnose_better
        from causal_ivae.unmixing.both_directions import fit_hypotheses
        from causal_ivae.unmixing.training.stacks import no_volumes

        settings = self.own(subject.unmixing)
        part = fit_hypotheses(
            subject.values,
            subject.segments,
            subject.blocks,
            some,
            settings=settings,
            at_once=subject.members_at_once(self.size(settings)),
            seed=subject.seed,
            key=subject.key,
            device=subject.series.device,
            progress=chunk.training,
        )
        check_converged(part.usable, some, subject, self.name)
        chunk.testing()
        pairs, _, fits = part.disturbances.shape[:3]
        every = by_pair(part.disturbances.flatten(0, 2), pairs).view(pairs, 2, fits, 2, -1, 1)
        # The disturbance of the supposed cause comes first.
        causes, effects = every[:, [0, 1], :, [0, 1]], every[:, [0, 1], :, [1, 0]]
        residual = subject.test(
            causes.transpose(0, 1).flatten(0, 2)[:, None],
            effects.transpose(0, 1).flatten(0, 2)[:, None],
        ).reshaped(pairs, 2, fits)
        best = torch.as_tensor(part.best, device=every.device)
        chosen = every[torch.arange(pairs)[:, None], torch.arange(2), best]
        recovered = chosen.flatten(1, 2)
        statistics = 2 if settings.modulates == "mean_variance" else 1
        return _Directions(
            replace(part, disturbances=no_volumes(part.disturbances), fit=_by_direction(part)),
            subject.test(subject.series[some], recovered),
            residual.averaged(),
            diagnose_better(part, residual, subject.segments, statistics),
            of_fit(recovered, 2 * np.arange(pairs) + part.better),
        )


def _by_direction(part: Hypotheses) -> Fit:
    """Return the fit without volumes, with the mean log-likelihood of the values as objective.

    The nonlinear mechanism is trained on normal scores.  Its log-likelihood differs from that of
    the values by a constant of the pair, which is added to the training curves too.
    """
    n_times = part.disturbances.shape[3]
    objective = part.log_likelihood.sum(axis=2).ravel() / n_times
    constant = np.nan_to_num(objective - part.fit.objective)
    return replace(
        part.fit.without_disturbances(),
        objective=objective,
        curves=part.fit.curves + constant[:, None],
    )
