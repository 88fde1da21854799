"""Define a stack of structural equations, each the disturbance of a region given its causes."""

import torch
from torch import Tensor

from causal_ivae.settings import EquationSettings
from causal_ivae.unmixing.models.networks import (
    Initialiser,
    LeakyReLU,
    StackedMLP,
    softplus,
)
from causal_ivae.unmixing.models.priors import StackedPrior
from causal_ivae.unmixing.models.stacked import Auxiliary, LikelihoodModel

_LEAKY = 0.1
_NEARLY = 0.1
"""The last layer's starting weights are reduced to this share, so that causes hardly matter."""
_MIN_SLOPE = 1e-3
_SLOPE_ONE = 0.5413
"""The softplus of this number is 1, so that every slope starts near 1."""


class StackedEquations(LikelihoodModel):
    """Model a region's disturbance as a monotone function of the region that its causes shape.

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
    n_features : int
        Number of columns: the region first, then its causes.  Regions with fewer causes fit into
        the same stack, since a column of zeros is no cause.

    Notes
    -----
    For a region x with causes c, n = a(c) + integral from 0 to x of s(t, c) dt.  The slope s > 0 is
    linear in t between knots and constant beyond them, and a network of c gives a and the slopes
    at the knots.  Hence log p(x | c, u) = log p(n | u) + log s(x, c).  Summed over the regions of a
    graph, this is the exact likelihood of the model of Khemakhem et al. 2020 without observation
    noise (their footnote 1), with an unmixing that is triangular in every order of the graph.
    """

    def __init__(
        self, keys: Tensor, n_features: int, auxiliary: Auxiliary, settings: EquationSettings
    ) -> None:
        super().__init__()
        self.keys = keys
        self.n_components = 1
        self.bound, self.knots = settings.bound, settings.knots
        init = Initialiser(keys)
        self.network = StackedMLP(
            init,
            n_features - 1,
            1 + settings.knots,
            hidden=settings.hidden,
            layers=settings.layers,
            act=LeakyReLU(_LEAKY),
            last=_NEARLY,
        )
        self.prior = StackedPrior(
            init, 1, auxiliary, family=settings.prior, modulates=settings.modulates
        )

    def start(self, x: Tensor, u: Tensor) -> None:
        """Set the prior to the distribution of the disturbances in the rows x.

        Parameters
        ----------
        x : Tensor, shape (members, rows, n_features)
        u : Tensor, shape (rows,) int64 or (rows, n_auxiliary) float32
        """
        self.prior.match(self.disturbances(x, u), u)

    def unmix(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the disturbance and the logarithm of its derivative by the region.

        Parameters
        ----------
        x : Tensor, shape (members, rows, n_features)
            The region in the first column, then its causes.

        Returns
        -------
        n, log_slope : Tensor, shape (members, rows)
        """
        given = self.network(x[..., 1:])
        # softplus is taken of all columns, since a part of them would be rounded differently.
        slopes = (softplus(given + _SLOPE_ONE) + _MIN_SLOPE)[..., 1:]
        share, area = self._hats(x[..., :1])
        return given[..., 0] + (slopes * area).sum(-1), (slopes * share).sum(-1).log()

    def log_likelihood(self, x: Tensor, u: Tensor, noise: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return log p(x|c, u) of every row in nats, shape (members, rows).

        Parameters
        ----------
        x : Tensor, shape (members, rows, n_features)
        u : Tensor, shape (rows,) int64 or (rows, n_auxiliary) float32
        """
        n, log_slope = self.unmix(x)
        return self.prior.log_density(n[..., None], u)[..., 0] + log_slope

    def disturbances(self, x: Tensor, u: Tensor) -> Tensor:  # noqa: ARG002
        """Return the disturbance, shape (members, rows, 1)."""
        return self.unmix(x)[0][..., None]

    def _hats(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return every knot's weight in the slope at x (..., 1), and its integral from 0 to x.

        Linear interpolation is a sum of hat functions, which are 1 at a knot and 0 at the others.
        """
        places = torch.linspace(-self.bound, self.bound, self.knots, device=x.device)
        width = 2.0 * self.bound / (self.knots - 1)
        inner = x.clamp(-self.bound, self.bound)
        away = ((inner - places) / width).clamp(-1.0, 1.0)
        from_zero = (-places / width).clamp(-1.0, 1.0)
        area = width * (_below(away) - _below(from_zero))
        beyond = x - inner
        area[..., :1] += beyond.clamp(max=0.0)
        area[..., -1:] += beyond.clamp(min=0.0)
        return 1.0 - away.abs(), area


def _below(t: Tensor) -> Tensor:
    """Return the integral of 1 - |t| from 0 to t, for t in [-1, 1]."""
    return t - 0.5 * t * t.abs()
