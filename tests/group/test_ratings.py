"""The file in which readers of the pages say whom the group leaves out."""

import pytest

from causal_ivae.errors import InputError
from causal_ivae.group import (
    RATINGS,
    Rating,
    excluded_participants,
    read_ratings,
    write_rating,
)


def test_ratings_are_read_as_they_were_written(tmp_path):
    assert read_ratings(tmp_path) == {}
    write_rating(tmp_path, "sub-01", Rating("exclude", "spike\tat\n12 min"))
    write_rating(tmp_path, "sub-02", Rating("pass"))
    write_rating(tmp_path, "sub-03", Rating("", "look again"))
    assert read_ratings(tmp_path) == {
        "sub-01": Rating("exclude", "spike at 12 min"),
        "sub-02": Rating("pass"),
        "sub-03": Rating("", "look again"),
    }
    # The group reads the same file by the same rules as participants.tsv.
    assert excluded_participants(tmp_path / RATINGS, ["01", "02", "03"]) == ("01",)
    write_rating(tmp_path, "sub-01", Rating("pass", "it was the table"))
    write_rating(tmp_path, "sub-03", Rating())
    assert list(read_ratings(tmp_path)) == ["sub-01", "sub-02"]
    assert excluded_participants(tmp_path / RATINGS) == ()
    assert [path.name for path in tmp_path.iterdir()] == [RATINGS]


def test_other_columns_and_subjects_stay(tmp_path):
    path = tmp_path / RATINGS
    path.write_text("participant_id\trater\texclude\n01\tme\t1\nsub-09\tyou\tn/a\n")
    write_rating(tmp_path, "sub-01", Rating("pass", "fine"))
    assert path.read_text() == (
        "participant_id\trater\texclude\tnote\nsub-01\tme\t0\tfine\nsub-09\tyou\tn/a\tn/a\n"
    )


@pytest.mark.parametrize("text", ["", "x\ty\n", "participant_id\texclude\nsub-01\n", "\x00\n"])
def test_a_damaged_file_is_refused_and_left_alone(tmp_path, text):
    path = tmp_path / RATINGS
    path.write_text(text)
    with pytest.raises(InputError, match="participant_id"):
        write_rating(tmp_path, "sub-01", Rating("exclude"))
    assert path.read_text() == text
