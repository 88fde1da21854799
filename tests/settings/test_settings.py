import pytest
import yaml
from pydantic import BaseModel

from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import SettingsError
from causal_ivae.settings import Pipeline, resources
from causal_ivae.settings.pipeline_files import load_pipeline


def leaves(tree: dict, prefix: str = "") -> dict[str, object]:
    found = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


@pytest.mark.parametrize("name", ["default", "quick", "paper"])
def test_bundled_pipelines_write_out_every_setting(name):
    text = resources.find("pipelines", name).read_text(encoding="utf-8")
    written, known = set(leaves(yaml.safe_load(text))), set(leaves(Pipeline().model_dump()))
    assert written <= known
    # The settings of methods that a pipeline does not run may be left out.
    other = set(METHODS) - set(load_pipeline(name).unmixing.methods)
    assert all(any(key.startswith(f"unmixing.{m}.") for m in other) for key in known - written)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    plain = [line for line in lines if not line.rstrip().endswith(":")]
    uncommented = [
        line for line in plain if "#" not in line and not line.startswith(("name", "description"))
    ]
    # Sections that only group others, such as 'ivae:', need no remark.
    assert uncommented == []


def test_default_pipeline_file_is_the_default():
    named = load_pipeline("default").model_dump(exclude={"name", "description"})
    assert named == Pipeline().model_dump(exclude={"name", "description"})


def test_quick_and_paper_differ_from_the_default_where_they_say():
    default = leaves(load_pipeline("default").model_dump())
    quick = leaves(load_pipeline("quick").model_dump())
    changed = {key for key in default if default[key] != quick[key]}
    assert changed == {
        "name", "description", "unmixing.restarts", "unmixing.structural.trial_steps",
        "unmixing.structural.steps", "unmixing.structural.passes", "unmixing.ivae.steps",
        "unmixing.ivae.passes", "unmixing.tcl.steps", "independence.draws",
        "decision.resamples", "power.plants",
    }  # fmt: skip
    paper = leaves(load_pipeline("paper").model_dump())
    assert {key for key in default if default[key] != paper[key]} == {
        "name", "description", "unmixing.methods", "decision.rule", "unmixing.tcl.ica",
    }  # fmt: skip


def test_key_that_yaml_reads_as_nothing_is_the_null_distribution(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("independence:\n  null: gamma\n")
    assert load_pipeline(path).independence.null == "gamma"
    assert load_pipeline(path).name == "mine"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("segmnts: {}", ["segmnts", "segments", "mine.yaml"]),
        ("unmixing: {ivae: {hiddn: 3}}", ["unmixing.ivae.hiddn", "'hidden'", "mine.yaml"]),
        ("unmixing: {ivae: {likelihood: bernoulli}}", ["unmixing.ivae.likelihood", "Allowed"]),
        ("decision: {alpha: 2}", ["decision.alpha", "2", "mine.yaml"]),
        ("unmixing: {methods: []}", ["unmixing", "at least one method"]),
        ("unmixing: {methods: [ivae, ivae]}", ["each once"]),
        ("unmixing: {methods: [ivea]}", ["unmixing.methods", "'ivea'", "Did you mean 'ivae'?"]),
        ("unmixing: {restarts: 2}\nunmixing: {restarts: 3}", ["'unmixing' is there twice"]),
        ("unmixing: {tcl: {ica: pca}}", ["unmixing.tcl.ica", "'fastica'", "mine.yaml"]),
        ("unmixing: {ivae: {weights: {kl: 2}}}", ["unmixing.ivae.weights.kl", "Allowed"]),
        ("unmixing: {ivae: {weights: {reconstruction: 0}}}", ["weights.reconstruction", "0"]),
        ("decision: {alpha: 0.1, alpha: 0.2}", ["'alpha' is there twice", "mine.yaml"]),
        ("{[a]: 1}", ["not valid YAML", "mine.yaml"]),
        ("- a\n- b", ["key: value"]),
        ("a: [1", ["not valid YAML", "mine.yaml"]),
    ],
)
def test_wrong_files_are_named_with_key_and_remedy(tmp_path, text, parts):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_pipeline(path)
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_changed_replaces_and_checks():
    pipeline = Pipeline().changed({"segments.by": "runs", "unmixing.restarts": 3})
    assert (pipeline.segments.by, pipeline.unmixing.restarts) == ("runs", 3)
    with pytest.raises(SettingsError, match=r"segments\.bye"):
        Pipeline().changed({"segments.bye": "runs"})
    with pytest.raises(SettingsError, match="Did you mean 'segments'"):
        Pipeline().changed({"segment.by": "runs"})


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Pipeline().decision.alpha = 0.1


def set_leaf(pipeline: Pipeline, dotted: str) -> Pipeline:
    """Return the pipeline with one leaf set to another valid value."""
    model: BaseModel = pipeline
    *parents, last = dotted.split(".")
    for parent in parents:
        model = getattr(model, parent)
    value = getattr(model, last)
    other = {
        "unmixing.methods": ["tcl"],
        "exogenous": ["tone"],
        "denoise.preset": "24P",
        "denoise.strategy": ["motion"],
        "denoise.motion": "full",
        "denoise.wm_csf": "full",
        "denoise.global_signal": "full",
        "denoise.compcor": "temporal",
        "denoise.missing_regions": "drop",
        "segments.by": "runs",
        "unmixing.structural.prior": "gaussian",
        "unmixing.structural.modulates": "mean_variance",
        "unmixing.ivae.prior": "gaussian",
        "unmixing.ivae.modulates": "mean_variance",
        "unmixing.ivae.activation": "xtanh",
        "independence.null": "gamma",
        "screen.by": "dependence",
        "screen.test": "partial_correlation",
        "decision.rule": "paper",
        "decision.confidence": 0.9,
        "decision.prior": 0.2,
        "decision.guard": "network",
        "decision.resamples": 300,
        "regions": ["a", "b"],
        "tables.mat_key": "tc",
        "tables.rows": "regions",
        "prior.threshold": 1.0,
        "prior.max_path": 4,
        "group.model": "score ~ age",
        "unmixing.ivae.posterior": "diagonal",
        "unmixing.ivae.decoder": "mlp",
        "unmixing.ivae.noise": 0.25,
        "unmixing.tcl.ica": "score_matching",
    }
    if dotted in other:
        return pipeline.changed({dotted: other[dotted]})
    if isinstance(value, bool):
        return pipeline.changed({dotted: not value})
    if isinstance(value, int):
        return pipeline.changed({dotted: value + 1})
    return pipeline.changed({dotted: value / 2 if value else 1.0})


def digests(pipeline: Pipeline) -> dict[str, str]:
    return {
        "load": pipeline.load_digest,
        **{name: method.digest(pipeline) for name, method in METHODS.items()},
        "prior": pipeline.prior_digest,
        "group": pipeline.group_digest,
    }


# Found by the content of their files, or changing no number.
NOT_HASHED = {
    "name",
    "description",
    "atlas",
    "prior.name",
    "unmixing.methods",
    "unmixing.memory_gib",
}
SETTINGS = sorted(
    set(leaves(Pipeline().model_dump())) - {"name", "description", "atlas", "prior.name"}
)


@pytest.mark.parametrize("dotted", SETTINGS)
def test_every_setting_makes_stale_what_it_determines_and_no_more(dotted):
    section = dotted.split(".")[0]
    expected = {
        "regions": {"load"}, "exogenous": {"load"}, "tables": {"load"}, "denoise": {"load"},
        "segments": {"load"},
        "screen": set(METHODS), "independence": set(METHODS), "decision": set(METHODS),
        "unmixing": set(METHODS), "prior": {"prior"}, "group": {"group"},
        "power": {"network"},
    }[section]  # fmt: skip
    for method in METHODS:
        if dotted.startswith(f"unmixing.{method}."):
            expected = {method}
    # The network method may hand over to structural flows.
    if dotted.startswith("unmixing.structural."):
        expected = {"structural", "network"}
    if dotted in ("decision.guard", "decision.decoy_share"):
        expected = {"network"}
    # Of structural flows there are folds, not restarts, and a probability decides.
    if dotted in ("unmixing.restarts", "decision.rule"):
        expected = {"ivae", "tcl"}
    if dotted in ("decision.confidence", "decision.prior", "decision.assume_arrow"):
        expected = {"structural", "network"}
    if dotted in NOT_HASHED:
        expected = set()
    pipeline = Pipeline()
    if dotted.startswith("unmixing.ivae.weights."):
        pipeline = pipeline.changed({"unmixing.ivae.posterior": "diagonal"})
    before, after = digests(pipeline), digests(set_leaf(pipeline, dotted))
    assert {key for key in before if before[key] != after[key]} == expected
