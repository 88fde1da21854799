import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.segments import assign_segments
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.settings import SegmentSettings

TR = 2.0


def series(scales, *, n_runs=1, censored=(), memory=0.5, seed=0):
    """Return series whose standard deviations are `scales` (n_times, n_regions) in every run."""
    rng = np.random.default_rng(seed)
    scales = np.asarray(scales, dtype=float)
    values = []
    for _ in range(n_runs):
        one = rng.laplace(size=scales.shape)
        for t in range(1, len(one)):
            one[t] += memory * one[t - 1]
        one *= scales
        values.append((one - one.mean(axis=0)) / one.std(axis=0))
    kept = np.setdiff1d(np.arange(len(scales)), censored)
    return RegionSeries(
        label="01",
        values=np.concatenate([one[kept] for one in values]).astype(np.float32),
        names=tuple(f"r{i}" for i in range(scales.shape[1])),
        tr=TR,
        runs=np.repeat(np.arange(n_runs), len(kept)),
        run_names=tuple(f"run-{i + 1}" for i in range(n_runs)),
        volumes=np.tile(kept, n_runs),
        n_volumes=(len(scales),) * n_runs,
        segments=np.zeros(len(kept) * n_runs, dtype=np.int64),
        segment_names=("all",),
        segment_kind="none",
        framewise_displacement=None,
        coverage=np.ones(scales.shape[1]),
    )


def blocks(order, length=80, n_regions=5):
    """Return scales of states 0, 1, ... in this order, strong contrasts."""
    rng = np.random.default_rng(3)
    levels = np.exp(rng.choice([-0.9, 0.9], size=(max(order) + 1, n_regions)))
    levels *= np.linspace(1, 2, max(order) + 1)[:, None]
    return np.repeat(levels[list(order)], length, axis=0)


def found(given, **settings):
    return assign_segments(given, SegmentSettings(**settings))


class TestChangepoints:
    def test_planted_changes_are_found_and_others_are_not(self):
        order = (0, 1, 2, 0, 1)
        given = series(blocks(order))
        result = found(given, by="changepoints")
        borders = np.flatnonzero(np.diff(result.segments)) + 1
        np.testing.assert_allclose(borders, [80, 160, 240, 320], atol=10)
        assert result.segment_names[0] == "run-1_segment-01"
        assert result.segment_kind == "change points, penalty 2"
        steady = series(np.ones((400, 5)), memory=0.7)
        with pytest.raises(InputError, match=r"1 segments \(change points.*Lower segments.penalty"):
            found(steady, by="changepoints")

    def test_the_price_of_a_segment_is_a_setting(self):
        given = series(blocks((0, 1, 2, 0, 1)))
        number = [
            len(found(given, by="changepoints", penalty=penalty).segment_names)
            for penalty in (0.2, 2.0)
        ]
        assert number[0] > number[1]

    def test_no_segment_spans_a_gap_or_a_run(self):
        # Gaps where nothing changes, one of a single volume; a stretch of 10 volumes between.
        censored = (40, *range(200, 204), *range(214, 220))
        given = series(blocks((0, 1, 2)), n_runs=2, censored=censored)
        result = found(given, by="changepoints", min_volumes=20)
        for segment in range(len(result.segment_names)):
            here = result.segments == segment
            assert len(set(result.runs[here])) == 1
            assert (np.diff(result.volumes[here]) == 1).all()
        left_out = result.segments == -1
        assert set(result.volumes[left_out]) == set(range(204, 214))
        assert "20 kept volumes lie in stretches" in result.notes[-1]

    def test_regions_without_values_play_no_part(self):
        given = series(blocks((0, 1, 2, 0)))
        whole = found(given, by="changepoints").segments
        values = np.column_stack([given.values, np.full(len(given.values), np.nan)])
        names, coverage = (*given.names, "lost"), np.r_[np.ones(5), 0]
        lacking = replace(given, values=values, names=names, coverage=coverage)
        np.testing.assert_array_equal(found(lacking, by="changepoints").segments, whole)


class TestHiddenStates:
    def test_planted_states_are_found_across_runs(self):
        order = (0, 1, 2, 1, 0, 2)
        given = series(blocks(order), n_runs=2)
        result = found(given, by="hmm", states=3)
        assert "were found in the same series" in result.notes[-1]
        truth = np.tile(np.repeat(order, 80), 2)
        assert adjusted_rand_score(truth, result.segments) > 0.8
        assert result.segment_kind == "3 hidden states, mean stay 30 s"
        assert set(result.segment_names) == {"state-1", "state-2", "state-3"}
        strength = {
            name: (result.values[result.segments == i] ** 2).sum(axis=1).mean()
            for i, name in enumerate(result.segment_names)
        }
        assert sorted(strength, key=strength.get) == ["state-1", "state-2", "state-3"]

    def test_states_do_not_flicker_with_many_regions(self):
        given = series(blocks((0, 1, 2, 0, 2, 1), n_regions=40), memory=0.8)
        segments = found(given, by="hmm", states=3).segments
        assert np.count_nonzero(np.diff(segments)) <= 8

    def test_nothing_is_random_and_gaps_are_kept(self):
        given = series(blocks((0, 1, 2, 1, 0)), n_runs=2, censored=(40, 41, 200, 333))
        first, second = (found(given, by="hmm", states=4) for _ in range(2))
        np.testing.assert_array_equal(first.segments, second.segments)
        # A state holds volumes from both sides of a gap, but no stretch of volumes spans one.
        for stretch in range(first.stretches.max() + 1):
            here = first.stretches == stretch
            assert (np.diff(first.volumes[here]) == 1).all()

    def test_no_transition_is_modelled_across_a_gap(self, monkeypatch):
        from hmmlearn import hmm

        given = series(blocks((0, 1, 2)), n_runs=2, censored=(40, 100, 101))
        seen = []
        predict = hmm.GaussianHMM.predict

        def spy(self, values, lengths=None):
            seen.append(list(lengths))
            return predict(self, values, lengths)

        monkeypatch.setattr(hmm.GaussianHMM, "predict", spy)
        found(given, by="hmm", states=3)
        assert seen == [[40, 59, 138] * 2]

    @pytest.mark.parametrize("n_regions", [1, 4, 25])
    def test_many_regions_make_a_switch_as_hard_as_their_number_s_root(
        self, monkeypatch, n_regions
    ):
        from hmmlearn import hmm

        seen = []
        predict = hmm.GaussianHMM.predict

        def spy(self, values, lengths=None):
            seen.append(self.transmat_.copy())
            return predict(self, values, lengths)

        monkeypatch.setattr(hmm.GaussianHMM, "predict", spy)
        found(series(blocks((0, 1, 2), 40, n_regions)), by="hmm", states=3, stay_seconds=20.0)
        (transitions,) = seen
        np.testing.assert_allclose(transitions.sum(axis=1), 1.0)
        # A tenth of the volumes of one region leave a state, half of them for either other.
        odds = (0.1 / 2 / 0.9) ** np.sqrt(n_regions)
        for i in range(3):
            for j in set(range(3)) - {i}:
                assert transitions[i, j] / transitions[i, i] == pytest.approx(odds)

    def test_too_few_volumes(self):
        with pytest.raises(InputError, match=r"'01' has 5 stretches of 15 volumes.*6 hidden"):
            found(series(np.ones((80, 3))), by="hmm")


@pytest.mark.parametrize(("kind", "package"), [("changepoints", "ruptures"), ("hmm", "hmmlearn")])
def test_a_missing_package_is_named(monkeypatch, kind, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SettingsError, match=rf"need the package {package}: pip install"):
        found(series(blocks((0, 1, 2))), by=kind)
