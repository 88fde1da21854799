"""Define the estimator of time-contrastive learning (TCL)."""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from causal_ivae import arrays
from causal_ivae.errors import InputError
from causal_ivae.settings import TCLSettings
from causal_ivae.unmixing.estimators import auxiliary
from causal_ivae.unmixing.estimators.base import StackedEstimator
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.unmixing.models.tcl import StackedTCL

_DEFAULTS = TCLSettings()


@dataclass(eq=False, repr=False)
class TCL(StackedEstimator[StackedTCL]):
    """Unmix x by time-contrastive learning (Hyvarinen and Morioka 2016).

    Parameters
    ----------
    hidden, layers, maxout : int
        Units per hidden layer, number of weight matrices, and pieces per maxout unit.
    weight_decay : float
        L2 penalty, as in Adam.
    ica : {"fastica", "score_matching"}
        Linear ICA of the features.  FastICA fails if the variances of different disturbances are
        nearly proportional over segments; piecewise-stationary score matching (Monti et al. 2019)
        only requires that they differ.
    ica_iterations : int
        Number of iterations of FastICA.
    steps, batch_size, learning_rate, patience, restarts, seed, device
        As in `IVAE`; of the restarts the best classifier is kept.

    Notes
    -----
    The components estimate the absolute values of the disturbances.
    """

    _kind = TCLSettings

    _: KW_ONLY
    hidden: int = _DEFAULTS.hidden
    layers: int = _DEFAULTS.layers
    maxout: int = _DEFAULTS.maxout
    steps: int = _DEFAULTS.steps
    patience: float = _DEFAULTS.patience
    batch_size: int = _DEFAULTS.batch_size
    learning_rate: float = _DEFAULTS.learning_rate
    weight_decay: float = _DEFAULTS.weight_decay
    ica: Literal["fastica", "score_matching"] = _DEFAULTS.ica
    ica_iterations: int = _DEFAULTS.ica_iterations

    def _learn_auxiliary(self, u: ArrayLike, length: int) -> Auxiliary:
        if auxiliary.is_continuous(u):
            raise InputError(
                f"'u' has shape {np.shape(u)} and type {np.asarray(u).dtype}; TCL classifies "
                "segments, so u must be integers, one per row of 'x'."
            )
        return super()._learn_auxiliary(u, length)

    def transform(self, x: ArrayLike, u: ArrayLike | None = None) -> NDArray[np.float64]:  # noqa: ARG002
        """Return the independent components of the features.

        Parameters
        ----------
        x : array_like, shape (n_times, n_features)
        u : ignored
            It exists so that all estimators have the same arguments.

        Returns
        -------
        ndarray, shape (n_times, n_features), float64
        """
        self._check_fitted()
        with torch.inference_mode():
            z = self.model_.disturbances(self._standardised(arrays.matrix(x)))
        return z[0].double().cpu().numpy()

    def score(self, x: ArrayLike, u: ArrayLike | None = None) -> float:
        """Return the mean log-probability of the true segment in nats per row."""
        rows, given = self._prepared(x, u)
        with torch.inference_mode():
            return float(self.model_.evaluate(rows, given)[0])

    def accuracy(self, x: ArrayLike, u: ArrayLike) -> float:
        """Return the share of rows whose segment is predicted correctly."""
        rows, given = self._prepared(x, u)
        with torch.inference_mode():
            return float(self.model_.accuracy(rows, given)[0])
