"""Define the estimator of iVAE without observation noise."""

from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from causal_ivae import arrays
from causal_ivae.errors import InputError
from causal_ivae.settings import FlowSettings, Modulates, PriorFamily
from causal_ivae.unmixing.estimators.base import StackedEstimator
from causal_ivae.unmixing.models.flow import StackedFlow

_DEFAULTS = FlowSettings()


@dataclass(eq=False, repr=False)
class FlowIVAE(StackedEstimator[StackedFlow]):
    """Unmix x by an identifiable flow, which is iVAE without observation noise.

    Parameters
    ----------
    n_components : int or None
        Number of latent disturbances; None for as many as columns of x.  If there are fewer, the
        other latent variables are noise with the same distribution for every u.
    prior, modulates
        As in `IVAE`.
    layers : int
        Number of linear maps, with monotone splines of every column between them.
    knots : int
        Number of pieces of every spline.
    hidden : int
        Number of hidden units of the affine couplings that follow the splines; 0 for no couplings.
    bound : float
        A spline is linear outside [-bound, bound].
    jitter : float
        Standard deviation of the noise that is added to x in every step if there are fewer
        components than columns, in units of each column's standard deviation; without it such data
        have no density.
    steps, batch_size, learning_rate, patience, restarts, seed, device
        As in `IVAE`; of the restarts the one with the best likelihood is kept.

    Notes
    -----
    Without observation noise, f is invertible and the likelihood
    ``p(x|u) = p_z(f^-1(x)|u) |det J|`` is exact (Khemakhem et al. 2020, footnote 1).

    If two columns have two components whose means change with the segment, one more fit starts from
    a triangular map: one column as it is, and an increasing function of the other that depends on
    it, by exact likelihood (`causal_ivae.unmixing.triangular_start`).  All starts have 300 steps
    first.  If none is then better than that map alone by .1 nats per row, of rows that it was not
    fitted to, the start from the map takes a tenth of the steps by itself, at a quarter of the
    learning rate, and the fit ends if that one is the best of all.  Otherwise all take all steps.
    """

    _kind = FlowSettings

    n_components: int | None = None
    _: KW_ONLY
    prior: PriorFamily = "gaussian"
    modulates: Modulates = "variance"
    layers: int = _DEFAULTS.layers
    knots: int = _DEFAULTS.knots
    hidden: int = _DEFAULTS.hidden
    bound: float = _DEFAULTS.bound
    jitter: float = _DEFAULTS.jitter
    steps: int = _DEFAULTS.steps
    patience: float = _DEFAULTS.patience
    batch_size: int = _DEFAULTS.batch_size
    learning_rate: float = _DEFAULTS.learning_rate

    def log_likelihood(self, x: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
        """Return the exact log p(x|u) of every row in nats, for x in its own units, (n_times,)."""
        rows, given = self._prepared(x, u)
        with torch.inference_mode():
            value = self.model_.log_likelihood(rows, given)[0].double().cpu().numpy()
        return np.asarray(value + self._log_volume(x))

    def inverse_transform(self, z: ArrayLike) -> NDArray[np.float64]:
        """Return the x that `transform` maps to z, shape (n_times, n_features), float64.

        Parameters
        ----------
        z : array_like, shape (n_times, n_features)

        Raises
        ------
        InputError
            If the model has fewer components than columns, since x depends on the noise then too.
        """
        self._check_fitted()
        if self.model_.n_components < len(self.mean_):
            raise InputError(
                f"The model has {self.model_.n_components} components for {len(self.mean_)} "
                "columns, so z alone does not give x; use sample(u)."
            )
        values = arrays.matrix(z, "z")
        if values.shape[1] != len(self.mean_):
            raise InputError(
                f"'z' has {values.shape[1]} columns; the model was fitted to {len(self.mean_)}."
            )
        given = torch.as_tensor(values.astype(np.float32), device=self.model_.keys.device)
        with torch.inference_mode():
            return self._in_units(self.model_.mix(given[None]))

    def sample(self, u: ArrayLike) -> NDArray[np.float64]:
        """Draw observations given u, shape (n_times, n_features), float64, in the units of x."""
        self._check_fitted()
        given = self._auxiliary(u, len(np.asarray(u)))
        with torch.inference_mode():
            return self._in_units(self.model_.sample(given))
