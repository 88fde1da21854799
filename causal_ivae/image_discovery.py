"""From images in memory or on disk to a causal graph, in one call."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nibabel.cifti2.cifti2 import Cifti2Image
from numpy.typing import ArrayLike, NDArray

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.discovery import discover
from causal_ivae.errors import InputError
from causal_ivae.given_files import require_file
from causal_ivae.imaging.atlas import Parcellation, load_atlas
from causal_ivae.imaging.cleaning import polynomial_design, regress_out
from causal_ivae.imaging.grayordinates import means_of_grayordinates
from causal_ivae.imaging.images import image_means
from causal_ivae.imaging.opening import open_image, seconds_in_header
from causal_ivae.imaging.volumes import image_shape
from causal_ivae.settings.input import LONGEST_TR, SHORTEST_TR

_WINDOW = 60.0
"""Length (s) of the windows that are the segments where none are given."""


def discover_images(
    images: Any,
    confounds: Any = None,
    atlas: Any = None,
    *,
    segments: int | ArrayLike | Sequence[ArrayLike] | None = None,
    sample_masks: Any = None,
    tr: float | None = None,
    **options: Any,
) -> CausalGraph:
    """Average images region by region, regress confounds out, and estimate the causal graph.

    Parameters
    ----------
    images : path, nibabel image, or a list with one for each run
        Preprocessed 4-D images or dense CIFTI series.  What nilearn's fetchers return (with
        ``func`` and ``confounds``) can be given as it is.
    confounds : table, array, path of a table, or a list with one for each run, optional
        Regressors of every volume, such as the first of what nilearn's `load_confounds` returns;
        all columns are used, and missing values count as 0.  Default: only a linear drift is
        removed.
    atlas : str, path, Parcellation, nilearn atlas or fitted nilearn masker
        A name of ``causal-ivae atlas list``, a file, what ``fetch_atlas_*`` returns (``maps`` and
        ``labels``), or a masker, which then averages by itself.
    segments : int, array_like or a list of them, optional
        As in `discover`; default: windows of 60 s.
    sample_masks : array of int or bool, or a list of them, optional
        Volumes to keep, such as the second of what `load_confounds` returns; the others are gaps.
    tr : float, optional
        Repetition time (s); default: from the images.
    **options
        For `discover`.

    Returns
    -------
    CausalGraph

    Raises
    ------
    InputError
        If an image is no series, there is no atlas, or lengths differ.

    Notes
    -----
    Images are not standardised: what differs between runs in scale is evidence.
    """
    if isinstance(images, Mapping):
        if "func" not in images:
            raise InputError(f"'images' has no entry 'func', but {', '.join(map(str, images))}.")
        confounds = images.get("confounds") if confounds is None else confounds
        images = images["func"]
    runs = list(images) if isinstance(images, (list, tuple)) else [images]
    regressors = _for_each(confounds, len(runs), "confounds")
    masks = _for_each(sample_masks, len(runs), "sample_masks")
    parts, seconds = [], []
    for image, confound, mask in zip(runs, regressors, masks, strict=True):
        table, step = _region_table(_opened(image), atlas)
        parts.append(_cleaned(table, confound, mask))
        seconds.append(step)
    covered = [name for name in parts[0] if all(part[name].notna().any() for part in parts)]
    if len(covered) < 2:
        raise InputError(f"The images cover {len(covered)} regions of the atlas; two are needed.")
    given = tr if tr is not None else seconds[0]
    if segments is None:
        if given is None:
            raise InputError("The images give no repetition time; give tr= (s) or segments=.")
        segments = max(8, round(_WINDOW / given))
    return discover([part[covered] for part in parts], segments, **options)


def _for_each(given: Any, n_runs: int, what: str) -> list[Any]:
    several = isinstance(given, (list, tuple))
    items = list(given) if several else [given] * (n_runs if given is None else 1)
    if len(items) != n_runs:
        raise InputError(f"'{what}' has {len(items)} entries for {n_runs} images.")
    return items


def _opened(image: Any) -> Any:
    """Return an image that is a series, whether given by its path or in memory."""
    where = "The image"
    if isinstance(image, (str, PathLike)):
        where = f"'{image}'"
        image = open_image(Path(image), where)
    if not hasattr(image, "dataobj"):
        raise InputError(
            f"'images' holds a {type(image).__name__}; give paths or images of nibabel. Region "
            "series go to discover(values, segments)."
        )
    shape = tuple(image.shape)
    if not isinstance(image, Cifti2Image) and (len(shape) != 4 or shape[3] < 2):
        raise InputError(
            f"{where} has shape {shape}; a series of volumes (x, y, z, n_volumes) is needed, and "
            "this is one volume."
        )
    return image


def _region_table(image: Any, atlas: Any) -> tuple[pd.DataFrame, float | None]:
    """Return the region series of an image, a column for each region, and the repetition time."""
    if atlas is None:
        raise InputError("No atlas was given; see 'causal-ivae atlas list' for names.")
    if hasattr(atlas, "transform"):
        return _by_masker(image, atlas)
    parcellation = _parcellation(atlas)
    if isinstance(image, Cifti2Image):
        values, _, step = means_of_grayordinates(image, parcellation, "the image")
        return pd.DataFrame(values, columns=list(parcellation.names)), step
    values, _ = image_means(image, parcellation)
    return pd.DataFrame(values, columns=list(parcellation.names)), _header_tr(image)


def _header_tr(image: Any) -> float | None:
    seconds = seconds_in_header(image.header)
    return seconds if SHORTEST_TR <= seconds <= LONGEST_TR else None


def _by_masker(image: Any, masker: Any) -> tuple[pd.DataFrame, float | None]:
    try:
        values = masker.transform(image)
    except ValueError as error:
        raise InputError(f"The masker cannot be applied: {error}") from error
    if isinstance(values, pd.DataFrame):
        return values, _header_tr(image)
    named = getattr(masker, "region_names_", None)
    names = [str(named[i]) for i in sorted(named)] if named else []
    if len(names) != values.shape[1]:
        names = [f"region_{i + 1:03d}" for i in range(values.shape[1])]
    return pd.DataFrame(values, columns=names), _header_tr(image)


def _parcellation(atlas: Any) -> Parcellation:
    if isinstance(atlas, Parcellation):
        return atlas
    if isinstance(atlas, (str, PathLike)):
        return load_atlas(Path(atlas) if isinstance(atlas, PathLike) else str(atlas))
    if isinstance(atlas, Mapping) and {"maps", "labels"} <= set(atlas):
        return _of_nilearn(atlas)
    raise InputError(
        f"'atlas' is a {type(atlas).__name__}; give a name, a path, a Parcellation, what nilearn's "
        "fetch_atlas_* returns, or a fitted masker."
    )


def _of_nilearn(atlas: Mapping[str, Any]) -> Parcellation:
    """Return the atlas that nilearn fetched, whose maps are a file."""
    maps = atlas["maps"]
    if not isinstance(maps, (str, PathLike)):
        raise InputError("The maps of this atlas are not a file; save them and give the path.")
    labels = [label.decode() if isinstance(label, bytes) else label for label in atlas["labels"]]
    names = [str(label) if not isinstance(label, tuple) else str(label[-1]) for label in labels]
    table = atlas.get("lut")
    shape = image_shape(Path(maps), "atlas")
    kind: Any = "maps" if len(shape) == 4 and shape[3] > 1 else "labels"
    if kind == "labels" and isinstance(table, pd.DataFrame) and {"index", "name"} <= set(table):
        pairs = [(int(i), str(n)) for i, n in zip(table["index"], table["name"], strict=True)]
    elif kind == "labels":
        first = 0 if names and names[0].lower() == "background" else 1
        pairs = [(i + first, name) for i, name in enumerate(names)]
    else:
        pairs = list(enumerate(names))
    kept = [(i, n) for i, n in pairs if kind == "maps" or (i and n.lower() != "background")]
    return Parcellation(
        name="nilearn",
        kind=kind,
        names=tuple(n for _, n in kept),
        space=str(atlas["template"]) if atlas.get("template") else None,
        source=Path(maps),
        image=Path(maps),
        indices=tuple(i for i, _ in kept),
    )


def _cleaned(table: pd.DataFrame, confounds: Any, mask: Any) -> pd.DataFrame:
    """Return the residuals around the regions' means, NaN in volumes that are not kept."""
    values = table.to_numpy(dtype=np.float64)
    kept = np.ones(len(values), dtype=bool)
    if mask is not None:
        chosen = np.asarray(mask)
        kept = np.zeros(len(values), dtype=bool)
        kept[chosen] = True
    design = polynomial_design(len(values), 1)
    if confounds is not None:
        regressors = _regressors(confounds)
        if len(regressors) != len(values):
            raise InputError(
                f"'confounds' has {len(regressors)} rows for {len(values)} volumes of the image."
            )
        design = np.column_stack([design, regressors])
    covered = ~np.isnan(values).all(axis=0)
    cleaned = np.full(values.shape, np.nan)
    residuals, _ = regress_out(values[:, covered], design, kept, "The image")
    baseline = values[kept][:, covered].mean(axis=0)
    cleaned[np.ix_(kept, covered)] = residuals + baseline
    return pd.DataFrame(cleaned, columns=table.columns)


def _regressors(confounds: Any) -> NDArray[np.float64]:
    if isinstance(confounds, (str, PathLike)):
        require_file(Path(confounds))
        confounds = pd.read_csv(Path(confounds), sep="\t", na_values=["n/a"])
    try:
        numbers = np.asarray(confounds, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"'confounds' cannot be read as numbers ({error}).") from error
    return np.nan_to_num(numbers.reshape(len(numbers), -1))
