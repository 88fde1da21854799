"""Define the conditional prior p(z|u) of every stack member."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from causal_ivae.settings import Modulates, PriorFamily
from causal_ivae.unmixing.models.draws import standard_normal, uniform
from causal_ivae.unmixing.models.networks import Initialiser, StackedMLP, look_up
from causal_ivae.unmixing.models.stacked import Auxiliary

_LOG_2PI = math.log(2.0 * math.pi)
_LAPLACE_OVER_GAUSSIAN = math.log(2.0) - 0.5 * (1.0 + _LOG_2PI)
_MOST_LOG_SCALE = 6.0
_HIDDEN = 32
"""The network of a continuous u has this many units per hidden layer."""
_MIN_SCALE = 1e-2
"""A matched scale is at least this large."""


class StackedPrior(nn.Module):
    """Model p(z|u) as a product of Gaussian or Laplace distributions that depend on u.

    Parameters
    ----------
    auxiliary : Auxiliary
        Scales (and means) come from a table of segments, or from a network of a continuous u.
        With neither, p(z) is the standard distribution and nothing is learned.
    family : {"gaussian", "laplace"}
    modulates : {"variance", "mean_variance"}
        Which moments depend on u.

    Notes
    -----
    This is equation 7 of Khemakhem et al. 2020.  The sufficient statistics are z^2 (Gaussian) or
    |z| (Laplace), and also z if means are modulated.
    """

    def __init__(
        self,
        init: Initialiser,
        n_components: int,
        auxiliary: Auxiliary,
        *,
        family: PriorFamily,
        modulates: Modulates,
    ) -> None:
        super().__init__()
        self.family = family
        self.modulates = modulates
        self.n_components = n_components
        self.log_scale: nn.Parameter | None = None
        self.mean: nn.Parameter | None = None
        self.network: StackedMLP | None = None
        if auxiliary.segments:
            self.log_scale = init.symmetric(auxiliary.segments, n_components, bound=0.1)
            if modulates == "mean_variance":
                self.mean = init.symmetric(auxiliary.segments, n_components, bound=0.1)
        elif auxiliary.features:
            self.network = StackedMLP(
                init,
                auxiliary.features,
                n_components * (2 if modulates == "mean_variance" else 1),
                hidden=_HIDDEN,
                layers=3,
                act=torch.tanh,
            )

    def at(self, u: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return log scale and mean of p(z|u), each (members, rows, n_components).

        Parameters
        ----------
        u : Tensor, shape (rows,) int64 or (rows, n_auxiliary) float32
        like : Tensor, shape (..., members, rows, n_components)
            A tensor with the shape, type and device of z.
        """
        log_scale, mean = self._at(u, like)
        return log_scale, torch.zeros_like(log_scale) if mean is None else mean

    def _at(self, u: Tensor, like: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.network is not None:
            given = self.network(u.expand(like.shape[-3], *u.shape))
            log_scale, *mean = given.split(self.n_components, dim=-1)
            return log_scale.clamp(-_MOST_LOG_SCALE, _MOST_LOG_SCALE), mean[0] if mean else None
        if self.log_scale is None:
            return torch.zeros_like(like), None
        table = self.log_scale.clamp(-_MOST_LOG_SCALE, _MOST_LOG_SCALE)
        return look_up(table, u), None if self.mean is None else look_up(self.mean, u)

    def match(self, z: Tensor, u: Tensor) -> None:
        """Set the tables of scales and means to the moments of z in every segment.

        Parameters
        ----------
        z : Tensor, shape (members, rows, n_components)
        u : Tensor, shape (rows,), int64
        """
        if self.log_scale is None:
            return
        z, segments = z.nan_to_num(0.0), self.log_scale.shape[1]
        if self.mean is not None:
            self.mean.copy_(segment_means(z, u, segments))
            z = z - self.mean[:, u]
        if self.family == "gaussian":
            scale = segment_means(z.square(), u, segments).sqrt()
        else:
            scale = segment_means(z.abs(), u, segments)
        self.log_scale.copy_(scale.clamp_min(_MIN_SCALE).log())

    def log_density(self, z: Tensor, u: Tensor) -> Tensor:
        """Return log p_i(z_i|u) in nats, with the shape of z (..., members, rows, n_components)."""
        log_scale, mean = self._at(u, z)
        standard = (z if mean is None else z - mean) * torch.exp(-log_scale)
        if self.family == "gaussian":
            return -0.5 * standard.square() - log_scale - 0.5 * _LOG_2PI
        return -standard.abs() - log_scale - math.log(2.0)

    def kl(self, mean: Tensor, log_std: Tensor, u: Tensor) -> Tensor:
        """Return KL(N(mean, std^2) || p(z|u)), shape (members, rows, n_components)."""
        log_scale, prior_mean = self._at(u, mean)
        if prior_mean is not None:
            mean = mean - prior_mean
        # This part holds the negative entropy of q and the prior's normalisation.
        constant = log_scale - log_std
        if self.family == "gaussian":
            second_moment = mean.square() + torch.exp(2.0 * log_std)
            precision = torch.exp(-2.0 * log_scale)
            return torch.addcmul(constant, second_moment, precision, value=0.5) - 0.5
        absolute = expected_absolute(mean, log_std.exp())
        return torch.addcmul(constant, absolute, torch.exp(-log_scale)) + _LAPLACE_OVER_GAUSSIAN

    def precision(self, u: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the precision and the mean of p(z|u); the arguments are those of `at`."""
        log_scale, mean = self.at(u, like)
        precision = torch.exp(-2.0 * log_scale)
        # The variance of a Laplace distribution is twice its squared scale.
        return (precision if self.family == "gaussian" else 0.5 * precision), mean

    def draw(self, u: Tensor, keys: Tensor, stream: int) -> Tensor:
        """Draw z from p(z|u), shape (members, rows, n_components)."""
        shape = (len(u), self.n_components)
        log_scale, mean = self.at(u, torch.zeros(len(keys), *shape, device=keys.device))
        if self.family == "gaussian":
            standard = standard_normal(keys, stream, shape)
        else:
            share = uniform(keys, stream, shape) - 0.5
            standard = -share.sign() * torch.log1p(-2.0 * share.abs())
        return mean + log_scale.exp() * standard


class _ExpectedAbsolute(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, mean: Tensor, std: Tensor) -> Tensor:
        ratio = mean / std
        # The value is made of the gradients by the two arguments.
        of_mean = torch.erf(ratio * math.sqrt(0.5))
        of_std = ratio.square_().mul_(-0.5).exp_().mul_(math.sqrt(2.0 / math.pi))
        context.save_for_backward(of_mean, of_std)
        return torch.addcmul(mean * of_mean, std, of_std)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        of_mean, of_std = context.saved_tensors
        return gradient * of_mean, gradient * of_std


def expected_absolute(mean: Tensor, std: Tensor) -> Tensor:
    """Return E|z| for z ~ N(mean, std^2)."""
    value: Tensor = _ExpectedAbsolute.apply(mean, std)  # type: ignore[no-untyped-call]
    return value


def segment_means(values: Tensor, u: Tensor, segments: int = -1) -> Tensor:
    """Return the mean of values in every segment, shape (members, segments, columns).

    Parameters
    ----------
    values : Tensor, shape (members, rows, columns)
    u : Tensor, shape (rows,), int64
    segments : int
        Number of segments, by default the largest label plus 1.  Segments without rows get 0.
    """
    # On CUDA, index_add would add in no fixed order, but a product does.
    one_hot = nn.functional.one_hot(u, segments).to(values.dtype)
    share = (one_hot / one_hot.sum(0).clamp_min(1.0)).mT.contiguous()
    if values.shape[-1] == 1:
        # With one column, the product rounds differently in a stack of one member.
        return segment_means(values.expand(-1, -1, 2), u, segments)[..., :1]
    return share.expand(len(values), *share.shape) @ values
