"""Linear ICA of a stack: agreement with scikit-learn, changing variances, members apart."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import FastICA

from causal_ivae.unmixing.linear_ica import fast_ica, score_matching_ica
from causal_ivae.unmixing.matching import mean_correlation

MIXING = np.array([[1.0, 0.6], [-0.5, 1.0]])


def unmixed(x, mean, weight):
    return ((x - mean) @ weight).numpy()


@pytest.fixture(scope="module")
def correlated_variances():
    """Return x, u and sources of four mixtures of Gaussians that grow and shrink together."""
    u = np.repeat(np.arange(20), 200)
    sources = []
    for seed in (0, 1, 2, 4):
        rng = np.random.default_rng(seed)
        log_std = rng.uniform(-1.0, 1.0, (20, 1)) + rng.uniform(-0.15, 0.15, (20, 2))
        sources.append(rng.normal(size=(4000, 2)) * np.exp(log_std)[u])
    sources = np.stack(sources)
    x = torch.as_tensor(sources @ MIXING.T, dtype=torch.float32)
    return x, torch.as_tensor(u), sources


def test_fast_ica_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    sources = rng.laplace(size=(3, 2000, 2))
    mixed = sources @ MIXING.T
    x = torch.as_tensor(mixed, dtype=torch.float32)
    ours = unmixed(x, *fast_ica(x, iterations=60))
    for member in range(3):
        theirs = FastICA(whiten="unit-variance", random_state=0).fit_transform(mixed[member])
        assert mean_correlation(theirs, ours[member]) > 0.9999
        assert mean_correlation(sources[member], ours[member]) > 0.99
        assert mean_correlation(sources[member], mixed[member]) < 0.95
    np.testing.assert_allclose(ours.std(axis=1), 1.0, rtol=1e-3)


def test_fast_ica_survives_a_collapsed_feature():
    x = torch.randn(1, 500, 2, generator=torch.Generator().manual_seed(0))
    x[..., 1] = 0.0
    assert np.isfinite(unmixed(x, *fast_ica(x, iterations=20))).all()


def test_variances_that_change_together_need_score_matching(correlated_variances):
    x, u, sources = correlated_variances
    start = fast_ica(x, iterations=60)
    blind = [mean_correlation(s, z) for s, z in zip(sources, unmixed(x, *start), strict=True)]
    mean, weight = score_matching_ica(x, u, *start)
    told = [mean_correlation(s, z) for s, z in zip(sources, unmixed(x, mean, weight), strict=True)]
    assert min(told) > 0.98
    assert np.mean(blind) < 0.9
    assert torch.equal(mean, start[0])


def test_score_matching_learns_from_the_segments_alone(correlated_variances):
    x, u, sources = correlated_variances
    start = fast_ica(x, iterations=60)
    order = torch.randperm(len(u), generator=torch.Generator().manual_seed(0))
    shuffled = unmixed(x, *score_matching_ica(x, u[order], *start))
    assert np.mean([mean_correlation(*pair) for pair in zip(sources, shuffled, strict=True)]) < 0.9


def test_score_matching_works_where_training_ends(correlated_variances):
    x, u, _ = correlated_variances
    start = fast_ica(x[:1, :400], iterations=20)
    _, outside = score_matching_ica(x[:1, :400], u[:400], *start)
    with torch.inference_mode():
        start = fast_ica(x[:1, :400].clone(), iterations=20)
        _, inside = score_matching_ica(x[:1, :400].clone(), u[:400].clone(), *start)
    assert torch.equal(inside, outside)
    assert not torch.equal(inside, start[1])


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_a_member_that_is_not_finite_spoils_no_other(correlated_variances, wrong):
    x, u, _ = correlated_variances
    x, u = x[:3, ::10].clone(), u[::10]
    x[1, 7, 0] = wrong
    fast = fast_ica(x, iterations=20)
    matched = score_matching_ica(x, u, *fast)
    assert (fast[1][1] == 0).all()
    assert (matched[1][1] == 0).all()
    for member in (0, 2):
        alone = x[member : member + 1]
        own = fast_ica(alone, iterations=20)
        assert torch.equal(fast[0][member], own[0][0])
        assert torch.equal(fast[1][member], own[1][0])
        assert torch.equal(matched[1][member], score_matching_ica(alone, u, *own)[1][0])
