"""The estimators: scikit-learn grammar, likelihoods, samples and recovery."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from causal_ivae.errors import FitError, InputError
from causal_ivae.seeding import generator
from causal_ivae.settings import ElboWeights
from causal_ivae.simulate.sources import segment_sources
from causal_ivae.unmixing.estimators import IVAE, TCL, VAE, FastICA, FlowIVAE
from causal_ivae.unmixing.matching import mean_correlation
from causal_ivae.unmixing.training import schedule

WEIGHTS = ElboWeights(reconstruction=2.0, total_correlation=0.5)
FLOW = {"layers": 3, "knots": 4}


@pytest.fixture(scope="module")
def linear_mixture():
    rng = generator(0, "linear mixture")
    sources, segments = segment_sources(20, 100, 2, rng=rng)
    mixing = np.array([[1.0, 0.6], [-0.5, 1.0]])
    return sources @ mixing.T * [2.0, 30.0] + [5.0, -100.0], segments, sources


@pytest.fixture(scope="module")
def fitted(linear_mixture):
    x, u, _ = linear_mixture
    return IVAE(prior="laplace", steps=600, seed=1, device="cpu").fit(x, u)


@dataclass(frozen=True)
class Case:
    """An estimator and the kind of data that it takes."""

    model: Any
    u: str = "segments"
    columns: int = 2
    binary: bool = False
    components: int = 2

    def data(self) -> tuple[np.ndarray, np.ndarray | None]:
        rng = generator(1, "grammar")
        x, segments = segment_sources(6, 31, self.columns, rng=rng)
        x = x @ rng.normal(size=(self.columns, self.columns)) * 7.0 + 3.0
        x = (x > 3.0).astype(float) if self.binary else x
        u = {
            "segments": 10 * segments - 5,
            "vector": rng.normal(size=(len(x), 2)),
            "number": rng.normal(size=len(x)),
            "none": None,
        }
        return x, u[self.u]


def stacked(kind, **changes):
    return kind(**{"steps": 8, "seed": 3, "device": "cpu"} | changes)


STACKED = {
    "IVAE": Case(stacked(IVAE)),
    "IVAE weighted": Case(
        stacked(IVAE, posterior="diagonal", weights=WEIGHTS, modulates="mean_variance")
    ),
    "IVAE Bernoulli": Case(
        stacked(IVAE, n_components=2, likelihood="bernoulli"), "segments", 4, True
    ),
    "IVAE vector": Case(stacked(IVAE, restarts=2), "vector"),
    "IVAE number": Case(
        stacked(IVAE, n_components=1, modulates="mean_variance"), "number", components=1
    ),
    "VAE": Case(stacked(VAE, beta=2.0), "none"),
    "VAE Bernoulli": Case(stacked(VAE, n_components=2, likelihood="bernoulli"), "none", 4, True),
    "flow": Case(stacked(FlowIVAE, **FLOW)),
    "flow fewer": Case(stacked(FlowIVAE, n_components=2, restarts=2, **FLOW), columns=3),
    "flow vector": Case(stacked(FlowIVAE, **FLOW), "vector"),
    "TCL": Case(stacked(TCL, restarts=2)),
    "TCL score matching": Case(stacked(TCL, ica="score_matching")),
}
LINEAR = {"FastICA": Case(FastICA(seed=3), "none"), "FastICA fewer": Case(FastICA(2), "none", 3)}
every_stacked = pytest.mark.parametrize("case", STACKED.values(), ids=STACKED.keys())
every_one = pytest.mark.parametrize(
    "case", (STACKED | LINEAR).values(), ids=(STACKED | LINEAR).keys()
)


@every_one
def test_grammar(case, tmp_path):
    x, u = case.data()
    model = clone(case.model)
    assert model.get_params() == case.model.get_params()
    assert repr(model) == repr(case.model)
    assert model.set_params(seed=8) is model
    model.set_params(seed=case.model.seed)
    for use in (lambda: model.transform(x, u), lambda: model.save(tmp_path / "m.safetensors")):
        with pytest.raises(InputError, match="is not fitted; call fit"):
            use()
    assert not list(tmp_path.iterdir())
    z = model.fit_transform(x, u)
    assert z.shape == (len(x), case.components)
    assert z.dtype == np.float64
    np.testing.assert_array_equal(clone(model).fit(x, u).transform(x, u), z)
    # A row by itself is what it was.
    few = None if u is None else u[:5]
    np.testing.assert_allclose(model.transform(x[:5], few), z[:5], atol=1e-5)
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = type(model).load(path)
    assert loaded.get_params() == model.get_params() or case.model.weights is WEIGHTS
    np.testing.assert_array_equal(loaded.transform(x, u), z)
    if hasattr(model, "score"):
        assert loaded.score(x, u) == model.score(x, u)


@every_stacked
def test_a_fit_that_gains_nothing_ends(case, monkeypatch):
    monkeypatch.setattr(schedule, "_GAIN", 100.0)
    model = clone(case.model).set_params(steps=50, patience=0.1).fit(*case.data())
    assert 10 <= model.n_iter_ < 20


@every_stacked
def test_what_a_fit_leaves_is_saved_and_read_back(case, tmp_path):
    x, u = case.data()
    model = clone(case.model).fit(x, u)
    model.save(tmp_path / "model.safetensors")
    text = (tmp_path / "model.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    loaded = type(model).load(str(tmp_path / "model.safetensors"))
    for name in ("objective_", "slope_", "n_iter_", "diagnostics_", "_auxiliary_"):
        assert getattr(loaded, name) == getattr(model, name), name
    for name in ("restart_objectives_", "retried_", "training_curve_", "mean_", "scale_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
    assert model.training_curve_.shape == (8, 2)
    assert model.training_curve_[-1, 0] == model.n_iter_ == 8
    assert model.restart_objectives_.shape == (model.restarts,)
    if hasattr(model, "log_likelihood"):
        value = model.log_likelihood(x, u)
        assert value.shape == (len(x),)
        np.testing.assert_array_equal(loaded.log_likelihood(x, u), value)
    if hasattr(model, "sample"):
        drawn = model.sample(50 if u is None else u[:50])
        assert drawn.shape == (50, case.columns)
        assert np.isfinite(drawn).all()
        assert set(np.unique(drawn)) <= {0.0, 1.0} or not case.binary
        np.testing.assert_array_equal(loaded.sample(50 if u is None else u[:50]), drawn)


@pytest.mark.parametrize("name", ["IVAE", "VAE", "flow", "TCL"])
def test_the_best_restart_is_kept(name):
    case = STACKED[name]
    x, u = case.data()
    model = clone(case.model).set_params(restarts=3).fit(x, u)
    assert model.objective_ == model.restart_objectives_.max()
    assert len(set(model.restart_objectives_)) == 3
    in_units = model.objective_ - (
        0.0 if case.model.__class__ is TCL else np.log(model.scale_).sum()
    )
    assert model.score(x, u) == pytest.approx(in_units, abs=1e-4)
    alone = clone(case.model).set_params(restarts=1).fit(x, u)
    if name == "IVAE":
        # Of several restarts, only the best is trained by the bound as well.
        assert alone.objective_ >= model.restart_objectives_[0]
    else:
        assert alone.objective_ == pytest.approx(model.restart_objectives_[0], abs=1e-6)
    assert model.diagnostics_.agreement is not None
    assert alone.diagnostics_.agreement is None
    other = clone(case.model).set_params(restarts=1, seed=4).fit(x, u)
    assert not np.array_equal(other.transform(x, u), alone.transform(x, u))


@pytest.mark.parametrize("case", [STACKED["IVAE"], STACKED["flow"]], ids=["IVAE", "flow"])
def test_a_model_that_diverged_in_one_restart_is_saved(case, tmp_path, monkeypatch):
    x, u = case.data()
    model = clone(case.model).set_params(restarts=2).fit(x, u)
    model.restart_objectives_ = np.array([np.nan, model.objective_])
    model.save(tmp_path / "model.safetensors")
    loaded = type(model).load(tmp_path / "model.safetensors")
    assert np.isnan(loaded.restart_objectives_).tolist() == [True, False]


@pytest.mark.parametrize("kind", [IVAE, VAE, FlowIVAE, TCL])
def test_training_that_diverges_is_said(kind):
    x, u = STACKED["IVAE"].data()
    with pytest.raises(FitError, match="smaller 'learning_rate' than 1e\\+30 or another 'seed'"):
        kind(steps=10, learning_rate=1e30, restarts=2, device="cpu").fit(x, u)


def test_parameters_of_other_libraries_are_saved(tmp_path):
    x, u = STACKED["IVAE"].data()
    model = IVAE(np.int64(2), seed=np.int64(3), noise=np.float64(0.5), steps=20, device="cpu")
    model.fit(x, u).save(tmp_path / "model.safetensors")
    loaded = IVAE.load(tmp_path / "model.safetensors")
    assert (loaded.n_components, loaded.seed, loaded.noise) == (2, 3, 0.5)
    weighted = IVAE(posterior="diagonal", weights=WEIGHTS, steps=2, device="cpu").fit(x, u)
    weighted.save(tmp_path / "model.safetensors")
    assert IVAE.load(tmp_path / "model.safetensors")._settings().weights == WEIGHTS


def test_files_that_are_not_there_or_of_another_class_are_named(tmp_path):
    x, u = STACKED["IVAE"].data()
    path = tmp_path / "model.safetensors"
    model = IVAE(steps=2, device="cpu").fit(x, u)
    for kind in (IVAE, FastICA):
        with pytest.raises(
            InputError, match=r"no file '.*model.safetensors'; save\(\) writes both"
        ):
            kind.load(path)
    with pytest.raises(InputError, match=r"'.*model.pt' must end in '.safetensors'"):
        model.save(tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"'.*model.pt' must end in '.safetensors'"):
        IVAE.load(tmp_path / "model.pt")
    model.save(path)
    for kind in (TCL, VAE, FlowIVAE, FastICA):
        with pytest.raises(InputError, match=f"holds a IVAE, not a {kind.__name__}"):
            kind.load(path)
    FastICA().fit(x).save(path)
    with pytest.raises(InputError, match="holds a FastICA, not a IVAE"):
        IVAE.load(path)
    (tmp_path / "model.json").unlink()
    with pytest.raises(InputError, match=r"no file '.*model.json'"):
        FastICA.load(path)


def test_ivae_recovers_what_raw_data_do_not_show(linear_mixture, fitted):
    x, u, sources = linear_mixture
    raw = mean_correlation(sources, x)
    recovered = mean_correlation(sources, fitted.transform(x, u))
    assert recovered > 0.95
    assert recovered > raw + 0.05


def test_a_fit_to_segments_that_say_nothing_shows_no_modulation(linear_mixture, fitted):
    x, u, _ = linear_mixture
    assert fitted.diagnostics_.dependence_p is None
    found = fitted.diagnose(x, u, seed=1)
    assert found.rank == 2
    assert 0.0 < found.dependence_p <= 1.0
    assert found.obstacles == ()
    shuffled = np.random.default_rng(0).permutation(u)
    doubted = IVAE(prior="laplace", steps=200, seed=1, device="cpu").fit(x, shuffled)
    assert doubted.diagnostics_.verdict == "modulation not shown"


def test_tcl_recovers_absolute_values(linear_mixture):
    x, u, sources = linear_mixture
    for ica in ("fastica", "score_matching"):
        model = TCL(steps=500, seed=1, ica=ica, device="cpu").fit(x, u)
        assert mean_correlation(np.abs(sources), model.transform(x)) > 0.9
    shuffled = np.random.default_rng(0).integers(0, 20, len(x))
    blind = TCL(steps=300, seed=1, device="cpu").fit(x, shuffled)
    assert mean_correlation(np.abs(sources), blind.transform(x)) < 0.9
    chance = 1.0 / 20.0
    assert model.accuracy(x, u) > 1.8 * chance
    assert blind.accuracy(x, u) < 1.5 * chance
    assert model.score(x, u) > np.log(chance) > blind.score(x, u)


def test_elbo_is_below_the_importance_weighted_likelihood(linear_mixture, fitted):
    x, u, _ = linear_mixture
    bound = fitted.score(x, u)
    few = fitted.log_likelihood(x, u, draws=5).mean()
    many = fitted.log_likelihood(x, u, draws=200).mean()
    assert bound <= few + 0.02
    assert few <= many + 0.02
    assert bound < many


@pytest.mark.parametrize("kind", [IVAE, VAE, FlowIVAE])
def test_likelihoods_are_in_the_units_of_x(linear_mixture, kind):
    x, u, _ = linear_mixture
    here, there = (kind(steps=20, seed=1, device="cpu").fit(scale * x, u) for scale in (1, 10))
    # A change of units by ten in two columns moves log p by 2 log 10.
    moved = 2 * np.log(10)
    assert there.score(10 * x, u) == pytest.approx(here.score(x, u) - moved, abs=0.01)
    change = here.log_likelihood(x, u) - there.log_likelihood(10 * x, u)
    assert np.median(change) == pytest.approx(moved, abs=0.01)


def test_a_flow_scores_the_mean_of_its_likelihood(linear_mixture):
    x, u, _ = linear_mixture
    model = FlowIVAE(steps=20, device="cpu", **FLOW).fit(x, u)
    assert model.score(x, u) == pytest.approx(model.log_likelihood(x, u).mean(), abs=1e-4)


def segment_scales(x, u):
    return np.array([x[u == segment].std(axis=0) for segment in np.unique(u)])


def test_samples_of_ivae_have_the_moments_of_each_segment(linear_mixture, fitted):
    x, u, _ = linear_mixture
    many = np.repeat(u, 5)
    drawn = fitted.sample(many)
    np.testing.assert_allclose(drawn.mean(axis=0), x.mean(axis=0), atol=0.2 * x.std(axis=0).max())
    observed, sampled = segment_scales(x, u), segment_scales(drawn, many)
    for column in range(2):
        assert np.corrcoef(observed[:, column], sampled[:, column])[0, 1] > 0.8
    np.testing.assert_allclose(np.median(sampled / observed, axis=0), 1.0, atol=0.15)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(x.T), atol=0.1)


def test_samples_and_inverse_of_a_flow(linear_mixture):
    x, u, sources = linear_mixture
    model = FlowIVAE(prior="laplace", steps=150, device="cpu", **FLOW).fit(x, u)
    z = model.transform(x, u)
    assert mean_correlation(sources, z) > 0.97
    np.testing.assert_allclose(model.inverse_transform(z), x, atol=1e-3 * x.std(axis=0).max())
    assert np.abs(model.inverse_transform(z[::-1]) - x).max() > 1.0
    many = np.repeat(u, 5)
    drawn = model.sample(many)
    observed, sampled = segment_scales(x, u), segment_scales(drawn, many)
    np.testing.assert_allclose(np.median(sampled / observed, axis=0), 1.0, atol=0.1)
    for column in range(2):
        assert np.corrcoef(observed[:, column], sampled[:, column])[0, 1] > 0.9
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(x.T), atol=0.1)


def test_fewer_components_than_columns(linear_mixture):
    x, u, sources = linear_mixture
    wide = np.column_stack([x, x @ [0.3, 0.02], x @ [-0.2, 0.05]])
    model = IVAE(2, prior="laplace", steps=500, seed=1, device="cpu").fit(wide, u)
    z = model.transform(wide, u)
    assert z.shape == (len(x), 2)
    assert mean_correlation(sources, z) > 0.85
    assert model.sample(u[:7]).shape == (7, 4)


def test_the_vae_does_not_see_u():
    x, u = STACKED["IVAE"].data()
    plain, given = VAE(steps=40, device="cpu").fit(x), VAE(steps=40, device="cpu").fit(x, u)
    np.testing.assert_array_equal(plain.transform(x), given.transform(x, u[::-1]))
    assert plain.diagnostics_.sentence() == (
        "Not identifiable because 1 segment is fewer than the 3 that it takes."
    )
    assert plain.diagnose(x).dependence_p is not None
    one = VAE(1, steps=2, device="cpu").fit(x)
    assert one.diagnostics_.verdict == "not identifiable"


def test_beta_presses_the_code_towards_the_prior(linear_mixture):
    x, _, _ = linear_mixture
    kl = {
        beta: sum(VAE(beta=beta, steps=100, device="cpu").fit(x).diagnostics_.kl)
        for beta in (0.2, 1.0, 20.0)
    }
    assert kl[0.2] > kl[1.0] + 0.2
    assert kl[1.0] > kl[20.0] + 0.5


def test_the_weights_of_the_vae():
    assert VAE()._settings().weights.plain
    assert VAE(beta=4.0)._settings().weights == ElboWeights(
        mutual_information=4.0, total_correlation=4.0, dimension_wise_kl=4.0
    )
    assert VAE(beta=2.0, total_correlation=3.0)._settings().weights == ElboWeights(
        mutual_information=2.0, total_correlation=6.0, dimension_wise_kl=2.0
    )
    assert VAE(beta=2.0, weights=WEIGHTS)._settings().weights == WEIGHTS
    assert (
        IVAE(posterior="diagonal", weights={"total_correlation": 3.0})
        ._settings()
        .weights.total_correlation
        == 3.0
    )
    assert IVAE()._settings().weights.plain
    x, _ = STACKED["VAE"].data()
    codes = [
        VAE(total_correlation=weight, steps=30, device="cpu").fit(x).transform(x)
        for weight in (1.0, 10.0)
    ]
    assert not np.allclose(*codes, atol=1e-3)
