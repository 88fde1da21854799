"""Apply the options of ``causal-ivae run`` to the settings of a pipeline."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any, get_args

from causal_ivae.errors import SettingsError, nearest

if TYPE_CHECKING:
    from causal_ivae.settings import Pipeline


def pipeline_of(options: Namespace) -> "Pipeline":
    """Return the pipeline with the options applied to it."""
    from causal_ivae.settings.pipeline_files import load_pipeline

    given = {
        "denoise.preset": options.denoise,
        "atlas": options.atlas,
        "unmixing.methods": options.method,
        "tables.tr": options.tr,
        "group.model": options.model,
    }
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if options.prior is not None:
        changes["prior.name"] = None if options.prior == "none" else options.prior
    if options.screen is not None:
        changes["screen.by"] = _screening(options.screen)
    if options.pooled:
        changes["group.pooled"] = True
    if options.exogenous is not None:
        changes["exogenous"] = list(options.exogenous)
    if options.segments is not None:
        changes |= _segments(options.segments)
    if options.config_file is not None and options.pipeline is not None:
        raise SettingsError("Both --pipeline and --config-file name settings; give one of them.")
    name = options.config_file or options.pipeline or "default"
    return load_pipeline(name).changed(changes)


def _screening(text: str) -> str:
    from causal_ivae.settings import SCREENINGS

    if text not in SCREENINGS:
        raise SettingsError(f"Invalid value '{text}' for --screen. {nearest(text, SCREENINGS)}")
    return text


def _segments(text: str) -> dict[str, Any]:
    """Return the settings that ``--segments KIND`` or ``--segments windows:SECONDS`` means."""
    from causal_ivae.settings.input import SegmentKind

    kind, colon, seconds = text.partition(":")
    kinds = get_args(SegmentKind)
    if kind not in kinds or (colon and kind != "windows"):
        windows, *others, last = kinds
        allowed = f"{windows}, {windows}:SECONDS, {', '.join(others)} or {last}"
        raise SettingsError(f"Invalid value '{text}' for --segments. Allowed: {allowed}.")
    changes: dict[str, Any] = {"segments.by": kind}
    if colon:
        try:
            changes["segments.window_seconds"] = float(seconds)
        except ValueError:
            raise SettingsError(
                f"Invalid window '{seconds}' in --segments {text}: give seconds, such as "
                "windows:60."
            ) from None
    return changes
