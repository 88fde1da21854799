"""Define a stack of structural flows, the equations x1 = f1(n1), x2 = f2(x1, n2) of a pair."""

import torch
from torch import Tensor, nn

from causal_ivae.settings import StructuralSettings
from causal_ivae.unmixing.models.monotone import StackedMonotone
from causal_ivae.unmixing.models.networks import Initialiser, LeakyReLU, StackedMLP
from causal_ivae.unmixing.models.priors import StackedPrior
from causal_ivae.unmixing.models.stacked import Auxiliary, LikelihoodModel

_NEARLY = 0.05
"""The last layer's starting weights are this share of random ones, for a nearly linear start."""
_MAX_LOG_SCALE = 3.0
_SLOPE = 0.1
_LAYERS_OF_NETWORK = 3
_MIN_SPREAD = 1e-3
_ROWS_AT_ONCE = 512
"""Rows are evaluated this many at a time, since the activations of more exceed the CPU's caches."""


class StackedStructuralFlow(LikelihoodModel):
    """Solve the two structural equations of a pair for the disturbances, with exact likelihood.

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
    auxiliary : Auxiliary
        The segments.
    linear : bool
        True if the effect is linear in its cause.  Both disturbances may have any distribution
        either way.

    Notes
    -----
    Column 0 is the cause, column 1 the effect:

        n1 = g1(x1),    n2 = A_K(s_K(... A_1(s_1(A_0(x2; x1)); x1) ...); x1),

    where g1 and s_k are increasing and A_k(y; x1) = exp(a_k(x1)) y + b_k(x1), with a and b from a
    network of x1.  If the effect is linear in its cause, A_0 = x2 - b x1 and the other A_k do not
    depend on x1.  The Jacobian is triangular, so that

        log p(x1, x2 | u) = log p(n1|u) + log p(n2|u) + log dn1/dx1 + log dn2/dx2.

    This is the likelihood of Khemakhem et al. 2020 without observation noise (their footnote 1) for
    the models of Monti, Zhang, Hyvarinen 2019, equation 1.  Compositions of such maps are dense in
    the increasing triangular maps (Huang, Krueger, Lacoste, Courville 2018, "Neural autoregressive
    flows", theorem 1, show this for a related form).
    """

    def __init__(
        self,
        keys: Tensor,
        auxiliary: Auxiliary,
        settings: StructuralSettings,
        *,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.keys = keys
        self.n_components = 2
        init = Initialiser(keys)
        layers = 1 if linear else settings.layers
        self.cause = StackedMonotone(init, 1, 2 * settings.knots, settings.bound)
        self.cause_affine = init.constant(2, 2, value=0.0)
        self.effect = StackedMonotone(
            init, layers, (2 if linear else 1) * settings.knots, settings.bound
        )
        self.effect_affine = init.constant(2 * (layers + 1), 1, value=0.0)
        self.coefficient: nn.Parameter | None = None
        self.network: StackedMLP | None = None
        if linear:
            self.coefficient = init.constant(1, value=0.0)
        else:
            self.network = StackedMLP(
                init,
                1,
                2 * (layers + 1),
                hidden=settings.hidden,
                layers=_LAYERS_OF_NETWORK,
                act=LeakyReLU(_SLOPE),
                last=_NEARLY,
            )
        self.prior = StackedPrior(
            init, 2, auxiliary, family=settings.prior, modulates=settings.modulates
        )

    def start(self, x: Tensor, u: Tensor) -> None:
        """Start at the linear regression of the effect on its cause and the residual's scales."""
        centred = x - x.mean(1, keepdim=True)
        spread = centred.std(1).clamp_min(_MIN_SPREAD)
        product = (centred[..., 0] * centred[..., 1]).mean(1)
        slope = product / spread[:, 0].square()
        if self.coefficient is not None:
            self.coefficient.copy_(slope[:, None])
            left = (centred[..., 1] - slope[:, None] * centred[..., 0]).std(1)
            self.effect_affine[:, 0, 0] = -left.clamp_min(_MIN_SPREAD).log()
        self.prior.match(self.disturbances(x, u), u)

    def finish(self, x: Tensor, u: Tensor) -> None:
        """Set the scales of every segment, held out or not, to those of its disturbances."""
        self.prior.match(self.disturbances(x, u), u)

    def unmix(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the disturbances and the log-determinant of the Jacobian.

        Parameters
        ----------
        x : Tensor, shape (members, rows, 2)
            The cause in column 0, the effect in column 1.

        Returns
        -------
        disturbances : Tensor, shape (members, rows, 2)
        log_determinant : Tensor, shape (members, rows)
        """
        if x.shape[1] > _ROWS_AT_ONCE and not torch.is_grad_enabled():
            parts = [self.unmix(part) for part in torch.split(x, _ROWS_AT_ONCE, dim=1)]
            disturbances, log_determinants = zip(*parts, strict=True)
            return torch.cat(disturbances, dim=1), torch.cat(log_determinants, dim=1)
        cause, effect = x.unbind(-1)
        log_scale, shift = self.cause_affine[..., None].unbind(2)
        first, log_slope = self.cause(cause, log_scale, shift)
        if self.coefficient is not None:
            effect = effect - self.coefficient * cause
        second, log_determinant = self.effect(effect, *self._given(cause))
        return torch.stack((first, second), dim=-1), log_slope + log_determinant

    def log_likelihood(self, x: Tensor, u: Tensor, noise: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return log p(x|u) of every row in nats, shape (members, rows).

        Parameters
        ----------
        x : Tensor, shape (members, rows, 2)
        u : Tensor, shape (rows,), int64
        """
        disturbances, log_determinant = self.unmix(x)
        return self.prior.log_density(disturbances, u).sum(-1) + log_determinant

    def disturbances(self, x: Tensor, u: Tensor) -> Tensor:  # noqa: ARG002
        """Return the disturbances, shape (members, rows, 2)."""
        return self.unmix(x)[0]

    def _given(self, cause: Tensor) -> tuple[Tensor, Tensor]:
        """Return log scales and shifts of all layers, each (members, layers + 1, rows or 1)."""
        if self.network is None:
            log_scale, shift = self.effect_affine.chunk(2, dim=1)
            return log_scale, shift
        free = self.network(cause[..., None]).mT + self.effect_affine
        log_scale, shift = free.chunk(2, dim=1)
        return _MAX_LOG_SCALE * torch.tanh(log_scale / _MAX_LOG_SCALE), shift
