"""The settings of an analysis: typed, frozen, read from YAML, every scientific choice explicit."""

import hashlib
import json
import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from causal_ivae.errors import SettingsError, nearest
from causal_ivae.presets import load_preset

Method = Literal["structural", "ivae", "tcl"]
METHODS: tuple[Method, ...] = ("structural", "ivae", "tcl")
PriorFamily = Literal["gaussian", "laplace"]
Modulates = Literal["variance", "mean_variance"]
SegmentKind = Literal["windows", "runs", "sessions", "task", "changepoints", "hmm", "subjects"]
Screening = Literal["none", "dependence", "partial_correlation", "skeleton"]
SCREENINGS: tuple[Screening, ...] = ("none", "dependence", "partial_correlation", "skeleton")
Null = Literal["circular_shift", "permutation", "wild_bootstrap", "gamma"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TableSettings(_Settings):
    """How tables of region time series are read."""

    tr: float = Field(
        2.0, gt=0, description="repetition time in s where no sidecar JSON gives RepetitionTime"
    )
    mat_key: str | None = Field(None, description="variable to read from .mat, .npz and .h5 files")
    detrend_order: int = Field(1, ge=0, le=4, description="polynomial removed from every run")


class DenoiseSettings(_Settings):
    """Confound regression and censoring of fMRIPrep images (nilearn's `load_confounds`)."""

    preset: str | None = Field(
        None, description="bundled preset or a file that the settings below it were taken from"
    )
    strategy: tuple[
        Literal["motion", "wm_csf", "global_signal", "compcor", "high_pass", "scrub"], ...
    ] = ("high_pass", "motion", "wm_csf", "scrub")
    motion: Literal["basic", "power2", "derivatives", "full"] = "derivatives"
    wm_csf: Literal["basic", "power2", "derivatives", "full"] = "basic"
    global_signal: Literal["basic", "power2", "derivatives", "full"] = "basic"
    compcor: Literal["anat_combined", "anat_separated", "temporal"] = "anat_combined"
    n_compcor: int | Literal["all"] = 5
    scrub: int = Field(0, ge=0, description="drop kept stretches of fewer volumes")
    fd_threshold: float = Field(0.5, gt=0, description="framewise displacement, mm")
    std_dvars_threshold: float = Field(2.0, gt=0)
    dummy_volumes: int = Field(0, ge=0, description="volumes removed at the start of a run")
    smoothing_fwhm: float = Field(0.0, ge=0, description="mm; region means need none")
    min_coverage: float = Field(0.5, ge=0, le=1, description="share of a region's voxels covered")
    missing_regions: Literal["drop", "fail"] = Field(
        "fail", description="a region that any run lacks: drop it for every subject, or stop"
    )
    min_volumes: int = Field(50, ge=10, description="kept volumes that a run needs")
    min_time: float = Field(60.0, ge=0, description="kept time that a run needs, s")


class SegmentSettings(_Settings):
    """What plays the part of the auxiliary variable u."""

    by: SegmentKind = "windows"
    window_seconds: float = Field(60.0, gt=0)
    penalty: float = Field(
        2.0, gt=0, description="of changepoints: price of a segment, in units of BIC's"
    )
    states: int = Field(6, ge=3, description="of hmm: hidden states")
    stay_seconds: float = Field(30.0, gt=0, description="of hmm: mean stay in a state, s")
    min_volumes: int = Field(20, ge=8, description="shorter segments are left out")


class ElboWeights(_Settings):
    """Weights of the parts of the ELBO (Chen et al. 2018); all one is the ELBO itself."""

    reconstruction: float = Field(1.0, gt=0)
    mutual_information: float = Field(1.0, ge=0, description="of row number and code")
    total_correlation: float = Field(1.0, ge=0)
    dimension_wise_kl: float = Field(1.0, ge=0)

    @property
    def plain(self) -> bool:
        """Whether all weights are one."""
        return all(weight == 1.0 for _, weight in self)


class TrainingSettings(_Settings):
    """What the training of every model shares."""

    patience: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the steps without a gain after which a fit ends; 0 for all steps",
    )
    steps: int = Field(1000, ge=1)

    def steps_for(self, n_times: int) -> int:  # noqa: ARG002
        """Return the steps of a fit to so many volumes."""
        return self.steps

    def shortened(self, steps: int, n_times: int) -> Self:  # noqa: ARG002
        """Return settings by which a fit to so many volumes takes these steps instead."""
        return self.model_copy(update={"steps": steps})


class AutoencoderSettings(TrainingSettings):
    """What iVAE and the VAE family share."""

    hidden: int = Field(32, ge=2)
    layers: int = Field(3, ge=1, description="weight matrices of encoder and decoder")
    activation: Literal["leaky_relu", "xtanh"] = "leaky_relu"
    slope: float = Field(0.1, gt=0, lt=1, description="of leaky ReLU below zero")
    likelihood: Literal["gaussian", "bernoulli"] = Field(
        "gaussian", description="'bernoulli' for binary observations"
    )
    noise: Annotated[float, Field(gt=0)] | Literal["learned"] = Field(
        "learned",
        description="decoder noise standard deviation in units of the data's, or 'learned'",
    )
    weights: ElboWeights = ElboWeights()
    steps: int = Field(2000, ge=1)
    batch_size: int = Field(128, ge=8)
    learning_rate: float = Field(1e-2, gt=0)
    warmup: float = Field(0.2, ge=0, le=1, description="share of steps that anneal the KL term")


class IVAESettings(AutoencoderSettings):
    """iVAE (Khemakhem et al. 2020), trained as a stack of all pairs and restarts."""

    prior: PriorFamily = "laplace"
    modulates: Modulates = "variance"


class VAESettings(AutoencoderSettings):
    """VAE with a standard normal prior; beta-VAE and beta-TC-VAE by their weights."""


class FlowSettings(TrainingSettings):
    """iVAE without observation noise: an invertible network with exact likelihood."""

    prior: PriorFamily = "laplace"
    modulates: Modulates = "variance"
    layers: int = Field(8, ge=1, description="linear maps, with monotone splines between them")
    knots: int = Field(8, ge=2, description="pieces of every spline")
    hidden: int = Field(
        0, ge=0, description="units of the networks of the affine couplings; 0 for no couplings"
    )
    bound: float = Field(4.0, gt=0, description="a spline is the identity beyond this")
    jitter: float = Field(
        0.05,
        gt=0,
        description="standard deviation of noise added to x in every step, in units of the data's, "
        "where there are fewer components than columns",
    )
    steps: int = Field(4000, ge=1)
    batch_size: int = Field(256, ge=8)
    learning_rate: float = Field(2e-2, gt=0)


class TCLSettings(TrainingSettings):
    """TCL (Hyvarinen and Morioka 2016): segment classifier, then linear ICA."""

    hidden: int = Field(32, ge=2)
    layers: int = Field(3, ge=1)
    maxout: int = Field(2, ge=2, description="affine pieces of each maxout unit")
    steps: int = Field(1000, ge=1)
    batch_size: int = Field(128, ge=8)
    learning_rate: float = Field(1e-2, gt=0)
    weight_decay: float = Field(1e-4, ge=0, description="L2 penalty, as in Adam")
    ica: Literal["fastica", "score_matching"] = Field(
        "fastica", description="linear ICA of the features; 'score_matching' uses the segments"
    )
    ica_iterations: int = Field(60, ge=1)


class EquationSettings(TrainingSettings):
    """Structural equations: a region's disturbance as a monotone function of it, given causes."""

    prior: PriorFamily = "laplace"
    modulates: Modulates = "variance"
    hidden: int = Field(32, ge=2, description="units of the network of the causes")
    layers: int = Field(3, ge=1, description="weight matrices of that network")
    knots: int = Field(9, ge=2, description="places between which the slope is linear")
    bound: float = Field(3.0, gt=0, description="the slope is constant beyond this")
    steps: int = Field(500, ge=1)
    batch_size: int = Field(256, ge=8)
    learning_rate: float = Field(1e-2, gt=0)


class StructuralSettings(TrainingSettings):
    """The structural equations of a pair in both directions, as flows with exact likelihood."""

    prior: PriorFamily = "laplace"
    modulates: Modulates = "variance"
    layers: int = Field(4, ge=1, description="increasing functions between effect and disturbance")
    knots: int = Field(8, ge=2, description="pieces of every increasing function")
    hidden: int = Field(32, ge=2, description="units of the network of the cause")
    bound: float = Field(4.0, gt=0, description="an increasing function is linear beyond this")
    folds: int = Field(
        3,
        ge=1,
        description="trial fits of each direction by each mechanism, each judged on the segments "
        "that it was not trained on; 1 for one on all segments",
    )
    trial_steps: int = Field(300, ge=1, description="of the fits that choose the mechanism")
    steps: int = Field(1000, ge=1, description="of the fits by that mechanism, at least")
    passes: float = Field(64.0, ge=0, description="over the volumes, where these are more steps")
    batch_size: int = Field(256, ge=8)
    learning_rate: float = Field(1e-2, gt=0)

    def steps_for(self, n_times: int) -> int:
        """Return the steps of a fit to so many volumes."""
        return max(self.steps, math.ceil(self.passes * n_times / self.batch_size))

    def shortened(self, steps: int, n_times: int) -> Self:
        """As for other models; the trials are shortened alike."""
        trial_steps = max(1, round(self.trial_steps * steps / self.steps_for(n_times)))
        changes = {"steps": steps, "passes": 0.0, "trial_steps": trial_steps}
        return self.model_copy(update=changes)


ModelSettings = (
    IVAESettings | VAESettings | FlowSettings | TCLSettings | StructuralSettings | EquationSettings
)


class UnmixingSettings(_Settings):
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


class IndependenceSettings(_Settings):
    """HSIC conditional on segments, and its null distribution."""

    null: Null = "circular_shift"
    draws: int = Field(999, ge=99, description="draws from the null; not used by 'gamma'")
    surrogates: int = Field(
        200,
        ge=0,
        description="independent pairs made from a subject's own series, on which the test of "
        "dependence is checked; 0 for no check",
    )


class ScreenSettings(_Settings):
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


class DecisionSettings(_Settings):
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


class PriorSettings(_Settings):
    """Anatomical prior that the graph is set against (never used by the estimation)."""

    name: str | None = Field(None, description="a bundled prior, a file, or null for none")
    include_disputed: bool = True
    threshold: float | None = Field(
        None, description="structural connectivity above this is a projection"
    )
    max_path: int | None = Field(None, ge=2, description="longest indirect path, in projections")
    draws: int = Field(9999, ge=99, description="random graphs behind the chance level")


class GroupSettings(_Settings):
    """Statistics over subjects."""

    alpha: float = Field(0.05, gt=0, lt=0.5)
    draws: int = Field(9999, ge=99, description="sign flips where all of them are too many")
    min_subjects: int = Field(3, ge=2)
    pooled: bool = Field(False, description="one fit of all subjects too, each a segment")
    model: str | None = Field(
        None, description='what scores go with, such as "score ~ group + age"; null for none'
    )


class Pipeline(_Settings):
    """All settings of one analysis."""

    name: str = "default"
    description: str = ""
    atlas: str | None = Field(None, description="a bundled atlas or a file; images need one")
    regions: tuple[str, ...] | None = Field(None, description="regions to keep; null keeps all")
    tables: TableSettings = TableSettings()
    denoise: DenoiseSettings = DenoiseSettings()
    segments: SegmentSettings = SegmentSettings()
    unmixing: UnmixingSettings = UnmixingSettings()
    screen: ScreenSettings = ScreenSettings()
    independence: IndependenceSettings = IndependenceSettings()
    decision: DecisionSettings = DecisionSettings()
    prior: PriorSettings = PriorSettings()
    group: GroupSettings = GroupSettings()

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of all settings."""
        return _digest(self.model_dump(mode="json"))

    @property
    def load_digest(self) -> str:
        """Digest of what determines a subject's series and segments, the atlas's content aside.

        Atlas and prior count by the content of their files, not by where these lie.
        """
        parts = {"regions", "tables", "denoise", "segments"}
        tree = self.model_dump(mode="json", include=parts)
        # A preset counts by the settings that it stands for.
        del tree["denoise"]["preset"]
        return _digest(tree)

    def method_digest(self, method: Method) -> str:
        """Digest of what determines one method's graph, beside the series.

        The list of methods, what only other methods ask for and the size of a chunk have no part
        in it: they change no number.
        """
        tree = self.model_dump(
            mode="json", include={"screen", "independence", "decision", "unmixing"}
        )
        structural = method == "structural"
        parts = (method,) if structural else (method, "restarts")
        tree["unmixing"] = {key: tree["unmixing"][key] for key in parts}
        for unused in ("rule", "resamples") if structural else ("confidence", "assume_arrow"):
            del tree["decision"][unused]
        return _digest(tree)

    @property
    def prior_digest(self) -> str:
        """Digest of the settings of the comparison with anatomy, the prior's content aside."""
        return _digest(self.prior.model_dump(mode="json", exclude={"name"}))

    @property
    def group_digest(self) -> str:
        """Digest of the settings of the statistics over subjects."""
        return _digest(self.group.model_dump(mode="json"))

    def changed(self, changes: dict[str, Any]) -> "Pipeline":
        """Return the pipeline with dotted keys replaced, validated again.

        Parameters
        ----------
        changes : dict
            Such as ``{"segments.by": "runs"}``.  ``"denoise.preset"`` puts a preset's settings
            in the place of those that were there.

        Raises
        ------
        SettingsError
            If a key is unknown or a value is out of range.
        """
        tree = self.model_dump(mode="json")
        if changes.get("denoise.preset") is not None:
            preset = load_preset(changes["denoise.preset"])
            taken = {f"denoise.{key}": value for key, value in preset.settings.items()}
            changes = {**changes, "denoise.preset": preset.name, **taken}
        for dotted, value in changes.items():
            *parents, last = dotted.split(".")
            branch = tree
            for parent in parents:
                if not isinstance(branch.get(parent), dict):
                    branch[parent] = {}
                branch = branch[parent]
            branch[last] = value
        return validated(tree, "the options given")


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def validated(tree: dict[str, Any], where: str) -> Pipeline:
    """Return the pipeline that a mapping of sections describes.

    Raises
    ------
    SettingsError
        If a key is unknown or a value is out of range; it names `where` the mapping is from.
    """
    try:
        return Pipeline.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            last = str(first["loc"][-1])
            valid = _keys(first["loc"][:-1])
            raise SettingsError(
                f"Unknown key '{key}' in {where}. {nearest(last, valid)}"
            ) from error
        if first["type"] == "value_error":
            # What our own checks say names the value; the input is a whole section.
            reason = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"Invalid settings '{key}' in {where}: {reason}.") from error
        raise SettingsError(
            f"Invalid value {first['input']!r} for '{key}' in {where}: {first['msg']}."
        ) from error


def _keys(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Pipeline
    for part in loc:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
