"""Sum a subject up in what the pages over a whole cohort say of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Self

from causal_ivae.derivatives.units import Unit
from causal_ivae.outcomes import count_arrows
from causal_ivae.reporting.agreement import same_direction
from causal_ivae.reporting.fits import UNKNOWN
from causal_ivae.reporting.series_source import from_images, is_simulated
from causal_ivae.reporting.verdict import verdict_of
from causal_ivae.reporting.volume_counts import Volumes, volumes_of


@dataclass(frozen=True)
class SubjectSummary:
    """Hold what the index and the comparison of methods say of one subject.

    Attributes
    ----------
    quality, sentence : str
        Verdict of the first method that has one, as a word and with its reasons.
    motion : float or None
        Mean framewise displacement (mm).
    coverage : float or None
        Lowest share of a region's voxels that the images cover; None for tables.
    date : str
        When the newest result was computed, in ISO format; empty if it is not known.
    directions : dict of str to int
        Number of pairs with a direction, by method; a subject without results has no method.
    agreements : dict of str to (int, int)
        Of two methods, joined by a blank in the order of `directions`: the number of pairs to
        which both give a direction, and of those to which they give the same.
    simulated : bool
        True if the series come from a simulator.
    """

    unit: str
    quality: str = UNKNOWN
    sentence: str = ""
    volumes: Volumes | None = None
    motion: float | None = None
    coverage: float | None = None
    date: str = ""
    directions: Mapping[str, int] | None = None
    agreements: Mapping[str, tuple[int, int]] | None = None
    simulated: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods that have results."""
        return tuple(self.directions or ())

    def agreement(self, first: str, second: str) -> tuple[int, int] | None:
        """Return the entry of `agreements` of two methods; None if one of them has no results."""
        found = self.agreements or {}
        return found.get(f"{first} {second}", found.get(f"{second} {first}"))

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as what a JSON file can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Make the summary that `as_dict` returned.

        Raises
        ------
        KeyError, TypeError
            If the content is of another version.
        """
        volumes = content["volumes"]
        known = dict(content) | {"volumes": None if volumes is None else Volumes(**volumes)}
        known |= {name: content[name] for name in ("coverage", "date", "simulated")}
        known["agreements"] = {
            key: (both, same) for key, (both, same) in content["agreements"].items()
        }
        return cls(**known)


def summarise_subject(record: Unit) -> SubjectSummary:
    """Sum up a subject's results.

    Parameters
    ----------
    record : Unit
        The subject's results; it has no methods if there are none.
    """
    verdict = next((v for name in record.methods if (v := verdict_of(record, name))), None)
    table = record.outliers
    motion = None
    if table is not None and table["framewise_displacement"].notna().any():
        motion = float(table["framewise_displacement"].mean())
    return SubjectSummary(
        unit=record.name,
        quality=UNKNOWN if verdict is None else verdict.word,
        sentence="" if verdict is None else verdict.sentence,
        volumes=volumes_of(record),
        motion=motion,
        coverage=_lowest_coverage(record),
        date=max((m.sidecar.get("Date", "") for m in record.methods.values()), default=""),
        directions={name: count_arrows(method.edges) for name, method in record.methods.items()},
        agreements={
            f"{a} {b}": same_direction(record.methods[a], record.methods[b])
            for a, b in combinations(record.methods, 2)
        },
        simulated=is_simulated(record),
    )


def _lowest_coverage(record: Unit) -> float | None:
    """Return the lowest coverage of a region; None where the series come from tables."""
    known = [share for share in record.sidecar.get("Coverage", {}).values() if share is not None]
    return min(known, default=None) if from_images(record) else None
