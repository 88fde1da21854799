"""Define a stack of iVAEs whose decoder is invertible and whose posterior has a full covariance."""

import math

import torch
from torch import Tensor

from causal_ivae.settings import FlowSettings, IVAESettings
from causal_ivae.unmixing.models.draws import standard_normal
from causal_ivae.unmixing.models.flow import StackedFlow
from causal_ivae.unmixing.models.priors import StackedPrior
from causal_ivae.unmixing.models.stacked import Auxiliary, Minibatch, StackedModel

_LOG_2PI = math.log(2.0 * math.pi)
_EVALUATION_STREAM = 1 << 22
_NOISE_AT_START = 0.01
"""The noise starts at this standard deviation, in units of the whitened columns'."""
_ANNEALED = 0.6
"""The noise reaches its last value after this share of the training."""
_RIDGE = 1e-8


class StackedInvertibleIVAE(StackedModel):
    """Train a decoder that is the inverse of the encoder's mean, and a prior p(z|u).

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
        Keys from `causal_ivae.unmixing.models.draws.member_keys`.
    n_features, n_components : int
        If there are fewer components than columns of x, the other latent variables are noise with
        the same Gaussian distribution for every u.

    Notes
    -----
    With y the whitened columns of x, f an invertible network, g its inverse and J the Jacobian of
    g at y, the model and the approximate posterior are

        p(y|z) = N(f(z), s^2 I),    q(z|x) = N(g(y), s^2 J J'),

    and the loss is the negative ELBO (equation 8 of Khemakhem et al. 2020).  If s is small, q is
    the posterior of the model to first order, so that the ELBO is as high as the log-likelihood.
    The best q with a diagonal covariance is below it by the sum of log |J_i| minus log |det J|,
    J_i being the columns of the Jacobian of f, which is 0 only where they are orthogonal
    (Reizinger et al. 2022, "Embrace the gap").  That gap is smaller for many wrong unmixings than
    for the right one.

    One draw e of standard normal numbers gives two draws of z, g(y) + s J e and g(y) - s J e.  The
    product J e is carried along with g(y), so that J itself is not needed.

    Attributes
    ----------
    noiseless : bool
        True if the objective is what the ELBO tends to as the noise vanishes, the likelihood of the
        flow.
    first_noise, final_noise : float
        Noise standard deviations at the first step and after most of the training.
    """

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
        self.noiseless = False
        self.first_noise, self.final_noise = _NOISE_AT_START, settings.final_noise
        network = FlowSettings(
            prior=settings.prior,
            modulates=settings.modulates,
            layers=settings.maps,
            knots=settings.knots,
            bound=settings.bound,
            jitter=settings.final_noise,
        )
        self.flow = StackedFlow(keys, n_features, n_components, auxiliary, network)
        identity = torch.eye(n_features, device=keys.device).repeat(len(keys), 1, 1)
        # A row of x is whitened as (x - centre) @ whitening.
        self.whitening: Tensor
        self.centre: Tensor
        self.register_buffer("whitening", identity)
        self.register_buffer("centre", torch.zeros(len(keys), 1, n_features, device=keys.device))

    @property
    def prior(self) -> StackedPrior:
        """Return the prior p(z|u)."""
        return self.flow.prior

    def start(self, x: Tensor, u: Tensor) -> None:
        """Whiten the rows x (members, rows, n_features) and start near a linear unmixing of them.

        See `StackedFlow.start` for the linear unmixing.
        """
        double = x.double()
        finite = double.isfinite().all(-1).all(-1)[:, None, None]
        double = torch.where(finite, double, 0.0)
        centre = double.mean(1, keepdim=True)
        centred = double - centre
        values, vectors = torch.linalg.eigh(centred.mT @ centred / x.shape[1])
        least = _RIDGE * values.amax(-1, keepdim=True).clamp_min(_RIDGE)
        self.whitening.copy_(vectors * values.clamp_min(least).rsqrt()[:, None, :])
        self.centre.copy_(centre)
        self.flow.start(self._whitened(x), u)

    def noise_shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of the random numbers for one draw per row."""
        return rows, self.whitening.shape[-1]

    def objective(self, batch: Minibatch) -> tuple[Tensor, Tensor]:
        """Return the ELBO with the noise level of the step and, as the loss, its negative."""
        assert batch.noise is not None
        if self.noiseless:
            value = batch.mean(self._log_likelihood(batch.x, batch.u, batch.noise))
            return value, -value
        annealed = (batch.share / _ANNEALED).clamp_max(1.0)
        noise = self.first_noise * (self.final_noise / self.first_noise) ** annealed
        value = batch.mean(self._elbo(batch.x, batch.u, batch.noise, noise))
        return value, -value

    def evaluate(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the mean ELBO of all rows at the last noise level, shape (members,)."""
        if self.noiseless:
            return self._log_likelihood(x, u).mean(-1)
        draw = standard_normal(self.keys, _EVALUATION_STREAM, tuple(x.shape[1:])).to(x.dtype)
        noise = torch.tensor(self.final_noise, device=x.device)
        return self._elbo(x, u, draw, noise).mean(-1)

    def disturbances(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the posterior means of z, shape (members, rows, n_components)."""
        return self.flow.disturbances(self._whitened(x), u)

    def kl_per_component(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the mean KL(q(z_i|x) || p(z_i|u)) over rows, shape (members, n_components)."""
        y = self._whitened(x)
        variance = torch.zeros_like(y)
        for direction in torch.eye(y.shape[-1], dtype=y.dtype, device=y.device):
            _, _, along = self.flow.unmix_along(y, direction.expand_as(y))
            variance = variance + along.square()
        z = self.flow.disturbances(y, u)
        log_std = 0.5 * variance[..., : self.n_components].log() + math.log(self.final_noise)
        return self.prior.kl(z, log_std, u).mean(-2)

    def log_importance_weights(self, x: Tensor, u: Tensor, stream: int, draws: int) -> Tensor:
        """Return log p(x,z|u) - log q(z|x) for draws of z from q, (draws, members, rows)."""
        noise = torch.tensor(self.final_noise, device=x.device)
        shape = (draws, *x.shape[1:])
        drawn = standard_normal(self.keys, stream, shape).movedim(1, 0).to(x.dtype)
        return torch.stack([self._log_weights(x, u, one, noise) for one in drawn])

    def sample(self, u: Tensor, stream: int = 1 << 20) -> Tensor:
        """Draw x given u, shape (members, rows, n_features)."""
        y = self.flow.sample(u, stream)
        y = y + self.final_noise * standard_normal(self.keys, stream + 2, tuple(y.shape[1:]))
        x: Tensor = torch.linalg.solve(self.whitening.mT, y.mT).mT + self.centre
        return x

    def _whitened(self, x: Tensor) -> Tensor:
        y: Tensor = (x - self.centre) @ self.whitening
        return y

    def _log_weights(self, x: Tensor, u: Tensor, draw: Tensor, noise: Tensor) -> Tensor:
        """Return log p(x,z|u) - log q(z|x) at one draw of z a row, (members, rows)."""
        y = self._whitened(x)
        z, log_determinant, along = self.flow.unmix_along(y, draw)
        at = z + noise * along
        residual = (y - self.flow.mix(at)) / noise
        log_q = -0.5 * draw.square().sum(-1) - log_determinant
        log_x = -0.5 * residual.square().sum(-1) + self._log_volume()
        return log_x + self.flow.log_prior(at, u) - log_q

    def _elbo(self, x: Tensor, u: Tensor, draw: Tensor, noise: Tensor) -> Tensor:
        """Return the ELBO of every row from two draws of z, (members, rows)."""
        y, tables = self._whitened(x), self.flow.splines.tables()
        z, log_determinant, along = self.flow.unmix_along(y, draw, tables)
        step = noise * along
        both = torch.cat((z + step, z - step), dim=1)
        residual = (torch.cat((y, y), dim=1) - self.flow.mix(both, tables)) / noise
        misfit = sum(part.square().sum(-1) for part in residual.chunk(2, dim=1))
        log_prior = 0.5 * (self.flow.log_prior(z + step, u) + self.flow.log_prior(z - step, u))
        # The squared draw of q belongs to the same draw as the misfit, whose noise it cancels.
        log_q = -0.5 * draw.square().sum(-1) - log_determinant
        return log_prior - 0.25 * misfit - log_q + self._log_volume()

    def _log_likelihood(self, x: Tensor, u: Tensor, added: Tensor | None = None) -> Tensor:
        """Return log p(x|u) of every row without noise, (members, rows)."""
        return self.flow.log_likelihood(self._whitened(x), u, added) + self._log_volume()

    def _log_volume(self) -> Tensor:
        """Return the log-determinant of the whitening, shape (members, 1)."""
        log_determinant: Tensor = torch.linalg.slogdet(self.whitening).logabsdet
        return log_determinant[:, None]
