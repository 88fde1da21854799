"""Tell what a run would do without doing it."""

from causal_ivae.batch import loading
from causal_ivae.batch.loading import Loaded, Loading, common_regions
from causal_ivae.batch.plan import Plan
from causal_ivae.batch.state import UnitState
from causal_ivae.errors import InputError
from causal_ivae.imaging.file_names import Folders
from causal_ivae.imaging.possible_segments import check_segments_of

WOULD_FAIL = "would fail"
"""What is said of a subject that a run would refuse begins so."""


def preview(planned: Plan) -> dict[str, str]:
    """Say for every subject what would be done.

    Parameters
    ----------
    planned : Plan

    Returns
    -------
    dict of str to str
        ``"sub-<label>"`` to "up to date", the stages that would run, or why it would fail.

    Notes
    -----
    Which regions all subjects share is known for those that are loaded; another one may change it.
    """
    analysis = planned.analysis
    said: dict[str, str] = {}
    loaded: dict[str, Loaded] = {}
    folders = Folders()
    methods = ", ".join(analysis.pipeline.unmixing.methods)
    for subject in planned.subjects:
        piece = Loading.of(analysis, subject, folders)
        try:
            known = loading.up_to_date_series(piece)
            if known is None:
                loading.check_memory(piece)
                check_segments_of(subject, analysis.pipeline.segments.by)
        except (InputError, OSError) as error:
            said[piece.unit] = f"{WOULD_FAIL}: {error}"
            continue
        if known is not None:
            loaded[piece.unit] = known
        said[piece.unit] = "load" if analysis.pooled else f"load, {methods}"
    regions, lacking = common_regions(loaded, analysis.pipeline.denoise.missing_regions)
    for unit in loaded:
        state, wanted = UnitState(analysis, unit), regions.get(unit, ())
        if unit in lacking:
            said[unit] = f"{WOULD_FAIL}: lacks {', '.join(lacking[unit])}"
        elif analysis.pooled or state.is_up_to_date(wanted):
            said[unit] = "up to date"
        else:
            said[unit] = ", ".join(state.stale_methods(wanted)) or "prior or page only"
    return said
