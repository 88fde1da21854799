"""Unmix every stack member by linear independent component analysis."""

import torch
from torch import Tensor

from causal_ivae.unmixing.models.priors import segment_means
from causal_ivae.unmixing.training.lbfgs import minimise

_STEPS = 60
_RIDGE = 1e-6


def fast_ica(x: Tensor, *, iterations: int) -> tuple[Tensor, Tensor]:
    """Unmix every member by symmetric FastICA with the log cosh contrast.

    Parameters
    ----------
    x : Tensor, shape (members, rows, n_components), float32
    iterations : int
        Fixed number of iterations for all members; convergence is cubic.

    Returns
    -------
    mean : Tensor, shape (members, 1, n_components), float32
    weight : Tensor, shape (members, n_components, n_components), float32
        ``(x - mean) @ weight`` are the components with unit variance.  Directions of x without
        variance get weight zero, as does a member whose training diverged.

    Notes
    -----
    Hyvarinen 1999, "Fast and robust fixed-point algorithms for independent component analysis",
    equations 20 and 45, in double precision.
    """
    # One member that is not finite would make the decompositions fail for the whole stack.
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


def score_matching_ica(x: Tensor, u: Tensor, mean: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Unmix every member by how its components' variances change between segments.

    Parameters
    ----------
    x : Tensor, shape (members, rows, n_components), float32
    u : Tensor, shape (rows,), int64
        Segment of every row, numbered from 0.
    mean : Tensor, shape (members, 1, n_components)
    weight : Tensor, shape (members, n_components, n_components)
        Starting values, from `fast_ica`.

    Returns
    -------
    mean, weight : Tensor
        As `fast_ica` returns them.

    Notes
    -----
    This is piecewise-stationary linear ICA by score matching, the last step of Monti, Zhang,
    Hyvarinen 2019, section 3.2.  If p(x|u) has the score -sum_i lambda_iu (w_i' x) w_i, the
    objective of Hyvarinen 2005, equation 4, is quadratic in a segment's lambda, and its optimum is
    lambda_u = M_u^-1 |w|^2 with M_u = (W W') * (W C_u W').  It depends on the data only through
    the segments' covariances C_u.  Unlike FastICA it does not require that the variances of
    different components be uncorrelated over segments.
    """
    white = ((x - mean) @ weight).double().nan_to_num(0.0)
    counts = torch.bincount(u).to(white.dtype)
    n = white.shape[-1]
    centred = white - segment_means(white, u)[:, u]
    products = (centred[..., :, None] * centred[..., None, :]).flatten(2)
    covariance = segment_means(products, u).reshape(len(white), -1, n, n)
    # The caller is in inference mode, whose tensors cannot be differentiated.
    with torch.inference_mode(False), torch.enable_grad():
        covariance, share = covariance.clone(), (counts / counts.sum()).clone()
        identity = torch.eye(n, dtype=white.dtype, device=white.device)

        def loss(free: Tensor) -> Tensor:
            rows_of_w = torch.nn.functional.normalize(free.view(-1, n, n), dim=-1)[:, None]
            gram = rows_of_w @ rows_of_w.mT * (rows_of_w @ covariance @ rows_of_w.mT)
            ones = gram.new_ones(*gram.shape[:-1], 1)
            solved = torch.linalg.solve(gram + _RIDGE * identity, ones)
            lost: Tensor = -(solved.sum((-1, -2)) * share).sum(-1)
            return lost

        free = minimise(loss, identity.flatten().repeat(len(white), 1), steps=_STEPS)
    unmixing = torch.nn.functional.normalize(free.view(-1, n, n), dim=-1).to(weight.dtype)
    return mean, weight @ unmixing.mT
