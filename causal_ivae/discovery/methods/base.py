"""What every method of orienting pairs of regions says of itself."""

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
"""Values of settings as a methods paragraph says them."""


class Method(ABC, Generic[S]):
    """A way to tell the direction of pairs of regions: all that the program knows of it.

    Attributes
    ----------
    name : str
        In pipelines, on the command line and in the names of files.
    title : str
        On pages.
    settings : type
        Of its block of settings, ``unmixing.<name>`` of a pipeline.
    decision : frozenset of str
        The settings of a decision, ``decision.<setting>`` of a pipeline, that it heeds.
    fit_names : tuple of str
        Names of the fits of a pair, on pages; empty where they are restarts, as many as
        ``unmixing.restarts`` says.
    resamples_can_be_undecided : bool
        Whether a resample of segments can leave a pair undecided.
    doubts : tuple of str
        What makes its fits doubtful beside what makes those of every method so, in words.
    references : str
        BibTeX entries of works that `fit_sentences` and `decision_sentences` cite and
        ``reports/references.bib`` lacks.
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
        """Return what one fit takes of a machine."""

    @abstractmethod
    def estimate(self, subject: Subject, chunks: Chunks, dependence: IndependenceTable) -> Estimate:
        """Orient pairs of regions.

        Parameters
        ----------
        subject : Subject
        chunks : Chunks
            Positions of the two regions of every pair.
        dependence : IndependenceTable, shape (pairs, 1, 1)
            The two regions of every pair.

        Raises
        ------
        FitError
            If every fit of a pair diverged.
        """

    @abstractmethod
    def fit_sentences(self, unmixing: UnmixingSettings, n_pairs: int, *, alone: bool) -> list[str]:
        """Say in a methods paragraph how the disturbances of so many pairs were found.

        ``alone`` says that no other method was run.  Works are cited as ``[@key]``.
        """

    @abstractmethod
    def decision_sentences(self, decision: DecisionSettings, whose: str) -> list[str]:
        """Say in a methods paragraph how directions were decided.

        ``whose`` is "" or, where other methods decide in another way, such as " of iVAE and TCL".
        Methods that decide alike return the same sentences.
        """

    def own(self, unmixing: UnmixingSettings) -> S:
        """Return the method's block of settings."""
        block = getattr(unmixing, self.name)
        assert isinstance(block, self.settings)
        return block

    def fits_per_pair(self, unmixing: UnmixingSettings) -> int:
        """Return how many fits a pair takes."""
        return len(self.fit_names) or unmixing.restarts

    def pairs_at_once(self, unmixing: UnmixingSettings, n_times: int, device: torch.device) -> int:
        """Return how many pairs are unmixed before they are tested and let go: a stack of fits."""
        size = self.size(self.own(unmixing))
        members = size.members_at_once(n_times, unmixing.memory_gib, device)
        return max(1, members // self.fits_per_pair(unmixing))

    def label(self, settings: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return the title, with what results depend on most in the pipeline that was recorded."""
        return self.title

    def calibration(self) -> dict[str, Any] | None:
        """Return what a sidecar says of calibrated probabilities; None without any."""
        return None

    def digest(self, pipeline: Pipeline) -> str:
        """Digest what determines the method's graph, beside the series.

        The list of methods, what only other methods heed and the size of a stack have no part
        in it: they change no number.
        """
        tree = pipeline.model_dump(
            mode="json", include={"screen", "independence", "decision", "unmixing"}
        )
        parts = (self.name,) if self.fit_names else (self.name, "restarts")
        tree["unmixing"] = {key: tree["unmixing"][key] for key in parts}
        tree["decision"] = {key: tree["decision"][key] for key in self.decision}
        return settings_digest(tree)


def steps_in_words(settings: TrainingSettings) -> str:
    """Return the length of a training as a methods paragraph says it."""
    if not settings.patience:
        return f"{settings.steps:,} steps"
    return (
        f"up to {settings.steps:,} steps, fewer where {settings.patience:.0%} of them brought no "
        "gain"
    )
