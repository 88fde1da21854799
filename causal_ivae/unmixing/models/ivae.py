"""Define a stack of iVAEs with networks as encoder and decoder (Khemakhem et al. 2020)."""

import math

import torch
from torch import Tensor

from causal_ivae.settings import IVAESettings, VAESettings
from causal_ivae.unmixing.models.networks import Initialiser, StackedMLP, activation
from causal_ivae.unmixing.models.priors import StackedPrior
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.unmixing.models.variational import Posterior, StackedVariational

_NOISE_AT_START = 0.3
"""A learned noise level starts at this standard deviation, in units of the data's."""
_SMALL = 0.1
"""The encoder's outputs for T are multiplied by this, so that q starts nearly diagonal."""


class StackedIVAE(StackedVariational):
    """Train an encoder q(z|x,u), a decoder p(x|z) and a prior p(z|u) for every stack member.

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
        Keys from `causal_ivae.unmixing.models.draws.member_keys`.
    auxiliary : Auxiliary
        Without segments and features this is the ordinary VAE with q(z|x) and a standard prior.

    Notes
    -----
    q(z|x,u) is a diagonal Gaussian, as published, or has the covariance L L', where
    L = diag(d) (I + T), T is strictly lower triangular, and d and T are outputs of the encoder.
    """

    def __init__(
        self,
        keys: Tensor,
        n_features: int,
        n_components: int,
        auxiliary: Auxiliary,
        settings: IVAESettings | VAESettings,
    ) -> None:
        super().__init__()
        self.keys = keys
        self.n_components = n_components
        self.warmup = settings.warmup
        self.weights = settings.weights
        self.sees_features = auxiliary.features > 0
        correlated = isinstance(settings, IVAESettings) and settings.posterior == "full"
        # The positions below the diagonal of T, in the order of the encoder's outputs.
        self.below = torch.tril_indices(
            n_components, n_components, -1 if correlated else -n_components, device=keys.device
        )
        init = Initialiser(keys)
        act = activation(settings.activation, settings.slope)
        self.encoder = StackedMLP(
            init,
            n_features + auxiliary.features,
            2 * n_components + self.below.shape[1],
            hidden=settings.hidden,
            layers=settings.layers,
            act=act,
            segments=auxiliary.segments,
        )
        self.decoder = StackedMLP(
            init, n_components, n_features, hidden=settings.hidden, layers=settings.layers, act=act
        )
        self.prior = StackedPrior(
            init,
            n_components,
            auxiliary,
            family=settings.prior if isinstance(settings, IVAESettings) else "gaussian",
            modulates=settings.modulates if isinstance(settings, IVAESettings) else "variance",
        )
        self.log_noise = None
        if not settings.binary:
            learned = settings.noise == "learned"
            start = _NOISE_AT_START if learned else float(settings.noise)
            self.log_noise = init.constant(1, n_features, value=math.log(start))
            self.log_noise.requires_grad_(learned)

    def posterior(self, x: Tensor, u: Tensor) -> Posterior:
        """Return q(z|x,u) of every row; see `StackedVariational.posterior`."""
        if self.sees_features:
            x = torch.cat((x, u.expand(len(x), *u.shape)), dim=-1)
        n, count = self.n_components, self.below.shape[1]
        mean, log_diagonal, free = self.encoder(x, u).split((n, n, count), dim=-1)
        log_diagonal = log_diagonal.clamp(-8.0, 4.0)
        if not count:
            return Posterior(mean, log_diagonal)
        lower = free.new_zeros(*free.shape[:-1], n, n)
        lower[..., self.below[0], self.below[1]] = _SMALL * free
        return Posterior(mean, log_diagonal, lower)
