"""Define a stack of iVAEs without observation noise, invertible and with exact likelihood."""

import math

import torch
from torch import Tensor, nn

from causal_ivae.settings import FlowSettings
from causal_ivae.unmixing.linear_ica import fast_ica, score_matching_ica
from causal_ivae.unmixing.models.draws import standard_normal
from causal_ivae.unmixing.models.networks import Initialiser, StackedMLP
from causal_ivae.unmixing.models.priors import StackedPrior, segment_means
from causal_ivae.unmixing.models.splines import StackedSplines
from causal_ivae.unmixing.models.stacked import Auxiliary, LikelihoodModel

_LOG_2PI = math.log(2.0 * math.pi)
_EVALUATION_STREAM = 1 << 22
_NEARLY = 0.05
"""Random starting weights are reduced to this share, so that the flow starts nearly linear."""
_MAX_LOG_SCALE = 3.0
_RIDGE = 1e-8
_ITERATIONS = 20


class StackedCoupling(nn.Module):
    """Scale and shift some columns by a network of the others (affine coupling).

    Parameters
    ----------
    flipped : bool
        True if the second half changes the first, False if the first changes the second.

    Notes
    -----
    The coupling is that of Dinh, Sohl-Dickstein, Bengio 2017, "Density estimation using Real NVP",
    equations 7 and 8.  It starts close to the identity.
    """

    def __init__(self, init: Initialiser, features: int, hidden: int, *, flipped: bool) -> None:
        super().__init__()
        kept = features - features // 2 if flipped else features // 2
        self.kept = slice(features - kept, None) if flipped else slice(None, kept)
        self.changed = slice(None, features - kept) if flipped else slice(kept, None)
        self.flipped = flipped
        self.network = StackedMLP(
            init, kept, 2 * (features - kept), hidden=hidden, layers=3, act=torch.tanh, last=_NEARLY
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mapped x (members, features, rows) and the changed columns' log slopes."""
        log_scale, shift = self._given(x[:, self.kept])
        changed = x[:, self.changed] * log_scale.exp() + shift
        return self._joined(x[:, self.kept], changed), log_scale

    def inverse(self, y: Tensor) -> Tensor:
        """Return the x that `forward` maps to y, shape (members, features, rows)."""
        log_scale, shift = self._given(y[:, self.kept])
        changed = (y[:, self.changed] - shift) * torch.exp(-log_scale)
        return self._joined(y[:, self.kept], changed)

    def _given(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        free, shift = self.network(kept.mT).mT.chunk(2, dim=1)
        return _MAX_LOG_SCALE * torch.tanh(free / _MAX_LOG_SCALE), shift

    def _joined(self, kept: Tensor, changed: Tensor) -> Tensor:
        return torch.cat((changed, kept) if self.flipped else (kept, changed), dim=1)


class StackedFlow(LikelihoodModel):
    """Unmix x to the disturbances by linear maps with monotone splines between them.

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
    n_features, n_components : int
        If there are fewer components than columns of x, the other latent variables are noise with
        the same Gaussian distribution for every u.

    Notes
    -----
    The model is that of Khemakhem et al. 2020 without observation noise (their footnote 1):
    log p(x|u) = log p(g(x)|u) + log |det dg/dx|, where g is the inverse of f.  Compositions of
    linear maps and elementwise monotone functions contain the mixing networks of the simulations
    and are dense in the smooth invertible maps (Meng, Song, Song, Ermon 2020, "Gaussianization
    flows").  Data with fewer dimensions than columns have no density, so that a little noise is
    added to x then.
    """

    def __init__(
        self,
        keys: Tensor,
        n_features: int,
        n_components: int,
        auxiliary: Auxiliary,
        settings: FlowSettings,
    ) -> None:
        super().__init__()
        self.keys = keys
        self.n_components = n_components
        noises = n_features - n_components
        self.jitter = settings.jitter if noises else 0.0
        init = Initialiser(keys)
        layers = settings.layers
        square = init.symmetric(layers, n_features, n_features, bound=1.0)
        self.weights = nn.Parameter(torch.linalg.qr(square.detach()).Q.contiguous())
        self.biases = init.symmetric(layers, n_features, 1, bound=0.1)
        self.splines = StackedSplines(init, layers - 1, n_features, settings.knots, settings.bound)
        self.couplings = nn.ModuleList(
            StackedCoupling(init, n_features, settings.hidden, flipped=i % 2 == 1)
            for i in range(layers - 1 if settings.hidden and n_features > 1 else 0)
        )
        self.prior = StackedPrior(
            init, n_components, auxiliary, family=settings.prior, modulates=settings.modulates
        )
        self.log_noise = init.constant(1, noises, value=-1.0) if noises else None

    def start(self, x: Tensor, u: Tensor) -> None:
        """Start near a linear unmixing of the rows x, with a prior matched to its result.

        If u is segments and there are as many components as columns, the linear unmixing is ICA by
        the change of variances between segments; otherwise it is principal components in a random
        rotation.

        Parameters
        ----------
        x : Tensor, shape (members, rows, n_features)
        u : Tensor, shape (rows,) int64 or (rows, n_auxiliary) float32
        """
        double = x.double()
        finite = double.isfinite().all(-1).all(-1)[:, None, None]
        double = torch.where(finite, double, 0.0)
        mean = double.mean(1, keepdim=True)
        centred = double - mean
        identity = torch.eye(x.shape[-1], dtype=torch.float64, device=x.device)
        covariance = centred.mT @ centred / x.shape[1] + (self.jitter**2 + _RIDGE) * identity
        values, vectors = torch.linalg.eigh(covariance)
        unmixing = (vectors * values.rsqrt()[:, None, :]).flip(-1) @ self._rotation().double()
        if self.log_noise is None and u.dim() == 1:
            varying = centred @ unmixing
            if self.prior.mean is not None:
                varying = varying - segment_means(varying, u)[:, u]
            _, further = score_matching_ica(varying, u, *fast_ica(varying, iterations=_ITERATIONS))
            unmixing = unmixing @ further
            spread = (centred @ unmixing).std(1, keepdim=True).clamp_min(_RIDGE)
            unmixing = unmixing / spread
        self.weights[:, 0] = unmixing
        self.biases[:, 0] = -(mean @ unmixing).mT
        self.weights[:, 1:] = identity + _NEARLY * self.weights[:, 1:].double()
        self.prior.match(self.disturbances(x, u), u)

    def _rotation(self) -> Tensor:
        """Return a random rotation that mixes components with components and noise with noise."""
        first = self.weights[:, 0].detach()
        n = self.n_components
        rotation = torch.zeros_like(first)
        for block in (slice(None, n), slice(n, None)):
            if first[:, block, block].numel():
                rotation[:, block, block] = torch.linalg.qr(first[:, block, block]).Q
        return rotation

    def unmix(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latent variables and the log-determinant of the Jacobian.

        Parameters
        ----------
        x : Tensor, shape (members, rows, n_features)

        Returns
        -------
        z : Tensor, shape (members, rows, n_features)
            The disturbances in the first columns, the noise in the others.
        log_determinant : Tensor, shape (members, rows)
        """
        weights, biases = self.weights.unbind(1), self.biases.unbind(1)
        # Columns come before rows here, since the splines look up their pieces column by column.
        z = torch.baddbmm(biases[0], weights[0].mT, x.mT)
        log_determinant = torch.linalg.slogdet(self.weights).logabsdet.sum(1, keepdim=True)
        log_determinant = log_determinant.expand(-1, x.shape[1])
        for i, table in enumerate(self.splines.tables(), start=1):
            z, slope = self.splines(z, table)
            log_determinant = log_determinant + slope.log().sum(1)
            if self.couplings:
                z, log_slope = self.couplings[i - 1](z)
                log_determinant = log_determinant + log_slope.sum(1)
            z = torch.baddbmm(biases[i], weights[i].mT, z)
        return z.mT, log_determinant

    def unmix_along(
        self, x: Tensor, direction: Tensor, tables: tuple[Tensor, ...] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what `unmix` returns, and the product of the Jacobian with a direction per row.

        Parameters
        ----------
        x, direction : Tensor, shape (members, rows, n_features)
        tables : tuple of Tensor, optional
            The pieces of the splines, if they are known already.

        Returns
        -------
        z : Tensor, shape (members, rows, n_features)
        log_determinant : Tensor, shape (members, rows)
        along : Tensor, shape (members, rows, n_features)
            Derivative of z if x moves in the direction.

        Raises
        ------
        NotImplementedError
            If there are couplings, whose derivatives are not carried along.
        """
        if self.couplings:
            raise NotImplementedError("Directions are not carried through affine couplings.")
        weights, biases = self.weights.unbind(1), self.biases.unbind(1)
        log_determinant = torch.linalg.slogdet(self.weights).logabsdet.sum(1, keepdim=True)
        log_determinant = log_determinant.expand(-1, x.shape[1])
        z, along = torch.baddbmm(biases[0], weights[0].mT, x.mT), weights[0].mT @ direction.mT
        for i, table in enumerate(tables or self.splines.tables(), start=1):
            z, slope = self.splines(z, table)
            log_determinant = log_determinant + slope.log().sum(1)
            along = weights[i].mT @ (slope * along)
            z = torch.baddbmm(biases[i], weights[i].mT, z)
        return z.mT, log_determinant, along.mT

    def mix(self, z: Tensor, tables: tuple[Tensor, ...] | None = None) -> Tensor:
        """Return the x that `unmix` maps to z, shape (members, rows, n_features)."""
        tables = tables or self.splines.tables()
        # A member whose training diverged has a singular map and must not stop the others.
        inverses = torch.linalg.inv_ex(self.weights).inverse.unbind(1)
        z = z.mT
        for i in reversed(range(self.weights.shape[1])):
            z = inverses[i].mT @ (z - self.biases[:, i])
            if i and self.couplings:
                coupling = self.couplings[i - 1]
                assert isinstance(coupling, StackedCoupling)
                z = coupling.inverse(z)
            if i:
                z = self.splines.inverse(z, tables[i - 1])
        return z.mT

    def noise_shape(self, rows: int) -> tuple[int, ...] | None:
        """Return the shape of the noise added to x, or None if there are no noise components."""
        return None if self.log_noise is None else (rows, self.weights.shape[-1])

    def log_likelihood(self, x: Tensor, u: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return log p(x|u) of every row in nats, shape (members, rows).

        Parameters
        ----------
        x : Tensor, shape (members, rows, n_features)
        u : Tensor, shape (rows,) int64 or (rows, n_auxiliary) float32
        noise : Tensor, optional, shape (members, rows, n_features)
            Standard normal numbers that are added to x, scaled by the jitter, if there are fewer
            components than columns; by default the same draw in every call.
        """
        if self.log_noise is not None:
            if noise is None:
                noise = standard_normal(self.keys, _EVALUATION_STREAM, tuple(x.shape[1:]))
            x = x + self.jitter * noise
        z, log_determinant = self.unmix(x)
        return self.log_prior(z, u) + log_determinant

    def log_prior(self, z: Tensor, u: Tensor) -> Tensor:
        """Return log p(z|u) of disturbances and noise (members, rows, n_features) in nats per row.

        Returns
        -------
        Tensor, shape (members, rows)
        """
        log_prior = self.prior.log_density(z[..., : self.n_components], u).sum(-1)
        if self.log_noise is None:
            return log_prior
        noise = z[..., self.n_components :] * torch.exp(-self.log_noise)
        log_noise = -0.5 * noise.square() - self.log_noise - 0.5 * _LOG_2PI
        return log_prior + log_noise.sum(-1)

    def sample(self, u: Tensor, stream: int = 1 << 20) -> Tensor:
        """Draw x given u, shape (members, rows, n_features)."""
        z = self.prior.draw(u, self.keys, stream)
        if self.log_noise is not None:
            shape = (len(u), self.log_noise.shape[-1])
            noise = self.log_noise.exp() * standard_normal(self.keys, stream + 1, shape)
            z = torch.cat((z, noise), dim=-1)
        return self.mix(z)

    def disturbances(self, x: Tensor, u: Tensor) -> Tensor:  # noqa: ARG002
        """Return the disturbances, shape (members, rows, n_components)."""
        return self.unmix(x)[0][..., : self.n_components]
