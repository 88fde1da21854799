"""Define what the estimators share: checking, scaling, fitting, saving and loading."""

import json
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors.torch import load_file, save_file
from sklearn.base import BaseEstimator
from torch import Tensor

from causal_ivae import arrays
from causal_ivae.errors import FitError, InputError, SettingsError
from causal_ivae.seeding import child_seed
from causal_ivae.settings import TrainingSettings
from causal_ivae.unmixing.diagnostics import Diagnostics, diagnose, residual_dependence
from causal_ivae.unmixing.estimators import auxiliary
from causal_ivae.unmixing.estimators.parameters import (
    checked_path,
    plain_parameters,
    read_description,
    validated,
)
from causal_ivae.unmixing.estimators.triangular_beside import train_beside_triangular
from causal_ivae.unmixing.models.stacked import Auxiliary, StackedModel
from causal_ivae.unmixing.models.triangular import TriangularMap
from causal_ivae.unmixing.training.ensemble import make_model, resolve_device
from causal_ivae.unmixing.training.stacks import Fit
from causal_ivae.unmixing.training.starts import Starts
from causal_ivae.unmixing.triangular_start import suits

_Model = TypeVar("_Model", bound=StackedModel)
_MAP = "map."
"""Names of the parts of a triangular map begin so in a file."""


@dataclass(eq=False, repr=False)
class StackedEstimator(BaseEstimator, Generic[_Model]):  # type: ignore[misc]
    """Fit several restarts of one model as a stack and keep the best."""

    _kind: ClassVar[type[TrainingSettings]]
    """Settings of the model, made from those parameters that have their names."""
    _: KW_ONLY
    restarts: int = 1
    seed: int = 0
    device: str = "auto"
    model_: _Model = field(init=False)
    segments_: NDArray[np.int64] | None = field(init=False)
    map_: TriangularMap | None = field(init=False)

    def _settings(self) -> TrainingSettings:
        return validated(self._kind, self.get_params())

    def _train(self, starts: Starts) -> tuple[StackedModel, Fit]:
        return starts.trained()

    def _takes_columns_as_they_are(self) -> bool:
        return False

    def fit(self, x: ArrayLike, u: ArrayLike) -> Self:
        """Train the model.

        Parameters
        ----------
        x : array_like, shape (n_times, n_features)
            Observations in any unit; they are z-scored before training.
        u : array_like, shape (n_times,) of int, or (n_times,) or (n_times, n_auxiliary) of float
            The auxiliary variable: the segment of every row, with at least two segments of at
            least two rows; or a real number or vector per row.

        Returns
        -------
        self
            The best restart gives ``objective_`` (float, nats per row of z-scored data),
            ``slope_`` (gain per 100 steps at the end of training), ``n_iter_`` (int, number of
            training steps) and ``training_curve_`` (ndarray, shape (points, 2): step and
            objective).  ``restart_objectives_`` (ndarray, shape (restarts,)) holds the objectives
            of all restarts, NaN if training diverged twice, and ``diagnostics_`` judges the fit.
            Where there is a triangular start (see `IVAE` and `FlowIVAE`), its objective is the
            last, all are those of rows that it was not fitted to, and ``map_`` is its map, if it
            is the best.

        Raises
        ------
        InputError
            If shapes disagree, a value is not finite, a column is constant, or segments are too
            few or too short.
        FitError
            If the training of every restart diverged, at half the learning rate too.
        """
        settings = self._settings()
        data = arrays.matrix(x)
        self._learn_scales(data)
        auxiliary = self._learn_auxiliary(u, len(data))
        self._auxiliary_ = auxiliary
        if self.restarts < 1:
            raise SettingsError(f"Invalid value {self.restarts} for 'restarts': give 1 or more.")
        self.map_ = None
        values = self._standardised(data)[0]
        positions = self._auxiliary(u, len(data))
        seeds = [child_seed(self.seed, "fit", restart) for restart in range(self.restarts)]
        columns = torch.arange(data.shape[1], device=values.device).repeat(self.restarts, 1)
        components = self._components(data.shape[1])
        build, order_seed = self._build(data.shape[1]), child_seed(self.seed, "order of volumes")
        starts = Starts(build, seeds, values, columns, positions, settings, order_seed)
        if suits(settings, data.shape[1], components, auxiliary):
            stack, fit, self.map_ = train_beside_triangular(starts)
        else:
            stack, fit = self._train(starts)
        if not np.isfinite(fit.objective).any():
            raise FitError(
                "Training diverged, at half the rate too; use a smaller 'learning_rate' than "
                f"{settings.learning_rate} or another 'seed'."
            )
        self._keep(stack, fit)
        [self.diagnostics_] = diagnose(
            fit,
            positions,
            restarts=len(fit.objective),
            n_statistics=2 if getattr(self, "modulates", None) == "mean_variance" else 1,
        )
        return self

    def diagnose(self, x: ArrayLike, u: ArrayLike | None = None, *, seed: int = 0) -> Diagnostics:
        """Judge the fit, with a test of the remaining dependence between disturbances.

        Parameters
        ----------
        x, u : array_like, as in `fit`
            Rows in order of time.
        seed : int
            Seed of the null distribution.

        Returns
        -------
        Diagnostics
            ``diagnostics_`` with the p-value of HSIC between the recovered disturbances given u,
            with circular shifts in time as the null.  Nothing is tested for a continuous u.
        """
        data, given = self._prepared(x, u)
        if given.dim() > 1:
            return self.diagnostics_
        with torch.inference_mode():
            z = self.model_.disturbances(data, given)
        p_value = residual_dependence(z, given.cpu().numpy(), seed=seed)[0]
        return replace(self.diagnostics_, dependence_p=float(p_value))

    def _keep(self, stack: StackedModel, fit: Fit) -> None:
        best = int(np.nanargmax(fit.objective))
        self.model_ = self._build(len(self.mean_))([0])  # type: ignore[assignment]
        self.model_.load_state_dict({k: v[best : best + 1] for k, v in stack.state_dict().items()})
        self.model_.keys.copy_(stack.keys[best : best + 1])
        self.restart_objectives_ = fit.objective
        self.retried_ = fit.retried
        self.objective_ = float(fit.objective[best])
        self.slope_ = float(fit.slope[best])
        self.n_iter_ = int(fit.taken[best])
        self.training_curve_ = np.column_stack([fit.curve_steps, fit.curves[best]])

    def fit_transform(self, x: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
        """Train the model and return the disturbances of the training rows."""
        return self.fit(x, u).transform(x, u)

    def transform(self, x: ArrayLike, u: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the estimated disturbances, shape (n_times, n_components), float64.

        Parameters
        ----------
        x : array_like, shape (n_times, n_features)
        u : array_like, as in `fit`
            Its segments must all occur in the training data.

        Raises
        ------
        InputError
            If the model is not fitted, u is missing or holds an unknown segment.
        """
        data, given = self._prepared(x, u)
        with torch.inference_mode():
            z = self.model_.disturbances(data, given)
        return z[0].double().cpu().numpy()

    def score(self, x: ArrayLike, u: ArrayLike | None = None) -> float:
        """Return the mean objective over rows in nats, for x in its own units."""
        data, given = self._prepared(x, u)
        with torch.inference_mode():
            value = self.model_.evaluate(data, given)
        return float(value[0]) + float(self._log_volume(x).mean())

    def save(self, path: str | Path) -> None:
        """Write the weights as safetensors, and everything else as JSON beside them.

        Parameters
        ----------
        path : str or pathlib.Path
            A path that ends in ``.safetensors``.
        """
        path = checked_path(path)
        self._check_fitted()
        weights = {k: v.detach().cpu().contiguous() for k, v in self.model_.state_dict().items()}
        if self.map_ is not None:
            weights |= {_MAP + name: part.cpu() for name, part in vars(self.map_).items()}
        save_file(weights, path)
        description = {
            "class": type(self).__name__,
            "parameters": plain_parameters(self),
            "keys": self.model_.keys.tolist(),
            "mean": self.mean_.tolist(),
            "scale": self.scale_.tolist(),
            "segments": None if self.segments_ is None else self.segments_.tolist(),
            "u_mean": self.u_mean_.tolist(),
            "u_scale": self.u_scale_.tolist(),
            "objective": self.objective_,
            "restart_objectives": [
                value if np.isfinite(value) else None for value in self.restart_objectives_.tolist()
            ],
            "retried": self.retried_.tolist(),
            "slope": self.slope_,
            "n_iter": self.n_iter_,
            "training_curve": self.training_curve_.tolist(),
            "diagnostics": self.diagnostics_.as_dict(),
        }
        path.with_suffix(".json").write_text(
            json.dumps(description, indent=2, allow_nan=False), encoding="utf-8"
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model that `save` wrote.

        Raises
        ------
        InputError
            If there is no such file, or it was written by another class.
        """
        path = checked_path(path)
        description = read_description(path, cls.__name__)
        self = cls(**description["parameters"])
        self.mean_, self.scale_ = np.array(description["mean"]), np.array(description["scale"])
        segments = description["segments"]
        self.segments_ = None if segments is None else np.array(segments)
        self.u_mean_, self.u_scale_ = (
            np.array(description["u_mean"]),
            np.array(description["u_scale"]),
        )
        self._auxiliary_ = Auxiliary(
            segments=0 if segments is None else len(segments), features=len(self.u_mean_)
        )
        self.objective_, self.slope_ = description["objective"], description["slope"]
        self.n_iter_ = description["n_iter"]
        self.restart_objectives_ = np.array(description["restart_objectives"], dtype=np.float64)
        self.retried_ = np.array(description["retried"])
        self.training_curve_ = np.array(description["training_curve"])
        self.diagnostics_ = Diagnostics.from_dict(description["diagnostics"])
        self.model_ = self._build(len(self.mean_))([0])  # type: ignore[assignment]
        weights = load_file(path)
        parts = {name: weights.pop(name) for name in list(weights) if name.startswith(_MAP)}
        device = self.model_.keys.device
        own = {name.removeprefix(_MAP): part.to(device) for name, part in parts.items()}
        self.map_ = TriangularMap(**own) if own else None
        self.model_.load_state_dict(weights)
        self.model_.keys.copy_(torch.tensor(description["keys"], dtype=torch.int32))
        return self

    def _components(self, n_features: int) -> int:
        return checked_components(getattr(self, "n_components", None), n_features)

    def _build(self, n_features: int) -> "partial[StackedModel]":
        return partial(
            make_model,
            n_features=n_features,
            n_components=self._components(n_features),
            auxiliary=self._auxiliary_,
            settings=self._settings(),
            device=resolve_device(self.device),
        )

    def _learn_scales(self, data: NDArray[np.float64]) -> None:
        spread = data.std(axis=0)
        arrays.require_spread(data, "x")
        plain = self._takes_columns_as_they_are()
        self.mean_ = np.zeros(len(spread)) if plain else data.mean(axis=0)
        self.scale_ = np.ones(len(spread)) if plain else spread

    def _learn_auxiliary(self, u: ArrayLike, length: int) -> Auxiliary:
        self.u_mean_ = self.u_scale_ = np.empty(0)
        if not auxiliary.is_continuous(u):
            self.segments_, _ = auxiliary.distinct_segments(auxiliary.labels(u, length))
            return Auxiliary(segments=len(self.segments_))
        self.segments_ = None
        given = auxiliary.covariates(u, length)
        self.u_mean_, self.u_scale_ = given.mean(axis=0), given.std(axis=0)
        arrays.require_spread(given, "u")
        return Auxiliary(features=given.shape[1])

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise InputError(f"This {type(self).__name__} is not fitted; call fit(x, u) first.")

    def _prepared(self, x: ArrayLike, u: ArrayLike | None) -> tuple[Tensor, Tensor]:
        self._check_fitted()
        data = arrays.matrix(x)
        rows = self._standardised(data)
        if u is None:
            raise InputError(f"{type(self).__name__} needs the auxiliary variable: give x and u.")
        return rows, self._auxiliary(u, len(data))

    def _standardised(self, data: NDArray[np.float64]) -> Tensor:
        if data.shape[1] != len(self.mean_):
            raise InputError(
                f"'x' has {data.shape[1]} columns; the model was fitted to {len(self.mean_)}."
            )
        scaled = ((data - self.mean_) / self.scale_).astype(np.float32)
        rows = torch.as_tensor(scaled, device=resolve_device(self.device))[None]
        return rows if self.map_ is None else self.map_(rows)[0]

    def _in_units(self, rows: Tensor) -> NDArray[np.float64]:
        """Return x in its units from the model's own columns (1, n_times, n_features)."""
        rows = rows if self.map_ is None else self.map_.inverse(rows)
        return np.asarray(self.mean_ + self.scale_ * rows[0].double().cpu().numpy())

    def _auxiliary(self, u: ArrayLike, length: int) -> Tensor:
        device = resolve_device(self.device)
        if self.segments_ is None:
            given = auxiliary.covariates(u, length)
            if given.shape[1] != len(self.u_mean_):
                raise InputError(
                    f"'u' has {given.shape[1]} columns; the model was fitted to "
                    f"{len(self.u_mean_)}."
                )
            scaled = ((given - self.u_mean_) / self.u_scale_).astype(np.float32)
            return torch.as_tensor(scaled, device=device)
        labels = auxiliary.labels(u, length)
        position = np.searchsorted(self.segments_, labels).clip(max=len(self.segments_) - 1)
        unknown = np.flatnonzero(self.segments_[position] != labels)
        if len(unknown):
            raise InputError(
                f"Segment {labels[unknown[0]]} in row {unknown[0]} of 'u' was not in the data that "
                "the model was fitted to."
            )
        return torch.as_tensor(position, device=device)

    def _log_volume(self, x: ArrayLike) -> NDArray[np.float64]:
        """Return the log-determinant, at every row of x, of its way to the model's own columns."""
        scaled = torch.as_tensor((arrays.matrix(x) - self.mean_) / self.scale_)[None]
        volume = np.full(scaled.shape[1], -np.log(self.scale_).sum())
        if self.map_ is None:
            return volume
        _, of_map = self.map_(scaled.to(self.map_.table.device))
        return np.asarray(volume + of_map[0].cpu().numpy())


def checked_components(n_components: int | None, n_features: int) -> int:
    """Return the number of components, by default that of features.

    Raises
    ------
    InputError
        If there are none, or more than features.
    """
    components = n_features if n_components is None else n_components
    if not 1 <= components <= n_features:
        raise InputError(
            f"n_components is {components}, but 'x' has {n_features} columns; give 1 to "
            f"{n_features}."
        )
    return components
