"""Define what every method of orienting pairs of regions provides."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import torch

from causal_ivae.discovery.chunks import Chunks
from causal_ivae.discovery.estimation import Estimate, Subject
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.settings import (
    DecisionSettings,
    Pipeline,
    TrainingSettings,
    UnmixingSettings,
    settings_digest,
)
from causal_ivae.unmixing.training.stacks import FitSize

S = TypeVar("S", bound=TrainingSettings)

WORDS = {
    "gaussian": "Gaussian",
    "laplace": "Laplace",
    "variance": "scale",
    "mean_variance": "location and scale",
    "leaky_relu": "leaky ReLU",
    "xtanh": "tanh-plus-linear (xtanh)",
}
"""A methods paragraph uses these words for values of settings."""


class Method(ABC, Generic[S]):
    """Hold all that the program knows of one method of orienting pairs of regions.

    Attributes
    ----------
    name : str
        Name in pipelines, on the command line and in file names.
    title : str
        Name on pages.
    settings : type
        Type of its block of settings, ``unmixing.<name>`` of a pipeline.
    decision : frozenset of str
        Settings of the decision (``decision.<setting>`` of a pipeline) that affect it.
    fit_names : tuple of str
        Names of the fits of a pair on pages; empty if the fits are restarts, whose number is
        ``unmixing.restarts``.
    resamples_can_be_undecided : bool
        True if a resample of segments can leave a pair undecided.
    doubts : tuple of str
        Reasons, in words, that make fits of this method doubtful but not those of all methods.
    references : str
        BibTeX entries of works that `fit_sentences` and `decision_sentences` cite and that are not
        in ``reports/references.bib``.
    """

    name: str
    title: str
    settings: type[S]
    decision: frozenset[str]
    fit_names: tuple[str, ...] = ()
    resamples_can_be_undecided: bool = False
    doubts: tuple[str, ...] = ()
    references: str = ""

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

    @abstractmethod
    def fit_sentences(self, unmixing: UnmixingSettings, n_pairs: int, *, alone: bool) -> list[str]:
        """Describe for a methods paragraph how the disturbances of the pairs were estimated.

        ``alone`` is true if no other method was run.  Works are cited as ``[@key]``.
        """

    @abstractmethod
    def decision_sentences(self, decision: DecisionSettings, whose: str) -> list[str]:
        """Describe for a methods paragraph how directions were decided.

        ``whose`` is empty or, if other methods decide differently, for instance " of iVAE and TCL".
        Methods that decide in the same way return the same sentences.
        """

    def own(self, unmixing: UnmixingSettings) -> S:
        """Return the method's block of settings."""
        block = getattr(unmixing, self.name)
        assert isinstance(block, self.settings)
        return block

    def fits_per_pair(self, unmixing: UnmixingSettings) -> int:
        """Return the number of fits of a pair."""
        return len(self.fit_names) or unmixing.restarts

    def pairs_at_once(self, unmixing: UnmixingSettings, n_times: int, device: torch.device) -> int:
        """Return the number of pairs whose fits make one stack and are then tested."""
        size = self.size(self.own(unmixing))
        members = size.members_at_once(n_times, unmixing.memory_gib, device)
        return max(1, members // self.fits_per_pair(unmixing))

    def label(self, settings: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return the title with the most important choice of the recorded settings."""
        return self.title

    def calibration(self) -> dict[str, Any] | None:
        """Return the sidecar's entry on calibrated probabilities; None if there are none."""
        return None

    def digest(self, pipeline: Pipeline) -> str:
        """Return a digest of all settings that determine the method's graph, given the series.

        The list of methods, settings of other methods and the size of a stack are left out, since
        they change no number.
        """
        tree = pipeline.model_dump(
            mode="json", include={"screen", "independence", "decision", "unmixing"}
        )
        parts = (self.name,) if self.fit_names else (self.name, "restarts")
        tree["unmixing"] = {key: tree["unmixing"][key] for key in parts}
        tree["decision"] = {key: tree["decision"][key] for key in self.decision}
        return settings_digest(tree)


def steps_in_words(settings: TrainingSettings) -> str:
    """Describe the length of a training for a methods paragraph."""
    if not settings.patience:
        return f"{settings.steps:,} steps"
    return (
        f"up to {settings.steps:,} steps, fewer where {settings.patience:.0%} of them brought no "
        "gain"
    )
