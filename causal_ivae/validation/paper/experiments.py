"""Define what the experiments of Khemakhem et al. 2020 simulate, and which models they fit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from causal_ivae.settings import (
    ElboWeights,
    FlowSettings,
    GeneralIVAESettings,
    IVAESettings,
    TCLSettings,
    TrainingSettings,
    VAESettings,
)
from causal_ivae.validation.paper.mixtures import (
    SimulatedMixture,
    simulate_binary,
    simulate_easy_segments,
    simulate_mixture,
)
from causal_ivae.validation.paper.model_comparison import Comparison, Recipe, Say, compare

OURS, FLOW = "iVAE", "iVAE (flow)"
DIAGONAL, PUBLISHED = "iVAE (diagonal)", "iVAE (published weights)"
VAE_NAME, BETA, BETA_TC, TCL_NAME = "VAE", "beta-VAE", "beta-TC-VAE", "TCL"

FigureName = Literal["figure1", "figure2", "figure3", "discrete", "selection"]
FIGURES: tuple[FigureName, ...] = ("figure1", "figure2", "figure3", "discrete", "selection")

_PUBLISHED_STD = 0.1**0.5
_WEIGHTS = {
    PUBLISHED: ElboWeights(
        reconstruction=100, mutual_information=1, total_correlation=0, dimension_wise_kl=10
    ),
    VAE_NAME: ElboWeights(reconstruction=1000),
    BETA: ElboWeights(
        reconstruction=500, mutual_information=5, total_correlation=5, dimension_wise_kl=5
    ),
    BETA_TC: ElboWeights(reconstruction=1000, total_correlation=15),
}


@dataclass(frozen=True)
class Scale:
    """Describe how much of a figure is computed.

    Attributes
    ----------
    data_sets, restarts : int
        Seeds of the data 0, 1, ..., and fits of each.
    n_per_segment : int
        L.
    effort : float
        Share of the training steps of the full figure.
    conditions : int
        At most so many values of M, n or settings.
    """

    data_sets: int = 5
    restarts: int = 5
    n_per_segment: int = 1000
    effort: float = 1.0
    conditions: int = 99


FULL = Scale()
_FEWEST_STEPS = 6
QUICK = Scale(data_sets=2, restarts=2, n_per_segment=100, effort=0.02, conditions=2)


@dataclass(frozen=True)
class Outcome:
    """Hold what a figure was computed from.

    Attributes
    ----------
    runs : pandas.DataFrame
        See `causal_ivae.validation.paper.model_comparison.Comparison`; ``panel`` says where a row
        belongs.
    curves : pandas.DataFrame
        Scores during training; empty for most figures.
    points : dict of str to ndarray, shape (n_times, 2)
        Scatter plots by title; figure 1 only.
    segments : ndarray or None, shape (n_times,)
        Colours of `points`.
    settings : dict
        For the JSON beside the figure.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    points: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    segments: NDArray[np.int64] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


Fit = Callable[..., Comparison]
"""`compare` with the restarts, the seed, the device and who is told already given."""


def run_experiment(
    name: FigureName, scale: Scale, *, seed: int, device: torch.device, say: Say
) -> Outcome:
    """Simulate, fit and score all that a figure shows.

    Parameters
    ----------
    name : {"figure1", "figure2", "figure3", "discrete", "selection"}
    seed : int
        Of the starting weights.
    say : callable
        Told what is done.
    """
    fit = partial(compare, restarts=scale.restarts, seed=seed, device=device, say=say)
    return _EXPERIMENTS[name](scale, fit, say)


def recipes(scale: Scale) -> dict[str, Recipe]:
    """Return every model that is compared, at the effort given."""

    def steps(full: int) -> int:
        return max(_FEWEST_STEPS, round(full * scale.effort))

    network: dict[str, Any] = {"hidden": 64, "warmup": 0.0}
    published: dict[str, Any] = network | {
        "noise": _PUBLISHED_STD,
        "batch_size": 64,
        "learning_rate": 3e-3,
    }
    invertible: dict[str, Any] = {"maps": 8, "batch_size": 256, "learning_rate": 2e-2}
    plain = network | {"batch_size": 128, "learning_rate": 3e-3, "steps": steps(2000)}
    settings: dict[str, TrainingSettings] = {
        FLOW: FlowSettings(prior="gaussian", steps=steps(3000)),
        OURS: IVAESettings(prior="gaussian", steps=steps(3000), **invertible),
        DIAGONAL: IVAESettings(prior="gaussian", posterior="diagonal", **plain),
        PUBLISHED: IVAESettings(
            prior="gaussian",
            posterior="diagonal",
            weights=_WEIGHTS[PUBLISHED],
            steps=steps(2000),
            **published,
        ),
        TCL_NAME: TCLSettings(
            hidden=64, batch_size=128, learning_rate=1e-2, weight_decay=1e-5, steps=steps(3000)
        ),
    }
    vaes: dict[str, TrainingSettings] = {
        name: VAESettings(weights=_WEIGHTS[name], steps=steps(2000), **published)
        for name in (VAE_NAME, BETA, BETA_TC)
    }
    return {name: Recipe(name, chosen) for name, chosen in (settings | vaes).items()}


def _mixtures(
    scale: Scale, simulate: Callable[..., SimulatedMixture] = simulate_mixture, **sizes: Any
) -> list[SimulatedMixture]:
    """Simulate as many data sets as the scale says, with the seeds 0, 1, ..."""
    sizes = {"n_per_segment": scale.n_per_segment, **sizes}
    return [simulate(**sizes, seed=seed) for seed in range(scale.data_sets)]


def _figure1(scale: Scale, fit: Fit, _: Say) -> Outcome:
    mixture = simulate_mixture(
        n_segments=5, n_per_segment=scale.n_per_segment, n_sources=2, activation="xtanh", seed=0
    )
    made = recipes(scale)
    chosen = [made[name] for name in (OURS, FLOW, DIAGONAL, VAE_NAME)]
    result = fit([mixture], chosen)
    return Outcome(
        result.runs.assign(panel="a"),
        points={
            "sources": mixture.train.sources,
            "observations": mixture.train.observations,
            **{name: components[0] for name, components in result.components.items()},
        },
        segments=mixture.train.segments,
        settings=_described(chosen, scale),
    )


def _figure2(scale: Scale, fit: Fit, say: Say) -> Outcome:
    made = recipes(scale)
    names = (OURS, FLOW, DIAGONAL, VAE_NAME, BETA, BETA_TC)
    runs, curves = [], []
    for activation, n in [("leaky_relu", 5), ("xtanh", 5), *(("leaky_relu", n) for n in (2, 3, 4))][
        : scale.conditions + 1
    ]:
        say(f"{activation} mixing, n = {n}, d = 5")
        mixtures = _mixtures(scale, n_sources=n, n_features=5, activation=activation)
        chosen = [made[name] for name in (*names, PUBLISHED) if n == 5 or name != PUBLISHED]
        result = fit(mixtures, chosen, curves=n == 5)
        runs.append(result.runs.assign(panel="a" if n == 5 else "b", mixing=activation))
        if n == 5:
            curves.append(result.curves.assign(mixing=activation))
    return Outcome(
        pd.concat(runs, ignore_index=True),
        pd.concat(curves, ignore_index=True),
        settings=_described([made[name] for name in (*names, PUBLISHED)], scale),
    )


def _figure3(scale: Scale, fit: Fit, say: Say) -> Outcome:
    made = recipes(scale)
    easy = {
        name: replace(recipe, settings=recipe.settings.model_copy(update=_EASY.get(name, {})))
        for name, recipe in made.items()
    }
    panels: dict[str, tuple[Callable[..., SimulatedMixture], dict[str, Recipe]]] = {
        "a": (simulate_mixture, made),
        "b": (simulate_easy_segments, easy),
    }
    runs = []
    names = (OURS, FLOW, DIAGONAL, TCL_NAME)
    for (panel, (simulate, of)), n_segments in product(
        panels.items(), (10, 20, 30, 40, 50)[: scale.conditions]
    ):
        say(f"panel {panel}, M = {n_segments}")
        mixtures = _mixtures(scale, simulate, n_segments=n_segments)
        result = fit(mixtures, [of[name] for name in names])
        runs.append(result.runs.assign(panel=panel))
    described = _described([made[name] for name in names], scale)
    described["recipes, panel b"] = _described([easy[name] for name in names], scale)["recipes"]
    return Outcome(pd.concat(runs, ignore_index=True), settings=described)


_EASY: dict[str, dict[str, Any]] = {
    OURS: {"modulates": "mean_variance", "learning_rate": 1e-2},
    FLOW: {"modulates": "mean_variance", "learning_rate": 1e-2},
    DIAGONAL: {"modulates": "mean_variance"},
}


def _discrete(scale: Scale, fit: Fit, _: Say) -> Outcome:
    small = scale.n_per_segment < FULL.n_per_segment
    mixtures = _mixtures(
        scale,
        simulate_binary,
        n_segments=20,
        n_per_segment=3 * scale.n_per_segment,
        n_sources=4 if small else 10,
        n_features=20 if small else 100,
    )
    shared: dict[str, Any] = {
        "likelihood": "bernoulli",
        "hidden": 64,
        "batch_size": 256,
        "learning_rate": 3e-3,
        "steps": max(_FEWEST_STEPS, round(2000 * scale.effort)),
    }
    chosen = [
        Recipe(OURS, GeneralIVAESettings(prior="gaussian", **shared)),
        Recipe(DIAGONAL, GeneralIVAESettings(prior="gaussian", posterior="diagonal", **shared)),
        Recipe(VAE_NAME, VAESettings(**shared)),
    ]
    result = fit(mixtures, chosen)
    return Outcome(result.runs.assign(panel="a"), settings=_described(chosen, scale))


def _selection(scale: Scale, fit: Fit, say: Say) -> Outcome:
    made = recipes(scale)
    mixtures = _mixtures(scale, n_sources=2)
    tables, chosen = [], []
    for panel, (family, values) in zip("ab", _SETTINGS_TO_CHOOSE.items(), strict=True):
        say(f"settings of {family}")
        grid = [dict(zip(values, some, strict=True)) for some in product(*values.values())]
        some = [
            Recipe(_shown(changes), made[family].settings.model_copy(update=changes))
            for changes in grid[:: max(1, len(grid) // scale.conditions)]
        ]
        tables.append(fit(mixtures, some).runs.assign(panel=panel))
        chosen += [replace(recipe, name=f"{family}, {recipe.name}") for recipe in some]
    runs = pd.concat(tables, ignore_index=True)
    described = _described(chosen, scale)
    found = choices(runs)
    described["choices"] = found.astype(object).where(found.notna(), None).to_dict("records")
    return Outcome(runs, settings=described)


_SETTINGS_TO_CHOOSE: dict[str, dict[str, tuple[Any, ...]]] = {
    OURS: {
        "maps": (4, 12),
        "knots": (4, 8),
        "learning_rate": (2e-3, 2e-2),
        "final_noise": (1e-3, 1e-2),
    },
    DIAGONAL: {
        "hidden": (16, 64),
        "layers": (2, 3),
        "learning_rate": (1e-3, 1e-2),
        "noise": ("learned", _PUBLISHED_STD),
    },
}


def _shown(settings: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else f'{value:.3g}'}"
        for name, value in settings.items()
    )


def choices(runs: pd.DataFrame) -> pd.DataFrame:
    """Return how well the held-out ELBO chooses among settings, for every panel and data set.

    Parameters
    ----------
    runs : pandas.DataFrame
        Selected restarts count.

    Returns
    -------
    pandas.DataFrame
        ``panel``, ``data_seed``, ``rank_correlation`` (Spearman's, of held-out ELBO and MCC over
        settings; None where there are fewer than three), and the MCC of the setting with the best
        held-out ELBO (``mcc_chosen``), the median of all settings (``mcc_median``) and the best
        (``mcc_best``).
    """
    fitted = runs[runs["selected"] & runs["held_out"].notna()]
    rows = []
    for (panel, data_seed), of_set in fitted.groupby(["panel", "data_seed"]):
        mcc, held_out = of_set["mcc_out"], of_set["held_out"]
        several = len(of_set) > 2
        rows.append(
            {
                "panel": panel,
                "data_seed": data_seed,
                "rank_correlation": float(spearmanr(held_out, mcc).statistic) if several else None,
                "mcc_chosen": float(mcc.iloc[int(held_out.argmax())]),
                "mcc_median": float(mcc.median()),
                "mcc_best": float(mcc.max()),
            }
        )
    return pd.DataFrame(rows).round(4)


def _described(chosen: list[Recipe], scale: Scale) -> dict[str, Any]:
    return {
        "scale": vars(scale),
        "recipes": {recipe.name: recipe.settings.model_dump(mode="json") for recipe in chosen},
    }


_EXPERIMENTS: dict[FigureName, Callable[[Scale, Fit, Say], Outcome]] = {
    "figure1": _figure1,
    "figure2": _figure2,
    "figure3": _figure3,
    "discrete": _discrete,
    "selection": _selection,
}
