"""Judge in words whether the results of a subject's methods can be used, with reasons."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.discovery.methods import METHODS, PairMethod
from causal_ivae.drawing.wording import count, listed, percent
from causal_ivae.reporting.fits import VERDICTS, reason_counts
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.volume_counts import is_analysed
from causal_ivae.settings.fit_limits import ALPHA, MIN_AGREEMENT, PLAUSIBLE_MODULATION

MOST_UNIDENTIFIED = 0.5
"""A method is not identifiable if more than this share of its pairs is not.

The same holds for modulation that is not shown.
"""
MOST_DOUBTFUL = 0.25
"""A method is doubtful if more than this share of its fits is not usable or diverged."""
MOST_CENSORED = 1 / 3
"""A subject is doubtful if more than this share of its volumes is censored."""
MOST_MOTION = 0.5
"""A subject is doubtful if its mean framewise displacement (mm) is larger."""
LEAST_COVERAGE = 0.8
"""A subject is doubtful if less than this share of a region's voxels is covered."""
MOST_REJECTED = 1.5
"""The test of dependence may reject this many times its level, apart from sampling error."""
_FEW_SEGMENTS = 10
"""Fewer segments are noted."""
_SHORT_SEGMENT = 80
"""A smaller median length of segments (volumes) is noted."""
_NAMED = 3
"""A sentence names at most this many reasons or regions."""


@dataclass(frozen=True)
class Verdict:
    """Hold the verdict on the results of one method.

    Attributes
    ----------
    method : str
        Name of the method on pages.
    word : {"usable", "doubtful", "modulation not shown", "not identifiable"}
    reasons : tuple of str
        Parts of a sentence that say why it is not "usable".
    notes : tuple of str
        Parts of a sentence that a reader should know although they do not change the verdict.
    """

    method: str
    word: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Return the verdict, its reasons and the notes in words."""
        because = f" because {'; '.join(self.reasons)}" if self.reasons else ""
        noted = f" Noted: {'; '.join(self.notes)}." if self.notes else ""
        return f"{self.method}: {self.word}{because}.{noted}"


def verdicts_of(record: Unit) -> list[Verdict]:
    """Return the verdict on every method, in their order, except on those that lost their fits."""
    found = (verdict_of(record, name) for name in record.methods)
    return [verdict for verdict in found if verdict is not None]


def verdict_of(record: Unit, name: str) -> Verdict | None:
    """Return the verdict on one method's results; None if its fits were not judged."""
    method, label = record.methods[name], method_label(name, record.methods[name].sidecar)
    reasons, notes = _data_reasons(record), _segment_notes(record)
    if method.diagnostics is not None and len(method.diagnostics):
        return _verdict(label, method, method.diagnostics, reasons, notes)
    if isinstance(METHODS.get(method.estimator), PairMethod):
        return None
    # A method that fits no pair by itself can only be doubted for the data.
    return Verdict(label, VERDICTS[1] if reasons else VERDICTS[0], tuple(reasons), tuple(notes))


def _verdict(
    label: str, method: CausalGraph, table: pd.DataFrame, reasons: list[str], notes: list[str]
) -> Verdict:
    of = len(table)
    usable, doubtful, not_shown, not_identifiable = VERDICTS
    n_few, n_unshown, n_doubtful = (
        int((table["verdict"] == word).sum()) for word in (not_identifiable, not_shown, doubtful)
    )
    n_bad = n_few + n_unshown + n_doubtful
    against: list[str] = []
    if n_few > MOST_UNIDENTIFIED * of:
        against.append(
            f"there are too few segments to tell the disturbances of {n_few:,} of "
            f"{count(of, 'pair')} apart"
        )
    elif n_unshown > MOST_UNIDENTIFIED * of:
        against.append(
            f"the segments do not show that the disturbances of {n_unshown:,} of "
            f"{count(of, 'pair')} change each on its own{_would_have_shown(table)}"
        )
    if n_bad > MOST_DOUBTFUL * of:
        named = [f"{why} ({count(n, 'pair')})" for why, n in reason_counts(method)[:_NAMED]]
        against.append(
            f"the fits of {n_bad:,} of {count(of, 'pair')} are doubtful or worse"
            + (f": {listed(named)}" if named else "")
        )
    if method.restarts is not None and "diverged" in method.restarts and len(method.restarts):
        lost = int(method.restarts["diverged"].sum())
        if lost > MOST_DOUBTFUL * len(method.restarts):
            against.append(f"{lost:,} of {count(len(method.restarts), 'fit')} diverged")
    against += [*_null_reasons(method), *reasons]
    more = list(notes)
    agreement = table["agreement"].dropna()
    if len(agreement) and float(agreement.median()) < MIN_AGREEMENT:
        more.append(
            f"fits from different starting weights disagree (the median correlation of their "
            f"disturbances is {agreement.median():.2f})"
        )
    left = int((table["dependence_p"] < ALPHA).sum())
    if left > MOST_DOUBTFUL * of:
        more.append(f"{left:,} of {count(of, 'fit')} leave dependence between the disturbances")
    word = doubtful if against else usable
    for worse, number in ((not_shown, n_unshown), (not_identifiable, n_few)):
        if number > MOST_UNIDENTIFIED * of:
            word = worse
    return Verdict(label, word, tuple(against), tuple(more))


def _would_have_shown(table: pd.DataFrame) -> str:
    """Return in words which modulation series of this length would have shown."""
    # The pages of a cohort do not read this column.
    if "detectable" not in table or table["detectable"].isna().all():
        return ""
    least = float(table["detectable"].median())
    if least > PLAUSIBLE_MODULATION:
        return " (series as short as these would not have shown any plausible change)"
    return (
        f" (series of this length would have shown log scales with a standard deviation of "
        f"{least:.2f} or more in 80 % of cases)"
    )


def _data_reasons(record: Unit) -> list[str]:
    """Return the reasons for doubt that lie in the data."""
    reasons = []
    volumes = record.outliers
    if volumes is not None and len(volumes):
        censored = 1 - float(volumes["kept"].mean())
        if censored > MOST_CENSORED:
            reasons.append(f"{percent(censored)} of the volumes are censored")
        motion = volumes["framewise_displacement"].to_numpy(dtype=float)
        if np.isfinite(motion).any() and (mean := float(np.nanmean(motion))) > MOST_MOTION:
            reasons.append(f"the head moved by {mean:.2f} mm per volume on average")
    low = [
        str(name)
        for name, share in record.sidecar.get("Coverage", {}).items()
        if share is not None and share < LEAST_COVERAGE
    ]
    if low:
        shown = [*low[:_NAMED], f"{len(low) - _NAMED} more"] if len(low) > _NAMED else low
        reasons.append(f"the images cover less than {percent(LEAST_COVERAGE)} of {listed(shown)}")
    return reasons


def _null_reasons(method: CausalGraph) -> list[str]:
    """Return a reason for doubt if the test of dependence rejects too many independent pairs."""
    about = method.sidecar.get("NullCheck")
    if not about or about["Interval"][0] <= MOST_REJECTED * about["Alpha"]:
        return []
    share = percent(about["Rejected"] / about["SurrogatePairs"])
    return [
        f"the test of dependence rejects {share} of independent pairs made from these series, at "
        f"a level of {percent(about['Alpha'])}"
    ]


def _segment_notes(record: Unit) -> list[str]:
    volumes = record.outliers
    if volumes is None:
        return []
    analysed = volumes[is_analysed(volumes)]
    sizes = analysed.groupby(["run", "segment"], sort=False).size()
    if not len(sizes):
        return []
    notes = []
    kept = int((volumes["kept"] == 1).sum())
    if len(analysed) < kept:
        notes.append(
            f"{kept - len(analysed):,} of {count(kept, 'kept volume')} lie in no segment and were "
            "not analysed"
        )
    segments = analysed["segment"].nunique()
    if segments < _FEW_SEGMENTS:
        notes.append(f"there are {segments} segments, and {_FEW_SEGMENTS} or more are better")
    if sizes.median() < _SHORT_SEGMENT:
        notes.append(
            f"a segment has {sizes.median():.0f} volumes (median), and {_SHORT_SEGMENT} or more "
            "are better for smooth series"
        )
    return notes
