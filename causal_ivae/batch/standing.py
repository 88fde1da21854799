"""Judge one result by its sidecar: whether it is current, and what must be done if it is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causal_ivae.batch.analysis import Analysis
from causal_ivae.derivatives.files import read_sidecar
from causal_ivae.derivatives.vouching import FILES, damaged_files, lost_sidecar
from causal_ivae.provenance import package_version


@dataclass(frozen=True)
class Standing:
    """Say what must be done about one result, either the series or a graph.

    Attributes
    ----------
    stale : bool
        True if the result is made again.
    kept : bool
        True if it stays although it was made with other settings or data (``--overwrite never``).
    compare : bool
        True if it stays and only its comparison with the prior is made again.
    reason : str
        What happened to its files, as a clause; empty if they are undamaged.
    """

    stale: bool = False
    kept: bool = False
    compare: bool = False
    reason: str = ""

    @property
    def current(self) -> bool:
        """Check that nothing must be done and that there is nothing to report."""
        return self == Standing()

    def sentence(self, done: str) -> str:
        """Return a sentence on damage and on what was `done` about it; empty without damage."""
        return f"{self.reason}; {done}." if self.reason else ""


def would_be_same(
    analysis: Analysis, about: Mapping[str, Any], settings_hash: str, inputs: Mapping[str, str]
) -> bool:
    """Check that this analysis would make the same result as a sidecar describes."""
    return (
        about.get("SettingsHash") == settings_hash
        and about.get("Seed") == analysis.seed
        and about.get("Versions", {}).get("causal-ivae") == package_version()
        and about.get("InputFingerprints") == inputs
        # Sidecars of an earlier version do not vouch for their tables.
        and FILES in about
    )


def judge(
    analysis: Analysis,
    about: Mapping[str, Any],
    settings_hash: str,
    inputs: Mapping[str, str],
    damage: Mapping[str, str],
    regions: Sequence[str] | None = None,
) -> Standing:
    """Return what must be done about the result that a sidecar describes.

    `regions` are those that a graph must have; None for series.  Damaged results are made again
    even with ``--overwrite never``, since the results that were to be kept no longer exist.
    """
    if analysis.overwrite == "always":
        return Standing(stale=True)
    if damage or not about:
        return Standing(stale=True, reason=next(iter(damage.values()), ""))
    same = would_be_same(analysis, about, settings_hash, inputs)
    if same and (regions is None or about.get("Regions") == list(regions)):
        return Standing()
    return Standing(kept=True) if analysis.overwrite == "never" else Standing(stale=True)


def damage_to(sidecar: Path, about: Mapping[str, Any]) -> dict[str, str]:
    """Return the damage to a sidecar or to the files that it vouches for, by file name."""
    if about:
        return damaged_files(sidecar, about)
    lost = lost_sidecar(sidecar)
    return {sidecar.name: lost} if lost else {}


def is_whole(sidecar: Path) -> bool:
    """Check that a sidecar can be read and that the files that it vouches for are undamaged."""
    about = existing_sidecar(sidecar)
    return bool(about) and not damaged_files(sidecar, about)


def existing_sidecar(sidecar: Path) -> dict[str, Any]:
    """Read a sidecar; empty if it is missing or damaged."""
    return read_sidecar(sidecar) if sidecar.is_file() else {}


def is_newest(page: Path, sidecars: Sequence[Path]) -> bool:
    """Check that a page exists and that no existing sidecar is newer."""
    if not page.is_file():
        return False
    written = page.stat().st_mtime_ns
    return all(file.stat().st_mtime_ns <= written for file in sidecars if file.is_file())
