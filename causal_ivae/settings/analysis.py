"""The settings of the analysis: which methods, which tests, how a decision is made."""

from typing import Literal

from pydantic import Field, model_validator

from causal_ivae.settings.base import Settings
from causal_ivae.settings.models import IVAESettings, StructuralSettings, TCLSettings

Method = Literal["structural", "ivae", "tcl"]
METHODS: tuple[Method, ...] = ("structural", "ivae", "tcl")
Screening = Literal["none", "dependence", "partial_correlation", "skeleton"]
SCREENINGS: tuple[Screening, ...] = ("none", "dependence", "partial_correlation", "skeleton")
Null = Literal["circular_shift", "permutation", "wild_bootstrap", "gamma"]


class UnmixingSettings(Settings):
    """Which models unmix the disturbances, and how often each is restarted."""

    methods: tuple[Method, ...] = ("structural", "ivae", "tcl")
    restarts: int = Field(8, ge=1)
    memory_gib: float = Field(2.0, gt=0, description="memory that one chunk of the stack may use")
    structural: StructuralSettings = StructuralSettings()
    ivae: IVAESettings = IVAESettings()
    tcl: TCLSettings = TCLSettings()

    def fits_per_pair(self, method: Method) -> int:
        """Return how many fits a pair takes: restarts, or one of either direction."""
        return 2 if method == "structural" else self.restarts

    @model_validator(mode="after")
    def _methods_are_distinct(self) -> "UnmixingSettings":
        if not self.methods or len(set(self.methods)) != len(self.methods):
            raise ValueError("methods must name at least one method, each once")
        return self

    @model_validator(mode="after")
    def _region_series_are_not_binary(self) -> "UnmixingSettings":
        if self.ivae.likelihood != "gaussian":
            raise ValueError(
                f"ivae.likelihood is '{self.ivae.likelihood}', which is for binary observations; "
                "region series are not binary: use 'gaussian'"
            )
        return self


class IndependenceSettings(Settings):
    """HSIC conditional on segments, and its null distribution."""

    null: Null = "circular_shift"
    draws: int = Field(999, ge=99, description="draws from the null; not used by 'gamma'")
    surrogates: int = Field(
        200,
        ge=0,
        description="independent pairs made from a subject's own series, on which the test of "
        "dependence is checked; 0 for no check",
    )


class ScreenSettings(Settings):
    """Which pairs are worth unmixing: those that a cheap test finds connected."""

    by: Screening = Field(
        "none",
        description="'none': unmix all pairs; 'dependence': those that are dependent given the "
        "segment; 'partial_correlation': those correlated given all other regions; 'skeleton': "
        "those that no set of other regions separates (PC algorithm)",
    )
    alpha: float = Field(0.05, gt=0, lt=1, description="pairs with a larger p-value are left out")
    test: Literal["kernel", "partial_correlation"] = Field(
        "kernel", description="of the skeleton; 'partial_correlation' is fast, for many regions"
    )
    max_given: int | None = Field(
        3, ge=0, description="of the skeleton: most regions given at once; null for any number"
    )


class DecisionSettings(Settings):
    """From tests to a direction."""

    alpha: float = Field(0.05, gt=0, lt=0.5)
    rule: Literal["score", "paper"] = Field(
        "score",
        description="'score': dependence test, then sign test of the averaged score; "
        "'paper': majority of the restarts under the rule of Monti et al. 2019",
    )
    confidence: float = Field(
        0.7,
        ge=0.5,
        lt=1,
        description="probability that a direction of the method 'structural' must have",
    )
    assume_arrow: bool = Field(
        False,
        description="of the method 'structural': one region of every pair is known to drive the "
        "other, and only which is asked",
    )
    resamples: int = Field(2000, ge=99, description="resamples of segments and restarts")
    acyclic: bool = Field(
        False, description="leave undecided the edge of least confidence of every cycle"
    )


class PriorSettings(Settings):
    """Anatomical prior that the graph is set against (never used by the estimation)."""

    name: str | None = Field(None, description="a bundled prior, a file, or null for none")
    include_disputed: bool = True
    threshold: float | None = Field(
        None, description="structural connectivity above this is a projection"
    )
    max_path: int | None = Field(None, ge=2, description="longest indirect path, in projections")
    draws: int = Field(9999, ge=99, description="random graphs behind the chance level")


class GroupSettings(Settings):
    """Statistics over subjects."""

    alpha: float = Field(0.05, gt=0, lt=0.5)
    draws: int = Field(9999, ge=99, description="sign flips where all of them are too many")
    min_subjects: int = Field(3, ge=2)
    pooled: bool = Field(False, description="one fit of all subjects too, each a segment")
    model: str | None = Field(
        None, description='what scores go with, such as "score ~ group + age"; null for none'
    )
