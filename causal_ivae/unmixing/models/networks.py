"""Define networks whose parameters have a leading axis of stack members.

One product per layer serves all members: ``(members, rows, in) @ (members, in, out)``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from causal_ivae.unmixing.models.draws import uniform

_NARROW = 16
"""With fewer columns, a product is several times faster in its transposed form."""

_TINY = float(torch.finfo(torch.float32).tiny)

Activation = Literal["leaky_relu", "xtanh"]


@dataclass(frozen=True)
class LeakyReLU:
    """Apply the activation that is x for x > 0 and slope x elsewhere."""

    slope: float

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the activation to every number."""
        return nn.functional.leaky_relu(x, self.slope)


def activation(name: Activation, slope: float) -> Callable[[Tensor], Tensor]:
    """Return leaky ReLU with a slope, or the function ``tanh(x) + slope x``."""
    if name == "leaky_relu":
        return LeakyReLU(slope)
    return lambda x: torch.tanh(x) + slope * x


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + exp(x))."""
    # torch's softplus rounds the last few numbers of an array differently, so that a member's
    # result would depend on the size of its stack.
    return -nn.functional.logsigmoid(-x)


def look_up(table: Tensor, u: Tensor) -> Tensor:
    """Return the rows u (rows,) int64 of every member's table, shape (members, rows, features)."""
    return _product_look_up(table, u) if table.is_cuda else table.index_select(1, u)


def _product_look_up(table: Tensor, u: Tensor) -> Tensor:
    # On CUDA the gradient of index_select adds in no fixed order, but that of a product does.
    one_hot = nn.functional.one_hot(u, table.shape[1]).to(table.dtype)
    rows: Tensor = one_hot @ table
    return rows


def add_up(rows: Tensor, u: Tensor, segments: int) -> Tensor:
    """Sum the rows (members, rows, features) of every segment, as the gradient of `look_up`."""
    if rows.is_cuda:
        one_hot = nn.functional.one_hot(u, segments).to(rows.dtype)
        return one_hot.mT @ rows
    return rows.new_zeros(len(rows), segments, rows.shape[-1]).index_add_(1, u, rows)


class Initialiser:
    """Make initial weights, each from its own random stream.

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
    """

    def __init__(self, keys: Tensor) -> None:
        self.keys = keys
        # Training steps use small stream numbers, so that these start far above them.
        self._stream = 1 << 24

    def symmetric(self, *shape: int, bound: float) -> nn.Parameter:
        """Return uniform weights in (-bound, bound), shape (members, *shape)."""
        self._stream += 1
        return nn.Parameter((2.0 * uniform(self.keys, self._stream, shape) - 1.0) * bound)

    def constant(self, *shape: int, value: float) -> nn.Parameter:
        """Return weights that all have one value, shape (members, *shape)."""
        return nn.Parameter(torch.full((len(self.keys), *shape), value, device=self.keys.device))


class StackedLinear(nn.Module):
    """Compute ``x @ weight + bias`` for every member.

    Parameters
    ----------
    gain : float
        Ratio of the output's to the input's standard deviation at the start.
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
        if 1 in self.weight.shape[1:]:
            return affine(x, self.weight, self.bias)
        out: Tensor = _Affine.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return out


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``x @ weight + bias`` of every member."""
    # With one column, the product rounds differently in a stack of one member.
    if weight.shape[1] == 1:
        return x * weight + bias
    if weight.shape[2] == 1:
        return (x * weight.mT).sum(-1, keepdim=True) + bias
    if weight.shape[2] < _NARROW:
        return torch.baddbmm(bias.mT, weight.mT, x.mT).mT
    # baddbmm would be slower, since it first copies the bias to every row.
    return torch.bmm(x, weight).add_(bias)


def _weight_gradient(gradient: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of the weight, given the gradient of ``x @ weight``."""
    if gradient.shape[-1] < _NARROW:
        return torch.bmm(gradient.mT, x).mT
    return torch.bmm(x.mT, gradient)


class _Affine(torch.autograd.Function):
    """Compute `affine` with the faster products in the gradient too."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return ``x @ weight + bias``."""
        context.save_for_backward(x, weight)
        return affine(x, weight, bias)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        """Return the gradients of x, weight and bias."""
        x, weight = context.saved_tensors
        of_x = torch.bmm(gradient, weight.mT) if context.needs_input_grad[0] else None
        return of_x, _weight_gradient(gradient, x), gradient.sum(1, keepdim=True)


class _LeakyNetwork(torch.autograd.Function):
    """Apply layers with leaky ReLU between them in few passes over memory.

    Leaky ReLU overwrites its input, since the sign of its output still tells the slope.
    """

    @staticmethod
    def forward(
        context: Any,
        slope: float,
        u: Tensor | None,
        x: Tensor,
        table: Tensor | None,
        *layers: Tensor,
    ) -> Tensor:
        """Return the output of layers that are given as weight and bias in turn."""
        weights, biases = layers[::2], layers[1::2]
        inputs = []
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            inputs.append(x)
            if i or table is None or u is None:
                x = affine(x, weight, bias)
            elif weight.shape[1] == 1:
                x = look_up(table + bias, u).addcmul_(x, weight)
            else:
                x = look_up(table + bias, u).baddbmm_(x, weight)
            if i < len(weights) - 1:
                x = nn.functional.leaky_relu_(x, slope)
        context.slope = slope
        context.rows_of_table = 0 if table is None else table.shape[1]
        context.save_for_backward(u, *weights, *inputs)
        return x

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the arguments of `forward`."""
        u, *saved = context.saved_tensors
        weights, inputs = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        of_layers: list[Tensor] = []
        of_table = None
        for i in reversed(range(len(weights))):
            x, weight = inputs[i], weights[i]
            if i == 0 and context.rows_of_table:
                of_table = add_up(gradient, u, context.rows_of_table)
            of_bias = (gradient if of_table is None else of_table).sum(1, keepdim=True)
            of_layers[:0] = _weight_gradient(gradient, x), of_bias
            if i:
                gradient = torch.bmm(gradient, weight.mT)
                torch.ops.aten.leaky_relu_backward.grad_input(
                    gradient, x, context.slope, True, grad_input=gradient
                )
        of_x = torch.bmm(gradient, weights[0].mT) if context.needs_input_grad[2] else None
        return None, None, of_x, of_table, *of_layers


class StackedMLP(nn.Module):
    """Apply a multilayer perceptron to every member, with segments as optional input.

    The segment enters the first layer as a table row, which equals the product with its one-hot
    code.

    Parameters
    ----------
    hidden : int
        Number of units of a hidden layer.
    layers : int
        Number of weight matrices.
    act : callable
        Activation between layers.
    segments : int
        Number of segments; 0 if they are no input.
    last : float, optional
        Share to which the last layer's starting weights are reduced, without a bias, so that the
        output hardly depends on the input at first.
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
        last: float | None = None,
    ) -> None:
        super().__init__()
        sizes = [features_in, *([hidden] * (layers - 1)), features_out]
        self.layers = nn.ModuleList(
            StackedLinear(init, a, b, gain=1.4 if i < layers - 1 else 1.0)
            for i, (a, b) in enumerate(pairwise(sizes))
        )
        final = self.layers[-1]
        if last is not None and isinstance(final, StackedLinear):
            with torch.no_grad():
                final.weight.mul_(last)
                final.bias.zero_()
        self.act = act
        self.table = init.symmetric(segments, sizes[1], bound=0.5) if segments else None

    def forward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """Map x (members, rows, features_in) and segments u (rows,) int64 to the output."""
        if self.table is not None and u is None:
            raise TypeError("This network was built with segments and needs u.")
        if isinstance(self.act, LeakyReLU):
            layers = [p for layer in self.layers for p in layer.parameters()]
            arguments = self.act.slope, u, x, self.table, *layers
            out: Tensor = _LeakyNetwork.apply(*arguments)  # type: ignore[no-untyped-call]
            return out
        x = self.layers[0](x)
        if self.table is not None and u is not None:
            x = x + look_up(self.table, u)
        for layer in self.layers[1:]:
            x = layer(self.act(x))
        return x


class StackedMaxout(nn.Module):
    """Extract the features of TCL by a maxout network with absolute values at its end.

    Hyvarinen and Morioka 2016, section 5, use maxout units in the hidden layers, absolute values in
    the last layer, and as many features as observed variables.

    Parameters
    ----------
    features : int
        Number of observed variables and of features.
    hidden, layers, pieces : int
        Number of units per hidden layer, of weight matrices, and of affine pieces per maxout unit.
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
        """Map x (members, rows, features) to non-negative features of the same shape."""
        for layer in self.hidden:
            x = _Largest.apply(layer(x), self.pieces)  # type: ignore[no-untyped-call]
        features: Tensor = self.last(x).abs()
        return features


class _Largest(torch.autograd.Function):
    """Take the largest of several pieces, which alone receives the gradient."""

    @staticmethod
    def forward(context: Any, x: Tensor, pieces: int) -> Tensor:
        """Reduce x (members, rows, pieces * features) to (members, rows, features)."""
        largest = reduce(torch.maximum, x.chunk(pieces, dim=-1))
        context.save_for_backward(x, largest)
        return largest

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of x."""
        x, largest = context.saved_tensors
        of_x = torch.empty_like(x)
        pieces = x.shape[-1] // largest.shape[-1]
        for piece, of_piece in zip(x.chunk(pieces, -1), of_x.chunk(pieces, -1), strict=True):
            # This is six times as fast as a product with a mask of the largest piece.
            torch.ops.aten.threshold_backward.grad_input(
                gradient, piece - largest, -_TINY, grad_input=of_piece
            )
        return of_x, None
