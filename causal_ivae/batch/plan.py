"""Check a user's request and find its subjects before anything is written."""

from dataclasses import dataclass, replace
from pathlib import Path

from causal_ivae.anatomy.prior import load_prior
from causal_ivae.batch.analysis import Analysis
from causal_ivae.batch.request import Request
from causal_ivae.derivatives.files import read_sidecar
from causal_ivae.errors import InputError, NothingMatchedError, SettingsError
from causal_ivae.group import (
    RATINGS,
    excluded_participants,
    find_participants,
    read_participants,
    says_who_is_excluded,
)
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.atlas_choice import is_template, subjects_with_atlas
from causal_ivae.imaging.bids import SubjectFiles
from causal_ivae.imaging.segments import check_number_of_subjects
from causal_ivae.provenance import digest_of, fingerprint

_OF_VOLUMES = ("labels", "maps", "table")
"""Atlases of these kinds are laid over volumes and so need an image."""
_LEAST_MEMORY = 2**29
"""A worker process takes about this much memory (bytes) before it reads anything."""


@dataclass(frozen=True)
class Plan:
    """Hold a checked request and the files of its subjects."""

    analysis: Analysis
    subjects: tuple[SubjectFiles, ...]


def plan(request: Request) -> Plan:
    """Check a request and find its subjects, without writing anything.

    Raises
    ------
    SettingsError
        If settings contradict each other, or the output folder cannot be used.
    InputError
        If the input cannot be used.
    NothingMatchedError
        If no run matches the filters.
    """
    try:
        return _plan(request)
    except OSError as error:
        raise InputError(
            f"'{error.filename}' cannot be used: {error.strerror}. Check the path and "
            "its permissions."
        ) from error


def _plan(request: Request) -> Plan:
    source, output = request.source.expanduser(), request.output.expanduser()
    _check_output(source, output)
    _check_device(request)
    _check_memory(request)
    if request.templates is not None:
        from causal_ivae.reporting.templates import check_templates

        check_templates(request.templates)
    pipeline = request.pipeline
    if request.pooled and "participant" in request.levels:
        raise SettingsError(
            "Segments 'subjects' pool all subjects into one fit, so there is no level "
            "participant: run the level group alone."
        )
    participants_file = _participants_file(request, source)
    if "group" in request.levels and (output / RATINGS).is_file():
        # A wrong value is found before anything is run.
        excluded_participants(output / RATINGS)
    prior = load_prior(pipeline.prior)
    subjects, parcellation = subjects_with_atlas(
        source,
        pipeline.atlas,
        labels=request.labels,
        tasks=request.tasks,
        sessions=request.sessions,
        space=request.space,
        bids_filter=request.bids_filter,
    )
    if not subjects:
        raise NothingMatchedError(f"The filters leave no subject in '{source}'.")
    if request.pooled:
        check_number_of_subjects(len(subjects))
    if subjects[0].kind == "images" and parcellation is None:
        raise SettingsError(
            f"'{source}' holds images, so an atlas is needed: give --atlas (see "
            "'causal-ivae atlas list')."
        )
    if subjects[0].kind == "images" and parcellation and parcellation.kind in _OF_VOLUMES:
        # An atlas whose image comes with another package is refused before anything runs.
        parcellation.volume()
    checked = replace(
        request,
        source=(source if source.is_dir() else source.parent).resolve(),
        output=output.resolve(),
        templates=None if request.templates is None else request.templates.resolve(),
        participants_file=participants_file,
    )
    analysis = Analysis(
        **vars(checked),
        atlas_digest=_atlas_digest(pipeline.atlas, parcellation),
        prior_digest="" if prior is None else digest_of(repr(prior)),
        n_subjects=len(subjects),
    )
    return Plan(analysis, subjects)


def _check_output(source: Path, output: Path) -> None:
    real_source, real_output = source.resolve(), output.resolve()
    if output.exists() and not output.is_dir():
        raise SettingsError(f"The output '{output}' is a file; give a folder.")
    if source.is_dir() and real_output.is_relative_to(real_source):
        where = "is the input folder" if real_output == real_source else "is inside the input"
        raise SettingsError(
            f"The output folder '{output}' {where} '{source}'; give a folder outside it."
        )
    if real_source.is_relative_to(real_output):
        raise SettingsError(
            f"The input '{source}' is inside the output folder '{output}'; give another output."
        )
    description = output / "dataset_description.json"
    made_by = read_sidecar(description).get("GeneratedBy")
    ours = {"Name": "causal-ivae"}.items()
    if isinstance(made_by, list) and any(
        isinstance(entry, dict) and ours <= entry.items() for entry in made_by
    ):
        return
    # The description may be damaged; the logs of earlier runs say the same.
    runs = (read_sidecar(about).get("Versions") for about in output.glob("logs/*/run.json"))
    if any(isinstance(made_with, dict) and "causal-ivae" in made_with for made_with in runs):
        return
    if output.is_dir() and any(not f.name.startswith(".") for f in output.iterdir()):
        raise SettingsError(
            f"The output folder '{output}' is not empty and was not made by causal-ivae; give a "
            "new or empty folder."
        )


def _participants_file(request: Request, source: Path) -> Path | None:
    """Return the ``participants.tsv`` that a model over subjects needs or that excludes subjects.

    It is None if there is no such file, or if nothing is asked of it.
    """
    if "group" not in request.levels:
        return None
    formula = request.pipeline.group.model
    if request.pooled and formula is not None:
        raise SettingsError(
            "Segments 'subjects' make one graph of all subjects, so there are no scores of each "
            f"for the model '{formula}': leave out one of them."
        )
    if formula is not None:
        from causal_ivae.group.model import check_model, covariates_of

        covariates_of(formula)
    path = request.participants_file or find_participants(
        source if source.is_dir() else source.parent
    )
    if path is not None and says_who_is_excluded(path):
        # A wrong value is found before anything is run.
        excluded_participants(path)
    elif formula is None:
        return None
    if formula is not None:
        if path is None:
            raise InputError(
                f"The model '{formula}' needs a participants.tsv, which is neither in '{source}' "
                "nor in the two folders above it: give it with --participants."
            )
        check_model(formula, read_participants(path))
    return None if path is None else path.resolve()


def _check_device(request: Request) -> None:
    # The workers of a scheduler check their own devices.  Importing torch takes seconds.
    if request.scheduler is None and request.device not in ("auto", "cpu"):
        from causal_ivae.unmixing.training.ensemble import resolve_device

        resolve_device(request.device)


def _check_memory(request: Request) -> None:
    if request.memory is not None and request.memory < _LEAST_MEMORY:
        raise SettingsError(
            f"--mem {request.memory / 2**30:.3g} GiB is too little: a worker takes about "
            f"{_LEAST_MEMORY / 2**30:.3g} GiB before it has read anything."
        )


def _atlas_digest(name: str | None, parcellation: Parcellation | None) -> str:
    if parcellation is None:
        return ""
    if name is not None and is_template(name):
        # The image of every subject is one of its input files.
        return digest_of(repr(parcellation.names), name)
    spheres = (
        None if array is None else array.tolist()
        for array in (parcellation.coordinates, parcellation.radius)
    )
    regions = (parcellation.names, parcellation.indices, parcellation.space, *spheres)
    image = "" if parcellation.image is None else fingerprint(parcellation.image)
    return digest_of(repr(regions), image)
