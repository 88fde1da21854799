"""Load the files of one subject and write its region time series, the first stage of its work."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from causal_ivae.batch.analysis import Analysis, Outcome, State, guarded, one_line
from causal_ivae.batch.budget import check_fits
from causal_ivae.batch.recording import write_series
from causal_ivae.batch.state import UnitState
from causal_ivae.batch.workers.pool import Stage
from causal_ivae.derivatives.files import write_bytes
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.errors import InputError
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.atlas_choice import atlas_for, atlas_image_of, is_template
from causal_ivae.imaging.bids import RunFile, SubjectFiles, find_sidecar, split_name
from causal_ivae.imaging.censoring import files_of_censoring
from causal_ivae.imaging.event_folders import event_files
from causal_ivae.imaging.file_names import Folders
from causal_ivae.imaging.own_anatomy import own_anatomy
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.provenance import fingerprints, shown
from causal_ivae.reporting.mni_maps import has_map, map_name

_BESIDE = r"confounds|brain_mask|nodeindices|hemi-R.*_bold\.func\.gii"
"""Files with such names beside a run belong to it."""


@dataclass(frozen=True)
class Loading:
    """Hold the piece of work of loading one subject.

    Attributes
    ----------
    files : tuple of pathlib.Path
        The files that its series are made from, from `input_files`.
    """

    analysis: Analysis
    subject: SubjectFiles
    files: tuple[Path, ...]

    @classmethod
    def of(cls, analysis: Analysis, subject: SubjectFiles, folders: Folders) -> Self:
        """Make the piece; give the same `folders` for all subjects, so that each is listed once."""
        files = [*input_files(subject, folders), *_own_atlas(analysis, subject)]
        return cls(analysis, subject, tuple(files))

    @property
    def unit(self) -> str:
        """Return the name of the subject's results, ``sub-<label>``."""
        return f"sub-{self.subject.label}"


@dataclass(frozen=True)
class Loaded:
    """Hold what a run needs to know about a subject's series; no regions if loading failed.

    Attributes
    ----------
    missing : tuple of str
        Regions among them that could not be measured.
    """

    outcome: Outcome
    regions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def up_to_date_series(piece: Loading) -> Loaded | None:
    """Return what is known about series that are up to date; None if they must be loaded.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    analysis = piece.analysis
    state = UnitState(analysis, piece.unit)
    if not state.series or analysis.overwrite == "always":
        return None
    inputs = fingerprints(piece.files, analysis.source)
    standing = state.series_standing(inputs)
    if standing.stale:
        return None
    message = "Series made with other settings or data were kept." if standing.kept else ""
    outcome = Outcome(piece.unit, "up to date", message=message)
    about = state.series
    return Loaded(outcome, tuple(about["Regions"]), tuple(about["MissingRegions"]))


def check_memory(piece: Loading) -> None:
    """Check from their headers that a subject's files fit into the memory of a worker.

    Raises
    ------
    InputError
        If one is too large; the message has its size.
    """
    check_fits(
        [run.path for run in piece.subject.runs],
        memory=piece.analysis.memory,
        sharing=lambda: piece.analysis.sharing,
        smoothing=piece.analysis.pipeline.denoise.smoothing_fwhm > 0,
    )


def load(piece: Loading, stage: Stage) -> Loaded:
    """Load one subject and write its time series."""
    from causal_ivae.imaging.one_scale import scale_caution
    from causal_ivae.imaging.signals import load_subject, missing_regions

    analysis = piece.analysis

    def work() -> tuple[Loaded, State, str]:
        stage("loading", 0.0)
        happened = UnitState(analysis, piece.unit).series_standing({}).sentence("loaded again")
        check_memory(piece)
        parcellation = atlas_for(analysis.pipeline.atlas, piece.subject, analysis.source)
        series = load_subject(piece.subject, analysis.pipeline, parcellation)
        stage("writing", 0.9)
        inputs = fingerprints(piece.files, analysis.source)
        series = replace(
            series, sources=tuple(shown(Path(s), analysis.source) for s in series.sources)
        )
        missing = missing_regions(series, analysis.pipeline.denoise.min_coverage)
        picture, problem = _own_map(piece, parcellation, series)
        provenance = {
            **_places(parcellation, series),
            **picture,
            "MissingRegions": list(missing),
            **analysis.provenance(analysis.load_hash, inputs),
        }
        write_series(UnitPaths(analysis.output, piece.unit, series.entities), series, provenance)
        caution = scale_caution(series, analysis.pipeline.segments)
        said = " ".join(filter(None, (happened, caution, problem)))
        return Loaded(Outcome(piece.unit, "done"), series.names, missing), "done", said

    loaded, outcome = guarded(analysis, piece.unit, work)
    return Loaded(outcome) if loaded is None else replace(loaded, outcome=outcome)


def common_regions(
    loaded: Mapping[str, Loaded], rule: Literal["drop", "fail"]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Apply the rule about missing regions to all subjects of a run.

    Parameters
    ----------
    rule : {"drop", "fail"}
        "drop" keeps the regions that every subject has; "fail" stops the subjects that lack a
        region of the set of regions that most subjects share.

    Returns
    -------
    regions : dict of str to tuple of str
        To analyse, per subject.
    lacking : dict of str to tuple of str
        Subjects that cannot run, and the regions they lack.
    """
    present = {
        unit: tuple(name for name in known.regions if name not in known.missing)
        for unit, known in loaded.items()
    }
    if not present:
        return {}, {}
    if rule == "drop":
        shared = set.intersection(*(set(names) for names in present.values()))
        return {u: tuple(n for n in names if n in shared) for u, names in present.items()}, {}
    listed = {unit: frozenset(known.regions) for unit, known in loaded.items()}
    expected, _ = Counter(listed.values()).most_common(1)[0]
    lacking = {
        unit: tuple(sorted(expected - set(names)))
        for unit, names in present.items()
        if expected - set(names)
    }
    return present, lacking


def _places(parcellation: Parcellation | None, series: RegionSeries) -> dict[str, Any]:
    """Return the sidecar's entries on where the regions are, for drawings."""
    if parcellation is None:
        return {}

    from causal_ivae.imaging.atlas_images import region_centres

    parcellation = parcellation.in_space(dict(series.entities).get("space"))
    wanted = [name for name in series.names if name in parcellation.names]
    centres = region_centres(parcellation)
    return {
        "Space": parcellation.space,
        **_networks(parcellation, wanted),
        "Coordinates": {name: centres[name] for name in wanted if name in centres},
        **({"RegionMap": map_name(parcellation)} if has_map(parcellation) else {}),
    }


def _own_map(
    piece: Loading, parcellation: Parcellation | None, series: RegionSeries
) -> tuple[dict[str, str], str]:
    """Draw the regions on the subject's own anatomy, if it has one in the space of its images.

    Returns
    -------
    entries : dict
        The sidecar's entries on the picture; empty without one.
    problem : str
        Why there is none although there is an image, in a sentence; otherwise empty.
    """
    entities = dict(series.entities)
    anatomy = None if parcellation is None else own_anatomy(piece.subject)
    if parcellation is None or anatomy is None or parcellation.kind in ("surface", "grayordinates"):
        return {}, ""
    # Drawing takes long to import, and few subjects come with their anatomy.
    from causal_ivae.reporting.region_map import region_map

    output = piece.analysis.output
    path = UnitPaths(output, piece.unit, series.entities).figure("regions.png")
    try:
        write_bytes(path, region_map(parcellation.in_space(entities.get("space")), anatomy))
    except Exception as error:  # noqa: BLE001 - a picture is worth no analysis
        return {}, f"No picture of the regions on '{anatomy.name}': {one_line(error)}"
    return {
        "RegionMap": path.relative_to(output).as_posix(),
        "RegionMapAnatomy": shown(anatomy, piece.analysis.source),
    }, ""


def _own_atlas(analysis: Analysis, subject: SubjectFiles) -> list[Path]:
    """Return the image of a subject's own atlas, if every subject has one."""
    atlas = analysis.pipeline.atlas
    if atlas is None or not is_template(atlas):
        return []
    try:
        return [atlas_image_of(atlas, subject, analysis.source)]
    except InputError:
        # Loading the subject reports the error.
        return []


def input_files(subject: SubjectFiles, folders: Folders) -> list[Path]:
    """Return the files that a subject's series are made from, those beside the runs included."""
    files: set[Path] = set()
    for run in subject.runs:
        stem, _ = split_name(run.path.name)
        prefix = re.split(r"_(?:space|res|desc|hemi)-", stem)[0].removesuffix("_timeseries")
        files.add(run.path)
        files |= {
            file
            for file in folders.starting(run.path.parent, prefix)
            if file.name[len(prefix)] in "_."
            and (file.suffix == ".json" or re.search(_BESIDE, file.name))
        }
        inherited = (
            find_sidecar(run.path, suffix, ".json", run.root, folders)
            for suffix in ("bold", "timeseries")
        )
        censoring = files_of_censoring(run.path, run.root) if _cleaned_before(run) else ()
        files |= {file for file in (*inherited, *censoring) if file is not None}
        files |= set() if run.events is None else set(event_files(run.events))
    return sorted(file for file in files if file.is_file())


def _cleaned_before(run: RunFile) -> bool:
    return run.content == "table" or run.denoised


def _networks(parcellation: Parcellation, wanted: list[str]) -> dict[str, Any]:
    if not parcellation.networks:
        return {}
    known = dict(zip(parcellation.names, parcellation.networks, strict=True))
    return {"Networks": {name: known[name] for name in wanted}}
