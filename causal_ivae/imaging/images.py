"""Average the voxels of fMRIPrep images region by region, and measure how much a run covers."""

from dataclasses import dataclass

import numpy as np
from nibabel.affines import apply_affine
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from scipy.spatial import KDTree

from causal_ivae.errors import InputError
from causal_ivae.given_files import is_given, read_json_object
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.atlas_images import read_labels, read_maps
from causal_ivae.imaging.bids import RunFile
from causal_ivae.imaging.file_names import find_sidecar, spaces_fit, split_name
from causal_ivae.imaging.opening import seconds_in_header
from causal_ivae.imaging.series_tables import check_repetition_time
from causal_ivae.imaging.volumes import open_image, read_voxels
from causal_ivae.settings.input import LONGEST_TR, SHORTEST_TR

_SPHERE_GRID = 1.0
"""Spacing of the points that represent a sphere's volume (mm)."""
_MIN_OVERLAP = 0.5
"""An atlas without a space must lie inside the image by at least this share."""


@dataclass(frozen=True, eq=False)
class RunMeans:
    """Hold the region means of one run before cleaning.

    Attributes
    ----------
    values : ndarray, shape (n_volumes, n_regions), float64
        Mean over the region's voxels inside the brain mask, weighted by the region's map if it has
        one, in the image's units; NaN if the run covers none of them.
    coverage : ndarray, shape (n_regions,)
        Share of the region's volume (or of its map's sum) inside the brain mask.
    tr : float
        Repetition time (s).
    notes : tuple of str
        Sentences for the reader.
    """

    values: NDArray[np.float64]
    coverage: NDArray[np.float64]
    tr: float
    notes: tuple[str, ...]


def region_means(run: RunFile, parcellation: Parcellation, smoothing_fwhm: float) -> RunMeans:
    """Read one run and average its voxels region by region.

    Parameters
    ----------
    run : RunFile
        A run with ``*_desc-preproc_bold.nii.gz``.
    parcellation : Parcellation
        An atlas with a label image, maps or spheres.
    smoothing_fwhm : float
        Width of the Gaussian smoothing of the image (mm); 0 for none.

    Raises
    ------
    InputError
        If the image cannot be read, has no repetition time, or lies in another space.

    Notes
    -----
    nilearn's maskers give the same means (tests compare them).  They are not used because they
    leave out regions that an image does not cover, allow only one radius for all spheres, and
    change their defaults between versions.
    """
    if run.content in ("grayordinates", "surfaces"):
        return _means_elsewhere(run, parcellation, smoothing_fwhm)
    with open_image(run.path, "image") as image:
        _check_run(run, image, parcellation)
        tr, notes = _repetition_time(run, image)
        # fMRIPrep writes float32, so that the run takes no more memory than its voxels.
        data = read_voxels(image, run.path, np.float32)
    mask = _brain_mask(run, image, data)
    voxels, weights, coverage = _voxels(image, mask, parcellation)
    if smoothing_fwhm > 0:
        from nilearn.image import new_img_like, smooth_img

        smoothed = smooth_img(new_img_like(image, data), smoothing_fwhm)
        data = np.asarray(smoothed.dataobj, dtype=np.float32)
    values = _averages(data, voxels, weights)
    _refuse_infinite(f"'{run.path}'", values, coverage, parcellation)
    return RunMeans(values, coverage, tr, notes)


def image_means(
    image: SpatialImage, parcellation: Parcellation
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average the voxels of an image in memory that vary, region by region.

    Parameters
    ----------
    image : nibabel image, shape (x, y, z, n_volumes)
    parcellation : Parcellation
        An atlas with a label image, maps or spheres, in the space of the image.

    Returns
    -------
    values : ndarray, shape (n_volumes, n_regions), float64
        NaN where the image covers nothing of a region.
    coverage : ndarray, shape (n_regions,)

    Raises
    ------
    InputError
        If a value inside a region is not finite.
    """
    data = np.asarray(image.dataobj, dtype=np.float32)
    mask: NDArray[np.bool_] = np.ptp(data, axis=3) > 0
    voxels, weights, coverage = _voxels(image, mask, parcellation)
    values = _averages(data, voxels, weights)
    _refuse_infinite("The image", values, coverage, parcellation)
    return values, coverage


def _averages(
    data: NDArray[np.float32],
    voxels: list[NDArray[np.int64]],
    weights: list[NDArray[np.float64]] | None,
) -> NDArray[np.float64]:
    series = data.reshape(-1, data.shape[3])
    values = np.full((data.shape[3], len(voxels)), np.nan)
    for region, inside in enumerate(voxels):
        if not inside.size:
            continue
        if weights is None:
            values[:, region] = series[inside].mean(axis=0, dtype=np.float64)
        else:
            share = weights[region] / weights[region].sum()
            values[:, region] = share @ series[inside].astype(np.float64)
    return values


def _refuse_infinite(
    where: str,
    values: NDArray[np.float64],
    coverage: NDArray[np.float64],
    parcellation: Parcellation,
) -> None:
    bad = np.flatnonzero((coverage > 0) & ~np.isfinite(values).all(axis=0))
    if bad.size:
        raise InputError(
            f"{where} has voxels that are not finite inside the brain mask, in region "
            f"'{parcellation.names[bad[0]]}'."
        )


def _means_elsewhere(run: RunFile, parcellation: Parcellation, smoothing_fwhm: float) -> RunMeans:
    """Return the region means of a run on surfaces or grayordinates."""
    from causal_ivae.imaging.grayordinates import dense_means, surface_means

    if smoothing_fwhm > 0:
        raise InputError(
            f"'{run.path}' is on a surface, which is not smoothed here: set "
            "denoise.smoothing_fwhm to 0 (region means need none)."
        )
    read = dense_means if run.content == "grayordinates" else surface_means
    values, coverage, seconds = read(run, parcellation)
    told = _told_repetition_time(run)
    if told is None and seconds is None:
        raise InputError(
            f"No repetition time for '{run.path}': write \"RepetitionTime\" (s) into the JSON file "
            "beside it."
        )
    notes = (
        ()
        if told is not None
        else (f"The repetition time of '{run.path.name}', {seconds:g} s, is from its header.",)
    )
    tr = told if told is not None else seconds
    assert tr is not None
    return RunMeans(values, coverage, tr, notes)


def _check_run(run: RunFile, image: SpatialImage, parcellation: Parcellation) -> None:
    """Check that an image is a series of volumes in the space of the parcellation."""
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise InputError(
            f"The image '{run.path}' has shape {image.shape}; a series of volumes is needed."
        )
    data_space = run.entity("space")
    if parcellation.space is not None:
        if not spaces_fit(data_space, parcellation.space):
            found = f"space '{data_space}'" if data_space else "the native space of the run"
            raise InputError(
                f"'{run.path.name}' is in {found}, but atlas '{parcellation.name}' is in space "
                f"'{parcellation.space}'. Choose images with --space or another atlas."
            )
        return
    points, _ = _points(parcellation)
    inside = _inside(points, image)[1]
    share = float(inside.mean()) if inside.size else 0.0
    if share < _MIN_OVERLAP:
        raise InputError(
            f"Only {share:.0%} of atlas '{parcellation.name}' lies inside '{run.path.name}', so "
            'they are not in the same space. Write the atlas\'s "Space" into its JSON file and '
            "choose images with --space."
        )


def _told_repetition_time(run: RunFile) -> float | None:
    """Return the repetition time (s) of the JSON file that applies, or None."""
    sidecar = run.path.with_name(split_name(run.path.name)[0] + ".json")
    found = sidecar if is_given(sidecar) else find_sidecar(run.path, "bold", ".json", run.root)
    if found is None:
        return None
    content = read_json_object(found, "The sidecar")
    if "RepetitionTime" not in content:
        return None
    return check_repetition_time(content["RepetitionTime"], str(found))


def _repetition_time(run: RunFile, image: SpatialImage) -> tuple[float, tuple[str, ...]]:
    told = _told_repetition_time(run)
    if told is not None:
        return told, ()
    seconds = seconds_in_header(image.header)
    if not SHORTEST_TR <= seconds <= LONGEST_TR:
        raise InputError(
            f"No repetition time for '{run.path}', whose header says {seconds:g} s: write "
            f"\"RepetitionTime\" (s) into '{split_name(run.path.name)[0]}.json' beside it."
        )
    note = f"The repetition time of '{run.path.name}', {seconds:g} s, is from its header."
    return seconds, (note,)


def _brain_mask(run: RunFile, image: SpatialImage, data: NDArray[np.float32]) -> NDArray[np.bool_]:
    stem = split_name(run.path.name)[0].removesuffix("_bold")
    stem = stem.removesuffix("_desc-preproc").removesuffix("_desc-denoised")
    masks = [run.path.with_name(f"{stem}_desc-brain_mask{end}") for end in (".nii.gz", ".nii")]
    path = next(filter(is_given, masks), None)
    if path is not None:
        with open_image(path, "brain mask") as mask_image:
            same_grid = mask_image.shape[:3] == image.shape[:3] and np.allclose(
                mask_image.affine, image.affine, atol=1e-3
            )
            if not same_grid:
                raise InputError(
                    f"The brain mask '{path}' is on another grid than '{run.path.name}'."
                )
            return read_voxels(mask_image, path).reshape(image.shape[:3]) > 0
    mask: NDArray[np.bool_] = np.ptp(data, axis=3) > 0
    return mask


def _points(parcellation: Parcellation) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return points (mm) that represent the regions' volumes, and the likeliest region of each."""
    if parcellation.coordinates is not None and parcellation.radius is not None:
        clouds, owners = [], []
        for region, (centre, radius) in enumerate(
            zip(parcellation.coordinates, parcellation.radius, strict=True)
        ):
            reach = np.arange(-np.floor(radius), np.floor(radius) + 1) * _SPHERE_GRID
            grid = np.stack(np.meshgrid(reach, reach, reach), axis=-1).reshape(-1, 3)
            cloud = grid[(grid**2).sum(axis=1) <= radius**2]
            clouds.append(centre + cloud)
            owners.append(np.full(len(cloud), region))
        return np.concatenate(clouds), np.concatenate(owners)
    if parcellation.kind == "maps":
        maps, affine = read_maps(parcellation)
        anywhere = np.argwhere((maps > 0).any(axis=3))
        return apply_affine(affine, anywhere), maps[tuple(anywhere.T)].argmax(axis=1)
    labels, affine = read_labels(parcellation)
    # Labels may be as large as 2e9, so that no table of all numbers up to them is made.
    indices = np.asarray(parcellation.indices)
    order = np.argsort(indices)
    where = np.argwhere(np.isin(labels, indices))
    owner = order[np.searchsorted(indices, labels[tuple(where.T)], sorter=order)]
    return apply_affine(affine, where), owner


def _inside(
    points: NDArray[np.float64], image: SpatialImage
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the nearest voxel of every point, shape (n, 3), and whether it lies in the image."""
    at = apply_affine(np.linalg.inv(image.affine), points)
    index = np.rint(at).astype(np.int64)
    inside: NDArray[np.bool_] = np.all((index >= 0) & (index < np.array(image.shape[:3])), axis=1)
    return index, inside


def _voxels(
    image: SpatialImage, mask: NDArray[np.bool_], parcellation: Parcellation
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float64]] | None, NDArray[np.float64]]:
    """Return every region's voxels inside the mask (flat indices), their weights and its coverage.

    The weights are None if all voxels have the same weight.
    """
    if parcellation.kind == "maps":
        return _map_voxels(image, mask, parcellation)
    n_regions = len(parcellation.names)
    points, owner = _points(parcellation)
    covered = _covered(points, image, mask)
    totals = np.bincount(owner, minlength=n_regions)
    shares = np.bincount(owner[covered], minlength=n_regions) / np.maximum(totals, 1)
    if parcellation.kind == "coordinates":
        voxels = _sphere_voxels(image, mask, parcellation)
    else:
        voxels = _label_voxels(image, mask, parcellation)
    # A small region of a coarse image may have volume inside the mask but contain no voxel.
    shares[[not v.size for v in voxels]] = 0.0
    return voxels, None, shares


def _covered(
    points: NDArray[np.float64], image: SpatialImage, mask: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    index, inside = _inside(points, image)
    covered = np.zeros(len(points), dtype=bool)
    covered[inside] = mask[tuple(index[inside].T)]
    return covered


def _map_voxels(
    image: SpatialImage, mask: NDArray[np.bool_], parcellation: Parcellation
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float64]], NDArray[np.float64]]:
    maps, affine = read_maps(parcellation)
    anywhere = np.argwhere((maps > 0).any(axis=3))
    weight = maps[tuple(anywhere.T)].astype(np.float64)
    covered = _covered(apply_affine(affine, anywhere), image, mask)
    shares = weight[covered].sum(axis=0) / weight.sum(axis=0)
    flat, at = _nearest(image, mask, affine, maps.shape[:3])
    here = maps[tuple(at.T)].astype(np.float64)
    voxels = [flat[here[:, region] > 0] for region in range(maps.shape[3])]
    weights = [here[here[:, region] > 0, region] for region in range(maps.shape[3])]
    shares[[not v.size for v in voxels]] = 0.0
    return voxels, weights, shares


def _nearest(
    image: SpatialImage,
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    shape: tuple[int, ...],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the mask's voxels inside an atlas (flat indices) and their nearest atlas voxels."""
    where = np.argwhere(mask)
    mm = apply_affine(image.affine, where)
    at = np.rint(apply_affine(np.asarray(np.linalg.inv(affine)), mm)).astype(np.int64)
    in_atlas = ((at >= 0) & (at < np.array(shape))).all(axis=1)
    flat = np.asarray(np.ravel_multi_index(tuple(where[in_atlas].T), mask.shape), dtype=np.int64)
    return flat, at[in_atlas]


def _label_voxels(
    image: SpatialImage, mask: NDArray[np.bool_], parcellation: Parcellation
) -> list[NDArray[np.int64]]:
    labels, affine = read_labels(parcellation)
    flat, at = _nearest(image, mask, affine, labels.shape)
    value = labels[tuple(at.T)]
    return [flat[value == index] for index in parcellation.indices]


def _sphere_voxels(
    image: SpatialImage, mask: NDArray[np.bool_], parcellation: Parcellation
) -> list[NDArray[np.int64]]:
    where = np.argwhere(mask)
    if not len(where) or parcellation.coordinates is None or parcellation.radius is None:
        return [np.zeros(0, dtype=np.int64) for _ in parcellation.names]
    flat = np.asarray(np.ravel_multi_index(tuple(where.T), mask.shape), dtype=np.int64)
    tree = KDTree(apply_affine(image.affine, where))
    members = tree.query_ball_point(parcellation.coordinates, parcellation.radius)
    return [flat[np.sort(np.asarray(m, dtype=np.int64))] for m in members]
