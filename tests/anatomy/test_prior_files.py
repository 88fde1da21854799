import json

import numpy as np
import pytest
from scipy.io import savemat

from causal_ivae.anatomy import load_prior, prior_from_matrix
from causal_ivae.anatomy.verdicts import match_regions
from causal_ivae.errors import InputError, SettingsError
from causal_ivae.settings import PriorSettings, resources

NAMES = ["A_L", "B_L", "C_R"]
WEIGHTS = np.array([[9.0, 2.0, 0.5], [2.0, 0.0, 0.0], [0.5, 0.0, 0.0]])


def pairs(prior):
    return {(p.cause, p.effect) for p in prior.projections}


def load(path, **settings):
    return load_prior(PriorSettings(name=str(path), **settings))


BUNDLED = ("basal_ganglia", "hippocampal_circuit", "visual_hierarchy")


class TestBundledPriors:
    def test_these_and_no_others(self):
        assert tuple(resources.names("priors")) == BUNDLED

    @pytest.mark.parametrize("name", BUNDLED)
    def test_each_says_where_it_is_from(self, name):
        about = json.loads(resources.find("priors", name).read_text("utf-8"))
        for key in ("description", "source", "species", "licence"):
            assert isinstance(about[key], str)
            assert len(about[key]) > 10
        assert about["doi"].startswith("10.")
        assert about["directed"] is True
        assert about["name"] == name

    @pytest.mark.parametrize("name", BUNDLED)
    def test_every_projection_cites_a_listed_work_and_every_work_is_cited(self, name):
        prior = load_prior(PriorSettings(name=name))
        references = dict(prior.references)
        cited = {key for p in prior.projections for key in p.citations}
        assert cited <= set(references)
        assert all(p.citations and p.remark for p in prior.projections)
        about = json.loads(resources.find("priors", name).read_text("utf-8"))
        aside = {key for left_out in about["left_out"] for key in left_out["citation"]}
        named_in_text = {key for key in references if key in about["description"]}
        assert cited | aside | named_in_text == set(references)
        for work in about["references"].values():
            # null where a DOI could not be confirmed; the reference itself is complete
            assert work["doi"] is None or work["doi"].startswith("10.")
            assert work["text"].rstrip(".").endswith(")")
        # Every region is joined to the others.
        assert {name for p in prior.projections for name in (p.cause, p.effect)} == set(prior.names)


class TestVisualHierarchy:
    def test_every_projection_is_reciprocated_and_says_which_way_it_goes(self):
        prior = load_prior(PriorSettings(name="visual_hierarchy"))
        there = pairs(prior)
        assert there == {(effect, cause) for cause, effect in there}
        assert {("V1", "V2"), ("V1", "MT"), ("MT", "MST"), ("V4", "TEO"), ("TEO", "TE")} <= there
        assert not {("V1", "TE"), ("V1", "FEF"), ("MT", "TE"), ("VIP", "TEO")} & there
        words = {(p.cause, p.effect): p.remark.split()[0].rstrip(".;:") for p in prior.projections}
        assert (words["V1", "V2"], words["V2", "V1"]) == ("Feedforward", "Feedback")
        assert words["MT", "V4"] == words["V4", "MT"] == "Lateral"
        assert set(words.values()) == {"Feedforward", "Feedback", "Lateral"}

    def test_names_of_human_atlases_are_known(self):
        prior = load_prior(PriorSettings(name="visual_hierarchy"))
        found = match_regions(["L_V1_ROI", "hOc5", "LIPd", "lh.V2_exvivo", "Cuneus_L"], prior)
        assert {name: match.region for name, match in found.items()} == {
            "L_V1_ROI": "V1", "hOc5": "MT", "LIPd": "LIP", "lh.V2_exvivo": "V2",
        }  # fmt: skip


class TestBasalGanglia:
    def test_pathways(self):
        prior = load_prior(PriorSettings(name="basal_ganglia"))
        there = pairs(prior)
        direct = [("M1", "Putamen"), ("Putamen", "GPi"), ("GPi", "Thalamus"), ("Thalamus", "M1")]
        indirect = [("Putamen", "GPe"), ("GPe", "STN"), ("STN", "GPi")]
        hyperdirect = [("M1", "STN"), ("STN", "GPi")]
        assert {*direct, *indirect, *hyperdirect} <= there
        one_way = {*direct[1:3], *indirect, ("M1", "STN"), ("Caudate", "SNr"), ("NAcc", "VP")}
        # GPe and STN are joined in both directions.
        one_way -= {("GPe", "STN")}
        assert not {(effect, cause) for cause, effect in one_way} & there

    def test_regions_of_aal2_are_known(self):
        prior = load_prior(PriorSettings(name="basal_ganglia"))
        names = ["Putamen_L", "Pallidum_R", "Thalamus_L", "Precentral_L", "Cingulate_Ant_R"]
        found = match_regions([*names, "Left-Accumbens-area", "Insula_L"], prior)
        regions = ["Putamen", "Pallidum", "Thalamus", "M1", "ACC", "NAcc"]
        assert [match.region for match in found.values()] == regions
        assert found["Pallidum_R"].side == "right"


class TestHippocampalCircuit:
    @pytest.fixture
    def circuit(self):
        return load_prior(PriorSettings(name="hippocampal_circuit"))

    def test_expected_projections(self, circuit):
        assert circuit.directed
        assert set(circuit.names) == {"PRC", "PHC", "ERC", "SUB", "CA1", "CA3DG"}
        there = pairs(circuit)
        assert {("ERC", "CA3DG"), ("CA3DG", "CA1"), ("CA1", "SUB"), ("SUB", "ERC")} <= there
        absent = {("CA1", "CA3DG"), ("SUB", "CA1"), ("CA3DG", "ERC"), ("PRC", "CA3DG")}
        assert not absent & there

    def test_disputed_projections_are_switchable(self, circuit):
        settled = load_prior(PriorSettings(name="hippocampal_circuit", include_disputed=False))
        assert pairs(circuit) - pairs(settled) == {("PRC", "PHC"), ("PHC", "PRC")}
        assert settled.names == circuit.names

    def test_found_by_the_path_of_either_file(self, circuit):
        sidecar = resources.find("priors", "hippocampal_circuit")
        assert load(sidecar) == load(sidecar.with_suffix(".tsv")) == circuit


def test_no_name_is_no_prior():
    assert load_prior(PriorSettings()) is None


def test_unknown_name_gets_the_nearest():
    with pytest.raises(SettingsError, match="Did you mean 'hippocampal_circuit'"):
        load("hippocampal_circuits")


@pytest.mark.parametrize(("suffix", "comma"), [(".tsv", "\t"), (".csv", ",")])
def test_table_of_projections_keeps_its_direction(tmp_path, suffix, comma):
    path = tmp_path / f"mine{suffix}"
    path.write_text(
        "\n".join(comma.join(row) for row in (["effect", "cause", "note"], ["B", "A", "x"])) + "\n"
    )
    prior = load(path)
    assert prior.name == "mine"
    assert prior.directed
    assert pairs(prior) == {("A", "B")}


def test_sidecar_of_a_table(tmp_path):
    (tmp_path / "mine.tsv").write_text("cause\teffect\tcitation\nA\tB\tsmith\n")
    (tmp_path / "mine.json").write_text(
        json.dumps(
            {
                "directed": False,
                "names": ["A", "B", "C"],
                "aliases": {"A": ["Area A"]},
                "references": {"smith": {"text": "Smith 1900.", "doi": "10.1/x"}},
            }
        )
    )
    prior = load(tmp_path / "mine.json")
    assert not prior.directed
    assert pairs(prior) == {("A", "B"), ("B", "A")}
    assert prior.names == ("A", "B", "C")
    assert prior.aliases == (("area a", "A"),)
    assert prior.references == (("smith", "Smith 1900. doi:10.1/x"),)


def written(folder, kind):
    path = folder / f"sc.{'csv' if kind == 'bare' else kind}"
    rows = [[f"{w:g}" for w in row] for row in WEIGHTS]
    if kind == "tsv":
        lines = [["", *NAMES], *([name, *row] for name, row in zip(NAMES, rows, strict=True))]
        path.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    elif kind == "csv":
        path.write_text("\n".join(",".join(line) for line in [NAMES, *rows]) + "\n")
    elif kind == "bare":
        path.write_text("\n".join(",".join(line) for line in rows) + "\n")
    elif kind == "npy":
        np.save(path, WEIGHTS)
    else:
        savemat(path, {"sc": WEIGHTS, "len": WEIGHTS})
    if kind in ("npy", "mat", "bare"):
        (folder / "sc.json").write_text(json.dumps({"names": NAMES, "key": "sc"}))
    return path


@pytest.mark.parametrize("kind", ["tsv", "csv", "bare", "npy", "mat"])
def test_structural_connectivity_is_feasible_both_ways(tmp_path, kind):
    path = written(tmp_path, kind)
    prior = load(path, threshold=0)
    assert not prior.directed
    assert prior.names == tuple(NAMES)
    assert pairs(prior) == {("A_L", "B_L"), ("B_L", "A_L"), ("A_L", "C_R"), ("C_R", "A_L")}
    assert pairs(load(path, threshold=1)) == {("A_L", "B_L"), ("B_L", "A_L")}


@pytest.mark.parametrize(
    ("change", "settings", "error", "message"),
    [
        ({}, {"threshold": None}, SettingsError, "set 'prior.threshold'"),
        ({}, {"threshold": -1.0}, SettingsError, "set 0 or more"),
        ({}, {"threshold": 9.0}, SettingsError, "No weight of .* is above"),
        ({(0, 1): 3.0}, {}, InputError, "not symmetric: 'A_L' to 'B_L' is 3 but back it is 2"),
        ({(0, 2): -1.0, (2, 0): -1.0}, {}, InputError, "'A_L', column 'C_R', a negative weight"),
        ({(1, 1): np.nan}, {}, InputError, "'B_L', column 'B_L', a value that is missing"),
    ],
)
def test_bad_matrices_are_named(change, settings, error, message):
    weights = WEIGHTS.copy()
    for place, value in change.items():
        weights[place] = value
    with pytest.raises(error, match=message):
        prior_from_matrix(weights, NAMES, **{"threshold": 0.0, "name": "sc", **settings})


@pytest.mark.parametrize(
    ("weights", "names", "message"),
    [
        (WEIGHTS[:2], NAMES, "square matrix"),
        (WEIGHTS, NAMES[:2], "3 rows but 2 region names"),
        (WEIGHTS, ["A", "A", "B"], "names the region 'A' twice"),
        (WEIGHTS, ["A", "", "B"], "every region needs a name"),
        ([["a", "b"], ["c", "d"]], ["A", "B"], "not numbers"),
    ],
)
def test_bad_shapes_and_names_are_named(weights, names, message):
    with pytest.raises(InputError, match=message):
        prior_from_matrix(weights, names, threshold=0, name="sc")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cause\teffect\nA\tA\n", "row 1 is a projection of 'A' to itself"),
        ("cause\teffect\nA\tB\nA\tB\n", "row 2 repeats the projection A -> B"),
        ("cause\teffect\nA\t\n", "row 1 lacks a cause or an effect"),
        ("cause\teffect\tdisputed\nA\tB\tmaybe\n", "'disputed' must be 0 or 1, but is 'maybe'"),
        ("cause\teffect\nA\tB\tC\n", "row 1 has 3 cells but the header has 2"),
        ("cause\teffect\n", "a header and at least one row"),
        ("from\tto\nA\tB\n", "has the columns from, to and 1 rows: it is neither"),
        ("from\tto\nA\tB\nB\tC\n", "not a number .* needs the columns cause and effect"),
        ("A\tB\tC\nA\tB\tC\n", "has the columns A, B, C and 1 rows: it is neither"),
        ("\tA\tB\nA\t0\t1\nC\t1\t0\n", "row 2 is 'C' but column 2 is 'B'"),
        ("A\tB\n0\tx\n1\t0\n", "row 'A' holds a value that is not a number"),
    ],
)
def test_bad_tables_are_named(tmp_path, text, message):
    path = tmp_path / "mine.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert "mine.tsv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sidecar", "message"),
    [
        ("[1]", "must hold an object"),
        ("{", "cannot be read as JSON"),
        ('{"names": ["A"]}', "names the region 'B'"),
        ('{"aliases": {"Q": ["q"]}}', "aliases of 'Q'"),
        ('{"aliases": {"A": ["q"], "B": ["Q"]}}', "stands for both 'A' and 'B'"),
        ('{"aliases": {"A": "q"}}', "must be a list"),
        ('{"references": {"smith": "1900"}}', "'smith' needs a 'text'"),
        ('{"rows": ["A"]}', "must be a list of lists"),
        ('{"rows": [["A"], ["Q"]]}', "name 'Q', which is no region"),
        ('{"rows": [["A"], ["B", "A"]]}', "name 'A', which is placed twice"),
    ],
)
def test_bad_sidecars_are_named(tmp_path, sidecar, message):
    (tmp_path / "mine.tsv").write_text("cause\teffect\nA\tB\n")
    (tmp_path / "mine.json").write_text(sidecar)
    with pytest.raises(InputError, match=message):
        load(tmp_path / "mine.tsv")


def test_other_misuse_is_named(tmp_path):
    (tmp_path / "mine.tsv").write_text("cause\teffect\tdisputed\nA\tB\t1\n")
    with pytest.raises(SettingsError, match="set the threshold to null"):
        load(tmp_path / "mine.tsv", threshold=0.5)
    with pytest.raises(SettingsError, match=r"Every projection .* is disputed"):
        load(tmp_path / "mine.tsv", include_disputed=False)
    (tmp_path / "alone.json").write_text("{}")
    with pytest.raises(InputError, match=r"'alone\.tsv', its table of projections"):
        load(tmp_path / "alone.json")
    (tmp_path / "mine.xlsx").write_text("")
    with pytest.raises(SettingsError, match=r"not '\.xlsx'"):
        load(tmp_path / "mine.xlsx")
    (tmp_path / "numbers.csv").write_text("0,1\n1,0\n")
    with pytest.raises(InputError, match=r"numbers\.csv' carries no region names"):
        load(tmp_path / "numbers.csv", threshold=0)
    np.save(tmp_path / "bare.npy", WEIGHTS)
    with pytest.raises(InputError, match="carries no region names"):
        load(tmp_path / "bare.npy", threshold=0)
    path = written(tmp_path, "mat")
    (tmp_path / "sc.json").write_text(json.dumps({"names": NAMES}))
    with pytest.raises(InputError, match="name the matrix as 'key'"):
        load(path, threshold=0)
