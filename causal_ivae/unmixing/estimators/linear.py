"""Define the linear baselines: FastICA, ICA of the segments' covariances, and DirectLiNGAM."""

import json
from dataclasses import KW_ONLY, dataclass
from importlib import import_module
from pathlib import Path
from typing import Self

import numpy as np
import sklearn.decomposition
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors.torch import load_file, save_file
from sklearn.base import BaseEstimator

from causal_ivae import arrays
from causal_ivae.errors import InputError, SettingsError
from causal_ivae.seeding import child_seed
from causal_ivae.unmixing.estimators.auxiliary import distinct_segments, labels
from causal_ivae.unmixing.estimators.base import checked_components
from causal_ivae.unmixing.estimators.parameters import (
    checked_path,
    plain_parameters,
    read_description,
)
from causal_ivae.unmixing.linear_ica import fast_ica, score_matching_ica

_ITERATIONS = 60
_TINY = 1e-12


class _Linear(BaseEstimator):  # type: ignore[misc]
    """Unmix x by ``(x - mean_) @ unmixing_.T``."""

    mean_: NDArray[np.float64]
    unmixing_: NDArray[np.float64]

    def fit(self, x: ArrayLike, u: ArrayLike | None = None) -> Self:
        """Estimate the unmixing of x (n_times, n_features); u is ignored."""
        raise NotImplementedError

    def transform(self, x: ArrayLike, u: ArrayLike | None = None) -> NDArray[np.float64]:  # noqa: ARG002
        """Return the disturbances, shape (n_times, n_components), float64; u is ignored."""
        self._check_fitted()
        data = arrays.matrix(x)
        if data.shape[1] != len(self.mean_):
            raise InputError(
                f"'x' has {data.shape[1]} columns; the model was fitted to {len(self.mean_)}."
            )
        return np.asarray((data - self.mean_) @ self.unmixing_.T)

    def fit_transform(self, x: ArrayLike, u: ArrayLike | None = None) -> NDArray[np.float64]:
        """Estimate the unmixing and return the disturbances of the same rows."""
        return self.fit(x, u).transform(x)

    def save(self, path: str | Path) -> None:
        """Write the matrices as safetensors, and the parameters as JSON beside them."""
        path = checked_path(path)
        self._check_fitted()
        arrays = {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        save_file({k: torch.as_tensor(v).contiguous() for k, v in arrays.items()}, path)
        description = {"class": type(self).__name__, "parameters": plain_parameters(self)}
        path.with_suffix(".json").write_text(json.dumps(description, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model that `save` wrote."""
        path = checked_path(path)
        self = cls(**read_description(path, cls.__name__)["parameters"])
        for name, value in load_file(path).items():
            setattr(self, name, value.numpy())
        return self

    def _check_fitted(self) -> None:
        if not hasattr(self, "unmixing_"):
            raise InputError(f"This {type(self).__name__} is not fitted; call fit(x) first.")


@dataclass(eq=False, repr=False)
class FastICA(_Linear):
    """Unmix x by scikit-learn's FastICA (Hyvarinen 1999).

    Parameters
    ----------
    n_components : int or None
    seed : int
    max_iter : int
    """

    n_components: int | None = None
    _: KW_ONLY
    seed: int = 0
    max_iter: int = 1000

    def fit(self, x: ArrayLike, u: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Estimate ``unmixing_`` (n_components, n_features) of x (n_times, n_features)."""
        data = arrays.matrix(x)
        n = checked_components(self.n_components, data.shape[1])
        model = sklearn.decomposition.FastICA(
            n,
            whiten="unit-variance",
            random_state=child_seed(self.seed, "FastICA") % 2**32,
            max_iter=self.max_iter,
        ).fit(data)
        self.mean_, self.unmixing_ = model.mean_, model.components_
        return self


@dataclass(eq=False, repr=False)
class SegmentICA(_Linear):
    """Unmix x linearly by how the variances of its components change between segments.

    Parameters
    ----------
    n_components : int or None

    Notes
    -----
    The components start at those of FastICA and then maximise the score-matching objective of the
    segments' covariances, whose law is Gaussian with variances that depend on the segment (Monti,
    Zhang, Hyvarinen 2019, section 3.2).  Nothing is random.
    """

    n_components: int | None = None

    def fit(self, x: ArrayLike, u: ArrayLike | None = None) -> Self:
        """Estimate the unmixing.

        Parameters
        ----------
        x : array_like, shape (n_times, n_features)
        u : array_like, shape (n_times,) of int
            The segment of every row.

        Returns
        -------
        self
            The result is ``unmixing_`` (ndarray, shape (n_components, n_features)).

        Raises
        ------
        InputError
            If there are no segments, or too few or too short ones.
        """
        data = arrays.matrix(x)
        n = checked_components(self.n_components, data.shape[1])
        if u is None:
            raise InputError("SegmentICA needs the segments: give x and u.")
        _, segments = distinct_segments(labels(u, len(data)))
        mean = data.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((data - mean).T).reshape(data.shape[1], -1))
        principal = vectors[:, ::-1][:, :n] / np.sqrt(np.maximum(values[::-1][:n], _TINY))
        white = torch.as_tensor((data - mean) @ principal)[None]
        given = torch.as_tensor(segments)
        start = fast_ica(white, iterations=_ITERATIONS)
        _, weight = score_matching_ica(white, given, *start)
        self.mean_, self.unmixing_ = mean, (principal @ weight[0].numpy()).T
        return self


@dataclass(eq=False, repr=False)
class DirectLiNGAM(_Linear):
    """Fit a linear non-Gaussian acyclic model (Shimizu et al. 2011) by the lingam package.

    Parameters
    ----------
    seed : int

    Notes
    -----
    The model is x = B x + n with B acyclic; the disturbances are n = (I - B)(x - mean).
    """

    _: KW_ONLY
    seed: int = 0

    def fit(self, x: ArrayLike, u: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Estimate the unmixing of x (n_times, n_features); u is ignored.

        Returns
        -------
        self
            The results are ``unmixing_`` (ndarray, shape (n_features, n_features)) and
            ``adjacency_`` (ndarray, shape (n_features, n_features); row = cause, column =
            effect).

        Raises
        ------
        SettingsError
            If the lingam package is not installed.
        """
        try:
            lingam = import_module("lingam")
        except ImportError as error:
            raise SettingsError(
                # Without the second, pip may put an older scipy than this package needs.
                "DirectLiNGAM needs the package lingam: pip install lingam 'scipy>=1.15.3'."
            ) from error
        data = arrays.matrix(x)
        model = lingam.DirectLiNGAM(random_state=child_seed(self.seed, "LiNGAM") % 2**32)
        model.fit(data)
        # In lingam's matrix, rows are effects.
        effects = np.asarray(model.adjacency_matrix_, dtype=np.float64)
        self.mean_ = data.mean(axis=0)
        self.adjacency_ = effects.T
        self.unmixing_ = np.eye(len(effects)) - effects
        return self
