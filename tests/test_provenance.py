import os

from causal_ivae import provenance
from causal_ivae.provenance import digest_of, fingerprint, fingerprints, versions


def test_fingerprint_follows_content_not_name_or_time(tmp_path):
    one, other = tmp_path / "a", tmp_path / "b"
    one.write_text("same")
    other.write_text("same")
    os.utime(other, (1, 1))
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one).startswith("sha256:")
    other.write_text("Same")
    assert fingerprint(one) != fingerprint(other)


def test_large_files_go_by_size_time_and_head(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "WHOLE_FILE_BYTES", 3)
    path = tmp_path / "a"
    path.write_text("large")
    os.utime(path, (10, 10))
    before = fingerprint(path)
    assert before.startswith("head:")
    os.utime(path, (11, 11))
    assert fingerprint(path) != before


def test_names_are_relative_to_the_input(tmp_path):
    root = tmp_path / "in"
    inside, outside = root / "sub-01" / "x.tsv", tmp_path / "y.tsv"
    inside.parent.mkdir(parents=True)
    inside.write_text("1")
    outside.write_text("2")
    found = fingerprints([inside, outside], root)
    assert set(found) == {
        "sub-01/x.tsv", outside.as_posix(),
    }  # fmt: skip


def test_digest_keeps_parts_apart_and_versions_name_what_matters():
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert {"causal-ivae", "python", "torch", "numpy"} <= set(versions())
