import re
from dataclasses import replace

import pytest
from fake_records import SIX, group_record

from causal_ivae.reporting.methods_files import methods_files, text_alone
from causal_ivae.reporting.methods_text import Realised, methods_text
from causal_ivae.reporting.origin import methods_of
from causal_ivae.reporting.references import bibliography, resolve
from causal_ivae.reporting.volume_counts import Volumes
from causal_ivae.settings import Pipeline

BOTH = Realised(
    n_regions=6, n_pairs=15, methods=("ivae", "tcl"), seed=3, tr=0.72,
    volumes=Volumes(1200, 1190, 1190), n_segments=14, segment_kind="windows of 60 s",
    prior="hippocampal_circuit",
    versions={"causal-ivae": "0.1.0", "torch": "2.13.0", "nilearn": "0.14.1"},
)  # fmt: skip


def test_numbers_and_settings_are_in_the_text():
    settings = Pipeline().changed({"unmixing.ivae.steps": 1234, "independence.draws": 499})
    text = methods_text(settings, BOTH)
    for expected in (
        "6 regions", "repetition time 0.72 s", "Of 1,200 volumes, 1,190 were kept",
        "windows of 60 s, 14 segments", "15 pairs", "1,234 steps", "8 random starts per pair",
        "499 circular shifts", "Laplace conditional prior whose scale varied", "seed 3",
        "causal-ivae 0.1.0 with PyTorch 2.13.0", "'hippocampal_circuit'",
    ):  # fmt: skip
        assert expected in text, expected


def test_every_change_of_a_setting_shows():
    pipeline = Pipeline().changed({"unmixing.ivae.posterior": "diagonal"})
    base = methods_text(pipeline, BOTH)
    for change in (
        {"unmixing.ivae.posterior": "full"},
        {"unmixing.ivae.passes": 3.0},
        {"unmixing.ivae.prior": "gaussian"},
        {"unmixing.ivae.modulates": "mean_variance"},
        {"unmixing.ivae.noise": 0.1},
        {"unmixing.ivae.weights.total_correlation": 5.0},
        {"unmixing.tcl.hidden": 17},
        {"unmixing.tcl.ica": "score_matching"},
        {"independence.null": "wild_bootstrap"},
        {"independence.null": "permutation"},
        {"independence.null": "gamma"},
        {"decision.rule": "paper"},
        {"decision.acyclic": True},
        {"decision.alpha": 0.01},
        {"segments.min_volumes": 33},
        {"prior.draws": 199},
        {"tables.detrend_order": 2},
    ):
        assert methods_text(pipeline.changed(change), BOTH) != base, change
    inverted = methods_text(Pipeline(), BOTH)
    for change in ({"unmixing.ivae.maps": 6}, {"unmixing.ivae.final_noise": 0.003}):
        assert methods_text(Pipeline().changed(change), BOTH) != inverted, change


def test_twins_of_methods_of_pairs_are_said_once():
    pipeline = Pipeline().changed({"unmixing.pair_twins": 12})
    text = methods_text(pipeline, BOTH)
    assert text.count("those in up to 12 twins of the data") == 1
    assert "Arrows of iVAE and TCL were set against" in text
    assert "a twin had at most 5% as many arrows" in text
    strict = methods_text(pipeline.changed({"decision.guard": "network"}), BOTH)
    assert "no arrow of 95% of the twins was as sure" in strict


def test_twins_are_said_only_where_there_are_some():
    network = replace(BOTH, methods=("network",))
    assert "Arrows of Network were drawn from the probability on at which a twin had" in (
        methods_text(Pipeline(), network)
    )
    without = methods_text(Pipeline().changed({"unmixing.network.twins": 0}), network)
    assert "An arrow needed a probability of 0.7; confidence" in without
    assert "twin" not in without


def test_planted_arrows_are_said_only_where_there_are_some():
    network = replace(BOTH, methods=("network",))
    said = "leaned the wrong way as often as the right one"
    assert methods_text(Pipeline(), network).count(said) == 1
    assert said not in methods_text(Pipeline().changed({"power.plants": 0}), network)
    assert said not in methods_text(Pipeline(), BOTH)


def test_segments_found_in_the_series_are_said():
    assert "found in the series" not in methods_text(Pipeline(), BOTH)
    for kind, keys in (("changepoints", {"killick2012", "truong2020"}), ("hmm", {"rabiner1989"})):
        text = methods_text(Pipeline().changed({"segments.by": kind}), BOTH)
        assert "Segments were found in the series themselves" in text
        assert keys <= {work.key for work in resolve(text)[1]}


def test_a_denoising_preset_is_named_and_cited():
    images = replace(BOTH, images=True)
    assert "preset" not in methods_text(Pipeline(), images)
    preset = Pipeline().changed({"denoise.preset": "compcor_gsr"})
    text = methods_text(preset, images)
    assert "the global signal were removed (preset 'compcor_gsr' [@behzadi2007" in text
    changed = methods_text(preset.changed({"denoise.motion": "basic"}), images)
    assert "preset 'compcor_gsr')" in changed


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("none", None),
        ("dependence", "not dependent given the segment at level 0.01 were not analysed further"),
        ("partial_correlation", "partial correlation given all other regions (degrees of freedom"),
        ("skeleton", "at level 0.01: pairs of regions that a set of at most 3 other regions sep"),
    ],
)
def test_the_screen_is_said(by, said):
    changes = {"screen.by": by, "screen.alpha": 0.01}
    text = methods_text(Pipeline().changed(changes), BOTH)
    assert ("not analysed further" in text) is (said is not None)
    assert said is None or said in text


def test_structural_flows_are_said_where_they_were_fitted():
    changes = {"decision.confidence": 0.83, "unmixing.structural.folds": 5}
    settings = Pipeline().changed(changes | {"unmixing.structural.steps": 4321})
    both = methods_text(settings, replace(BOTH, methods=("structural", "ivae")))
    alone = methods_text(settings, replace(BOTH, methods=("structural",)))
    for text in (both, alone):
        for expected in (
            "structural equations of either direction", "on 5 folds", "The 5 trials",
            "4,321 steps, or 16 passes", "a probability of 0.83", "logistic model",
            "q-values control",
        ):  # fmt: skip
            assert expected in text, expected
        assert {"vuong1989", "mueller2019", "benjamini1995"} <= {
            work.key for work in resolve(text)[1]
        }
    # With two ways to decide it is said whose each is.
    assert "A direction of iVAE needed two regions that were dependent" in both
    assert "the level is no p-value" in both
    assert "interval level" not in alone
    assert "autoencoder [@khemakhem2020] estimated" not in alone
    others = methods_text(settings, BOTH)
    assert "structural" not in others
    assert "probability" not in others
    assert "A direction needed two regions that were dependent" in others
    assert "q-values control" not in others


@pytest.mark.parametrize(
    "change",
    [
        {"unmixing.structural.prior": "gaussian"},
        {"unmixing.structural.modulates": "mean_variance"},
        {"unmixing.structural.hidden": 17},
        {"unmixing.structural.layers": 3},
        {"unmixing.structural.folds": 1},
        {"unmixing.structural.trial_steps": 200},
        {"unmixing.structural.passes": 0.0},
        {"unmixing.structural.patience": 0.1},
        {"decision.confidence": 0.9},
        {"decision.assume_arrow": True},
        {"decision.acyclic": True},
    ],
)
def test_a_change_of_structural_flows_shows(change):
    realised = replace(BOTH, methods=("structural",))
    assert methods_text(Pipeline().changed(change), realised) != methods_text(Pipeline(), realised)


def test_fits_that_may_end_early_are_said():
    changes = {"unmixing.ivae.patience": 0.1, "unmixing.ivae.steps": 1500}
    text = methods_text(Pipeline().changed(changes), BOTH)
    steps = "up to 1,500 steps, or 8 passes over the volumes where these are more"
    assert f"{steps}, fewer where 10% of them brought no gain" in text
    assert "up to" not in methods_text(Pipeline(), BOTH)


def test_the_works_cited():
    _, cited = resolve(methods_text(Pipeline(), BOTH))
    keys = {work.key for work in cited}
    assert {"khemakhem2020", "hyvarinen2016", "monti2019", "gretton2005", "gretton2007"} <= keys
    assert "benjamini1995" not in keys
    assert "abraham2014" not in keys
    only = Realised(n_regions=2, n_pairs=1, methods=("ivae",), seed=0, images=True)
    _, cited = resolve(methods_text(Pipeline(), only))
    keys = {work.key for work in cited}
    assert {"abraham2014", "esteban2019", "power2014"} <= keys
    assert "hyvarinen2016" not in keys


def test_the_linear_ica_and_the_weights_of_the_bound_are_cited_where_they_were_used():
    pipeline = Pipeline().changed({"unmixing.ivae.posterior": "diagonal"})
    _, plain = resolve(methods_text(pipeline, BOTH))
    settings = pipeline.changed(
        {"unmixing.tcl.ica": "score_matching", "unmixing.ivae.weights.reconstruction": 100.0}
    )
    text = methods_text(settings, BOTH)
    _, changed = resolve(text)
    assert {"hyvarinen1999"} == {w.key for w in plain} - {w.key for w in changed}
    assert {"chen2018"} == {w.key for w in changed} - {w.key for w in plain}
    assert "score matching of piecewise-stationary components [@monti2019]" in text
    assert "reconstruction by 100, mutual information by 1" in text


def test_the_checks_of_the_fits_are_said():
    text = methods_text(Pipeline(), BOTH)
    assert "was called not identifiable if there were fewer segments than" in text
    assert "its modulation not shown if" in text
    assert "a disturbance collapsed to its prior" in text
    only = Realised(n_regions=2, n_pairs=1, methods=("tcl",), seed=0)
    assert "collapsed to its prior" not in methods_text(Pipeline(), only)


def test_censoring_is_claimed_only_where_it_was_done():
    realised = Realised(n_regions=2, n_pairs=1, methods=("ivae",), seed=0, images=True)
    settings = Pipeline().changed({"denoise.strategy": ["motion"]})
    assert "censored" not in methods_text(settings, realised)
    assert "censored" in methods_text(Pipeline(), realised)
    assert "Regressors for head motion were removed" in methods_text(settings, realised)


def test_group_and_simulation_are_said():
    group = Realised(n_regions=3, n_pairs=3, methods=("tcl",), seed=0, n_subjects=7, images=None)
    text = methods_text(Pipeline(), group)
    assert "Over 7 subjects" in text
    assert "sign-flip" in text
    assert "tables" not in text
    simulated = Realised(n_regions=3, n_pairs=3, methods=("tcl",), seed=0, simulated=True)
    assert "were simulated" in methods_text(Pipeline(), simulated)


def test_citations_are_written_out():
    text, cited = resolve("A [@khemakhem2020]; B [@monti2019; @hyvarinen2016]; C [@benjamini1995].")
    assert text == (
        "A (Khemakhem et al., 2020); B (Monti et al., 2019; Hyvärinen and Morioka, 2016); "
        "C (Benjamini and Hochberg, 1995)."
    )
    assert [work.key for work in cited] == [
        "benjamini1995", "hyvarinen2016", "khemakhem2020", "monti2019",
    ]  # fmt: skip


def test_an_unknown_citation_is_an_error():
    with pytest.raises(ValueError, match="Did you mean 'monti2019'"):
        resolve("[@monti2018]")


def test_the_bibliography_is_complete():
    works = bibliography()
    bundled = works["khemakhem2020"]
    assert bundled.author_list == "Khemakhem I, Kingma DP, Monti RP, Hyvärinen A"
    assert bundled.venue.endswith(
        "Proceedings of Machine Learning Research 108: 2207\N{EN DASH}2217"
    )
    assert works["benjamini1995"].venue.endswith("57(1): 289\N{EN DASH}300")
    assert works["esteban2019"].author_list.endswith("et al.")
    for key, work in works.items():
        assert work.authors, key
        assert work.title, key
        assert re.fullmatch(r"(19|20)\d\d", work.year), key
        assert key[-4:] == work.year or key[-5:-1] == work.year
        assert "{" not in work.title + work.venue
        assert not work.doi or work.doi.startswith("10.")
    dois = [work.doi for work in works.values() if work.doi]
    assert len(dois) == len(set(dois))


def test_paragraphs_have_six_sentences_at_most_and_lose_none():
    group = replace(BOTH, n_subjects=12, prior="mine")
    text = methods_text(Pipeline().changed({"segments.by": "changepoints"}), group)
    paragraphs = text.split("\n\n")
    assert len(paragraphs) > 3
    assert max(len(re.findall(r"\.(?=\s|$)", one)) for one in paragraphs) <= 6
    assert paragraphs[-1].startswith("All steps were run by causal-ivae")
    assert "Over 12 subjects" in text


def test_the_text_and_its_references_are_files_beside_the_page():
    record = group_record(SIX, ("ivae",))
    files = methods_files(record)
    content = files[None, "methods.md"].decode()
    assert text_alone(content) == methods_of(record, record.names, 7)[0]
    assert "Over 7 subjects" in content
    assert "## References" in content
    assert b"khemakhem2020," in files[None, "references.bib"]
    method = record.methods["ivae"]
    lost = replace(method, sidecar={**method.sidecar, "Settings": {"x": 1}})
    assert methods_files(replace(record, methods={"ivae": lost})) == {}
