"""Structural equations: monotone in the region, a density given the causes."""

import pytest
import torch
from test_flow import scrambled

from causal_ivae.settings import EquationSettings
from causal_ivae.unmixing.models.draws import member_keys
from causal_ivae.unmixing.models.equations import StackedEquations
from causal_ivae.unmixing.models.stacked import Auxiliary


@pytest.fixture
def equations() -> StackedEquations:
    keys = member_keys([3, 4], torch.device("cpu"))
    settings = EquationSettings(knots=5, hidden=8, bound=2.0)
    return scrambled(StackedEquations(keys, 3, Auxiliary(segments=2), settings), 0.3)


def rows(n: int = 400) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    # Beyond the outermost knots as well.
    return 2.0 * torch.randn(2, n, 3, generator=generator, dtype=torch.float64)


def test_the_slope_is_the_derivative_by_the_region(equations):
    x = rows().requires_grad_()
    n, log_slope = equations.unmix(x)
    (gradient,) = torch.autograd.grad(n.sum(), x)
    torch.testing.assert_close(gradient[..., 0], log_slope.exp())
    assert (gradient[..., 0] > 0).all()
    assert gradient[..., 1:].abs().mean() > 0.01
    assert x[..., 0].abs().max() > equations.bound


def test_it_is_a_density_of_the_region_given_its_causes(equations):
    grid = torch.linspace(-400.0, 400.0, 400_001, dtype=torch.float64)
    causes = rows(1)[:, 0, 1:]
    x = torch.cat((grid.expand(2, -1)[..., None], causes[:, None].expand(-1, len(grid), -1)), -1)
    for segment in (0, 1):
        u = torch.full((len(grid),), segment)
        with torch.no_grad():
            density = equations.log_likelihood(x, u).exp()
        total = torch.trapezoid(density, grid, dim=1)
        torch.testing.assert_close(total, torch.ones_like(total), atol=2e-3, rtol=0)


def test_a_column_of_zeros_is_no_cause(equations):
    x = rows()
    x[..., 2] = 0.0
    before = equations.disturbances(x, torch.zeros(400, dtype=torch.int64))
    with torch.no_grad():
        equations.network.layers[0].weight[:, 1] += 1.0
    assert torch.equal(equations.disturbances(x, torch.zeros(400, dtype=torch.int64)), before)
