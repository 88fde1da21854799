"""The networks' own gradients are those of the formulas."""

import pytest
import torch
from torch import nn

from causal_ivae.unmixing.models.draws import member_keys
from causal_ivae.unmixing.models.networks import (
    Initialiser,
    StackedMaxout,
    StackedMLP,
    activation,
    add_up,
    look_up,
)
from causal_ivae.unmixing.models.priors import expected_absolute

CPU = torch.device("cpu")


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def network(outputs: int, segments: int = 0) -> StackedMLP:
    init = Initialiser(member_keys([1, 2, 3], CPU))
    act = activation("leaky_relu", 0.1)
    net = StackedMLP(init, 2, outputs, hidden=20, layers=3, act=act, segments=segments)
    return net.double()


@pytest.mark.parametrize("segments", [0, 4])
@pytest.mark.parametrize("outputs", [1, 2, 16])
def test_the_leaky_network_has_the_gradient_of_its_formula(outputs, segments):
    net = network(outputs, segments)
    u = torch.tensor([0, 3, 3, 1, 0])
    x = normal(3, 5, 2)

    def formula(x):
        z = torch.bmm(x, net.layers[0].weight) + net.layers[0].bias
        if segments:
            z = z + net.table[:, u]
        for layer in net.layers[1:]:
            z = torch.bmm(nn.functional.leaky_relu(z, 0.1), layer.weight) + layer.bias
        return z

    values, gradients = [], []
    for function in (lambda x: net(x, u), formula):
        at = x.clone().requires_grad_()
        value = function(at)
        net.zero_grad()
        value.square().sum().backward()
        values.append(value.detach())
        gradients.append([at.grad, *(p.grad.clone() for p in net.parameters())])
    torch.testing.assert_close(*values)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_input_is_not_written_to():
    net = network(2)
    x = normal(3, 5, 2)
    before = x.clone()
    net(x)
    assert torch.equal(x, before)


def test_adding_up_is_the_gradient_of_looking_up():
    table = normal(2, 4, 3).requires_grad_()
    u = torch.tensor([0, 3, 3, 1, 0])
    rows = normal(2, 5, 3, seed=1)
    (look_up(table, u) * rows).sum().backward()
    torch.testing.assert_close(add_up(rows, u, 4), table.grad)


def test_expected_absolute_value_and_gradient():
    mean = normal(6).requires_grad_()
    std = normal(6, seed=1).exp().requires_grad_()
    assert torch.autograd.gradcheck(expected_absolute, (mean, std))
    draws = mean + std * normal(200_000, 6, seed=2)
    torch.testing.assert_close(expected_absolute(mean, std), draws.abs().mean(0), atol=0.02, rtol=0)


@pytest.mark.parametrize("pieces", [2, 3])
def test_maxout_has_the_gradient_of_its_formula(pieces):
    init = Initialiser(member_keys([1, 2], CPU))
    net = StackedMaxout(init, 2, hidden=5, layers=3, pieces=pieces).double()
    x = normal(2, 7, 2)

    def formula(z):
        for layer in net.hidden:
            z = torch.bmm(z, layer.weight) + layer.bias
            z = z.view(2, 7, pieces, 5).amax(2)
        return (torch.bmm(z, net.last.weight) + net.last.bias).abs()

    gradients = []
    for function in (net, formula):
        net.zero_grad()
        function(x).square().sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    torch.testing.assert_close(net(x), formula(x))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)
