"""A user's own templates take the place of the bundled ones, and faults in them are named."""

import hashlib
from base64 import b64encode

import pytest
from fake_records import subject_record
from jinja2.sandbox import SecurityError
from rendering import render_group, render_subject

from causal_ivae.errors import SettingsError
from causal_ivae.reporting.templates import check_templates
from causal_ivae.settings import resources

BUNDLED = resources.folder("reports")


def write(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_style_sheet_of_one_s_own_replaces_the_bundled_and_nothing_else(tmp_path):
    own = write(tmp_path / "own", "style.css", "body { color: rebeccapurple; }")
    check_templates(own)
    bundled, changed = render_subject(subject_record()), render_subject(subject_record(), own)
    style = (BUNDLED / "style.css").read_text(encoding="utf-8")
    assert style in bundled
    assert changed == bundled.replace(style, "body { color: rebeccapurple; }")


def test_a_template_of_one_s_own_may_extend_the_bundled_parts(tmp_path):
    text = (
        '{% extends "base.html.jinja" %}{% block main %}<p class="lab">Lab of {{ unit }}:'
        " {{ names[0] }}</p>{% endblock %}"
    )
    own = write(tmp_path / "own", "subject.html.jinja", text)
    record = subject_record(names=("<script>alert(1)</script>", "B", "C"))
    page = render_subject(record, own)
    assert '<p class="lab">Lab of sub-01: &lt;script&gt;alert(1)&lt;/script&gt;</p>' in page
    assert (BUNDLED / "style.css").read_text(encoding="utf-8") in page
    # The page of the group has no template there and is the bundled one.
    subjects = [{"label": "01", "state": "done", "seconds": 1.0, "message": ""}]
    assert render_group(record, subjects, own) == render_group(record, subjects)


def test_the_policy_allows_for_a_script_of_one_s_own(tmp_path):
    script = "document.title = 'mine';\n"
    own = write(tmp_path / "own", "report.js", script)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = render_subject(subject_record(), own)
    assert f"script-src 'sha256-{digest}'" in page
    assert f"<script>{script}</script>" in page


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("subject.html.jinja", "one\n{% if %}", "subject.html.jinja', line 2: "),
        (
            "subjekt.html",
            "",
            "_navigation.html.jinja, _parts.html.jinja, _subject_parts.html.jinja",
        ),
    ],
)
def test_faults_of_a_folder_are_named(tmp_path, name, text, said):
    own = write(tmp_path / "own", name, text)
    with pytest.raises(SettingsError) as error:
        check_templates(own)
    assert said in str(error.value)
    assert str(own) in str(error.value)


def test_templates_must_be_a_folder_of_text(tmp_path):
    with pytest.raises(SettingsError, match="there is no such folder"):
        check_templates(tmp_path / "absent")
    own = tmp_path / "own"
    own.mkdir()
    (own / "subject.html.jinja").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8"):
        check_templates(own)


@pytest.mark.parametrize(
    "code",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    ],
)
def test_a_template_from_elsewhere_runs_no_code_of_its_own(tmp_path, code):
    own = write(tmp_path / "own", "subject.html.jinja", code)
    check_templates(own)
    with pytest.raises(SecurityError):
        render_subject(subject_record(), own)
