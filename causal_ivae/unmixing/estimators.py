"""iVAE and TCL of one data set, in scikit-learn's grammar: a stack with a single member."""

import json
import math
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from sklearn.base import BaseEstimator
from torch import Tensor

from causal_ivae.config import IVAESettings, TCLSettings
from causal_ivae.errors import FitError, InputError, SettingsError
from causal_ivae.seeding import child_seed
from causal_ivae.unmixing.draws import member_keys
from causal_ivae.unmixing.ensemble import resolve_device, train
from causal_ivae.unmixing.ivae import StackedIVAE
from causal_ivae.unmixing.tcl import StackedTCL

_SCORE_STREAM = 1 << 21

_Model = TypeVar("_Model", StackedIVAE, StackedTCL)
_Settings = TypeVar("_Settings", IVAESettings, TCLSettings)


class _Unmixer(BaseEstimator, Generic[_Model]):  # type: ignore[misc]
    """What both estimators share: checking, scaling, fitting, saving."""

    seed: int
    device: str
    model_: _Model

    def _settings(self) -> IVAESettings | TCLSettings:
        raise NotImplementedError

    def _model(self, n_features: int, n_segments: int) -> _Model:
        raise NotImplementedError

    def _keys(self) -> Tensor:
        return member_keys([child_seed(self.seed, "fit")], resolve_device(self.device))

    def fit(self, x: ArrayLike, u: ArrayLike) -> Self:
        """Train the model.

        Parameters
        ----------
        x : array_like, shape (n_times, n_features)
            Of any unit; z-scored inside.
        u : array_like of int, shape (n_times,)
            Segment of every row; at least two distinct values.

        Returns
        -------
        self
            With ``objective_`` (float, nats per row of z-scored data), ``slope_`` and
            ``training_curve_`` (ndarray, shape (points, 2): step and objective).

        Raises
        ------
        InputError
            If shapes disagree, a value is not finite or a column is constant.
        FitError
            If training diverged.
        """
        data = _matrix(x)
        self.mean_, self.scale_ = data.mean(axis=0), data.std(axis=0)
        if (self.scale_ == 0).any():
            column = int(np.flatnonzero(self.scale_ == 0)[0])
            raise InputError(f"Column {column} of 'x' is constant; leave it out.")
        self.segments_, labels = np.unique(_labels(u, len(data)), return_inverse=True)
        if len(self.segments_) < 2:
            raise InputError("'u' has one distinct value; the model needs at least two segments.")
        self.model_ = self._model(data.shape[1], len(self.segments_))
        values = self._standardised(data)[0]
        fit = train(
            self.model_,
            values,
            torch.arange(data.shape[1], device=values.device)[None],
            torch.as_tensor(labels, device=values.device),
            self._settings(),
            order_seed=child_seed(self.seed, "order of volumes"),
        )
        if not np.isfinite(fit.objective[0]):
            raise FitError("Training diverged; use a smaller learning_rate or another seed.")
        self.objective_ = float(fit.objective[0])
        self.slope_ = float(fit.slope[0])
        self.training_curve_ = np.column_stack([fit.curve_steps, fit.curves[0]])
        return self

    def fit_transform(self, x: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
        """Train and return the disturbances of the training rows."""
        return self.fit(x, u).transform(x, u)

    def transform(self, x: ArrayLike, u: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the estimated disturbances, shape (n_times, n_components)."""
        raise NotImplementedError

    def save(self, path: str | Path) -> None:
        """Write the weights as safetensors, and everything else as JSON beside them.

        Parameters
        ----------
        path : str or pathlib.Path
            Ends in ``.safetensors``.
        """
        path = Path(path)
        self._check_fitted()
        weights = {k: v.detach().cpu().contiguous() for k, v in self.model_.state_dict().items()}
        save_file(weights, path)
        description = {
            "class": type(self).__name__,
            "parameters": self.get_params(),
            "mean": self.mean_.tolist(),
            "scale": self.scale_.tolist(),
            "segments": self.segments_.tolist(),
            "objective": self.objective_,
            "slope": self.slope_,
            "training_curve": self.training_curve_.tolist(),
        }
        path.with_suffix(".json").write_text(json.dumps(description, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read back what `save` wrote.

        Raises
        ------
        InputError
            If the file was written by another class.
        """
        path = Path(path)
        description: dict[str, Any] = json.loads(
            path.with_suffix(".json").read_text(encoding="utf-8")
        )
        if description["class"] != cls.__name__:
            raise InputError(f"'{path}' holds a {description['class']}, not a {cls.__name__}.")
        self = cls(**description["parameters"])
        self.mean_, self.scale_ = np.array(description["mean"]), np.array(description["scale"])
        self.segments_ = np.array(description["segments"])
        self.objective_, self.slope_ = description["objective"], description["slope"]
        self.training_curve_ = np.array(description["training_curve"])
        self.model_ = self._model(len(self.mean_), len(self.segments_))
        self.model_.load_state_dict(load_file(path))
        return self

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise InputError(f"This {type(self).__name__} is not fitted; call fit(x, u) first.")

    def _standardised(self, data: NDArray[np.float64]) -> Tensor:
        if data.shape[1] != len(self.mean_):
            raise InputError(
                f"'x' has {data.shape[1]} columns; the model was fitted to {len(self.mean_)}."
            )
        scaled = ((data - self.mean_) / self.scale_).astype(np.float32)
        return torch.as_tensor(scaled, device=resolve_device(self.device))[None]

    def _segments(self, u: ArrayLike, length: int) -> Tensor:
        labels = _labels(u, length)
        position = np.searchsorted(self.segments_, labels).clip(max=len(self.segments_) - 1)
        unknown = np.flatnonzero(self.segments_[position] != labels)
        if len(unknown):
            raise InputError(
                f"Segment {labels[unknown[0]]} in row {unknown[0]} of 'u' was not in the data that "
                "the model was fitted to."
            )
        return torch.as_tensor(position, device=resolve_device(self.device))


class IVAE(_Unmixer[StackedIVAE]):
    """Identifiable variational autoencoder (Khemakhem, Kingma, Monti, Hyvarinen 2020).

    Parameters
    ----------
    n_components : int or None
        Latent disturbances; None for as many as columns of x.
    prior : {"gaussian", "laplace"}
        Law of each disturbance given the segment.
    modulates : {"variance", "mean_variance"}
        What changes with the segment.
    noise : float or "learned"
        Standard deviation of p(x|z), in units of each column's standard deviation.
    hidden, layers : int
        Width and number of weight matrices of encoder and decoder.
    activation : {"leaky_relu", "xtanh"}
    slope : float
        Of leaky ReLU below zero, and of the linear part of xtanh.
    steps, batch_size, learning_rate : int, int, float
        Adam with a cosine schedule.
    warmup : float
        Share of steps over which the weight of the KL term rises to one.
    seed : int
    device : str

    Notes
    -----
    Maximises the ELBO of equation 8.  Disturbances are identified up to order, sign and scale
    (for one sufficient statistic per component, up to a monotone function) where segments are
    enough and different enough (theorem 1).
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        prior: Literal["gaussian", "laplace"] = "gaussian",
        modulates: Literal["variance", "mean_variance"] = "variance",
        noise: float | Literal["learned"] = IVAESettings().noise,
        hidden: int = IVAESettings().hidden,
        layers: int = IVAESettings().layers,
        activation: Literal["leaky_relu", "xtanh"] = "leaky_relu",
        slope: float = IVAESettings().slope,
        steps: int = IVAESettings().steps,
        batch_size: int = IVAESettings().batch_size,
        learning_rate: float = IVAESettings().learning_rate,
        warmup: float = IVAESettings().warmup,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.n_components = n_components
        self.prior = prior
        self.modulates = modulates
        self.noise = noise
        self.hidden = hidden
        self.layers = layers
        self.activation = activation
        self.slope = slope
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.seed = seed
        self.device = device

    def _settings(self) -> IVAESettings:
        shared = {k: v for k, v in self.get_params().items() if k in IVAESettings.model_fields}
        return _validated(IVAESettings, shared)

    def _model(self, n_features: int, n_segments: int) -> StackedIVAE:
        components = n_features if self.n_components is None else self.n_components
        if not 1 <= components <= n_features:
            raise InputError(
                f"n_components is {components}, but 'x' has {n_features} columns; give 1 to "
                f"{n_features}."
            )
        return StackedIVAE(self._keys(), n_features, components, n_segments, self._settings())

    def transform(self, x: ArrayLike, u: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return posterior means of the disturbances.

        Parameters
        ----------
        x : array_like, shape (n_times, n_features)
        u : array_like of int, shape (n_times,)
            Segments that were in the data the model was fitted to.

        Returns
        -------
        ndarray, shape (n_times, n_components), float64

        Raises
        ------
        InputError
            If the model is not fitted, u is missing or holds an unknown segment.
        """
        self._check_fitted()
        if u is None:
            raise InputError("iVAE's encoder needs the segments: transform(x, u).")
        data = _matrix(x)
        with torch.inference_mode():
            z = self.model_.disturbances(self._standardised(data), self._segments(u, len(data)))
        return z[0].double().cpu().numpy()

    def score(self, x: ArrayLike, u: ArrayLike) -> float:
        """Return the mean evidence lower bound, nats per row, in the units of x."""
        self._check_fitted()
        data = _matrix(x)
        with torch.inference_mode():
            reconstruction, kl = self.model_.elbo_terms(
                self._standardised(data), self._segments(u, len(data)), _SCORE_STREAM
            )
        return float((reconstruction - kl)[0]) - float(np.log(self.scale_).sum())

    def log_likelihood(self, x: ArrayLike, u: ArrayLike, draws: int = 100) -> NDArray[np.float64]:
        """Estimate log p(x|u) of every row by importance sampling from q(z|x,u).

        Parameters
        ----------
        x, u
            As in `transform`.
        draws : int
            Importance samples; the estimate is a lower bound that tightens with them.

        Returns
        -------
        ndarray, shape (n_times,), float64
            Nats, in the units of x.

        Notes
        -----
        Burda, Grosse, Salakhutdinov 2016, equation 8.
        """
        self._check_fitted()
        data = _matrix(x)
        rows, segments = self._standardised(data), self._segments(u, len(data))
        with torch.inference_mode():
            weights = self.model_.log_importance_weights(rows, segments, _SCORE_STREAM, draws)
            value = weights.logsumexp(0)[0] - math.log(draws)
        return np.asarray(value.double().cpu().numpy() - np.log(self.scale_).sum())

    def sample(self, u: ArrayLike) -> NDArray[np.float64]:
        """Draw observations given segments.

        Parameters
        ----------
        u : array_like of int, shape (n_times,)

        Returns
        -------
        ndarray, shape (n_times, n_features), float64, in the units of x
        """
        self._check_fitted()
        segments = self._segments(u, np.size(u))
        with torch.inference_mode():
            x = self.model_.sample(segments)[0].double().cpu().numpy()
        return np.asarray(self.mean_ + self.scale_ * x)


class TCL(_Unmixer[StackedTCL]):
    """Time-contrastive learning (Hyvarinen and Morioka 2016).

    Parameters
    ----------
    hidden, layers, maxout : int
        Width, number of weight matrices and pieces of each unit of the maxout network.
    steps, batch_size, learning_rate, weight_decay
        Adam with a cosine schedule on shuffled minibatches.
    ica_iterations : int
        Of the FastICA that follows.
    seed : int
    device : str

    Notes
    -----
    The components estimate the absolute values of the disturbances.
    """

    def __init__(
        self,
        *,
        hidden: int = TCLSettings().hidden,
        layers: int = TCLSettings().layers,
        maxout: int = TCLSettings().maxout,
        steps: int = TCLSettings().steps,
        batch_size: int = TCLSettings().batch_size,
        learning_rate: float = TCLSettings().learning_rate,
        weight_decay: float = TCLSettings().weight_decay,
        ica_iterations: int = TCLSettings().ica_iterations,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.hidden = hidden
        self.layers = layers
        self.maxout = maxout
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.ica_iterations = ica_iterations
        self.seed = seed
        self.device = device

    def _settings(self) -> TCLSettings:
        shared = {k: v for k, v in self.get_params().items() if k in TCLSettings.model_fields}
        return _validated(TCLSettings, shared)

    def _model(self, n_features: int, n_segments: int) -> StackedTCL:
        return StackedTCL(self._keys(), n_features, n_segments, self._settings())

    def transform(self, x: ArrayLike, u: ArrayLike | None = None) -> NDArray[np.float64]:  # noqa: ARG002
        """Return the independent components of the features.

        Parameters
        ----------
        x : array_like, shape (n_times, n_features)
        u : ignored
            For the same grammar as `IVAE`.

        Returns
        -------
        ndarray, shape (n_times, n_features), float64
        """
        self._check_fitted()
        with torch.inference_mode():
            z = self.model_.disturbances(self._standardised(_matrix(x)))
        return z[0].double().cpu().numpy()

    def score(self, x: ArrayLike, u: ArrayLike) -> float:
        """Return the mean log-probability of the true segment, nats per row."""
        self._check_fitted()
        data = _matrix(x)
        with torch.inference_mode():
            value = self.model_.log_likelihood(
                self._standardised(data), self._segments(u, len(data))
            )
        return float(value[0])


def _validated(kind: type[_Settings], parameters: dict[str, Any]) -> _Settings:
    try:
        return kind.model_validate(parameters)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            f"Invalid value {first['input']!r} for '{first['loc'][0]}': {first['msg']}."
        ) from error


def _matrix(x: ArrayLike) -> NDArray[np.float64]:
    data = np.asarray(x, dtype=np.float64)
    if data.ndim != 2:
        raise InputError(f"'x' has shape {data.shape}; expected (n_times, n_features).")
    if not np.isfinite(data).all():
        row = int(np.argwhere(~np.isfinite(data))[0, 0])
        raise InputError(f"'x' has a value that is not finite in row {row}; remove that row.")
    return data


def _labels(u: ArrayLike, length: int) -> NDArray[np.int64]:
    labels = np.asarray(u)
    if labels.shape != (length,) or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"'u' has shape {labels.shape} and type {labels.dtype}; expected ({length},) integers."
        )
    return labels.astype(np.int64)
