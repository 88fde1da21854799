"""Remember of every subject what the pages over a cohort say, so that its tables are read once.

A summary is written with the subject's page, and holds as long as no file in the folder of the
subject's results has changed.  Without it, every run of one subject would read the results of all
others for the index.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from causal_ivae.batch.state import read_whole
from causal_ivae.derivatives.files import read_sidecar, write_json
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.units import Unit, find_recording
from causal_ivae.discovery.methods import METHODS
from causal_ivae.provenance import digest_of, package_version
from causal_ivae.reporting.recorded import readable
from causal_ivae.reporting.subject_summary import SubjectSummary, summarise_subject

FOLDER = ".causal-ivae-index"
"""This folder of an output holds the summaries; it can be deleted at any time."""


def folder_digest(folder: Path) -> str:
    """Return a digest of names, sizes and times of the files in a folder, and of this version."""
    try:
        with os.scandir(folder) as entries:
            stats = ((entry.name, entry.stat()) for entry in entries)
            files = sorted((name, there.st_size, there.st_mtime_ns) for name, there in stats)
    except FileNotFoundError:
        files = []
    return digest_of(package_version(), " ".join(METHODS), repr(files))


def summary_of(output: Path, unit: str) -> SubjectSummary:
    """Return the summary of a subject, from its results only if they changed since the last time.

    Damaged results are left out, as they must not cost all the page.
    """
    digest = folder_digest(UnitPaths(output, unit).folder)
    known = read_sidecar(_place(output, unit))
    if known.get("Digest") == digest:
        try:
            return SubjectSummary.from_dict(known["Summary"])
        except (KeyError, TypeError, ValueError):
            # Somebody else wrote it.
            pass
    found = find_recording(output, unit)
    if found is None:
        return SubjectSummary(unit)
    summary = summarise_subject(readable(read_whole(*found, of_cohort=True)))
    _write(output, digest, summary)
    return summary


def summarise_page(paths: UnitPaths, digest: str, record: Unit) -> None:
    """Write the summary of a subject whose results were just read for its page.

    Parameters
    ----------
    digest : str
        `folder_digest` of its results from before they were read.
    record : Unit
        The results on its page.
    """
    whole = read_whole(paths, record.sidecar, known=record.methods)
    _write(paths.root, digest, summarise_subject(whole))


def _write(output: Path, digest: str, summary: SubjectSummary) -> None:
    content: Mapping[str, Any] = {"Digest": digest, "Summary": summary.as_dict()}
    write_json(_place(output, summary.unit), content)


def _place(output: Path, unit: str) -> Path:
    return output / FOLDER / f"{unit}.json"
