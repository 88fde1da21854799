"""Read the region series of one subject from files, as `causal-ivae run` does."""

from collections.abc import Sequence
from pathlib import Path

from causal_ivae.errors import SettingsError
from causal_ivae.imaging.atlas_choice import subjects_with_atlas
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.settings import Pipeline


def load_series(
    path: str | Path,
    *,
    subject: str | None = None,
    task: str | Sequence[str] = (),
    session: str | Sequence[str] = (),
    space: str | None = None,
    atlas: str | Path | None = None,
    tr: float | None = None,
    pipeline: Pipeline | None = None,
) -> RegionSeries:
    """Read one subject's region series, cleaned, on one scale and divided into segments.

    Parameters
    ----------
    path : str or pathlib.Path
        A folder or a file, of every kind that ``causal-ivae run`` takes.
    subject : str, optional
        Label; needed if there are several subjects.
    task, session : str or sequence of str, optional
        Which to use; needed if there are several tasks.
    space : str, optional
        Space of images.
    atlas : str or pathlib.Path, optional
        Name or file; images need one.
    tr : float, optional
        Repetition time (s) of tables without a sidecar.
    pipeline : Pipeline, optional
        Settings of cleaning and of the segments; default: windows of 60 s.

    Returns
    -------
    RegionSeries
        ``discover(series.values, series.segments, series.names, blocks=series.unbroken)`` takes
        it; ``series.notes`` says what a reader should know.

    Raises
    ------
    InputError
        If a file cannot be used.
    SettingsError
        If there are several subjects, tasks, spaces or atlases and none is chosen.
    """
    settings = pipeline or Pipeline()
    changes = {"atlas": None if atlas is None else str(atlas), "tables.tr": tr}
    settings = settings.changed({k: v for k, v in changes.items() if v is not None})
    source = Path(path).expanduser()
    subjects, parcellation = subjects_with_atlas(
        source,
        settings.atlas,
        labels=() if subject is None else (subject,),
        tasks=(task,) if isinstance(task, str) else tuple(task),
        sessions=(session,) if isinstance(session, str) else tuple(session),
        space=space,
    )
    if len(subjects) > 1:
        labels = ", ".join(found.label for found in subjects[:10])
        raise SettingsError(
            f"'{source}' holds {len(subjects)} subjects ({labels}); name one with subject=."
        )
    # The reader of images imports scipy, which looking for files does not need.
    from causal_ivae.imaging.signals import load_subject

    return load_subject(subjects[0], settings, parcellation)
