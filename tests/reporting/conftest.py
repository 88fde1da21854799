"""What the tests of pages share."""

import pytest
from fake_records import group_record, statuses
from page_parser import Page
from rendering import render_group


@pytest.fixture(scope="module")
def group_html():
    return render_group(group_record(), statuses())


@pytest.fixture(scope="module")
def group_page(group_html):
    return Page(group_html)
