"""Say how the results of a page were made: methods, settings, versions, command and input."""

import shlex
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.region_groups import MOST_ON_CIRCLE, Ring, ring_of
from causal_ivae.reporting import figures
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.methods_text import Realised, methods_text
from causal_ivae.reporting.mni_maps import is_mni
from causal_ivae.reporting.references import resolve
from causal_ivae.reporting.series_source import from_images, is_simulated
from causal_ivae.reporting.volume_counts import volumes_of
from causal_ivae.settings import Pipeline


def calibration_of(record: Unit) -> dict[str, Any] | None:
    """Return the reliability of the first method that has calibrated probabilities."""
    for name, method in record.methods.items():
        about = method.sidecar.get("Calibration")
        if about:
            return {
                "method": method_label(name, method.sidecar),
                "figure": figures.reliability_figure(about["Bins"], "fig-reliability"),
                "error": about["ExpectedCalibrationError"],
                "pairs": int(sum(one["count"] for one in about["Bins"])),
                "designs": about["Designs"],
                "what": about.get("What", "designs"),
                "directed": about.get("DirectedShare"),
            }
    return None


def methods_of(
    record: Unit, names: tuple[str, ...], n_subjects: int | None
) -> tuple[str | None, list[Any]]:
    """Return the methods paragraph and its references; None if the settings are not valid now."""
    if not record.methods:
        return None, []
    first = next(iter(record.methods.values()))
    try:
        settings = Pipeline.model_validate(first.sidecar["Settings"])
    except ValidationError:
        return None, []
    estimators = (method.estimator for method in record.methods.values())
    segments = record.sidecar.get("Segments")
    prior = first.sidecar.get("Prior")
    realised = Realised(
        n_regions=len(names),
        n_pairs=len(first.edges),
        methods=tuple(dict.fromkeys([*record.methods, *estimators])),
        seed=int(first.sidecar["Seed"]),
        images=from_images(record),
        tr=record.sidecar.get("RepetitionTime"),
        volumes=volumes_of(record),
        n_segments=None if segments is None else len(segments),
        segment_kind=str(record.sidecar.get("SegmentKind", "")),
        n_subjects=n_subjects,
        prior=prior["Name"] if prior else None,
        versions=first.sidecar.get("Versions", {}),
        simulated=is_simulated(record),
        n_percent=len(record.sidecar.get("PercentSignalChange") or ()),
    )
    return resolve(methods_text(settings, realised))


def provenance_of(name: str, sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Return the command, versions, seed and input files of a method's results."""
    command = sidecar.get("Command", "")
    prints = sidecar.get("InputFingerprints", {})
    settings = yaml.safe_dump(
        sidecar.get("Settings", {}), sort_keys=False, allow_unicode=True, width=96
    )
    return {
        "name": method_label(name, sidecar),
        "command": command if isinstance(command, str) else shlex.join(map(str, command)),
        "seed": sidecar.get("Seed"),
        "device": sidecar.get("Device"),
        "seconds": sidecar.get("Seconds"),
        "digest": sidecar.get("SettingsHash"),
        "versions": list(sidecar.get("Versions", {}).items()),
        "fingerprints": list(prints.items()) if isinstance(prints, Mapping) else [],
        "download": b64encode(settings.encode()).decode(),
    }


def most_subjects(record: Unit) -> int:
    """Return the largest number of subjects behind any pair of the group."""
    counts = [
        int(method.edges["n_subjects"].max())
        for method in record.methods.values()
        if "n_subjects" in method.edges and len(method.edges)
    ]
    return max(counts, default=0)


def centres_of(record: Unit) -> Mapping[str, Sequence[float]]:
    """Return the centres of the regions in MNI space (mm), by name; empty if they are not known."""
    for method in record.methods.values():
        if is_mni(method.sidecar.get("Space")):
            return dict(method.sidecar.get("Coordinates", {}))
    return {}


def ring_for(record: Unit) -> Ring | None:
    """Return the places of many regions by hemisphere and lobe; None for few, or where unknown."""
    if len(record.names) <= MOST_ON_CIRCLE:
        return None
    networks: Mapping[str, str] = next(
        (m.sidecar.get("Networks") or {} for m in record.methods.values()), {}
    )
    return ring_of(record.names, centres_of(record), networks)
