"""Define the settings of every model that unmixes disturbances."""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from causal_ivae.errors import nearest
from causal_ivae.settings.base import Settings

PriorFamily = Literal["gaussian", "laplace"]
Modulates = Literal["variance", "mean_variance"]
Likelihood = Literal["gaussian", "bernoulli"]
Posterior = Literal["full", "diagonal"]
Decoder = Literal["invertible", "mlp"]


class ElboWeights(Settings):
    """Hold weights of the parts of the ELBO (Chen et al. 2018), which are all 1 for the ELBO."""

    reconstruction: float = Field(1.0, gt=0)
    mutual_information: float = Field(1.0, ge=0, description="of row number and code")
    total_correlation: float = Field(1.0, ge=0)
    dimension_wise_kl: float = Field(1.0, ge=0)

    @property
    def plain(self) -> bool:
        """Check whether all weights are 1."""
        return all(weight == 1.0 for _, weight in self)


class MethodSettings(Settings):
    """Hold the settings of a method of causal discovery."""


class NetworkSettings(MethodSettings):
    """Hold the settings of the method that judges all regions at once."""

    twins: int = Field(
        20,
        ge=0,
        description="series like the data but without any arrow, against whose claims the data's "
        "are set: at least 6, and up to so many where they may change what is drawn; 0 for none",
    )


class TrainingSettings(MethodSettings):
    """Hold the settings that the training of every model needs."""

    squares: ClassVar[float] = 0.999
    """Decay of Adam's mean squared gradient."""

    patience: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the steps without a gain after which a fit ends; 0 for all steps",
    )
    steps: int = Field(1000, ge=1)
    batch_size: int = Field(256, ge=8)
    learning_rate: float = Field(1e-2, gt=0)

    def steps_for(self, n_times: int) -> int:  # noqa: ARG002
        """Return the number of training steps for a number of volumes."""
        return self.steps

    def shortened(self, steps: int, n_times: int) -> Self:  # noqa: ARG002
        """Return settings with which a fit to a number of volumes takes the given steps."""
        return self.model_copy(update={"steps": steps})


class PassesSettings(TrainingSettings):
    """Hold the settings of a training that takes more steps where there are many volumes."""

    passes: float = Field(8.0, ge=0, description="over the volumes, where these are more steps")

    def steps_for(self, n_times: int) -> int:
        """Return the number of training steps for a number of volumes."""
        return max(self.steps, math.ceil(self.passes * n_times / self.batch_size))

    def shortened(self, steps: int, n_times: int) -> Self:  # noqa: ARG002
        """Return settings with which a fit to a number of volumes takes the given steps."""
        return self.model_copy(update={"steps": steps, "passes": 0.0})


class AutoencoderSettings(TrainingSettings):
    """Hold the settings that iVAE and the VAE family share."""

    hidden: int = Field(32, ge=2)
    layers: int = Field(3, ge=1, description="weight matrices of encoder and decoder")
    activation: Literal["leaky_relu", "xtanh"] = "leaky_relu"
    slope: float = Field(0.1, gt=0, lt=1, description="of leaky ReLU below zero")
    noise: Annotated[float, Field(gt=0)] | Literal["learned"] = Field(
        "learned",
        description="decoder noise standard deviation in units of the data's, or 'learned'",
    )
    weights: ElboWeights = ElboWeights()
    steps: int = Field(2000, ge=1)
    batch_size: int = Field(128, ge=8)
    warmup: float = Field(0.2, ge=0, le=1, description="share of steps that anneal the KL term")

    @property
    def binary(self) -> bool:
        """Return whether observations are binary, so that their likelihood is Bernoulli's."""
        return False


class IVAESettings(AutoencoderSettings, PassesSettings):
    """Hold the settings of iVAE (Khemakhem et al. 2020) of region series."""

    prior: PriorFamily = "laplace"
    modulates: Modulates = "variance"
    posterior: Posterior = Field(
        "full",
        validate_default=True,
        description="covariance of q(z|x,u): full, or diagonal as published",
    )
    decoder: Decoder = Field(
        "invertible",
        description="network that maps disturbances to x: invertible, or mlp, which a diagonal "
        "posterior has in any case; binary observations have another one",
    )
    maps: int = Field(
        4, ge=1, description="linear maps of the invertible decoder, with splines between them"
    )
    knots: int = Field(8, ge=2, description="pieces of every spline")
    bound: float = Field(4.0, gt=0, description="a spline is linear beyond this")
    final_noise: float = Field(
        1e-3,
        gt=0,
        description="noise standard deviation of the invertible decoder at the end of training, "
        "in units of the whitened columns'",
    )
    steps: int = Field(400, ge=1)
    learning_rate: float = Field(2e-2, gt=0)

    @property
    def invertible(self) -> bool:
        """Return whether the decoder is an invertible network, and not a network of its own."""
        return self.decoder == "invertible" and self.posterior == "full" and not self.binary

    @field_validator("posterior")
    @classmethod
    def _weights_need_a_diagonal_posterior(cls, posterior: str, info: ValidationInfo) -> str:
        weights = info.data.get("weights")
        if posterior == "full" and weights is not None and not weights.plain:
            raise ValueError("weights of the bound other than 1 need 'diagonal'")
        return posterior


class GeneralIVAESettings(IVAESettings):
    """Hold the settings of iVAE of continuous or binary observations."""

    likelihood: Likelihood = Field("gaussian", description="'bernoulli' for binary observations")
    maps: int = Field(
        12, ge=1, description="linear maps of the invertible decoder, with splines between them"
    )
    steps: int = Field(4000, ge=1)
    passes: float = Field(0.0, ge=0)
    batch_size: int = Field(256, ge=8)

    @property
    def binary(self) -> bool:
        """Return whether observations are binary, so that their likelihood is Bernoulli's."""
        return self.likelihood == "bernoulli"


class VAESettings(AutoencoderSettings):
    """Hold the settings of the VAE, or by its weights of the beta-VAE and the beta-TC-VAE."""

    likelihood: Likelihood = Field("gaussian", description="'bernoulli' for binary observations")

    @property
    def binary(self) -> bool:
        """Return whether observations are binary, so that their likelihood is Bernoulli's."""
        return self.likelihood == "bernoulli"


class FlowSettings(TrainingSettings):
    """Hold the settings of iVAE without observation noise, an invertible network."""

    prior: PriorFamily = "laplace"
    modulates: Modulates = "variance"
    layers: int = Field(8, ge=1, description="linear maps, with monotone splines between them")
    knots: int = Field(8, ge=2, description="pieces of every spline")
    hidden: int = Field(
        0, ge=0, description="units of the networks of the affine couplings; 0 for no couplings"
    )
    bound: float = Field(4.0, gt=0, description="a spline is linear beyond this")
    jitter: float = Field(
        0.05,
        gt=0,
        description="standard deviation of noise added to x in every step, in units of the data's, "
        "where there are fewer components than columns",
    )
    steps: int = Field(4000, ge=1)
    learning_rate: float = Field(2e-2, gt=0)


class TCLSettings(TrainingSettings):
    """Hold the settings of TCL (Hyvarinen and Morioka 2016), a classifier and linear ICA."""

    hidden: int = Field(32, ge=2)
    layers: int = Field(3, ge=1)
    maxout: int = Field(2, ge=2, description="affine pieces of each maxout unit")
    batch_size: int = Field(128, ge=8)
    weight_decay: float = Field(1e-4, ge=0, description="L2 penalty, as in Adam")
    ica: Literal["fastica", "score_matching"] = Field(
        "fastica", description="linear ICA of the features; 'score_matching' uses the segments"
    )
    ica_iterations: int = Field(60, ge=1)


class EquationSettings(TrainingSettings):
    """Hold the settings of structural equations, which give a region's disturbance from causes."""

    prior: PriorFamily = "laplace"
    modulates: Modulates = "variance"
    hidden: int = Field(32, ge=2, description="units of the network of the causes")
    layers: int = Field(3, ge=1, description="weight matrices of that network")
    knots: int = Field(9, ge=2, description="places between which the slope is linear")
    bound: float = Field(3.0, gt=0, description="the slope is constant beyond this")
    steps: int = Field(500, ge=1)


class StructuralSettings(PassesSettings):
    """Hold the settings of structural flows, the equations of a pair in both directions."""

    squares: ClassVar[float] = 0.95
    # Gradients become many times smaller within a short training, and a long memory would slow it.

    prior: PriorFamily = "laplace"
    modulates: Modulates = "variance"
    layers: int = Field(4, ge=1, description="increasing functions between effect and disturbance")
    knots: int = Field(8, ge=2, description="pieces of every increasing function")
    hidden: int = Field(16, ge=2, description="units of the network of the cause")
    bound: float = Field(4.0, gt=0, description="an increasing function is linear beyond this")
    folds: int = Field(
        3,
        ge=1,
        description="trial fits of each direction by each mechanism, each judged on the segments "
        "that it was not trained on and then, by the chosen mechanism, trained on all segments; "
        "1 for one on all segments",
    )
    trial_steps: int = Field(250, ge=1, description="of the trials, which choose the mechanism")
    steps: int = Field(500, ge=1, description="by that mechanism after the trials, at least")
    passes: float = Field(16.0, ge=0, description="over the volumes, where these are more steps")
    batch_size: int = Field(128, ge=8)
    learning_rate: float = Field(2e-2, gt=0)

    def shortened(self, steps: int, n_times: int) -> Self:
        """Return settings whose fits take the given steps and whose trials are shortened too."""
        trial_steps = max(1, round(self.trial_steps * steps / self.steps_for(n_times)))
        return super().shortened(steps, n_times).model_copy(update={"trial_steps": trial_steps})


ADDED_BLOCKS: dict[str, type[MethodSettings]] = {}
"""Settings of methods from outside the package, by name.

`causal_ivae.discovery.methods.register` adds them to those that `UnmixingSettings` lists.
"""


class UnmixingSettings(Settings):
    """Hold the settings of the methods that unmix disturbances.

    Every method that was registered from outside the package has a block of settings too, in a
    field with the method's name.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, SerializeAsAny[MethodSettings]]

    methods: tuple[str, ...] = ("network", "ivae", "tcl")
    restarts: int = Field(8, ge=1)
    pair_twins: int = Field(
        0,
        ge=0,
        description="of the methods 'structural', 'ivae' and 'tcl': twins of the data without any "
        "arrow, against whose arrows the data's are set by 'decision.guard'; each takes as long as "
        "the data; 0 for none",
    )
    memory_gib: float = Field(
        2.0,
        gt=0,
        description="memory that one stack of fits may use; on a GPU half of what is free, if "
        "that is more",
    )
    network: NetworkSettings = NetworkSettings()
    structural: StructuralSettings = StructuralSettings()
    ivae: IVAESettings = IVAESettings()
    tcl: TCLSettings = TCLSettings()

    @classmethod
    def blocks(cls) -> dict[str, type[MethodSettings]]:
        """Return the settings of every method, by its name."""
        own = {name: field.annotation for name, field in cls.model_fields.items()}
        return {
            name: kind
            for name, kind in (own | ADDED_BLOCKS).items()
            if isinstance(kind, type) and issubclass(kind, MethodSettings)
        }

    @model_validator(mode="before")
    @classmethod
    def _read_added_blocks(cls, given: Any) -> Any:
        """Check keys that are no fields here as settings of methods from outside the package."""
        if not isinstance(given, dict):
            return given
        blocks: dict[str, Any] = {name: (kind, kind()) for name, kind in ADDED_BLOCKS.items()}
        added = create_model("AddedBlocks", __base__=Settings, **blocks)
        fields = {key: value for key, value in given.items() if key in cls.model_fields}
        rest = {key: value for key, value in given.items() if key not in cls.model_fields}
        return fields | dict(added.model_validate(rest))

    @field_validator("methods")
    @classmethod
    def _methods_are_known_and_distinct(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        if not methods or len(set(methods)) != len(methods):
            raise ValueError("methods must name at least one method, each once")
        for name in methods:
            if name not in cls.blocks():
                raise ValueError(f"unknown method '{name}'. {nearest(name, cls.blocks())}")
        return methods
