"""Fit models to simulated mixtures and score what they recover."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.seeding import child_seed, generator
from causal_ivae.settings import TrainingSettings
from causal_ivae.unmixing.estimators import SegmentICA
from causal_ivae.unmixing.matching import mean_correlations, weak_mean_correlations
from causal_ivae.unmixing.models.stacked import Auxiliary, StackedModel
from causal_ivae.unmixing.models.tcl import StackedTCL
from causal_ivae.unmixing.training.ensemble import fit_stack, make_model
from causal_ivae.unmixing.triangular_start import fit_triangular, suits
from causal_ivae.validation.paper.mixtures import SimulatedMixture

SOURCES, ABSOLUTE = "s", "|s|"

Say = Callable[[str], None]
Ica = Literal["fastica", "score_matching"]


@dataclass(frozen=True)
class Recipe:
    """Describe a model and its training.

    Attributes
    ----------
    name : str
        In tables and legends.
    """

    name: str
    settings: TrainingSettings


@dataclass(frozen=True)
class Comparison:
    r"""Hold the scores of many fits.

    Attributes
    ----------
    runs : pandas.DataFrame
        One row per fit and score: ``method``, ``target`` (what the components are scored
        against: s or \|s\|), the sizes M, L, d and n, ``data_seed``, ``restart`` (a fit from a
        triangular map, where the model suits it, comes after the others), ``mcc_in``,
        ``mcc_out`` and ``weak_mcc_out`` (MCC on the training rows, on other rows with the
        matching of the training rows, and after a linear map), ``objective`` and
        ``held_out`` (ELBO, log-likelihood or log-probability of the segment, nats per row, of
        training and of other rows), ``accuracy`` (TCL), ``retried``, ``selected`` (the restart
        with the best ``held_out`` of its data set), ``seconds`` (of the stack, divided by its
        members), ``stack_seconds`` and ``members``.
    curves : pandas.DataFrame
        ``method``, ``data_seed``, ``restart``, ``epoch``, ``mcc_out`` and ``held_out`` during
        training; empty unless asked for.
    components : dict of str to ndarray, shape (data_sets, n_times, n), float64
        Of the training rows, from the restarts selected, by ``method``.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    components: Mapping[str, NDArray[np.float64]]


def compare(
    mixtures: Sequence[SimulatedMixture],
    recipes: Sequence[Recipe],
    *,
    restarts: int,
    seed: int,
    device: torch.device,
    curves: bool = False,
    say: Say = lambda _: None,
) -> Comparison:
    """Fit every recipe to every mixture, all data sets and restarts of a recipe as one stack.

    Parameters
    ----------
    mixtures : sequence of SimulatedMixture
        Of the same sizes and segments.
    restarts : int
        Fits of every model to every data set.
    seed : int
        Of the starting weights; a fit is keyed by (recipe, data set, restart).
    curves : bool
        Whether to score during training too.
    say : callable
        Told what is done, in one line per recipe.
    """
    data = _Data.of(mixtures, restarts, device)
    runs = [data.baselines(seed)]
    followed = []
    components: dict[str, NDArray[np.float64]] = {}
    for recipe in recipes:
        table, curve, recovered = data.fitted(recipe, seed, curves=curves)
        components |= recovered
        first = table.iloc[0]
        same = (table["method"] == first["method"]) & (table["target"] == first["target"])
        chosen = table.loc[same & table["selected"], "mcc_out"]
        say(
            f"{first['method']}: median MCC {chosen.median():.3f} of {len(chosen)} data sets, "
            f"{first['stack_seconds']:.0f} s"
        )
        runs.append(table)
        followed.append(curve)
    return Comparison(
        pd.concat(runs, ignore_index=True),
        pd.concat(followed, ignore_index=True) if curves else pd.DataFrame(),
        components,
    )


@dataclass(frozen=True)
class _Data:
    """Hold several mixtures as the columns of one array."""

    mixtures: Sequence[SimulatedMixture]
    restarts: int
    train: Tensor
    test: Tensor
    columns: Tensor
    u: Tensor
    u_test: Tensor
    volume: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    """Log-determinants of the members' columns, means of the training and of the other rows."""

    @classmethod
    def of(
        cls, mixtures: Sequence[SimulatedMixture], restarts: int, device: torch.device
    ) -> "_Data":
        d = mixtures[0].train.observations.shape[1]
        scaled = [_standardised(mixture) for mixture in mixtures]
        train, test = (
            torch.as_tensor(np.hstack(side).astype(np.float32), device=device)
            for side in zip(*scaled, strict=True)
        )
        every = torch.arange(len(mixtures) * d, device=device).reshape(-1, d)
        return cls(
            mixtures=mixtures,
            restarts=restarts,
            train=train,
            test=test,
            columns=every.repeat_interleave(restarts, 0),
            u=torch.as_tensor(mixtures[0].train.segments, device=device),
            u_test=torch.as_tensor(mixtures[0].test.segments, device=device),
        )

    def fitted(
        self, recipe: Recipe, seed: int, *, curves: bool
    ) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, NDArray[np.float64]]]:
        """Train one recipe and score it."""
        settings = recipe.settings
        n = self.mixtures[0].train.sources.shape[1]
        auxiliary = Auxiliary(segments=int(self.u.max()) + 1)
        if self.volume is None and suits(settings, self.columns.shape[1], n, auxiliary):
            return self.with_triangular_starts().fitted(recipe, seed, curves=curves)
        volume, volume_out = self.volume or (0.0, 0.0)
        build = partial(
            make_model,
            n_features=self.columns.shape[1],
            n_components=n,
            auxiliary=auxiliary,
            settings=settings,
            device=self.train.device,
        )
        seeds = [
            child_seed(seed, recipe.name, mixture.seed, restart)
            for mixture in self.mixtures
            for restart in range(self.restarts)
        ]
        points: list[pd.DataFrame] = []

        def watch(step: int, model: StackedModel) -> None:
            z = _components(model, self.x_test, self.u_test)
            epoch = step * min(settings.batch_size, len(self.train)) / len(self.train)
            points.append(
                self._members(recipe.name).assign(
                    epoch=epoch,
                    mcc_out=mean_correlations(self._true("test", SOURCES), z),
                    held_out=model.evaluate(self.x_test, self.u_test).cpu().numpy() + volume_out,
                )
            )

        started = time.perf_counter()
        model, fit = fit_stack(
            build,
            seeds,
            self.train,
            self.columns,
            self.u,
            settings,
            order_seed=child_seed(seed, recipe.name, "order of rows"),
            watch=watch if curves else None,
        )
        elapsed = time.perf_counter() - started
        with torch.inference_mode():
            held_out = model.evaluate(self.x_test, self.u_test).double().cpu().numpy() + volume_out
            accuracy = (
                model.accuracy(self.x_test, self.u_test).double().cpu().numpy()
                if isinstance(model, StackedTCL)
                else np.nan
            )
        facts: dict[str, Any] = {
            "objective": fit.objective + volume,
            "held_out": held_out,
            "accuracy": accuracy,
            "retried": fit.retried,
            "selected": self._selected(held_out),
            "seconds": elapsed / len(seeds),
            "stack_seconds": elapsed,
            "members": len(seeds),
        }
        tables, components = [], {}
        for name, ica in _forms(recipe, model):
            if isinstance(model, StackedTCL) and ica is not None:
                with torch.inference_mode():
                    model.fit_ica(self.x_train, self.u, ica)
            inside = _components(model, self.x_train, self.u)
            outside = _components(model, self.x_test, self.u_test)
            components[name] = inside[facts["selected"]]
            for target in (SOURCES,) if ica is None else (ABSOLUTE, SOURCES):
                scores = _scores(
                    self._true("train", target), self._true("test", target), inside, outside
                )
                tables.append(self._members(name).assign(target=target, **scores, **facts))
        return pd.concat(tables), pd.concat(points) if points else pd.DataFrame(), components

    def with_triangular_starts(self) -> "_Data":
        """Return the data with one more fit of every mixture, from a triangular map of it."""
        apart = replace(self, restarts=1, columns=self.columns[:: self.restarts])
        maps = fit_triangular(apart.x_train, self.u).map
        (train, volume), (test, volume_out) = maps(apart.x_train), maps(apart.x_test)
        mapped = apart.columns + self.train.shape[1]
        restarts = self.restarts + 1
        columns = self.columns.view(len(mapped), self.restarts, -1)

        def of_members(log_determinant: Tensor) -> NDArray[np.float64]:
            own = np.zeros((len(mapped), restarts))
            own[:, -1] = log_determinant.double().mean(1).cpu().numpy()
            return own.ravel()

        return replace(
            self,
            restarts=restarts,
            train=torch.cat((self.train, train.transpose(0, 1).flatten(1)), dim=1),
            test=torch.cat((self.test, test.transpose(0, 1).flatten(1)), dim=1),
            columns=torch.cat((columns, mapped[:, None]), dim=1).flatten(0, 1),
            volume=(of_members(volume), of_members(volume_out)),
        )

    def baselines(self, seed: int) -> pd.DataFrame:
        """Score the observations themselves, linear ICA by segments, and random components."""
        rows = []
        n, d = self.mixtures[0].train.sources.shape[1], self.columns.shape[1]
        for mixture in self.mixtures:
            samples = (mixture.train, mixture.test)
            started = time.perf_counter()
            ica = SegmentICA(n).fit(mixture.train.observations, mixture.train.segments)
            elapsed = time.perf_counter() - started
            rng = generator(seed, "chance", mixture.seed)
            recovered = {
                "linear ICA": [ica.transform(sample.observations) for sample in samples],
                "chance": [rng.normal(size=sample.sources.shape) for sample in samples],
            }
            if n == d:
                recovered["observations"] = [sample.observations for sample in samples]
            for name, (inside, outside) in recovered.items():
                for target, shape in _SHAPES.items():
                    true, true_out = (shape(sample.sources) for sample in samples)
                    rows.append(
                        {
                            "method": name,
                            "target": target,
                            **self._sizes(),
                            "data_seed": mixture.seed,
                            "restart": 0,
                            **_scores(true, true_out, shape(inside), shape(outside)),
                            "selected": True,
                            "seconds": elapsed if name == "linear ICA" else 0.0,
                        }
                    )
        return pd.DataFrame(rows)

    def _true(self, side: str, target: str) -> NDArray[np.float64]:
        sources = np.stack([getattr(mixture, side).sources for mixture in self.mixtures])
        repeated = np.repeat(sources, self.restarts, axis=0)
        return _SHAPES[target](repeated)

    def _members(self, name: str) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "method": name,
                **self._sizes(),
                "data_seed": np.repeat([m.seed for m in self.mixtures], self.restarts),
                "restart": np.tile(np.arange(self.restarts), len(self.mixtures)),
            }
        )

    def _sizes(self) -> dict[str, int]:
        n_segments = len(self.mixtures[0].std)
        return {
            "M": n_segments,
            "L": len(self.train) // n_segments,
            "d": self.columns.shape[1],
            "n": self.mixtures[0].train.sources.shape[1],
        }

    def _selected(self, held_out: NDArray[np.float64]) -> NDArray[np.bool_]:
        value = np.where(np.isfinite(held_out), held_out, -np.inf).reshape(-1, self.restarts)
        return np.asarray(np.arange(self.restarts) == value.argmax(axis=1)[:, None]).ravel()

    @property
    def x_train(self) -> Tensor:
        """Return the training rows of every member, shape (members, rows, d)."""
        return self.train[:, self.columns].transpose(0, 1)

    @property
    def x_test(self) -> Tensor:
        """Return the other rows of every member, shape (members, rows, d)."""
        return self.test[:, self.columns].transpose(0, 1)


_ICA: dict[str, Ica] = {"FastICA": "fastica", "score matching": "score_matching"}
_SHAPES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    SOURCES: np.asarray,
    ABSOLUTE: np.abs,
}


def _scores(
    true: NDArray[np.float64],
    true_out: NDArray[np.float64],
    inside: NDArray[np.float64],
    outside: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    return {
        "mcc_in": mean_correlations(true, inside),
        "mcc_out": mean_correlations(true, inside, held_out=(true_out, outside)),
        "weak_mcc_out": weak_mean_correlations(true, inside, held_out=(true_out, outside)),
    }


def _components(model: StackedModel, x: Tensor, u: Tensor) -> NDArray[np.float64]:
    """Return the disturbances of every member; zero where training diverged."""
    with torch.inference_mode():
        z = model.disturbances(x, u)
    return z.nan_to_num(0.0, 0.0, 0.0).double().cpu().numpy()


def _standardised(mixture: SimulatedMixture) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return training and other rows in units of the training rows; binary ones as they are."""
    train, test = mixture.train.observations, mixture.test.observations
    if np.isin(train, (0.0, 1.0)).all():
        return train, test
    mean, scale = train.mean(axis=0), train.std(axis=0)
    return (train - mean) / scale, (test - mean) / scale


def _forms(recipe: Recipe, model: StackedModel) -> list[tuple[str, Ica | None]]:
    """Return the names under which a model is scored, and the linear ICA of TCL's features."""
    if not isinstance(model, StackedTCL):
        return [(recipe.name, None)]
    return [(f"{recipe.name}, {name}", ica) for name, ica in _ICA.items()]
