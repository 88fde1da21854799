"""Measure how well models unmix the paper's simulated mixtures, ours and a published package's."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from itertools import product, starmap
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from causal_ivae.drawing.svg import new_figure
from causal_ivae.seeding import child_seed
from causal_ivae.unmixing.estimators import IVAE, TCL, VAE, FlowIVAE, SegmentICA
from causal_ivae.unmixing.matching import mean_correlations
from causal_ivae.validation.paper.mixing import MixingActivation
from causal_ivae.validation.paper.mixtures import SimulatedMixture, simulate_mixture
from causal_ivae.validation.session import check_names
from causal_ivae.validation.suites.method_lines import finish, form
from causal_ivae.validation.suites.suite import SUMMARY, MethodSuite, Tables
from causal_ivae.validation.text_tables import as_block

PACKAGES: dict[str, str | None] = {
    "ivae": None,
    "ivae (diagonal)": None,
    "flow": None,
    "vae": None,
    "tcl": None,
    "linear-ica": None,
    "pi-vae": "pi_vae_pytorch",
}
"""Every method, and the package that it needs."""

METHOD = {
    "data": "Mixtures of section 5.1 of Khemakhem et al. 2020 (n = d sources whose standard "
    "deviations change between segments); every data set has a seed of its own.",
    "mcc": "Mean correlation of components and sources on rows that were not trained on, matched "
    "on the training rows; of TCL, between absolute values.",
    "cpu_seconds": "Processor time of one fit with one thread.",
    "ivae, ivae (diagonal), flow, vae, tcl, linear-ica": "This package's estimators, as they are "
    "without any parameter.",
    "pi-vae": "Zhou and Wei 2020, pi_vae_pytorch, with Gaussian observations, its own defaults "
    "elsewhere, couplings of 64 units, and Adam at 1e-3 on minibatches of 256 rows.",
}
_CELL = ["activation", "method"]
_PI_VAE_STEPS, _PI_VAE_BATCH, _PI_VAE_HIDDEN, _PI_VAE_RATE = 5000, 256, 64, 1e-3

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class UnmixingCase:
    """Describe one data set that one method unmixes.

    Attributes
    ----------
    activation : str
        Of the mixing network.
    data_set : int
        Its number.
    """

    activation: str
    data_set: int
    method: str

    @property
    def key(self) -> str:
        """Return a key of the data set and the method."""
        return f"{self.activation}, data set {self.data_set}, {self.method}"


@dataclass(frozen=True, kw_only=True)
class Unmixing(MethodSuite[UnmixingCase]):
    """Measure models on simulated mixtures.

    Attributes
    ----------
    datasets : int
        Of every activation.
    steps : int or None
        Of every fit; None for the defaults of every method.
    """

    name = "unmixing"
    method = METHOD
    packages = PACKAGES

    activations: tuple[str, ...] = ("leaky_relu", "xtanh")
    datasets: int = 5
    methods: tuple[str, ...] = tuple(PACKAGES)
    n_sources: int = 5
    segments: int = 40
    n_per_segment: int = 1000
    steps: int | None = None

    def __post_init__(self) -> None:
        """Check the names of the activations."""
        check_names("activation", self.activations, get_args(MixingActivation))

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Return one small data set of each activation and short fits."""
        sizes = {"datasets": 1, "n_sources": 2, "segments": 6, "n_per_segment": 60}
        return {**sizes, "steps": 20}

    def settings(self) -> dict[str, Any]:
        """Return the seed, the sizes and the steps."""
        sizes = ("seed", "n_sources", "segments", "n_per_segment", "steps")
        return {name: getattr(self, name) for name in sizes}

    def settings_of(self, method: str) -> dict[str, Any]:
        """Return the parameters of a method."""
        if method == "pi-vae":
            names = ("steps", "batch", "hidden", "rate")
            values = (_PI_VAE_STEPS, _PI_VAE_BATCH, _PI_VAE_HIDDEN, _PI_VAE_RATE)
            return dict(zip(names, values, strict=True))
        return {name: str(value) for name, value in _OURS[method]().get_params().items()}

    def cases(self) -> Iterator[UnmixingCase]:
        """Return every data set with every method."""
        return starmap(UnmixingCase, product(self.activations, range(self.datasets), self.methods))

    def work(self, case: UnmixingCase) -> list[dict[str, Any]]:
        """Simulate a mixture, unmix it, and score the components against the sources."""
        seed = child_seed(self.seed, "unmixing", case.activation, case.data_set)
        mixture = simulate_mixture(
            n_segments=self.segments,
            n_per_segment=self.n_per_segment,
            n_sources=self.n_sources,
            activation=cast("MixingActivation", case.activation),
            seed=seed,
        )
        started = time.process_time()
        unmix = _pi_vae if case.method == "pi-vae" else _ours(case.method)
        inside, outside = unmix(mixture, self.steps, seed)
        seconds = time.process_time() - started
        target: Callable[[Rows], Rows] = np.abs if case.method == "tcl" else np.asarray
        true, true_out = (target(part.sources)[None] for part in (mixture.train, mixture.test))
        mcc = mean_correlations(true, inside[None], held_out=(true_out, outside[None]))
        return [{**asdict(case), "mcc": float(mcc[0]), "cpu_seconds": round(seconds, 2)}]

    def tables(self, rows: pd.DataFrame) -> Tables:
        """Return median and range of the MCC over data sets, and the median time of a fit."""
        grouped = rows.groupby(_CELL, sort=False)
        table = grouped["mcc"].agg(["count", "median", "min", "max"])
        table.columns = ["data_sets", "mcc_median", "mcc_min", "mcc_max"]
        table["cpu_seconds"] = grouped["cpu_seconds"].median()
        return {SUMMARY: table.reset_index()}

    def blocks(self, tables: Tables) -> Iterator[str]:
        """Yield methods in rows and activations in columns."""
        titles = {
            "mcc_median": "MCC on other rows, median",
            "mcc_min": "MCC on other rows, lowest",
            "cpu_seconds": "CPU seconds of a fit, median",
        }
        for column, title in titles.items():
            yield as_block(title, tables[SUMMARY], column, "method", "activation")

    def draw(self, rows: pd.DataFrame, tables: Tables) -> Figure:
        """Draw every data set's MCC, one panel per activation."""
        panels = list(dict.fromkeys(rows["activation"]))
        methods = list(dict.fromkeys(tables[SUMMARY]["method"]))
        figure = new_figure(1.0 + 2.6 * len(panels), 3.0)
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for activation, ax in zip(panels, axes, strict=True):
            own = rows[rows["activation"] == activation]
            for place, method in enumerate(methods):
                scores = own.loc[own["method"] == method, "mcc"]
                ax.scatter(np.full(len(scores), place), scores, s=16, **form(method, methods))
            ax.set_title(activation)
            ax.set_xticks([])
        axes[0].set_ylabel("MCC on other rows")
        finish(figure, axes)
        return figure


Unmix = Callable[[SimulatedMixture, int | None, int], tuple[Rows, Rows]]
"""Returns the components of the training rows and of the other rows, given steps and a seed."""

_OURS: Mapping[str, Callable[[], Any]] = {
    "ivae": IVAE,
    "ivae (diagonal)": lambda: IVAE(posterior="diagonal"),
    "flow": FlowIVAE,
    "vae": VAE,
    "tcl": TCL,
    "linear-ica": SegmentICA,
}


def _ours(method: str) -> Unmix:
    def unmix(mixture: SimulatedMixture, steps: int | None, seed: int) -> tuple[Rows, Rows]:
        model = _OURS[method]()
        known = model.get_params()
        given = {"device": "cpu", "seed": seed, **({} if steps is None else {"steps": steps})}
        model.set_params(**{name: value for name, value in given.items() if name in known})
        train, test = mixture.train, mixture.test
        model.fit(train.observations, train.segments)
        return (
            model.transform(train.observations, train.segments),
            model.transform(test.observations, test.segments),
        )

    return unmix


def _pi_vae(mixture: SimulatedMixture, steps: int | None, seed: int) -> tuple[Rows, Rows]:
    package = import_module("pi_vae_pytorch")
    train = mixture.train.observations
    mean, scale = train.mean(axis=0), train.std(axis=0)
    x, x_out = (
        torch.as_tensor(((part.observations - mean) / scale).astype(np.float32))
        for part in (mixture.train, mixture.test)
    )
    u = torch.as_tensor(mixture.train.segments)
    kind: Literal["gaussian"] = "gaussian"
    # The package draws from torch's global stream, and its networks warn of layers without units.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed % 2**63)
        model = package.PiVAE(
            x_dim=train.shape[1],
            u_dim=len(mixture.std),
            z_dim=mixture.train.sources.shape[1],
            decoder_observation_model=kind,
            decoder_affine_hidden_layer_dim=_PI_VAE_HIDDEN,
            decoder_nflow_hidden_layer_dim=_PI_VAE_HIDDEN,
        )
        loss_of = package.ELBOLoss(observation_model=kind)
        optimizer = torch.optim.Adam(model.parameters(), lr=_PI_VAE_RATE)
        for _ in range(steps or _PI_VAE_STEPS):
            rows = torch.randint(len(x), (_PI_VAE_BATCH,))
            out = model(x[rows], u[rows])
            names = ("posterior_mean", "posterior_log_variance", "label_mean", "label_log_variance")
            further = ("encoder_mean", "encoder_log_variance")
            parts = {name: out[name] for name in ("posterior_firing_rate", *names, *further)}
            loss = loss_of(x[rows], observation_noise_model=model.observation_noise_model, **parts)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.inference_mode():
        inside, outside = (model.encoder(part)[0].double().numpy() for part in (x, x_out))
    return inside, outside
