"""Define the estimators of iVAE and of the VAE family."""

import math
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from causal_ivae.errors import InputError
from causal_ivae.settings import (
    Decoder,
    ElboWeights,
    GeneralIVAESettings,
    Modulates,
    Posterior,
    PriorFamily,
    VAESettings,
)
from causal_ivae.unmixing.estimators.base import StackedEstimator
from causal_ivae.unmixing.estimators.parameters import validated
from causal_ivae.unmixing.models.invertible_ivae import StackedInvertibleIVAE
from causal_ivae.unmixing.models.stacked import StackedModel
from causal_ivae.unmixing.models.variational import StackedVariational
from causal_ivae.unmixing.training.stacks import Fit
from causal_ivae.unmixing.training.starts import Starts
from causal_ivae.unmixing.training.two_stages import train_in_two_stages

_STREAM = 1 << 21
_DEFAULTS = VAESettings()
_IVAE = GeneralIVAESettings()


@dataclass(eq=False, repr=False)
class _Autoencoder(StackedEstimator[StackedVariational | StackedInvertibleIVAE]):
    _: KW_ONLY
    weights: ElboWeights | None = None
    likelihood: Literal["gaussian", "bernoulli"] = _DEFAULTS.likelihood
    noise: float | Literal["learned"] = _DEFAULTS.noise
    hidden: int = _DEFAULTS.hidden
    layers: int = _DEFAULTS.layers
    activation: Literal["leaky_relu", "xtanh"] = _DEFAULTS.activation
    slope: float = _DEFAULTS.slope
    steps: int = _DEFAULTS.steps
    patience: float = _DEFAULTS.patience
    batch_size: int = _DEFAULTS.batch_size
    learning_rate: float = _DEFAULTS.learning_rate
    warmup: float = _DEFAULTS.warmup

    def _takes_columns_as_they_are(self) -> bool:
        return self.likelihood == "bernoulli"

    def _learn_scales(self, data: NDArray[np.float64]) -> None:
        super()._learn_scales(data)
        other = np.argwhere((data != 0.0) & (data != 1.0))
        if self.likelihood == "bernoulli" and len(other):
            row, column = other[0]
            raise InputError(
                f"'x' has the value {data[row, column]} in row {row}, column {column}; with "
                "likelihood='bernoulli' every value must be 0 or 1."
            )

    def log_likelihood(
        self, x: ArrayLike, u: ArrayLike | None = None, draws: int = 100
    ) -> NDArray[np.float64]:
        """Estimate log p(x|u) of every row by importance sampling from q(z|x,u).

        Parameters
        ----------
        x, u
            As in `transform`.
        draws : int
            Number of importance samples; the estimate is a lower bound that tightens with it.

        Returns
        -------
        ndarray, shape (n_times,), float64
            Log-likelihoods in nats, for x in its own units.

        Notes
        -----
        The estimate is equation 8 of Burda, Grosse, Salakhutdinov 2016.
        """
        rows, given = self._prepared(x, u)
        with torch.inference_mode():
            weights = self.model_.log_importance_weights(rows, given, _STREAM, draws)
            value = weights.logsumexp(0)[0] - math.log(draws)
        return np.asarray(value.double().cpu().numpy() + self._log_volume(x))

    def _sample(self, given: Tensor) -> NDArray[np.float64]:
        with torch.inference_mode():
            return self._in_units(self.model_.sample(given))


def _with_weights(model: "IVAE | VAE") -> dict[str, Any]:
    parameters: dict[str, Any] = model.get_params()
    if parameters["weights"] is None:
        del parameters["weights"]
    return parameters


@dataclass(eq=False, repr=False)
class IVAE(_Autoencoder):
    """Unmix x by an identifiable variational autoencoder (Khemakhem et al. 2020).

    Parameters
    ----------
    n_components : int or None
        Number of latent disturbances; None for as many as columns of x.
    prior : {"gaussian", "laplace"}
        Distribution of each disturbance given u.
    modulates : {"variance", "mean_variance"}
        Moments that change with u, by a table if u is a segment and by a network if it is
        continuous.
    likelihood : {"gaussian", "bernoulli"}
        Distribution of x given z; "bernoulli" for columns of zeros and ones.
    posterior : {"full", "diagonal"}
        Covariance of q(z|x,u).  The published estimator is "diagonal"; its bound is highest at
        wrong unmixings (see Notes), and on five mixed sources it recovers no more than a VAE, which
        has no u: a mean correlation with them of .3 to .6.
    decoder : {"invertible", "mlp"}
        Network from disturbances to x: invertible, with the mean of q as its inverse; or a
        multilayer perceptron, with another one as the encoder, as a diagonal posterior has in any
        case.  The log-odds of binary observations are a linear map plus a perceptron.
    maps, knots, bound : int, int, float
        Of the invertible decoder: number of linear maps, number of pieces of the splines between
        them, and the value beyond which a spline is linear.
    final_noise : float
        Of the invertible decoder: standard deviation of p(x|z) at the end of training, in units
        of the whitened columns.  With fewer components than columns it starts at 0.01.
    hidden, layers : int
        Of the perceptrons: units per hidden layer and number of weight matrices.
    activation : {"leaky_relu", "xtanh"}
        Of the perceptrons.
    slope : float
        Slope of leaky ReLU below zero, or of the linear part of xtanh.
    noise : float or "learned"
        With perceptrons: standard deviation of p(x|z), in units of each column's standard
        deviation.
    weights : ElboWeights or dict
        Weights of the parts of the ELBO, all 1 by default; others need a diagonal posterior.  The
        published simulations use ``ElboWeights(reconstruction=100, mutual_information=1,
        total_correlation=0, dimension_wise_kl=10)``.
    warmup : float
        With perceptrons: share of the steps over which the weight of the KL term rises to one.
    steps, batch_size, learning_rate : int, int, float
        Training by Adam, whose learning rate falls along a cosine.
    patience : float
        Share of the steps without improvement after which a fit ends; 0 for all steps.
    restarts : int
        Number of fits from different starting weights; the one with the best ELBO is kept.
    seed : int
    device : str
        "auto", "cpu" or "cuda".

    Notes
    -----
    The model maximises the ELBO of equation 8.  With a diagonal q(z|x,u) and little noise, that
    bound is below the log-likelihood by the sum of ``log |J_i|`` minus ``log |det J|``, J_i being
    the columns of the Jacobian of f (Reizinger et al. 2022, "Embrace the gap"), and a wrong
    unmixing with orthogonal columns has the higher bound.  With the full covariance it is as high
    as the log-likelihood.

    The invertible decoder with as many components as columns is trained in two stages: every
    restart by what the ELBO tends to as the noise vanishes, the likelihood of `FlowIVAE`, for four
    fifths of the steps; then the best one by the ELBO.

    With the invertible decoder, two columns and moving means, one more fit starts from a triangular
    map, as in `FlowIVAE`; the noise is then that of the mapped columns.

    With binary columns and the full posterior, q(z|x,u) is the prior times a Gaussian whose
    precision and mean depend on x, the form that is best for linear log-odds; it starts from linear
    ICA of the segments' covariances.  Ten sources in a hundred columns are then recovered with a
    mean correlation of .92, which is what the true parameters allow; linear ICA has .90, and the
    diagonal form with its perceptrons .76 to .88.

    Measured with these defaults on ten mixtures of five sources by networks of three layers (40
    segments of 1,000 rows), on rows that were not trained on: mean correlation with the sources of
    .969 to .988 where the layers have leaky ReLU, .980 to .998 where they have xtanh, in 40 to 47
    seconds of one core.

    Disturbances are identified up to order, sign and scale (for one sufficient statistic per
    component, up to a monotone function) if there are enough segments that differ enough (theorem
    1).  For binary x there is no such theorem: the authors withdrew the proof of identifiability
    for discrete observations in a corrigendum.
    """

    n_components: int | None = None
    _: KW_ONLY
    prior: PriorFamily = "gaussian"
    modulates: Modulates = "variance"
    posterior: Posterior = _IVAE.posterior
    decoder: Decoder = _IVAE.decoder
    maps: int = _IVAE.maps
    knots: int = _IVAE.knots
    bound: float = _IVAE.bound
    final_noise: float = _IVAE.final_noise
    steps: int = _IVAE.steps
    batch_size: int = _IVAE.batch_size
    learning_rate: float = _IVAE.learning_rate
    restarts: int = 4

    def _settings(self) -> GeneralIVAESettings:
        return validated(GeneralIVAESettings, _with_weights(self))

    def _train(self, starts: Starts) -> tuple[StackedModel, Fit]:
        alike = self.n_components in (None, len(self.mean_))
        if alike and self._settings().invertible:
            return train_in_two_stages(starts)
        return super()._train(starts)

    def sample(self, u: ArrayLike) -> NDArray[np.float64]:
        """Draw observations given the auxiliary variable.

        Parameters
        ----------
        u : array_like, as in `fit`

        Returns
        -------
        ndarray, shape (n_times, n_features), float64
            Observations in the units of x.
        """
        self._check_fitted()
        return self._sample(self._auxiliary(u, len(np.asarray(u))))


@dataclass(eq=False, repr=False)
class VAE(_Autoencoder):
    """Unmix x by a variational autoencoder without auxiliary variable (Kingma and Welling 2014).

    Parameters
    ----------
    n_components : int or None
        Number of latent variables; None for as many as columns of x.
    beta : float
        Weight of the whole KL term, as in the beta-VAE of Higgins et al. 2017.
    total_correlation : float
        Additional factor of the total correlation, as in the beta-TC-VAE of Chen et al. 2018.
    weights : ElboWeights or dict, optional
        All weights at once, instead of `beta` and `total_correlation`.
    likelihood, noise, hidden, layers, activation, slope
        As in `IVAE`.
    steps, batch_size, learning_rate, patience, warmup, restarts, seed, device
        As in `IVAE`.

    Notes
    -----
    The prior is standard normal for all rows, so that any rotation of the latent variables has the
    same likelihood and nothing identifies them.
    """

    n_components: int | None = None
    _: KW_ONLY
    beta: float = 1.0
    total_correlation: float = 1.0

    def fit(self, x: ArrayLike, u: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Train the model on x (n_times, n_features); u is ignored, since a VAE needs none."""
        # The base class needs two segments.  The model ignores them, so that any labels will do.
        super().fit(x, np.arange(len(np.asarray(x))) % 2)
        # The diagnostics are those of one segment, in which nothing changes.
        self.diagnostics_ = replace(
            self.diagnostics_,
            n_segments=1,
            rank=0,
            condition=math.inf,
            modulation=(),
            modulation_error=(),
        )
        return self

    def _prepared(self, x: ArrayLike, u: ArrayLike | None) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        return super()._prepared(x, np.zeros(len(np.asarray(x)), dtype=np.int64))

    def _settings(self) -> VAESettings:
        parameters = _with_weights(self)
        if self.weights is None:
            parameters["weights"] = {
                "mutual_information": self.beta,
                "total_correlation": self.beta * self.total_correlation,
                "dimension_wise_kl": self.beta,
            }
        return validated(VAESettings, parameters)

    def sample(self, count: int) -> NDArray[np.float64]:
        """Draw observations, shape (count, n_features), float64, in the units of x."""
        self._check_fitted()
        if count < 1:
            raise InputError(f"Invalid value {count} for 'count': give 1 or more.")
        return self._sample(torch.zeros(count, dtype=torch.int64))
