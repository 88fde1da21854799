"""Pages without the drawings that come with them, and what every page must satisfy."""

import re

from page_parser import Page

from causal_ivae.reporting.group_page import group_page
from causal_ivae.reporting.html import subject_page


def render_subject(*arguments):
    return subject_page(*arguments)[0]


def render_group(*arguments, **options):
    return group_page(*arguments, **options)[0]


def assert_self_contained(html):
    page = Page(html)
    for tag, attrs in page.tags:
        for key, value in attrs.items():
            if key not in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
                continue
            allowed = ("#", "data:image/png;base64,")
            if tag == "a":
                kinds = ("application/yaml", "application/x-bibtex", "application/pdf", "image/png")
                saved = tuple(f"data:{kind};base64," for kind in (*kinds, "image/svg+xml"))
                own = ("#", "sub-", "index.html", "group.html", "compare.html", *saved)
                allowed = (*own, "https://doi.org/", "https://arxiv.org/abs/")
            assert value.startswith(allowed), (tag, key, value[:80])
    assert not {"link", "iframe", "object", "embed", "base"} & {t for t, _ in page.tags}
    # Such a form closes its dialog and sends nothing.
    assert all(form == {"method": "dialog"} for form in page.all("form"))
    assert "@import" not in html
    assert not re.search(r"url\(\s*['\"]?(?!#)", html)
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert scripts == [{}]
    assert "default-src 'none'" in html
