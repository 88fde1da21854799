"""Tell from the names of a subject's files that it cannot be divided into segments as asked."""

from causal_ivae.errors import InputError
from causal_ivae.imaging.bids import RunFile, SubjectFiles
from causal_ivae.imaging.file_names import split_name

_LEAST = 3
"""The models need this many segments."""


def check_segments_of(subject: SubjectFiles, by: str) -> None:
    """Raise `InputError` if there are too few runs or sessions, or no events, for the segments.

    Nothing but the first line of tables is read, so that more may turn out to be wrong later.
    """
    if by == "runs" and len(subject.runs) < _LEAST:
        if any(_may_name(run, "run") for run in subject.runs):
            return
        raise InputError(
            f"Subject '{subject.label}' has {len(subject.runs)} runs (segments.by: runs); at least "
            f"{_LEAST} are needed. Segment by windows."
        )
    sessions = {run.entity("ses") for run in subject.runs}
    if by == "sessions" and (None in sessions or len(sessions) < _LEAST):
        raise InputError(
            f"Subject '{subject.label}' has {len(sessions - {None})} sessions in the names of its "
            f"files (segments.by: sessions); at least {_LEAST} are needed. Segment by runs or "
            "windows."
        )
    if by == "task":
        lacking = [r for r in subject.runs if r.events is None and not _may_name(r, "segment")]
        if lacking:
            raise InputError(
                f"No events for run '{lacking[0].name}' of subject '{subject.label}': there is no "
                "*_events.tsv beside its data or in the raw BIDS dataset. Segment by windows."
            )


def _may_name(run: RunFile, column: str) -> bool:
    """Check whether a table may have a column; only text tables are looked into."""
    if run.content != "table":
        return False
    if split_name(run.path.name)[1].lower() not in (".tsv", ".csv"):
        return True
    try:
        with run.path.open(encoding="utf-8-sig", errors="replace") as stream:
            first = stream.readline()
    except OSError:
        return True
    return column in [cell.strip().strip('"') for cell in first.replace(",", "\t").split("\t")]
