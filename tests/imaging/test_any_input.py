"""Any input gives a result or a named error of one line, never a traceback."""

import io
import json
from itertools import count

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from causal_ivae.anatomy.prior_files import load_prior
from causal_ivae.errors import CausalIvaeError
from causal_ivae.group.model import check_model, fit_model
from causal_ivae.group.participants import read_participants
from causal_ivae.group.subjects import Subjects
from causal_ivae.imaging.atlas import load_atlas
from causal_ivae.imaging.confounds import load_run_confounds
from causal_ivae.imaging.filters import parse_bids_filter
from causal_ivae.imaging.segments import assign_segments
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.imaging.series_tables import read_table_run
from causal_ivae.settings import (
    DenoiseSettings,
    Pipeline,
    PriorSettings,
    SegmentSettings,
    TableSettings,
)
from causal_ivae.settings.pipeline_files import load_pipeline
from causal_ivae.settings.presets import load_preset

often = settings(
    max_examples=120,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
number = count()

CELLS = st.one_of(
    st.sampled_from(
        ["", "1", "2.5", "-3e5", "n/a", "NaN", "nan", "inf", "-inf", "1,5", "True", "x", '"', '"a"',
         "0x1F", "1_000", "1e999", " 4 ", "\x00", "ä", "#", "'", "1 2", "--"]
    ),
    st.floats(width=32).map(repr),
    st.text(max_size=6),
)  # fmt: skip


@st.composite
def tables(draw, columns, delimiter="\t"):
    """Text of a table: mostly numbers, with odd cells, rows too short or long, and odd ends."""
    header = draw(st.lists(st.one_of(st.sampled_from(columns), CELLS), max_size=12))
    rows = [
        [repr(x) for x in row]
        for row in np.random.default_rng(draw(st.integers(0, 99))).normal(
            size=(draw(st.integers(0, 60)), max(len(header), 1))
        )
    ]
    for _ in range(draw(st.integers(0, 3))):
        if rows:
            row = rows[draw(st.integers(0, len(rows) - 1))]
            row[draw(st.integers(0, len(row) - 1))] = draw(CELLS)
    if rows and draw(st.booleans()):
        rows[draw(st.integers(0, len(rows) - 1))] += draw(st.lists(CELLS, min_size=1, max_size=2))
    end = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    return end.join(delimiter.join(row) for row in [header, *rows]) + draw(
        st.sampled_from(["", end])
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("any")


def result_or_named_error(read, *arguments):
    said = "a result"
    try:
        read(*arguments)
    except CausalIvaeError as error:
        said = str(error)
    assert said.strip()
    assert len(said.splitlines()) == 1


def written(folder, name, content):
    path = folder / str(next(number)) / name
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    return path


@often
@given(tables(["a", "b", "run", "segment", "CA1"]))
@example('a\tb\n"1\t2\n' * 30)
def test_text_tables(folder, text):
    result_or_named_error(read_table_run, written(folder, "sub-1.tsv", text), TableSettings())


@often
@given(st.binary(max_size=300), st.sampled_from(["tsv", "csv", "npy", "npz", "mat", "h5"]))
@example(b"\x01\x01\x01\x01" + 16 * b"\x00", "mat")
def test_bytes_for_tables(folder, content, extension):
    path = written(folder, f"sub-1.{extension}", content)
    result_or_named_error(read_table_run, path, TableSettings())


def saved(extension):
    stream = io.BytesIO()
    values = np.random.default_rng(0).normal(size=(30, 3))
    if extension == "npy":
        np.save(stream, values)
    elif extension == "npz":
        np.savez(stream, tc=values, names=["a", "b", "c"])
    elif extension == "mat":
        import scipy.io

        scipy.io.savemat(stream, {"tc": values, "names": ["a", "b", "c"]})
    else:
        import h5py

        with h5py.File(stream, "w") as file:
            file["tc"], file["names"] = values, ["a", "b", "c"]
    return stream.getvalue()


@often
@given(
    st.sampled_from(["npy", "npz", "mat", "h5"]),
    st.floats(0, 1, exclude_max=True),
    st.binary(min_size=1, max_size=8),
    st.booleans(),
)
@example("npy", 0.125, b"{", False)
def test_damaged_arrays(folder, extension, place, damage, cut):
    content = saved(extension)
    at = int(place * len(content))
    # SciPy's reader of MATLAB files ends the whole process on some altered bytes.
    content = (
        content[:at]
        if cut or extension == "mat"
        else content[:at] + damage + content[at + len(damage) :]
    )
    path = written(folder, f"sub-1.{extension}", content)
    result_or_named_error(read_table_run, path, TableSettings(mat_key="tc"))


SIDECARS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["RepetitionTime", "SamplingFrequency", "Regions", "Simulated"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)


@settings(often, max_examples=60)
@given(SIDECARS)
def test_sidecars_of_tables(folder, content):
    array = io.BytesIO()
    np.save(array, np.random.default_rng(0).normal(size=(30, 2)))
    path = written(folder, "sub-1_timeseries.npy", array.getvalue())
    path.with_suffix(".json").write_text(json.dumps(content), encoding="utf-8")
    result_or_named_error(read_table_run, path, TableSettings())


CONFOUNDS = [
    "trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z", "csf", "white_matter",
    "global_signal", "cosine00", "framewise_displacement", "std_dvars",
    "non_steady_state_outlier00", "motion_outlier00", "trans_x_derivative1",
]  # fmt: skip


@settings(often, max_examples=80)
@given(
    tables(CONFOUNDS),
    st.sampled_from([["motion"], ["high_pass"], ["scrub"], ["wm_csf", "global_signal"], []]),
    st.booleans(),
)
def test_confounds(folder, text, strategy, whole):
    if whole:
        # All columns are there and only cells are odd.
        header = [*CONFOUNDS[:12], *(f"{name}_derivative1" for name in CONFOUNDS[:6])]
        body = text.replace("\r", "\n").split("\n")[1:]
        rows = [(row.split("\t") * len(header))[: len(header)] for row in body]
        text = "\n".join("\t".join(row) for row in [header, *rows])
    path = written(folder, "sub-1_task-rest_desc-confounds_timeseries.tsv", text)
    path.with_suffix(".json").write_text("{}", encoding="utf-8")
    image = path.with_name("sub-1_task-rest_space-A_desc-preproc_bold.nii.gz")
    image.touch()
    n_volumes = max(1, len([line for line in text.splitlines() if line.strip()]) - 1)
    chosen = DenoiseSettings(strategy=tuple(strategy), min_volumes=10, min_time=0)
    result_or_named_error(load_run_confounds, image, n_volumes, 2.0, chosen)


def short_series():
    return RegionSeries(
        "1", np.zeros((120, 2), dtype=np.float32), ("a", "b"), 2.0, np.zeros(120, dtype=np.int64),
        ("run-1",), np.arange(120), (120,), np.zeros(120, dtype=np.int64), ("all",), "none", None,
        np.ones(2),
    )  # fmt: skip


@often
@given(tables(["onset", "duration", "trial_type"]), st.booleans())
@example("onset\tduration\ttrial_type\nnan\t10\ta\n0\tinf\tb\n1e400\t5\tc\n", False)
def test_events(folder, text, whole):
    if whole:
        text = "\n".join(["onset\tduration\ttrial_type", *text.replace("\r", "\n").split("\n")[1:]])
    path = written(folder, "sub-1_events.tsv", text)
    result_or_named_error(
        assign_segments, short_series(), SegmentSettings(by="task", min_volumes=8), [path]
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["24P", "windows", "ivae", "motion", "null"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


def places(tree, prefix=()):
    for key, value in tree.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from places(value, (*prefix, key))


PLACES = list(places(Pipeline().model_dump(mode="json")))


@often
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
@example([(("denoise", "preset"), ["24P"])])
def test_settings_of_any_value(folder, changes):
    tree = Pipeline().model_dump(mode="json")
    for place, value in changes:
        branch = tree
        for key in place[:-1]:
            branch = (
                branch[key] if isinstance(branch.get(key), dict) else branch.setdefault("x", {})
            )
        branch[place[-1]] = value
    path = written(folder, "mine.yaml", yaml.safe_dump(tree, allow_unicode=True))
    result_or_named_error(load_pipeline, path)


@often
@given(st.one_of(st.text(max_size=60), st.text("{}[]:,-&*!|>'\"#%@ \nab01", max_size=40)))
@example("&a [*a]")
@example("denoise: &a {x: *a}")
@example("2001-99-99: 1")
@example("!!python/object/apply:os.system [ls]")
def test_settings_of_any_text(folder, text):
    path = written(folder, "mine.yaml", text)
    for read in (load_pipeline, load_preset):
        result_or_named_error(read, path)


@often
@given(st.dictionaries(st.sampled_from(["bold", "t1w", "x"]), VALUES, max_size=2) | VALUES)
@example({"bold": {"session": [["1"]]}})
def test_filters(content):
    result_or_named_error(parse_bids_filter, content)


SUBJECTS = 8
FORMULAS = st.one_of(
    st.sampled_from(
        ["score ~ age", "score ~ group + age", "score ~ group * age", "score ~ C(age)", "score ~ 0",
         "score ~ 1", "score ~ age:age", "score ~ -1", "score ~ group - 1", "score ~ age + + age",
         "score ~ np.exp(age)", "score ~", "age", "score ~ age ~ group", "score ~ C()",
         "score ~ 0*1", "score ~ age - age", "score ~ *age", "score ~ Q", "score ~ C(C(age))",
         "score ~ e"]
    ),
    st.text("scoreag~+*:-01 ()C", max_size=16).map("score ~ {}".format),
    st.text(max_size=12),
)  # fmt: skip


@often
@given(tables(["participant_id", "age", "group", "e"]), FORMULAS, st.booleans())
@example(
    "participant_id\tage\n" + "\n".join(f"sub-{i}\t{i}" for i in range(8)), "score ~ age", False
)
@example("participant_id\tage\nsub-1\tx\nsub-1\ty\n", "score ~ age", False)
def test_participants_and_models(folder, text, formula, whole):
    if whole:
        lines = text.replace("\r", "\n").split("\n")[1:]
        rows = [f"sub-{i}\t{line}" for i, line in enumerate(lines)]
        text = "\n".join(["participant_id\tage\tgroup\te", *rows])
    path = written(folder, "participants.tsv", text)

    def fit():
        participants = read_participants(path)
        check_model(formula, participants)
        fit_model(subjects, formula, participants)

    subjects = some_subjects()
    result_or_named_error(fit)


def some_subjects():
    scores = np.random.default_rng(0).uniform(-1, 1, size=(SUBJECTS, 2))
    votes = np.full(scores.shape, "undecided")
    labels = tuple(f"sub-{i}" for i in range(SUBJECTS))
    return Subjects(labels, (("a", "b"), ("a", "c")), scores, np.full(scores.shape, 0.1), votes)


@often
@given(
    tables(["cause", "effect", "disputed", "citation", "a", "b"]),
    st.sampled_from([None, 0.0, 0.5]),
    st.none() | st.dictionaries(
        st.sampled_from(["names", "aliases", "references", "directed", "name", "rows", "key"]),
        VALUES, max_size=3,
    ),
    st.booleans(),
)  # fmt: skip
@example("a\tb\n0\t1\n1\t0\n", 0.5, {"rows": 3, "aliases": {"a": 1}}, False)
@example("cause\teffect\na\tb\n", None, {"references": {"x": 1}, "names": "ab"}, False)
def test_priors(folder, text, threshold, sidecar, whole):
    if whole:
        text = "\n".join(["cause\teffect\tdisputed", *text.replace("\r", "\n").split("\n")[1:]])
    path = written(folder, "mine.tsv", text)
    if sidecar is not None:
        path.with_suffix(".json").write_text(json.dumps(sidecar))
    result_or_named_error(load_prior, PriorSettings(name=str(path), threshold=threshold))


@often
@given(
    tables(["index", "name", "x", "y", "z", "radius"]),
    st.none() | st.dictionaries(
        st.sampled_from(["Name", "Space", "Radius", "Volume", "Citation", "DOI"]),
        VALUES, max_size=3,
    ),
    st.sampled_from([None, "index\tname", "name\tx\ty\tz\tradius"]),
)  # fmt: skip
@example("name\tx\ty\tz\na\t1\t2\t3\n", {"Radius": float("nan")}, None)
@example("index\tname\n1\ta\n", {"Volume": ["x"]}, None)
@example("index\tname\n1\ta\n", {"Volume": {"Package": "../x"}}, None)
def test_atlases(folder, text, about, header):
    if header is not None:
        text = "\n".join([header, *text.replace("\r", "\n").split("\n")[1:]])
    path = written(folder, "mine.tsv", text)
    if about is not None:
        path.with_suffix(".json").write_text(json.dumps(about))
    result_or_named_error(load_atlas, path)
