"""Pages without the drawings that come with them."""

from causal_ivae.reporting.html import group_page, subject_page


def render_subject(*arguments):
    return subject_page(*arguments)[0]


def render_group(*arguments, **options):
    return group_page(*arguments, **options)[0]
