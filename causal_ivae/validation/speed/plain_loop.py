"""Train the iVAE of one pair as most PyTorch code does, as the baseline of the stack.

The structure is that of the simulations of Khemakhem, Kingma, Monti, Hyvarinen 2020: perceptrons
for the posterior, the decoder and the prior, the segment as a one-hot vector, a decoder variance
that is not learned, Adam, shuffled minibatches from a data loader.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

_LAYERS = 3
_SLOPE = 0.1
_RATE = 1e-2
_DECODER_LOG_VARIANCE = math.log(0.01)


class PlainIVAE(nn.Module):
    """Hold the encoder, the decoder and the prior network of one model.

    Parameters
    ----------
    n_features : int
        Of the observations, and as many components.
    seed : int
        Of the starting weights and of the draws of z.

    Notes
    -----
    Equations 6 to 8 of the paper, the bound estimated with one draw of z, as
    ``log p(x|z) + log p(z|u) - log q(z|x,u)``.  Mean and log variance of q share a network, which
    is no slower than a network for each.
    """

    def __init__(
        self, n_features: int, n_segments: int, *, hidden: int, device: torch.device, seed: int = 0
    ) -> None:
        super().__init__()
        weights = torch.Generator().manual_seed(seed)
        self.draws = torch.Generator(device).manual_seed(seed)
        inner = [hidden] * (_LAYERS - 1)
        self.sizes = (
            (n_features + n_segments, *inner, 2 * n_features),
            (n_features, *inner, n_features),
            (n_segments, *inner, n_features),
        )
        self.encoder, self.decoder, self.prior = (
            _perceptron(sizes, weights).to(device) for sizes in self.sizes
        )

    def elbo(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the evidence lower bound, nats per row.

        Parameters
        ----------
        x : Tensor, shape (rows, n_features), float32
        u : Tensor, shape (rows, n_segments), float32, one-hot
        """
        mean, log_variance = self.encoder(torch.cat((x, u), dim=1)).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=self.draws, device=x.device)
        z = mean + torch.exp(0.5 * log_variance) * noise
        zero = torch.zeros_like(z)
        log_x = _log_normal(x, self.decoder(z), torch.full_like(x, _DECODER_LOG_VARIANCE))
        log_prior = _log_normal(z, zero, self.prior(u))
        log_posterior = _log_normal(z, mean, log_variance)
        return (log_x + log_prior - log_posterior).mean()


def plain_loader(
    x: Tensor, segments: Tensor, *, batch: int, generator: torch.Generator
) -> DataLoader[tuple[Tensor, ...]]:
    """Return shuffled minibatches of observations and one-hot segments.

    Parameters
    ----------
    x : Tensor, shape (n_times, n_features), float32
    segments : Tensor, shape (n_times,), int64
    generator : torch.Generator
        Of the order.
    """
    rows = TensorDataset(x, nn.functional.one_hot(segments).float())
    return DataLoader(rows, batch_size=batch, shuffle=True, generator=generator)


def train_plain(
    model: PlainIVAE, loader: DataLoader[tuple[Tensor, ...]], steps: int, device: torch.device
) -> list[float]:
    """Train for a number of steps and return the loss of each, nats per row."""
    optimizer = torch.optim.Adam(model.parameters(), lr=_RATE)
    losses: list[float] = []
    while len(losses) < steps:
        for x, u in loader:
            optimizer.zero_grad()
            loss = -model.elbo(x.to(device), u.to(device))
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                break
    return losses


def _perceptron(sizes: tuple[int, ...], generator: torch.Generator) -> nn.Sequential:
    layers: list[nn.Module] = []
    for features_in, features_out in pairwise(sizes):
        if layers:
            layers.append(nn.LeakyReLU(_SLOPE))
        # The usual constructor draws from torch's global generator.
        layer: nn.Linear = nn.utils.skip_init(  # type: ignore[no-untyped-call]
            nn.Linear, features_in, features_out
        )
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        nn.init.zeros_(layer.bias)
        layers.append(layer)
    return nn.Sequential(*layers)


def _log_normal(value: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    squared = (value - mean).square() * torch.exp(-log_variance)
    return -0.5 * (math.log(2.0 * math.pi) + log_variance + squared).sum(dim=1)
