import pytest

from causal_ivae.errors import InputError
from causal_ivae.group import (
    excluded_participants,
    find_participants,
    read_participants,
    says_who_is_excluded,
)
from causal_ivae.group.participants import as_labelled


def test_the_nearest_file_is_found(tmp_path):
    derivatives = tmp_path / "study" / "derivatives" / "fmriprep"
    derivatives.mkdir(parents=True)
    assert find_participants(derivatives) is None
    (tmp_path / "participants.tsv").touch()
    # Three folders up is another study's.
    assert find_participants(derivatives) is None
    (tmp_path / "study" / "participants.tsv").touch()
    assert find_participants(derivatives) == tmp_path / "study" / "participants.tsv"
    (derivatives / "participants.tsv").touch()
    assert find_participants(derivatives) == derivatives / "participants.tsv"


def test_labels_are_texts_and_missing_values_missing(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_text('\ufeffparticipant_id\tage\tgroup\n01\t31\tNA\n02\tn/a\t"b\n')
    table = read_participants(path)
    assert list(table["participant_id"]) == ["01", "02"]
    assert table["age"].isna().tolist() == [False, True]
    assert table["group"][1] == '"b'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a table of subjects"),
        (b"\xff\xfe\x00", "cannot be read as a table of subjects"),
        (b"name\tage\n01\t3\n", "lacks the column 'participant_id'; it has 'name', 'age'"),
        (b"participant_id\tage\n01\t3\t4\t5\n01\n", "cannot be read as a table of subjects"),
    ],
)
def test_unusable_files_are_named(tmp_path, content, message):
    path = tmp_path / "participants.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_participants(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"There is no file '.*nowhere\.tsv'"):
        read_participants(tmp_path / "nowhere.tsv")


@pytest.mark.parametrize(
    "values",
    ["1 0 1 n/a", "true false TRUE n/a", "yes no y No", "1.0 0.0 1 n/a", "Yes 0 true n/a"],
)
def test_subjects_are_excluded_by_a_column(tmp_path, values):
    path = tmp_path / "participants.tsv"
    rows = [f"sub-0{i}\t{value}\n" for i, value in enumerate(values.split())]
    path.write_text("participant_id\texclude\n" + "".join(rows))
    assert says_who_is_excluded(path)
    assert excluded_participants(path) == ("00", "02")
    # A spreadsheet may have taken zeros from the numbers.
    assert excluded_participants(path, ["000", "001", "002"]) == ("000", "002")


def test_a_table_without_the_column_excludes_nobody(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_text("participant_id\texcluded_why\nsub-01\t1\n")
    assert not says_who_is_excluded(path)
    assert excluded_participants(path) == ()
    # What is no table of participants at all says nothing either, and is not read further.
    path.write_bytes(b"\xff\xfe\x00")
    assert not says_who_is_excluded(path)
    assert not says_who_is_excluded(tmp_path / "nowhere.tsv")


def test_a_value_that_is_neither_yes_nor_no_is_refused(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_text("participant_id\texclude\nsub-01\t0\nsub-02\tfasle\n")
    with pytest.raises(
        InputError, match="has the value 'fasle' in the column 'exclude' of 'sub-02'"
    ):
        excluded_participants(path)


def test_zeros_that_a_spreadsheet_took_are_put_back():
    labels = ["001", "002", "010", "A1"]
    assert as_labelled(["1", "2.0", "10", "A1", "7"], labels) == ["001", "002", "010", "A1", "7"]
    assert as_labelled(["001", "2"], ["001", "2", "02"]) == ["001", "2"]
    with pytest.raises(InputError, match=r"subject '1', which may be 'sub-01' or 'sub-001'"):
        as_labelled(["1"], ["01", "001"])
    with pytest.raises(InputError, match=r"subject '1' and '01', which may be 'sub-001'"):
        as_labelled(["1", "01"], ["001"])
