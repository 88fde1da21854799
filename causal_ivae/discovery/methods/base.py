"""Define what every method of causal discovery provides.

What a method only needs for its work, torch above all, its functions import themselves: pages,
plans and whatever asks which results are up to date ask for names, words and digests alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from causal_ivae.derivatives.declaration import Table
from causal_ivae.discovery.problem import Found, Problem
from causal_ivae.discovery.workload import Workload
from causal_ivae.settings import (
    DecisionSettings,
    MethodSettings,
    Pipeline,
    UnmixingSettings,
    settings_digest,
)

S = TypeVar("S", bound=MethodSettings)


class Method(ABC, Generic[S]):
    """Hold all that the program knows of one method of causal discovery.

    A method that judges one pair of regions at a time is a
    `causal_ivae.discovery.methods.pair_method.PairMethod`.

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
    tables : tuple of Table
        Tables that it makes and that `causal_ivae.derivatives.tables` does not declare, for a
        method from outside the package.
    sections : frozenset of str
        Sections of a pipeline that affect it, besides ``unmixing`` and ``decision``.
    fit_names : tuple of str
        Names of the fits of a pair on pages; empty if the fits are restarts, whose number is
        ``unmixing.restarts``, or if there are none.
    resamples_can_be_undecided : bool
        True if a resample of segments can leave a pair undecided.
    pools : bool
        True if all subjects are judged in one fit as well unless the settings say otherwise.
    cyclic : bool
        True if the model of the method allows regions to drive each other in a circle.
    has_p_values : bool
        True if it tests that a pair has no direction.
    takes_inputs : bool
        True if it tells what known inputs reach; others leave the inputs out.
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
    tables: tuple[Table, ...] = ()
    sections: frozenset[str] = frozenset()
    fit_names: tuple[str, ...] = ()
    resamples_can_be_undecided: bool = False
    pools: bool = False
    cyclic: bool = False
    has_p_values: bool = True
    takes_inputs: bool = False
    doubts: tuple[str, ...] = ()
    references: str = ""

    @abstractmethod
    def discover(self, problem: Problem) -> Found:
        """Decide on every pair of a problem.

        `causal_ivae.discover` looks for cycles afterwards, and leaves edges undecided for them if
        the settings ask for it.

        Raises
        ------
        InputError
            If the series do not allow it.
        FitError
            If no fit converged.
        """

    @abstractmethod
    def fit_sentences(self, unmixing: UnmixingSettings, n_pairs: int, *, alone: bool) -> list[str]:
        """Describe for a methods paragraph what the method estimates, and how.

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

    def steps(self, unmixing: UnmixingSettings, n_pairs: int) -> int:  # noqa: ARG002
        """Return the number of training steps of all fits, or how many would take as long.

        Nothing is forecast if the sum over methods is small.
        """
        return 0

    def workload(self, problem: Problem) -> Workload | None:  # noqa: ARG002
        """Forecast memory and time for a problem; None if they are not worth a forecast."""
        return None

    def label(self, settings: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return the title with the most important choice of the recorded settings."""
        return self.title

    def calibration(self) -> dict[str, Any] | None:
        """Return the sidecar's entry on calibrated probabilities; None if there are none."""
        return None

    def shared_settings(self) -> tuple[str, ...]:
        """Return the keys of ``unmixing``, besides its own block, that affect the method."""
        return ()

    def decision_of_twins(self, unmixing: UnmixingSettings) -> frozenset[str]:  # noqa: ARG002
        """Return the settings of the decision that affect the method if there are twins."""
        return frozenset()

    def digest(self, pipeline: Pipeline) -> str:
        """Return a digest of all settings that determine the method's graph, given the series.

        The list of methods, settings of other methods and the size of a stack are left out, since
        they change no number.
        """
        sections = {"decision", "unmixing", *self.sections}
        tree = pipeline.model_dump(mode="json", include=sections)
        parts = (self.name, *self.shared_settings())
        tree["unmixing"] = {key: tree["unmixing"][key] for key in parts}
        keys = self.decision | self.decision_of_twins(pipeline.unmixing)
        tree["decision"] = {key: tree["decision"][key] for key in keys}
        return settings_digest(tree)
