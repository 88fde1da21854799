"""The linear estimators: recovery, orientation, saving, a package that is not there."""

import sys

import numpy as np
import pytest
from sklearn.base import clone

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.unmixing.estimators import DirectLiNGAM, FastICA, SegmentICA
from causal_ivae.unmixing.matching import mean_correlation


def test_fast_ica_unmixes():
    rng = np.random.default_rng(0)
    sources = rng.laplace(size=(3000, 3))
    x = sources @ rng.normal(size=(3, 3)) + [5.0, 0.0, -3.0]
    model = FastICA(seed=1)
    z = model.fit_transform(x)
    assert mean_correlation(sources, x) < 0.95
    assert mean_correlation(sources, z) > 0.99
    np.testing.assert_allclose(z.std(axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(z, (x - model.mean_) @ model.unmixing_.T)


def test_segment_ica_unmixes_gaussian_sources_that_change_with_the_segment(tmp_path):
    rng = np.random.default_rng(0)
    segments = np.repeat(np.arange(12), 200) + 5
    # All variances grow together, so that the sources are dependent and FastICA is misled.
    std = np.exp(np.linspace(-1.5, 1.5, 12))[:, None] ** [1.0, 1.0, 1.0] * rng.uniform(
        0.7, 1.4, (12, 3)
    )
    sources = rng.normal(size=(2400, 3)) * std[segments - 5]
    x = sources @ rng.normal(size=(3, 4)) + [5.0, 0.0, -3.0, 1.0]
    model = SegmentICA(3)
    z = model.fit_transform(x, segments)
    assert mean_correlation(sources, z) > 0.99
    assert mean_correlation(sources, FastICA(3).fit_transform(x)) < 0.97
    np.testing.assert_allclose(z, (x - model.mean_) @ model.unmixing_.T)
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        SegmentICA.load(tmp_path / "model.safetensors").unmixing_, model.unmixing_
    )
    with pytest.raises(InputError, match="SegmentICA needs the segments: give x and u"):
        SegmentICA().fit(x)
    with pytest.raises(InputError, match="n_components is 5, but 'x' has 4 columns"):
        SegmentICA(5).fit(x, segments)


def test_direct_lingam(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.laplace(size=(2000, 2)) * [1.0, 0.7]
    x = np.column_stack([noise[:, 0] + 2.0, 1.5 * noise[:, 0] + noise[:, 1]])
    model = DirectLiNGAM()
    with pytest.raises(InputError, match="not fitted"):
        model.transform(x)
    z = model.fit_transform(x)
    # Row = cause, column = effect: column 0 of x drives column 1.
    assert model.adjacency_[0, 1] == pytest.approx(1.5, abs=0.05)
    assert model.adjacency_[1, 0] == 0.0
    assert (np.diag(model.adjacency_) == 0).all()
    turned = DirectLiNGAM().fit(x[:, ::-1]).adjacency_
    assert turned[1, 0] == pytest.approx(1.5, abs=0.05)
    assert turned[0, 1] == 0.0
    for i in range(2):
        assert np.corrcoef(z[:, i], noise[:, i])[0, 1] > 0.999
    assert mean_correlation(noise, x) < 0.98
    assert clone(DirectLiNGAM(seed=4)).get_params() == {"seed": 4}
    model.save(tmp_path / "model.safetensors")
    loaded = DirectLiNGAM.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.transform(x), z)
    np.testing.assert_array_equal(loaded.adjacency_, model.adjacency_)
    with pytest.raises(InputError, match="holds a DirectLiNGAM, not a FastICA"):
        FastICA.load(tmp_path / "model.safetensors")


def test_lingam_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "lingam", None)
    with pytest.raises(SettingsError, match=r"pip install lingam 'scipy>="):
        DirectLiNGAM().fit(np.random.default_rng(0).normal(size=(50, 2)))
