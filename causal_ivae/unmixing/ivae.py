"""Stack of identifiable variational autoencoders (Khemakhem, Kingma, Monti, Hyvarinen 2020)."""

import math
from functools import partial

import torch
from torch import Tensor, nn

from causal_ivae.config import IVAESettings
from causal_ivae.unmixing.draws import standard_normal, uniform
from causal_ivae.unmixing.networks import Initialiser, StackedMLP, activation, look_up

_LOG_2PI = math.log(2.0 * math.pi)


class StackedIVAE(nn.Module):
    """iVAE of every stack member: q(z|x,u), p(x|z) and p(z|u).

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
        From `causal_ivae.unmixing.draws.member_keys`.
    n_features, n_components, n_segments : int
    settings : IVAESettings

    Notes
    -----
    p(x|z) = N(f(z), diag(sigma^2)) (equation 6), p(z|u) = product over i of a Gaussian or Laplace
    law with scale, and with ``modulates="mean_variance"`` also mean, looked up per segment
    (equation 7), q(z|x,u) a diagonal Gaussian; the ELBO is equation 8 with the KL term in closed
    form.
    """

    def __init__(
        self,
        keys: Tensor,
        n_features: int,
        n_components: int,
        n_segments: int,
        settings: IVAESettings,
    ) -> None:
        super().__init__()
        self.keys = keys
        self.n_components = n_components
        self.prior = settings.prior
        init = Initialiser(keys)
        act = activation(settings.activation, settings.slope)
        build = partial(StackedMLP, init, hidden=settings.hidden, layers=settings.layers, act=act)
        self.encoder = build(n_features, 2 * n_components, segments=n_segments)
        self.decoder = build(n_components, n_features)
        self.prior_log_scale = init.symmetric(n_segments, n_components, bound=0.1)
        self.prior_mean = (
            init.symmetric(n_segments, n_components, bound=0.1)
            if settings.modulates == "mean_variance"
            else None
        )
        learned = settings.noise == "learned"
        start = 0.3 if learned else float(settings.noise)
        noise = init.constant(1, n_features, value=math.log(start))
        self.log_noise = noise.requires_grad_(learned)

    def posterior(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log standard deviation of q(z|x,u).

        Parameters
        ----------
        x : Tensor, shape (members, rows, n_features)
        u : Tensor, shape (rows,), int64

        Returns
        -------
        mean, log_std : Tensor, shape (members, rows, n_components)
        """
        mean, log_std = self.encoder(x, u).chunk(2, dim=-1)
        return mean, log_std.clamp(-8.0, 4.0)

    def elbo_terms(self, x: Tensor, u: Tensor, stream: int) -> tuple[Tensor, Tensor]:
        """Return the two terms of the evidence lower bound, mean over rows, in nats.

        Parameters
        ----------
        x, u
            As in `posterior`.
        stream : int
            Which draw of z to use, such as the training step.

        Returns
        -------
        reconstruction, kl : Tensor, shape (members,)
            The bound is ``reconstruction - kl``.
        """
        mean, log_std = self.posterior(x, u)
        noise = standard_normal(self.keys, stream, tuple(mean.shape[1:]))
        z = mean + log_std.exp() * noise
        residual = (x - self.decoder(z)) * torch.exp(-self.log_noise)
        reconstruction = -0.5 * residual.square() - self.log_noise - 0.5 * _LOG_2PI
        kl = self._kl(mean, log_std, u)
        return reconstruction.sum(-1).mean(-1), kl.sum(-1).mean(-1)

    def _kl(self, mean: Tensor, log_std: Tensor, u: Tensor) -> Tensor:
        """KL(q(z|x,u) || p(z|u)) per row and component."""
        log_scale, prior_mean = self._prior(u)
        mean = mean - prior_mean
        negative_entropy = -log_std - 0.5 * (1.0 + _LOG_2PI)
        if self.prior == "gaussian":
            second_moment = mean.square() + torch.exp(2.0 * log_std)
            cross = log_scale + 0.5 * _LOG_2PI
            return negative_entropy + cross + 0.5 * second_moment * torch.exp(-2.0 * log_scale)
        # E|z| of a Gaussian; the Laplace law's scale b has standard deviation sqrt(2) b.
        std = log_std.exp()
        ratio = mean / std
        absolute = std * math.sqrt(2.0 / math.pi) * torch.exp(
            -0.5 * ratio.square()
        ) + mean * torch.erf(ratio / math.sqrt(2.0))
        return negative_entropy + log_scale + math.log(2.0) + absolute * torch.exp(-log_scale)

    def log_importance_weights(self, x: Tensor, u: Tensor, stream: int, draws: int) -> Tensor:
        """Return log p(x,z|u) - log q(z|x,u) for draws of z from q.

        Parameters
        ----------
        x, u
            As in `posterior`.
        stream, draws : int

        Returns
        -------
        Tensor, shape (draws, members, rows)
        """
        mean, log_std = self.posterior(x, u)
        noise = standard_normal(self.keys, stream, (draws, *mean.shape[1:])).movedim(1, 0)
        z = mean + log_std.exp() * noise
        log_q = (-0.5 * noise.square() - log_std - 0.5 * _LOG_2PI).sum(-1)
        # The decoder takes (members, rows, ...): draws are further rows.
        decoded = self.decoder(z.movedim(0, 1).flatten(1, 2)).unflatten(1, (draws, -1))
        residual = (x - decoded.movedim(1, 0)) * torch.exp(-self.log_noise)
        log_x = (-0.5 * residual.square() - self.log_noise - 0.5 * _LOG_2PI).sum(-1)
        weights: Tensor = log_x + self._log_prior(z, u).sum(-1) - log_q
        return weights

    def _log_prior(self, z: Tensor, u: Tensor) -> Tensor:
        log_scale, mean = self._prior(u)
        standard = (z - mean) * torch.exp(-log_scale)
        if self.prior == "gaussian":
            return -0.5 * standard.square() - log_scale - 0.5 * _LOG_2PI
        return -standard.abs() - log_scale - math.log(2.0)

    def _prior(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Log scale and mean of p(z|u), each of shape (members, rows, n_components)."""
        log_scale = look_up(self.prior_log_scale, u).clamp(-6.0, 6.0)
        if self.prior_mean is None:
            return log_scale, torch.zeros_like(log_scale)
        return log_scale, look_up(self.prior_mean, u)

    def sample(self, u: Tensor, stream: int = 1 << 20) -> Tensor:
        """Draw x given u (rows,) int64, shape (members, rows, n_features)."""
        log_scale, mean = self._prior(u)
        shape = tuple(mean.shape[1:])
        if self.prior == "gaussian":
            standard = standard_normal(self.keys, stream, shape)
        else:
            share = uniform(self.keys, stream, shape) - 0.5
            standard = -share.sign() * torch.log1p(-2.0 * share.abs())
        decoded = self.decoder(mean + log_scale.exp() * standard)
        noise = standard_normal(self.keys, stream + 1, tuple(decoded.shape[1:]))
        drawn: Tensor = decoded + self.log_noise.exp() * noise
        return drawn

    def disturbances(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the posterior means of z, shape (members, rows, n_components)."""
        return self.posterior(x, u)[0]
