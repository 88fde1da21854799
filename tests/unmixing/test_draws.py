"""The counter-based generator: distribution, independence of members, determinism."""

import numpy as np
import torch
from scipy.stats import kstest

from causal_ivae.unmixing.models.draws import member_keys, standard_normal, uniform

CPU = torch.device("cpu")


def test_uniform_and_normal_have_their_distributions():
    keys = member_keys([3, 2**62 + 1], CPU)
    for member in uniform(keys, 5, (20_000,)).numpy():
        assert kstest(member, "uniform").pvalue > 1e-3
        assert member.min() > 0.0
        assert member.max() < 1.0
    for member in standard_normal(keys, 5, (20_000,)).numpy():
        assert kstest(member, "norm").pvalue > 1e-3


def test_members_streams_and_neighbours_are_uncorrelated():
    keys = member_keys(list(range(8)), CPU)
    draws = torch.cat([standard_normal(keys, s, (4000,)) for s in range(4)]).numpy()
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)
    lagged = [np.corrcoef(d[:-1], d[1:])[0, 1] for d in draws]
    assert np.abs(lagged).max() < 5 / np.sqrt(4000)


def test_a_member_draws_the_same_alone_and_in_company():
    together = standard_normal(member_keys([11, 12, 13], CPU), 9, (7, 3))
    alone = standard_normal(member_keys([12], CPU), 9, (7, 3))
    assert torch.equal(together[1], alone[0])
    assert together.shape == (3, 7, 3)


def test_every_bit_of_a_seed_counts():
    seeds = [5, *(5 ^ (1 << bit) for bit in (0, 15, 31, 32, 47, 62))]
    # Words that change places are another seed too.
    seeds += [(5 << 32) + 6, (6 << 32) + 5]
    for draw in (uniform, standard_normal):
        draws = draw(member_keys(seeds, CPU), 3, (4000,)).numpy()
        correlation = np.corrcoef(draws) - np.eye(len(seeds))
        assert np.abs(correlation).max() < 5 / np.sqrt(4000)
