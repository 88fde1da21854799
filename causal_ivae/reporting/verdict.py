"""Whether a subject's results can be used, and what speaks against them, in plain sentences."""

from dataclasses import dataclass

import numpy as np

from causal_ivae.derivatives.records import MethodRecord, UnitRecord
from causal_ivae.drawing.wording import count, listed, percent
from causal_ivae.reporting.fits import reason_counts
from causal_ivae.reporting.method_names import method_label
from causal_ivae.settings.fit_limits import ALPHA, MIN_AGREEMENT

USABLE, DOUBTFUL, NOT_USABLE = "usable", "doubtful", "not usable"
WORDS = (USABLE, DOUBTFUL, NOT_USABLE)
MOST_UNIDENTIFIED = 0.5
"""Share of pairs without identifiable disturbances above which a method's result is no result."""
MOST_DOUBTFUL = 0.25
"""Share of pairs with a doubtful or worse fit, or of restarts that diverged, that is still fine."""
MOST_CENSORED = 1 / 3
"""Share of censored volumes that is still fine."""
MOST_MOTION = 0.5
"""Mean framewise displacement that is still fine, mm."""
LEAST_COVERAGE = 0.8
"""Share of a region's voxels that must be in the image."""
MOST_REJECTED = 1.5
"""Times its level that the test of dependence may reject, beyond sampling error."""
_FEW_SEGMENTS = 10
_SHORT_SEGMENT = 80  # volumes
_NAMED = 3


@dataclass(frozen=True)
class Verdict:
    """What may be done with one method's results.

    Attributes
    ----------
    method : str
        As it is to be read.
    word : {"usable", "doubtful", "not usable"}
    reasons : tuple of str
        Why it is not "usable"; parts of a sentence.
    notes : tuple of str
        What a reader should know though it decides nothing; parts of a sentence.
    """

    method: str
    word: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The verdict and its reasons."""
        because = f" because {'; '.join(self.reasons)}" if self.reasons else ""
        noted = f" Noted: {'; '.join(self.notes)}." if self.notes else ""
        return f"{self.method}: {self.word}{because}.{noted}"


def verdicts_of(record: UnitRecord) -> list[Verdict]:
    """Return the verdict on every method that left diagnostics, in the order run.

    The first method decides what a cohort's table says of the subject.
    """
    reasons, notes = _data_reasons(record), _segment_notes(record)
    return [
        _verdict(method_label(name, method.sidecar), method, reasons, notes)
        for name, method in record.methods.items()
        if method.diagnostics is not None and len(method.diagnostics)
    ]


def _verdict(label: str, method: MethodRecord, reasons: list[str], notes: list[str]) -> Verdict:
    table = method.diagnostics
    assert table is not None
    of = len(table)
    n_worst = int((table["verdict"] == "not identifiable").sum())
    n_bad = n_worst + int((table["verdict"] == "doubtful").sum())
    against: list[str] = []
    if n_worst > MOST_UNIDENTIFIED * of:
        against.append(
            f"the segments cannot tell the disturbances of {n_worst:,} of {count(of, 'pair')} apart"
        )
    if n_bad > MOST_DOUBTFUL * of:
        named = [f"{why} ({count(n, 'pair')})" for why, n in reason_counts(method)[:_NAMED]]
        against.append(
            f"the fits of {n_bad:,} of {count(of, 'pair')} failed a check"
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
            f"fits from other starting weights agree little (median correlation of their "
            f"disturbances {agreement.median():.2f})"
        )
    left = int((table["dependence_p"] < ALPHA).sum())
    if left > MOST_DOUBTFUL * of:
        more.append(f"{left:,} of {count(of, 'fit')} leave dependence between the disturbances")
    word = NOT_USABLE if n_worst > MOST_UNIDENTIFIED * of else DOUBTFUL if against else USABLE
    return Verdict(label, word, tuple(against), tuple(more))


def _data_reasons(record: UnitRecord) -> list[str]:
    """Return what the data themselves leave to be desired."""
    reasons = []
    volumes = record.outliers
    if volumes is not None and len(volumes):
        censored = 1 - float(volumes["kept"].mean())
        if censored > MOST_CENSORED:
            reasons.append(f"{percent(censored)} of the volumes are censored")
        motion = volumes["framewise_displacement"].to_numpy(dtype=float)
        if np.isfinite(motion).any() and (mean := float(np.nanmean(motion))) > MOST_MOTION:
            reasons.append(f"the head moved by {mean:.2f} mm a volume on average")
    low = [
        str(name)
        for name, share in record.sidecar.get("Coverage", {}).items()
        if share is not None and share < LEAST_COVERAGE
    ]
    if low:
        shown = [*low[:_NAMED], f"{len(low) - _NAMED} more"] if len(low) > _NAMED else low
        reasons.append(f"the images hold less than {percent(LEAST_COVERAGE)} of {listed(shown)}")
    return reasons


def _null_reasons(method: MethodRecord) -> list[str]:
    """Return whether the test of dependence rejects too many of the subject's own surrogates."""
    about = method.sidecar.get("NullCheck")
    if not about or about["Interval"][0] <= MOST_REJECTED * about["Alpha"]:
        return []
    share = percent(about["Rejected"] / about["SurrogatePairs"])
    return [
        f"the test of dependence rejects {share} of independent pairs made from these series, at "
        f"a level of {percent(about['Alpha'])}"
    ]


def _segment_notes(record: UnitRecord) -> list[str]:
    volumes = record.outliers
    if volumes is None:
        return []
    named = volumes["segment"].notna() & (volumes["segment"] != "") & (volumes["kept"] == 1)
    sizes = volumes[named].groupby(["run", "segment"], sort=False).size()
    if not len(sizes):
        return []
    notes = []
    segments = volumes.loc[named, "segment"].nunique()
    if segments < _FEW_SEGMENTS:
        notes.append(f"{count(segments, 'segment')}, where {_FEW_SEGMENTS} or more are better")
    if sizes.median() < _SHORT_SEGMENT:
        notes.append(
            f"a segment has {sizes.median():.0f} volumes, where {_SHORT_SEGMENT} or more are "
            "better for smooth series"
        )
    return notes
