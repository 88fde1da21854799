"""Know the entities of BIDS file names, from the schema that BIDS publishes."""

from functools import cache
from types import MappingProxyType

_VERSIONS = frozenset((
    "template", "cohort", "hemisphere", "space", "atlas", "segmentation", "scale", "resolution",
    "density", "label", "description",
))  # fmt: skip
"""These entities distinguish versions of a run, such as spaces; the others distinguish runs."""
_NOT_YET = MappingProxyType({"statistic": "stat", "measure": "meas", "feature": "feature"})
"""XCP-D, the draft on connectivity and HALFpipe use these entities, which the schema lacks."""


@cache
def short_names() -> dict[str, str]:
    """Return the key in file names of every entity by its long name (``{"session": "ses"}``)."""
    # The schema takes a moment to read, and commands that find no files do not need it.
    from bidsschematools.schema import load_schema

    entities = load_schema().objects.entities
    known = {str(long): str(entity["name"]) for long, entity in entities.items()}
    # fMRIPrep's filter files say 'desc', as pybids does.
    return {**known, **_NOT_YET}


@cache
def run_entities() -> tuple[str, ...]:
    """Return the keys of the entities that distinguish runs of a subject, in the order of BIDS."""
    from bidsschematools.schema import load_schema

    order = [str(long) for long in load_schema().rules.entities]
    short = short_names()
    return tuple(short[e] for e in order if e not in _VERSIONS and e != "subject")
