"""Define the settings of the analysis: methods, tests and decisions."""

from typing import Literal

from pydantic import Field

from causal_ivae.settings.base import Settings

Screening = Literal["none", "dependence", "partial_correlation", "skeleton"]
SCREENINGS: tuple[Screening, ...] = ("none", "dependence", "partial_correlation", "skeleton")
Null = Literal["circular_shift", "permutation", "wild_bootstrap", "gamma"]


class IndependenceSettings(Settings):
    """Hold the settings of HSIC conditional on segments and of its null distribution."""

    null: Null = "circular_shift"
    draws: int = Field(999, ge=99, description="draws from the null; not used by 'gamma'")
    surrogates: int = Field(
        200,
        ge=0,
        description="independent pairs made from a subject's own series, on which the test of "
        "dependence is checked; 0 for no check",
    )


class ScreenSettings(Settings):
    """Hold the settings of the screen, by which only connected pairs are unmixed."""

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


class PowerSettings(Settings):
    """Hold the settings of the power, which is estimated with arrows planted into a subject's data.

    Only the method 'network' uses them.
    """

    plants: int = Field(
        24,
        ge=0,
        description="arrows of each strength that are planted through haemodynamic responses into "
        "twins of the data, and into series that share nothing; no arrow is drawn where the strong "
        "ones of the latter, if eight or more are found connected, lean the wrong way as often as "
        "the right one; 0: none are planted and the power is not estimated",
    )
    delay_sd: float = Field(
        0.5,
        ge=0,
        le=3,
        description="standard deviation between regions of the time to peak of these responses, s",
    )


class DecisionSettings(Settings):
    """Hold the settings of the decision on a direction."""

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
        description="probability that a direction, or 'none', of the methods 'network' and "
        "'structural' must have",
    )
    prior: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="of the method 'structural': share of the pairs that it is asked about in "
        "which one region drives the other; null for that of the pairs that it was calibrated on, "
        "times the share of connected pairs where a screen tells it",
    )
    guard: Literal["share", "network"] = Field(
        "share",
        description="where twins are drawn: arrows are drawn from the probability on at which "
        "twins without arrows claim at most a share of what the data claim, or ('network') above "
        "all that 95 % of the twins claim",
    )
    decoy_share: float = Field(0.05, gt=0, lt=1, description="that share, of the guard 'share'")
    assume_arrow: bool = Field(
        False,
        description="of the method 'structural': one region of every pair is known to drive the "
        "other, and only which is asked",
    )
    resamples: int | None = Field(
        None,
        ge=99,
        description="resamples of segments (and of restarts, where there are any) behind intervals "
        "and confidence; null for as many as the method takes by itself",
    )
    acyclic: bool = Field(
        False, description="leave undecided the edge of least confidence of every cycle"
    )


class PriorSettings(Settings):
    """Hold the settings of the anatomical prior, which the estimation itself never uses."""

    name: str | None = Field(None, description="a bundled prior, a file, or null for none")
    include_disputed: bool = True
    threshold: float | None = Field(
        None, description="structural connectivity above this is a projection"
    )
    max_path: int | None = Field(None, ge=2, description="longest indirect path, in projections")
    draws: int = Field(9999, ge=99, description="permutations of region labels behind p-values")


class GroupSettings(Settings):
    """Hold the settings of the statistics over subjects."""

    alpha: float = Field(0.05, gt=0, lt=0.5)
    draws: int = Field(9999, ge=99, description="sign flips where all of them are too many")
    min_subjects: int = Field(3, ge=2)
    min_score: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="mean score that a direction needs, however consistent the subjects are",
    )
    pooled: bool | None = Field(
        None,
        description="one fit of all subjects too, each a segment; null for the methods alone that "
        "judge all regions at once, where subjects have a common scale",
    )
    model: str | None = Field(
        None, description='what scores go with, such as "score ~ group + age"; null for none'
    )
