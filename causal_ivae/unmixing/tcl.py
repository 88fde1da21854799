"""Stack of time-contrastive learners (Hyvarinen and Morioka 2016)."""

import torch
from torch import Tensor, nn

from causal_ivae.config import TCLSettings
from causal_ivae.unmixing.networks import Initialiser, StackedMaxout


class StackedTCL(nn.Module):
    """Segment classifier over maxout features of every stack member.

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
    n_features, n_segments : int
    settings : TCLSettings

    Notes
    -----
    Multinomial logistic regression of the segment label on features h(x) of the data's dimension
    with |.| in the last layer; at the optimum h is a linear mixture of log p(z) terms, here |z|
    (Hyvarinen and Morioka 2016, theorem 1), which linear ICA unmixes.
    """

    def __init__(
        self, keys: Tensor, n_features: int, n_segments: int, settings: TCLSettings
    ) -> None:
        super().__init__()
        self.keys = keys
        self.n_components = n_features
        self.ica_iterations = settings.ica_iterations
        init = Initialiser(keys)
        self.features = StackedMaxout(
            init,
            n_features,
            hidden=settings.hidden,
            layers=settings.layers,
            pieces=settings.maxout,
        )
        self.class_weight = init.symmetric(n_features, n_segments, bound=0.1)
        self.class_bias = init.constant(1, n_segments, value=0.0)
        self.ica_mean: Tensor
        self.ica_weight: Tensor
        self.register_buffer("ica_mean", keys.new_zeros(len(keys), 1, n_features).float())
        identity = torch.eye(n_features, device=keys.device)
        self.register_buffer("ica_weight", identity.repeat(len(keys), 1, 1))

    def log_likelihood(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the mean log-probability of the true segment, shape (members,).

        Parameters
        ----------
        x : Tensor, shape (members, rows, n_features)
        u : Tensor, shape (rows,), int64
        """
        logits = torch.baddbmm(self.class_bias, self.features(x), self.class_weight)
        true = logits.gather(-1, u.expand(len(x), -1).unsqueeze(-1)).squeeze(-1)
        return (true - logits.logsumexp(-1)).mean(-1)

    def fit_ica(self, x: Tensor) -> None:
        """Fit the linear ICA that follows the features, on rows x as in `log_likelihood`."""
        self.ica_mean, self.ica_weight = fast_ica(self.features(x), iterations=self.ica_iterations)

    def disturbances(self, x: Tensor, u: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return independent components of the features, shape (members, rows, n_features).

        They estimate the absolute values of z up to scale, sign and order, as TCL's theory
        says; `fit_ica` comes first.
        """
        components: Tensor = (self.features(x) - self.ica_mean) @ self.ica_weight
        return components


def fast_ica(x: Tensor, *, iterations: int) -> tuple[Tensor, Tensor]:
    """Unmix every member by symmetric FastICA with the log cosh contrast.

    Parameters
    ----------
    x : Tensor, shape (members, rows, n_components), float32
    iterations : int
        Fixed; the iteration converges cubically, and members need not agree when to stop.

    Returns
    -------
    mean : Tensor, shape (members, 1, n_components), float32
    weight : Tensor, shape (members, n_components, n_components), float32
        ``(x - mean) @ weight`` are the components, of unit variance; directions of x without
        variance get weight zero, and so does a member whose training diverged.

    Notes
    -----
    Hyvarinen 1999, "Fast and robust fixed-point algorithms for independent component analysis",
    equations 20 and 45, in double precision.
    """
    # The decompositions refuse a whole stack for one member that is not finite.
    finite = x.isfinite().all(-1).all(-1)[:, None, None]
    double = torch.where(finite, x.double(), 0.0)
    mean = double.mean(1, keepdim=True)
    centred = double - mean
    rows = centred.shape[1]
    values, vectors = torch.linalg.eigh(centred.mT @ centred / rows)
    usable = values > 1e-10 * values.amax(-1, keepdim=True).clamp_min(1e-300)
    scale = torch.where(usable, values.clamp_min(1e-300).rsqrt(), torch.zeros_like(values))
    whitening = vectors * scale[:, None, :]
    white = centred @ whitening
    n = white.shape[-1]
    unmixing = torch.eye(n, dtype=white.dtype, device=white.device).expand(len(white), n, n)
    for _ in range(iterations):
        response = torch.tanh(white @ unmixing.mT)
        slope = (1.0 - response.square()).mean(1)
        left, _, right = torch.linalg.svd(response.mT @ white / rows - slope[:, :, None] * unmixing)
        unmixing = left @ right
    return mean.to(x.dtype), (whitening @ unmixing.mT).to(x.dtype)
