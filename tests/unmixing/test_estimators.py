"""IVAE and TCL: scikit-learn grammar, likelihoods, recovery of known disturbances."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import FastICA

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.evaluation import mean_correlation
from causal_ivae.seeding import generator
from causal_ivae.simulate.sources import segment_sources
from causal_ivae.unmixing.estimators import IVAE, TCL
from causal_ivae.unmixing.tcl import fast_ica


@pytest.fixture(scope="module")
def linear_mixture():
    rng = generator(0, "linear mixture")
    sources, segments = segment_sources(20, 100, 2, rng=rng)
    mixing = np.array([[1.0, 0.6], [-0.5, 1.0]])
    return sources @ mixing.T * [2.0, 30.0] + [5.0, -100.0], segments, sources


@pytest.fixture(scope="module")
def fitted(linear_mixture):
    x, u, _ = linear_mixture
    return IVAE(prior="laplace", steps=1500, seed=1).fit(x, u)


def test_ivae_recovers_what_raw_data_do_not_show(linear_mixture, fitted):
    x, u, sources = linear_mixture
    raw = mean_correlation(sources, x)
    recovered = mean_correlation(sources, fitted.transform(x, u))
    assert recovered > 0.95
    assert recovered > raw + 0.05


def test_tcl_recovers_absolute_values(linear_mixture):
    x, u, sources = linear_mixture
    z = TCL(steps=1500, seed=1).fit(x, u).transform(x)
    assert mean_correlation(np.abs(sources), z) > 0.9


def test_segments_carry_the_identification(linear_mixture):
    x, _, sources = linear_mixture
    shuffled = np.random.default_rng(0).integers(0, 20, len(x))
    z = TCL(steps=600, seed=1).fit(x, shuffled).transform(x)
    assert mean_correlation(np.abs(sources), z) < 0.9


def test_elbo_is_below_the_importance_weighted_likelihood(linear_mixture, fitted):
    x, u, _ = linear_mixture
    bound = fitted.score(x, u)
    few = fitted.log_likelihood(x, u, draws=5).mean()
    many = fitted.log_likelihood(x, u, draws=200).mean()
    assert bound <= few + 0.02
    assert few <= many + 0.02


def test_likelihood_is_in_the_units_of_x(linear_mixture, fitted):
    x, u, _ = linear_mixture
    scaled = IVAE(prior="laplace", steps=1500, seed=1).fit(10.0 * x, u)
    # A change of units by ten in two columns moves log p by 2 log 10.
    assert scaled.score(10.0 * x, u) == pytest.approx(fitted.score(x, u) - 2 * np.log(10), abs=0.05)


def test_samples_have_the_scale_of_each_segment(linear_mixture, fitted):
    x, u, _ = linear_mixture
    drawn = fitted.sample(np.repeat(u, 5))
    observed = np.array([x[u == s].std(axis=0) for s in range(20)])
    sampled = np.array([drawn[np.repeat(u, 5) == s].std(axis=0) for s in range(20)])
    for column in range(2):
        assert np.corrcoef(observed[:, column], sampled[:, column])[0, 1] > 0.8


def test_fewer_components_than_columns(linear_mixture):
    x, u, sources = linear_mixture
    wide = np.column_stack([x, x @ [0.3, 0.02], x @ [-0.2, 0.05]])
    model = IVAE(2, prior="laplace", steps=1200, seed=1).fit(wide, u)
    z = model.transform(wide, u)
    assert z.shape == (len(x), 2)
    assert mean_correlation(sources, z) > 0.85
    assert model.sample(u[:7]).shape == (7, 4)


@pytest.mark.parametrize("estimator", [IVAE, TCL])
def test_grammar(estimator, linear_mixture, tmp_path):
    x, u, _ = linear_mixture
    model = estimator(steps=30, seed=3)
    assert clone(model).get_params() == model.get_params()
    assert "steps=30" in repr(model)
    z = model.fit_transform(x, u)
    assert z.shape == (len(x), 2)
    assert model.training_curve_[-1, 0] == 30
    model.save(tmp_path / "model.safetensors")
    loaded = estimator.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.transform(x, u), z)
    assert loaded.score(x, u) == model.score(x, u)
    other = TCL if estimator is IVAE else IVAE
    with pytest.raises(InputError, match="holds a"):
        other.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x, u: IVAE().transform(x, u), "not fitted"),
        (lambda x, u: IVAE(3).fit(x, u), "n_components is 3"),
        (lambda x, u: IVAE(0).fit(x, u), "n_components is 0"),
        (lambda x, u: IVAE().fit(x, u[:-1]), "'u' has shape"),
        (lambda x, u: IVAE().fit(x, u * 0), "one distinct value"),
        (lambda x, u: IVAE().fit(x * [0, 1], u), "Column 0"),
        (lambda x, u: TCL().fit(np.where(x > 1e9, x, np.nan), u), "not finite in row 0"),
        (lambda x, u: TCL(steps=2).fit(x, u).transform(x[:, :1]), "fitted to 2"),
        (lambda x, u: IVAE(steps=2).fit(x, u).transform(x, u + 20), "Segment 20 in row 0"),
        (lambda x, u: IVAE(steps=2).fit(x, u).transform(x), "needs the segments"),
    ],
)
def test_bad_input_is_named(make, message, linear_mixture):
    x, u, _ = linear_mixture
    with pytest.raises(InputError, match=message):
        make(x, u)


def test_stacked_fast_ica_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    sources = rng.laplace(size=(3, 2000, 2))
    mixed = sources @ rng.normal(size=(3, 2, 2))
    mean, weight = fast_ica(torch.as_tensor(mixed, dtype=torch.float32), iterations=60)
    ours = ((torch.as_tensor(mixed).float() - mean) @ weight).numpy()
    for member in range(3):
        theirs = FastICA(whiten="unit-variance", random_state=0).fit_transform(mixed[member])
        assert mean_correlation(theirs, ours[member]) > 0.9999
        assert mean_correlation(sources[member], ours[member]) > 0.99


def test_fast_ica_survives_a_collapsed_feature():
    x = torch.randn(1, 500, 2, generator=torch.Generator().manual_seed(0))
    x[..., 1] = 0.0
    mean, weight = fast_ica(x, iterations=20)
    assert torch.isfinite((x - mean) @ weight).all()


def test_fast_ica_of_one_member_is_not_spoiled_by_another():
    x = torch.randn(2, 500, 2, generator=torch.Generator().manual_seed(0))
    mean, weight = fast_ica(x[:1], iterations=20)
    x[1, 7, 0] = torch.nan
    together = fast_ica(x, iterations=20)
    assert torch.equal(together[0][:1], mean)
    assert torch.equal(together[1][:1], weight)
    assert (together[1][1] == 0).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (IVAE(prior="foo"), "Invalid value 'foo' for 'prior'"),
        (IVAE(noise=0.0), "Invalid value 0.0 for 'noise'"),
        (TCL(steps=0), "Invalid value 0 for 'steps'"),
    ],
)
def test_bad_parameters_are_named(model, message, linear_mixture):
    x, u, _ = linear_mixture
    with pytest.raises(SettingsError, match=message):
        model.fit(x, u)
