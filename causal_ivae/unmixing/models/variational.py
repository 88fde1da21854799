"""Define what all stacks of variational autoencoders share: q(z|x,u) and the ELBO."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from causal_ivae.settings import ElboWeights
from causal_ivae.unmixing.models.draws import standard_normal, uniform
from causal_ivae.unmixing.models.networks import softplus
from causal_ivae.unmixing.models.priors import StackedPrior
from causal_ivae.unmixing.models.stacked import Minibatch, StackedModel

_LOG_2PI = math.log(2.0 * math.pi)
_NEVER = -1e4
"""A logarithm of a probability that is as good as zero."""
_EVALUATION_STREAM = 1 << 22
_AT_ONCE = 8192
"""All rows are evaluated in parts of this many, since a covariance of every row takes memory."""


@dataclass(frozen=True)
class Posterior:
    """Hold the Gaussian q(z|x,u) of every row, whose covariance is L L' with L = diag(d) (I + T).

    Attributes
    ----------
    mean, log_diagonal : Tensor, shape (members, rows, n_components)
        The mean, and log d.
    beside : Tensor or None, shape (members, rows, n_components, n_components)
        T, which is zero on the diagonal and on one side of it; None if the covariance is diagonal.
    """

    mean: Tensor
    log_diagonal: Tensor
    beside: Tensor | None = None

    @property
    def log_std(self) -> Tensor:
        """Return log standard deviations of the components, with the shape of the mean."""
        if self.beside is None:
            return self.log_diagonal
        return self.log_diagonal + 0.5 * torch.log1p(self.beside.square().sum(-1))

    def draw(self, noise: Tensor) -> Tensor:
        """Return z from standard normal numbers, shape (..., members, rows, n_components)."""
        if self.beside is not None:
            noise = noise + (self.beside @ noise[..., None])[..., 0]
        return torch.addcmul(self.mean, self.log_diagonal.exp(), noise)


class StackedVariational(StackedModel):
    """Maximise the ELBO of every stack member by its own q(z|x,u), decoder and prior p(z|u).

    Attributes
    ----------
    decoder : Module
        It maps z to means of x, or to log-odds if x is binary.
    log_noise : Parameter or None, shape (members, 1, n_features)
        Log standard deviations of p(x|z); None if x is binary.
    warmup : float
        Share of the training over which the weight of the KL term rises to one.
    weights : ElboWeights
        Weights of the terms of the loss.

    Notes
    -----
    The decoder is p(x|z) = N(f(z), diag(sigma^2)) (equation 6 of Khemakhem et al. 2020), or
    independent Bernoulli variables with logits f(z) for binary x.  The prior p(z|u) is equation 7,
    and the ELBO is equation 8 with the KL term in closed form.  If the weights of the ELBO are not
    all one, its KL term is decomposed as in Chen, Li, Grosse, Duvenaud 2018, equation 2, and
    estimated by minibatch-weighted sampling (their appendix C.1), as in the simulations published
    with the paper.
    """

    decoder: nn.Module
    prior: StackedPrior
    log_noise: nn.Parameter | None
    warmup: float
    weights: ElboWeights

    @abstractmethod
    def posterior(self, x: Tensor, u: Tensor) -> Posterior:
        """Return q(z|x,u) of every row.

        Parameters
        ----------
        x : Tensor, shape (members, rows, n_features)
        u : Tensor, shape (rows,) int64 or (rows, n_auxiliary) float32
        """

    def noise_shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of the random numbers for one draw of z per row."""
        return rows, self.n_components

    def objective(self, batch: Minibatch) -> tuple[Tensor, Tensor]:
        """Return the ELBO and the loss, whose terms are weighted and whose KL part is annealed."""
        anneal = (batch.share / self.warmup).clamp_max(1.0) if self.warmup else 1.0
        assert batch.noise is not None
        posterior = self.posterior(batch.x, batch.u)
        z = posterior.draw(batch.noise)
        reconstruction = batch.mean(self._log_likelihood(batch.x, self.decoder(z)))
        if self.weights.plain:
            kl = batch.mean(self._kl(posterior, batch.u))
            return reconstruction - kl, anneal * kl - reconstruction
        log_prior = self.prior.log_density(z, batch.u).sum(-1)
        terms = _decomposed_kl(z, posterior.mean, posterior.log_diagonal, log_prior, batch)
        w = self.weights
        weighted = (
            w.mutual_information * terms[0]
            + w.total_correlation * terms[1]
            + w.dimension_wise_kl * terms[2]
        )
        loss = (anneal * weighted - w.reconstruction * reconstruction) / w.reconstruction
        return reconstruction - sum(terms), loss

    def evaluate(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the mean ELBO of all rows in nats per row, shape (members,)."""
        shape = x.shape[1], self.n_components
        noise = standard_normal(self.keys, _EVALUATION_STREAM, shape).to(x.dtype)

        def of_part(x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
            posterior = self.posterior(x, u)
            decoded = self.decoder(posterior.draw(noise))
            return self._log_likelihood(x, decoded) - self._kl(posterior, u)

        return _in_parts(of_part, x, u, noise).mean(-1)

    def kl_per_component(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the mean KL(q(z_i|x,u) || p(z_i|u)) over rows, shape (members, n_components)."""

        def of_part(x: Tensor, u: Tensor) -> Tensor:
            posterior = self.posterior(x, u)
            return self.prior.kl(posterior.mean, posterior.log_std, u)

        return _in_parts(of_part, x, u).mean(-2)

    def log_importance_weights(self, x: Tensor, u: Tensor, stream: int, draws: int) -> Tensor:
        """Return log p(x,z|u) - log q(z|x,u) for draws of z from q.

        Parameters
        ----------
        x, u
            As in `posterior`.

        Returns
        -------
        Tensor, shape (draws, members, rows)
        """
        posterior = self.posterior(x, u)
        shape = (draws, *posterior.mean.shape[1:])
        noise = standard_normal(self.keys, stream, shape).movedim(1, 0)
        z = posterior.draw(noise)
        log_q = (-0.5 * noise.square() - posterior.log_diagonal - 0.5 * _LOG_2PI).sum(-1)
        # The decoder takes (members, rows, ...), so that the draws become further rows.
        decoded = self.decoder(z.movedim(0, 1).flatten(1, 2)).unflatten(1, (draws, -1))
        log_x = self._log_likelihood(x, decoded.movedim(1, 0))
        weights: Tensor = log_x + self.prior.log_density(z, u).sum(-1) - log_q
        return weights

    def sample(self, u: Tensor, stream: int = 1 << 20) -> Tensor:
        """Draw x given u, shape (members, rows, n_features)."""
        decoded: Tensor = self.decoder(self.prior.draw(u, self.keys, stream))
        shape = tuple(decoded.shape[1:])
        if self.log_noise is None:
            return (uniform(self.keys, stream + 1, shape) < decoded.sigmoid()).float()
        return decoded + self.log_noise.exp() * standard_normal(self.keys, stream + 1, shape)

    def disturbances(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the posterior means of z, shape (members, rows, n_components)."""
        return _in_parts(lambda x, u: self.posterior(x, u).mean, x, u)

    def _kl(self, posterior: Posterior, u: Tensor) -> Tensor:
        """Return KL(q(z|x,u) || p(z|u)) of every row, shape (members, rows)."""
        kl = self.prior.kl(posterior.mean, posterior.log_std, u).sum(-1)
        if posterior.beside is None:
            return kl
        # Correlated components have less entropy than their marginal distributions together.
        return kl + (posterior.log_std - posterior.log_diagonal).sum(-1)

    def _log_likelihood(self, x: Tensor, decoded: Tensor) -> Tensor:
        """Return log p(x|z) summed over columns."""
        if self.log_noise is None:
            return (x * decoded - softplus(decoded)).sum(-1)
        residual = (x - decoded) * torch.exp(-self.log_noise)
        constant = self.log_noise.sum(-1) + 0.5 * _LOG_2PI * x.shape[-1]
        return -0.5 * residual.square().sum(-1) - constant


def _in_parts(of_part: Callable[..., Tensor], x: Tensor, u: Tensor, *more: Tensor) -> Tensor:
    """Return what a function of rows gives for all rows, computed for some of them at a time.

    Parameters
    ----------
    of_part : callable
        Function of the rows of x, of u and of `more`, with the rows in its result's second axis.
    x : Tensor, shape (members, rows, n_features)
    u : Tensor, shape (rows,) int64 or (rows, n_auxiliary) float32
    more : Tensor, shape (members, rows, ...)
    """
    parts = [slice(first, first + _AT_ONCE) for first in range(0, x.shape[1], _AT_ONCE)]
    return torch.cat([of_part(x[:, i], u[i], *(v[:, i] for v in more)) for i in parts], dim=1)


def _decomposed_kl(
    z: Tensor, mean: Tensor, log_std: Tensor, log_prior: Tensor, batch: Minibatch
) -> tuple[Tensor, Tensor, Tensor]:
    """Return index-code mutual information, total correlation and dimension-wise KL, (members,)."""
    rows = z.shape[1]
    standard = (z[:, :, None] - mean[:, None]) * torch.exp(-log_std[:, None])
    pairwise = -0.5 * standard.square() - log_std[:, None] - 0.5 * _LOG_2PI
    own = pairwise.diagonal(dim1=1, dim2=2).sum(1)
    together = pairwise.sum(-1)
    if batch.weight is not None:
        # Rows of weight 0 have no part in the aggregate posterior.  Its count of rows stays, for
        # it cancels out in the sum of the three terms and has no gradient.
        left_out = _NEVER * (1.0 - batch.weight[:, None])
        together, pairwise = together + left_out, pairwise + left_out[..., None]
    log_count = math.log(rows * batch.n_times)
    joint = together.logsumexp(2) - log_count
    marginals = (pairwise.logsumexp(2) - log_count).sum(-1)
    return batch.mean(own - joint), batch.mean(joint - marginals), batch.mean(marginals - log_prior)
