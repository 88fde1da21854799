"""The increasing splines: their inverses, their slopes, and the gradients written by hand."""

import pytest
import torch
from torch import Tensor

from causal_ivae.unmixing.models.draws import member_keys
from causal_ivae.unmixing.models.networks import Initialiser
from causal_ivae.unmixing.models.splines import StackedSplines

BOUND = 4.0


def splines(strength: float) -> StackedSplines:
    """Return two layers of splines of three columns, far from where they start."""
    made = StackedSplines(Initialiser(member_keys([1, 2], torch.device("cpu"))), 2, 3, 8, BOUND)
    generator = torch.Generator().manual_seed(0)
    made.double()
    with torch.no_grad():
        for parameter in made.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(strength * noise)
    return made


def places(rows: int = 400) -> Tensor:
    """Return numbers inside and outside the bounds, shape (2, 3, rows)."""
    generator = torch.Generator().manual_seed(9)
    return 6.0 * (2.0 * torch.rand(2, 3, rows, generator=generator, dtype=torch.float64) - 1.0)


@pytest.mark.parametrize("strength", [0.1, 1.0, 2.0])
@torch.no_grad()
def test_a_spline_is_undone_by_its_inverse(strength):
    layers, x = splines(strength), places()
    for table in layers.tables():
        y, _ = layers(x, table)
        torch.testing.assert_close(layers.inverse(y, table), x, atol=1e-8, rtol=1e-8)
        back = layers(layers.inverse(x, table), table)[0]
        torch.testing.assert_close(back, x, atol=1e-8, rtol=1e-8)


@torch.no_grad()
def test_a_spline_passes_through_its_knots_and_every_column_has_its_own():
    layers = splines(1.0)
    _, table = layers.tables()
    knots = table[:, 0, 1:].view(2, 3, -1)
    values = table[:, 1, 1:].view(2, 3, -1)
    torch.testing.assert_close(layers(knots, table)[0], values)
    assert (values[0, 0] - values[0, 1]).abs().max() > 0.01
    torch.testing.assert_close(knots[..., 0], torch.full((2, 3), -BOUND).double())
    torch.testing.assert_close(knots[..., -1], torch.full((2, 3), BOUND).double())


@torch.no_grad()
def test_a_spline_rises_and_is_linear_beyond_its_bounds():
    layers = splines(1.0)
    table = layers.tables()[0]
    x = places().sort(-1).values
    y, slope = layers(x, table)
    assert (y.diff(dim=-1) > 0).all()
    assert (slope > 0).all()
    for outside in (x > BOUND, x < -BOUND):
        for column in range(3):
            of = slope[0, column][outside[0, column]]
            assert len(of) > 20
            torch.testing.assert_close(of, of[:1].expand_as(of))


def test_the_slope_of_a_spline_is_that_of_its_derivative():
    layers, x = splines(1.0), places().requires_grad_()
    y, slope = layers(x, layers.tables()[0])
    (derivative,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(derivative, slope)
    step = 1e-6
    with torch.no_grad():
        table = layers.tables()[0]
        numeric = (layers(x + step, table)[0] - layers(x - step, table)[0]) / (2 * step)
        torch.testing.assert_close(numeric, slope, atol=1e-6, rtol=1e-6)


def test_the_gradients_by_hand_are_those_of_differences():
    layers = splines(0.7)
    x = places(7).requires_grad_()

    def forward(x: Tensor, widths: Tensor, log_slopes: Tensor) -> tuple[Tensor, Tensor]:
        return torch.func.functional_call(
            Second(layers), {"inner.widths": widths, "inner.log_slopes": log_slopes}, (x, False)
        )

    def inverse(x: Tensor, widths: Tensor, log_slopes: Tensor) -> Tensor:
        return torch.func.functional_call(
            Second(layers), {"inner.widths": widths, "inner.log_slopes": log_slopes}, (x, True)
        )

    given = (x, layers.widths, layers.log_slopes)
    assert torch.autograd.gradcheck(forward, given)
    assert torch.autograd.gradcheck(inverse, given)


class Second(torch.nn.Module):
    """Apply the second layer of splines, or its inverse."""

    def __init__(self, inner: StackedSplines) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, backward: bool) -> Tensor | tuple[Tensor, Tensor]:
        table = self.inner.tables()[1]
        return self.inner.inverse(x, table) if backward else self.inner(x, table)
