"""Declare the tables of a unit, a group or a run that are no part of a graph."""

from functools import partial

from causal_ivae.derivatives.declaration import Column, Table
from causal_ivae.derivatives.edge_columns import PAIR

_text = partial(Column, text=True)
_of_unit = partial(Table, by_method=False)

TIMESERIES = _of_unit(
    "timeseries",
    "One column per region, one row per kept volume; mean 0 in every run, standard "
    "deviation 1 over all runs.",
    {},
)
OUTLIERS = _of_unit(
    "outliers",
    "One row per volume as acquired.",
    {
        "run": _text("Name of the run.", of_cohort=True),
        "volume": Column("Number of the volume in its run, from 0.", of_cohort=True),
        "kept": Column("1 if the volume is a row of the time series, else 0.", of_cohort=True),
        "segment": _text("Name of the volume's segment; empty where it has none.", of_cohort=True),
        "framewise_displacement": Column("Head motion, mm.", of_cohort=True),
    },
)
NODES = _of_unit(
    "nodeindices",
    "One row per region, in the order of the rows and columns of the matrix of scores.",
    {
        "index": Column("Row and column of the region, from 0."),
        "name": _text("Name of the region."),
        "x": Column("Centre of the region, mm, to the right.", optional=True),
        "y": Column("Centre of the region, mm, to the front.", optional=True),
        "z": Column("Centre of the region, mm, upwards.", optional=True),
        "network": _text("Network that the atlas counts the region to.", optional=True),
    },
    level="any",
)
SUBJECTS = _of_unit(
    "subjects",
    "One row per subject that the group was asked about.",
    {
        "subject": _text("Name of the subject."),
        "state": _text(
            "'done', 'up to date', 'failed', 'skipped', which has no results, or 'excluded', which "
            "the column exclude of participants.tsv or exclude.tsv leaves out of the group."
        ),
        "quality": _text(
            "Verdict on the subject's results by the first method that has one: 'usable', or why "
            "not; empty where the subject is not in the group."
        ),
        "message": _text("Why the subject is not in the group; empty where it is."),
    },
    level="group",
)
STATUS = _of_unit(
    "status",
    "One row per subject of a run, and one for the group.",
    {
        "subject": _text("Name of the subject, 'group' or 'pooled'."),
        "state": _text("'done', 'up to date', 'failed', 'running' or 'not run'."),
        "seconds": Column("How long it took, s."),
        "peak_memory_mib": Column("The most memory that its worker held, MiB."),
        "message": _text("What went wrong, or what a reader should know."),
        "crash_file": _text("Where the full account of a failure is."),
    },
    level="run",
)


MODEL = Table(
    "model",
    "One row per pair and term of the model over subjects, where one was asked for.",
    {
        **PAIR,
        "term": _text(
            "Column of the design; a level of a factor is compared with the factor's first."
        ),
        "estimate": Column("Change of the score (positive favours x -> y) with the term."),
        "error": Column("Standard error, robust to unequal variances (HC2)."),
        "low": Column("Lower end of the 95 % interval."),
        "high": Column("Upper end of the 95 % interval."),
        "p_value": Column(
            "Of the null hypothesis that the term has no effect; missing where the term rests on "
            "the only subject with a level."
        ),
        "q_value": Column("Benjamini-Hochberg across the pairs, for each term."),
    },
    level="group",
)
