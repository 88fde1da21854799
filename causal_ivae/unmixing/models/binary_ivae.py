"""Define a stack of iVAEs of binary observations, which starts from linear ICA."""

import torch
from torch import Tensor, nn

from causal_ivae.settings import IVAESettings
from causal_ivae.unmixing.linear_ica import fast_ica, score_matching_ica
from causal_ivae.unmixing.models.networks import (
    Initialiser,
    StackedLinear,
    StackedMLP,
    activation,
)
from causal_ivae.unmixing.models.priors import StackedPrior, segment_means
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.unmixing.models.variational import Posterior, StackedVariational

_NEARLY = 0.05
"""Perceptrons beside linear maps start at this share of their weights."""
_RIDGE = 1e-3
"""This is added to variances that may be zero, as where columns repeat or exclude each other."""
_LEAST_SHARE = 1e-3
"""A column with fewer ones, or fewer zeros, starts as if it had this share of them."""
_MOST_LOG_DIAGONAL = 6.0
_ITERATIONS = 20
"""FastICA takes this many iterations before the segments are used."""


class StackedNearlyLinear(nn.Module):
    """Add a perceptron, which is small at first, to a linear map."""

    def __init__(
        self, init: Initialiser, features_in: int, features_out: int, settings: IVAESettings
    ) -> None:
        super().__init__()
        # Weights of the size of one, so that a step of Adam changes them little.
        self.scale = features_in**-0.5
        self.linear = StackedLinear(init, features_in, features_out)
        self.network = StackedMLP(
            init,
            features_in,
            features_out,
            hidden=settings.hidden,
            layers=settings.layers,
            act=activation(settings.activation, settings.slope),
            last=_NEARLY,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (members, rows, features_in) to (members, rows, features_out)."""
        out: Tensor = self.linear(self.scale * x) + self.network(x)
        return out

    def set_linear(self, weight: Tensor, bias: Tensor) -> None:
        """Set the linear map to ``x @ weight + bias``."""
        self.linear.weight.copy_(weight / self.scale)
        self.linear.bias.copy_(bias)


class StackedBinaryIVAE(StackedVariational):
    """Train log-odds of zeros and ones, a posterior with a full covariance, and a prior p(z|u).

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
        Keys from `causal_ivae.unmixing.models.draws.member_keys`.

    Notes
    -----
    The columns of x are independent given z, with the log-odds f(z), a linear map plus a perceptron
    (Khemakhem et al. 2020, section 5.3).  The approximate posterior is the product of the prior,
    as it would be with Gaussian disturbances, and a Gaussian likelihood whose natural parameters
    are the encoder's:

        q(z|x,u) = N(Q^-1 (h(x) + P m), Q^-1),    Q = P + R(x) R(x)',

    where m and the diagonal P are the prior's mean and precision given u, and R is lower
    triangular.  If the log-odds are linear, b + z A, and the logistic likelihood is bounded by a
    Gaussian one (Jaakkola, Jordan 2000, "Bayesian parameter estimation via variational methods"),
    this is the form of the optimal q, with h linear in x.  An encoder that has u as one more input
    would have to learn how strongly every segment shrinks the posterior means.
    """

    decoder: StackedNearlyLinear

    def __init__(
        self,
        keys: Tensor,
        n_features: int,
        n_components: int,
        auxiliary: Auxiliary,
        settings: IVAESettings,
    ) -> None:
        super().__init__()
        self.keys = keys
        self.n_components = n_components
        self.warmup, self.weights = settings.warmup, settings.weights
        self.log_noise = None
        # The positions of R in the order of the encoder's outputs.
        self.below = torch.tril_indices(n_components, n_components, device=keys.device)
        init = Initialiser(keys)
        outputs = n_components + self.below.shape[1]
        self.encoder = StackedNearlyLinear(init, n_features, outputs, settings)
        self.decoder = StackedNearlyLinear(init, n_components, n_features, settings)
        self.prior = StackedPrior(
            init, n_components, auxiliary, family=settings.prior, modulates=settings.modulates
        )

    def start(self, x: Tensor, u: Tensor) -> None:
        """Start from linear ICA of the zeros and ones, with the encoder that suits its log-odds.

        Parameters
        ----------
        x : Tensor, shape (members, rows, n_features)
        u : Tensor, shape (rows,) int64 or (rows, n_auxiliary) float32
            With segments, the linear ICA is that of their covariances; with a continuous u, the
            start is principal components in a random rotation.

        Notes
        -----
        With the slopes v = p (1 - p) of the shares p of ones, log-odds near their mean are
        logit(p) + z A with A = cov(z, x) / v, the likelihood's precision is R R' = A diag(v) A',
        and h = (x - p) A'.
        """
        # One member that is not finite would make the decompositions fail for the whole stack.
        x = torch.where(x.isfinite().all(-1).all(-1)[:, None, None], x, 0.0)
        share = x.mean(1, keepdim=True, dtype=torch.float64)
        # Products of zeros and ones have exact sums in single precision.
        covariance = (x.mT @ x).double() / x.shape[1] - share.mT @ share
        unmixing = self._linear_unmixing(x, u, share, covariance)
        odds = share.clamp(_LEAST_SHARE, 1.0 - _LEAST_SHARE)
        slope = odds * (1.0 - odds)
        explained = unmixing.mT @ covariance
        identity = torch.eye(self.n_components, dtype=explained.dtype, device=x.device)
        mixing = torch.linalg.solve(explained @ unmixing + _RIDGE * identity, explained) / slope
        self.decoder.set_linear(mixing, torch.logit(odds))
        factor = torch.linalg.cholesky_ex(mixing * slope @ mixing.mT + _RIDGE * identity).L
        factor.diagonal(dim1=-2, dim2=-1).log_()
        factor = factor[:, None, self.below[0], self.below[1]]
        none = mixing.new_zeros(len(mixing), mixing.shape[2], factor.shape[2])
        self.encoder.set_linear(
            torch.cat((mixing.mT, none), dim=2), torch.cat((-share @ mixing.mT, factor), dim=2)
        )
        self.prior.match(_centred(x, share) @ unmixing.to(x.dtype), u)

    def _linear_unmixing(self, x: Tensor, u: Tensor, share: Tensor, covariance: Tensor) -> Tensor:
        """Return the linear map to components of unit variance, (members, n_features, n)."""
        n = self.n_components
        values, vectors = torch.linalg.eigh(covariance)
        principal = vectors[..., -n:] * values[..., None, -n:].clamp_min(_RIDGE).rsqrt()
        # The first weights of the decoder are random, and are not needed otherwise.
        rotation = torch.linalg.qr(self.decoder.linear.weight[..., :n].double()).Q
        unmixing: Tensor = principal @ rotation
        if u.dim() > 1:
            return unmixing
        varying = _centred(x, share) @ unmixing.to(x.dtype)
        if self.prior.mean is not None:
            varying = varying - segment_means(varying, u)[:, u]
        _, further = score_matching_ica(varying, u, *fast_ica(varying, iterations=_ITERATIONS))
        unmixing = unmixing @ further.double()
        variance = (unmixing.mT @ covariance @ unmixing).diagonal(dim1=-2, dim2=-1)
        return torch.mul(unmixing, variance.clamp_min(_RIDGE).rsqrt()[:, None])

    def posterior(self, x: Tensor, u: Tensor) -> Posterior:
        """Return q(z|x,u) of every row; see `StackedVariational.posterior`."""
        n = self.n_components
        informed, free = self.encoder(x).split((n, self.below.shape[1]), dim=-1)
        factor = free.new_zeros(*free.shape[:-1], n, n)
        factor[..., self.below[0], self.below[1]] = free
        log_diagonal = factor.diagonal(dim1=-2, dim2=-1)
        diagonal = log_diagonal.clamp(-_MOST_LOG_DIAGONAL, _MOST_LOG_DIAGONAL).exp()
        factor = factor.tril(-1) + torch.diag_embed(diagonal)
        precision, prior_mean = self.prior.precision(u, informed)
        root = torch.linalg.cholesky_ex(factor @ factor.mT + torch.diag_embed(precision)).L
        identity = torch.eye(n, dtype=x.dtype, device=x.device).expand_as(root)
        inverse = torch.linalg.solve_triangular(root, identity, upper=False)
        # The covariance is inverse.mT @ inverse.
        informed = informed + precision * prior_mean
        mean = (inverse.mT @ (inverse @ informed[..., None]))[..., 0]
        diagonal = inverse.diagonal(dim1=-2, dim2=-1)
        beside = inverse.mT.triu(1) / diagonal[..., None]
        return Posterior(mean, diagonal.log(), beside)


def _centred(x: Tensor, share: Tensor) -> Tensor:
    return x - share.to(x.dtype)
