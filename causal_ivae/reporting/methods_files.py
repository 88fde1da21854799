"""Write the text for the methods section of a paper, and its references, as files beside a page."""

from causal_ivae.derivatives.units import Unit
from causal_ivae.reporting.graph_files import Files
from causal_ivae.reporting.origin import methods_of, most_subjects
from causal_ivae.reporting.references import as_bibtex

TEXT = "methods.md"
"""The suffix of the file with the text."""
_HEADING = "## References"


def methods_files(record: Unit) -> Files:
    """Return the text with its references, and the references as BibTeX; none if it has no text."""
    n_subjects = most_subjects(record) or None
    text, cited = methods_of(record, record.names, n_subjects)
    if text is None:
        return {}
    works = [
        f"- {w.author_list} ({w.year}). {w.title}. *{w.venue}*. {w.link}".strip() for w in cited
    ]
    content = "\n".join([text, "", _HEADING, "", *works, ""])
    return {(None, TEXT): content.encode(), (None, "references.bib"): as_bibtex(cited).encode()}


def text_alone(content: str) -> str:
    """Return the text of such a file without its references."""
    return content.partition(f"\n{_HEADING}\n")[0].strip()
