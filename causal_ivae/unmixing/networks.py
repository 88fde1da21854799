"""Networks whose every parameter carries a leading axis of stack members.

One product per layer serves all members: ``(members, rows, in) @ (members, in, out)``.
"""

import math
from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from causal_ivae.unmixing.draws import uniform

Activation = Literal["leaky_relu", "xtanh"]


def activation(name: Activation, slope: float) -> Callable[[Tensor], Tensor]:
    """Return leaky ReLU with the slope given, or ``tanh(x) + slope x``."""
    if name == "leaky_relu":
        return lambda x: nn.functional.leaky_relu(x, slope)
    return lambda x: torch.tanh(x) + slope * x


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + exp(x))."""
    # torch's own rounds the last few numbers of an array differently, so that a member's result
    # would depend on the size of its stack.
    return -nn.functional.logsigmoid(-x)


def look_up(table: Tensor, u: Tensor) -> Tensor:
    """Return the rows u (rows,) int64 of every member's table, shape (members, rows, features)."""
    return _product_look_up(table, u) if table.is_cuda else table.index_select(1, u)


def _product_look_up(table: Tensor, u: Tensor) -> Tensor:
    # On CUDA the gradient of index_select adds in another order every time; a product does not.
    one_hot = nn.functional.one_hot(u, table.shape[1]).to(table.dtype)
    rows: Tensor = one_hot @ table
    return rows


class Initialiser:
    """Hands out initial weights, each from a stream of its own.

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
    """

    def __init__(self, keys: Tensor) -> None:
        self.keys = keys
        self._stream = 1 << 24  # far from the streams of training steps

    def symmetric(self, *shape: int, bound: float) -> nn.Parameter:
        """Return uniform weights in (-bound, bound), shape (members, *shape)."""
        self._stream += 1
        return nn.Parameter((2.0 * uniform(self.keys, self._stream, shape) - 1.0) * bound)

    def constant(self, *shape: int, value: float) -> nn.Parameter:
        """Return one value everywhere, shape (members, *shape)."""
        return nn.Parameter(torch.full((len(self.keys), *shape), value, device=self.keys.device))


class StackedLinear(nn.Module):
    """``x @ weight + bias`` for every member.

    Parameters
    ----------
    init : Initialiser
    features_in, features_out : int
    gain : float
        Standard deviation of the output over that of the input at the start.
    """

    def __init__(
        self, init: Initialiser, features_in: int, features_out: int, gain: float = 1.0
    ) -> None:
        super().__init__()
        bound = gain * math.sqrt(3.0 / features_in)
        self.weight = init.symmetric(features_in, features_out, bound=bound)
        self.bias = init.symmetric(1, features_out, bound=0.1 * bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map (members, rows, features_in) to (members, rows, features_out)."""
        # For one column a stack of one takes another path through the product, which rounds
        # differently.
        if self.weight.shape[1] == 1:
            return x * self.weight + self.bias
        if self.weight.shape[2] == 1:
            return (x * self.weight.mT).sum(-1, keepdim=True) + self.bias
        return torch.baddbmm(self.bias, x, self.weight)


class StackedMLP(nn.Module):
    """Multilayer perceptron of every member, with an optional table look-up of segments.

    The one-hot segment in the first layer is a row look-up, not a product.

    Parameters
    ----------
    init : Initialiser
    features_in, features_out : int
    hidden : int
    layers : int
        Number of weight matrices.
    act : callable
    segments : int
        Rows of the table; 0 for none.
    """

    def __init__(
        self,
        init: Initialiser,
        features_in: int,
        features_out: int,
        *,
        hidden: int,
        layers: int,
        act: Callable[[Tensor], Tensor],
        segments: int = 0,
    ) -> None:
        super().__init__()
        sizes = [features_in, *([hidden] * (layers - 1)), features_out]
        self.layers = nn.ModuleList(
            StackedLinear(init, a, b, gain=1.4 if i < layers - 1 else 1.0)
            for i, (a, b) in enumerate(pairwise(sizes))
        )
        self.act = act
        self.table = init.symmetric(segments, sizes[1], bound=0.5) if segments else None

    def forward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """Map (members, rows, features_in), with segments u (rows,) int64, to the output."""
        x = self.layers[0](x)
        if self.table is not None:
            if u is None:
                raise TypeError("This network was built with segments and needs u.")
            x = x + look_up(self.table, u)
        for layer in self.layers[1:]:
            x = layer(self.act(x))
        return x


class StackedMaxout(nn.Module):
    """Maxout network whose last layer is |.|: the feature extractor of TCL.

    Hyvarinen and Morioka 2016, section 5: maxout units in the hidden layers, absolute value in
    the last, as many features as observed variables.

    Parameters
    ----------
    init : Initialiser
    features : int
        Observed variables, and features.
    hidden, layers, pieces : int
        Width, number of weight matrices, affine pieces per maxout unit.
    """

    def __init__(
        self, init: Initialiser, features: int, *, hidden: int, layers: int, pieces: int
    ) -> None:
        super().__init__()
        self.pieces = pieces
        sizes = [features, *([hidden] * (layers - 1))]
        self.hidden = nn.ModuleList(
            StackedLinear(init, a, b * pieces, gain=1.0) for a, b in pairwise(sizes)
        )
        self.last = StackedLinear(init, sizes[-1], features, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (members, rows, features) to (members, rows, features), non-negative."""
        for layer in self.hidden:
            x = reduce(_larger, layer(x).chunk(self.pieces, dim=-1))
        features: Tensor = self.last(x).abs()
        return features


def _larger(a: Tensor, b: Tensor) -> Tensor:
    # The gradient of relu costs a third of that of torch.maximum.
    return b + nn.functional.relu(a - b)
