"""Read parcellations, bundled ones by name and a user's own by path.

An atlas consists of up to three files with one stem: a table of regions (.tsv or .csv), an image
(.nii.gz or .nii) and a description (.json).  The table's columns tell its kind:

- ``index`` and ``name`` for a label image, with ``centre_x``, ``centre_y``, ``centre_z`` (mm) for
  drawings if the image may be absent;
- ``name``, ``x``, ``y``, ``z`` (mm) and optionally ``radius`` (mm) for spheres;
- ``name`` alone for the region names of tables.

An image of several volumes holds probabilistic maps, one for each row of the table, in order.
"""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.arrays import is_number
from causal_ivae.errors import InputError, SettingsError, nearest
from causal_ivae.given_files import read_json_object
from causal_ivae.imaging.atlas_tables import TABLE_ENDINGS, read_regions
from causal_ivae.imaging.file_names import find_sidecar, parse_entities, split_name
from causal_ivae.imaging.published_atlases import find_published, published_files
from causal_ivae.imaging.volumes import atlas_image
from causal_ivae.settings import resources

AtlasKind = Literal["labels", "maps", "coordinates", "table", "grayordinates", "surface"]
_IMAGES = (".nii.gz", ".nii")
_SURFACES = (".annot", ".label.gii")
_LARGEST_RADIUS = 100.0
"""A sphere of this radius (mm) holds a whole brain."""
_CENTRES = ("centre_x", "centre_y", "centre_z")


@dataclass(frozen=True, eq=False)
class Parcellation:
    """Describe a set of regions and their places in the brain.

    Attributes
    ----------
    name : str
    kind : {"labels", "maps", "coordinates", "table", "grayordinates", "surface"}
        ``"maps"`` are probabilistic and may overlap; ``"table"`` holds region names only.
    names : tuple of str, length n_regions
        Region names.
    space : str or None
        For instance ``"MNI152NLin2009cAsym"``; ``"MNI"`` if the MNI template is not named; None if
        it is not known.
    source : pathlib.Path
        The table of regions.
    image : pathlib.Path or None
        Image of ``"labels"`` or ``"maps"``, label file of ``"grayordinates"``, annotation of the
        left hemisphere of ``"surface"``; None if its package is not installed.
    indices : tuple of int
        Label values of ``"labels"``, or volumes of ``"maps"`` counted from 0.
    coordinates : ndarray, shape (n_regions, 3), or None
        Centres of ``"coordinates"`` (mm).
    radius : ndarray, shape (n_regions,), or None
        Radii of ``"coordinates"`` (mm).
    centres : ndarray, shape (n_regions, 3), or None
        Centres of the other kinds (mm), if the table of regions has them.
    networks : tuple of str, length n_regions, or ()
        Network of every region, where the table of regions has one.
    min_probability : float or None
        If the image of ``"labels"`` holds a map of probabilities for each label: a voxel belongs to
        the most probable one, if that has at least this value.
    needs : str
        What to install for the label image; empty if nothing is missing.
    description, citation, doi, licence : str
    """

    name: str
    kind: AtlasKind
    names: tuple[str, ...] = field(repr=False)
    space: str | None
    source: Path
    image: Path | None = None
    indices: tuple[int, ...] = field(default=(), repr=False)
    coordinates: NDArray[np.float64] | None = field(default=None, repr=False)
    radius: NDArray[np.float64] | None = field(default=None, repr=False)
    centres: NDArray[np.float64] | None = field(default=None, repr=False)
    networks: tuple[str, ...] = field(default=(), repr=False)
    min_probability: float | None = None
    needs: str = ""
    description: str = field(default="", repr=False)
    citation: str = field(default="", repr=False)
    doi: str = ""
    licence: str = field(default="", repr=False)

    def subset(self, names: Sequence[str]) -> "Parcellation":
        """Return the parcellation with some of its regions, in the given order.

        Raises
        ------
        SettingsError
            If a name is unknown or given twice; the message names the nearest region.
        """
        rows = find_regions(names, self.names, f"atlas '{self.name}'")
        return replace(
            self,
            names=tuple(names),
            indices=tuple(self.indices[i] for i in rows) if self.indices else (),
            coordinates=None if self.coordinates is None else self.coordinates[rows],
            radius=None if self.radius is None else self.radius[rows],
            centres=None if self.centres is None else self.centres[rows],
            networks=tuple(self.networks[i] for i in rows) if self.networks else (),
        )

    def in_space(self, space: str | None) -> "Parcellation":
        """Return the parcellation in the space of the images that it was laid over.

        An atlas that does not name its space is taken to be in that of the images, if it lies
        inside them, so that its regions are drawn there.
        """
        return self if self.space is not None else replace(self, space=space)

    def volume(self) -> Path:
        """Return the path of the image of labels or maps.

        Raises
        ------
        SettingsError
            If the package that contains it is not installed, or the atlas has no image.
        """
        if self.image is not None:
            return self.image
        if self.needs:
            raise SettingsError(
                f"The label image of atlas '{self.name}' comes with another package: "
                f"pip install {self.needs}."
            )
        raise SettingsError(
            f"Atlas '{self.name}' ('{self.source}') has region names only, no image and no "
            "coordinates; it cannot be laid over images."
        )


@dataclass(frozen=True)
class AtlasRow:
    """Hold one row of ``causal-ivae atlas list``; `needs` is empty if nothing is missing."""

    name: str
    kind: AtlasKind
    regions: int
    space: str
    citation: str
    needs: str


def find_regions(wanted: Sequence[str], there: Sequence[str], where: str) -> list[int]:
    """Return the positions of region names among all names.

    Raises
    ------
    SettingsError
        If a name is unknown or given twice, or fewer than two are given.
    """
    for name in wanted:
        if name not in there:
            remedy = nearest(name, there)
            if remedy.startswith("Allowed") and len(there) > 20:
                remedy = f"It has {len(there)} regions, such as {', '.join(there[:5])}."
            raise SettingsError(f"No region '{name}' in {where}. {remedy}")
    if len(set(wanted)) != len(wanted):
        twice = next(n for i, n in enumerate(wanted) if n in wanted[:i])
        raise SettingsError(f"Region '{twice}' is listed twice in the pipeline's 'regions'.")
    if len(wanted) < 2:
        raise SettingsError(
            f"{len(wanted)} region is listed in 'regions'; at least two are needed."
        )
    position = {name: i for i, name in enumerate(there)}
    return [position[name] for name in wanted]


def list_atlases() -> list[AtlasRow]:
    """Describe every bundled atlas in one row."""
    atlases = [load_atlas(name) for name in resources.names("atlases")]
    return [
        AtlasRow(a.name, a.kind, len(a.names), a.space or "unknown", a.citation, a.needs)
        for a in atlases
    ]


def load_atlas(name_or_path: str | Path, *, table: Path | None = None) -> Parcellation:
    """Read a parcellation by bundled name or by path.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        A bundled name, that of a published atlas (`PUBLISHED`) which was fetched, a label image, a
        table of regions, or the JSON file beside either.  Without a JSON file, ``space-`` or
        ``tpl-`` in the file name gives the space.
    table : pathlib.Path or None
        Table of regions, if it is not beside the image under the same name.

    Returns
    -------
    Parcellation

    Raises
    ------
    SettingsError
        If it is neither a file nor a known name, or was not fetched yet.
    InputError
        If a file beside it is missing, or the table cannot be used.
    """
    path = Path(name_or_path).expanduser()
    published = None if path.is_file() else find_published(str(name_or_path))
    if published is not None:
        path, table = published_files(published)
    else:
        path = resources.find("atlases", name_or_path)
    stem, extension = split_name(path.name)
    if extension == ".dlabel.nii" or extension in _SURFACES:
        return _of_surfaces(path, stem)
    if extension not in (*_IMAGES, *TABLE_ENDINGS, ".json"):
        raise InputError(
            f"'{path}' is no atlas: give a label image ({', '.join(_IMAGES)}, .dlabel.nii, .annot, "
            f".label.gii), a table of regions ({', '.join(TABLE_ENDINGS)}) or its .json."
        )
    beside = table or _beside(path, TABLE_ENDINGS)
    table_path = path if extension in TABLE_ENDINGS else beside
    if table_path is None:
        raise InputError(
            f"No table of regions beside '{path}': write '{stem}.tsv' with the columns 'index' "
            "and 'name' (or 'name', 'x', 'y', 'z'), or put FSL's .xml or FreeSurfer's table of "
            "colours there under that name."
        )
    about_path = path if extension == ".json" else _beside(path, (".json",))
    about = _read_description(about_path)
    regions = read_regions(table_path)
    base = Parcellation(
        kind="table",
        names=tuple(regions["name"]),
        source=table_path,
        networks=tuple(regions["network"]) if "network" in regions else (),
        **_described(path, stem, about),
    )
    if {"x", "y", "z"} <= set(regions.columns):
        xyz = np.column_stack([_floats(regions, c, table_path) for c in ("x", "y", "z")])
        radius = _radius(regions, about, table_path)
        return replace(base, kind="coordinates", coordinates=xyz, radius=radius)
    if set(_CENTRES) <= set(regions.columns):
        base = replace(
            base, centres=np.column_stack([_floats(regions, c, table_path) for c in _CENTRES])
        )
    image = path if extension in _IMAGES else _beside(path, _IMAGES)
    needs = ""
    # Only bundled atlases may name a package, since a user's file must not choose what is imported.
    packaged = "Volume" in about and table_path.parent == resources.folder("atlases")
    if image is None and packaged:
        image, needs = _packaged(about["Volume"])
        least = about["Volume"].get("MaximumProbability")
        base = replace(base, min_probability=None if least is None else float(least))
    if image is None and not needs:
        return base
    if image is not None and not packaged and (n_maps := _number_of_maps(image)) > 1:
        return _maps(base, image, n_maps)
    if "index" not in regions:
        raise InputError(
            f"'{table_path}' has no column 'index', so its regions cannot be found in the label "
            f"image. Its columns: {', '.join(map(str, regions.columns))}."
        )
    index = _floats(regions, "index", table_path)
    if (index != np.rint(index)).any() or len(set(index)) != len(index):
        raise InputError(f"Column 'index' of '{table_path}' must hold distinct whole numbers.")
    indices = tuple(int(i) for i in index)
    kept = np.flatnonzero(index)
    return replace(
        base,
        kind="labels",
        image=image,
        needs=needs,
        networks=tuple(base.networks[i] for i in kept) if base.networks else (),
        names=tuple(base.names[i] for i in kept),
        indices=tuple(indices[i] for i in kept),
        centres=None if base.centres is None else base.centres[kept],
    )


def _of_surfaces(path: Path, stem: str) -> Parcellation:
    """Read labels of grayordinates or of a surface, whose names are in the file itself."""
    # nibabel's readers of these take a moment to import, and few atlases need them.
    from causal_ivae.imaging.surface_labels import dense_labels, read_surface_labels

    about = _read_description(_beside(path, (".json",)))
    dense = path.suffix == ".nii"
    regions = (
        dense_labels(path)
        if dense
        else {
            region: value
            for side in read_surface_labels(path)
            for region, value in side.regions.items()
        }
    )
    return Parcellation(
        kind="grayordinates" if dense else "surface",
        names=tuple(regions),
        source=path,
        image=path,
        indices=tuple(regions.values()),
        **_described(path, stem.removeprefix("lh."), about),
    )


def _described(path: Path, stem: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the description of an atlas and the name of its file say of it."""
    entities = parse_entities(path.name)
    space = about.get("Space") or entities.get("space") or entities.get("tpl")
    name = str(about.get("Name") or entities.get("atlas") or stem)
    return {
        "name": re.sub(r"[^A-Za-z0-9]", "", name),
        "space": None if space is None else str(space),
        "description": str(about.get("Description", "")),
        "citation": str(about.get("Citation", "")),
        "doi": str(about.get("DOI", "")),
        "licence": str(about.get("License", "")),
    }


def _number_of_maps(image: Path) -> int:
    shape = atlas_image(image).shape
    return shape[3] if len(shape) == 4 else 1


def _maps(base: Parcellation, image: Path, n_maps: int) -> Parcellation:
    if len(base.names) != n_maps:
        raise InputError(
            f"'{image}' has {n_maps} maps but '{base.source}' has {len(base.names)} regions; one "
            "row for each map, in order, is needed."
        )
    return replace(base, kind="maps", image=image, indices=tuple(range(n_maps)))


def _beside(path: Path, extensions: Sequence[str]) -> Path | None:
    stem = split_name(path.name)[0]
    for extension in extensions:
        candidate = path.with_name(f"{stem}{extension}")
        if candidate.is_file():
            return candidate
    # One table may serve images of several resolutions, whose names have more entities.
    suffix = stem.rsplit("_", 1)[-1]
    if "_" not in stem or "-" in suffix:
        return None
    found = (find_sidecar(path, suffix, e, path.parent) for e in extensions)
    return next((f for f in found if f is not None), None)


def _read_description(path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    return read_json_object(path, "The atlas description")


def _floats(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.float64]:
    values = np.empty(len(table))
    for row, text in enumerate(table[column]):
        values[row] = float(text) if is_number(text) else np.nan
        if not np.isfinite(values[row]):
            raise InputError(f"'{path}', column '{column}', row {row + 1}: '{text}' is no number.")
    return values


def _radius(table: pd.DataFrame, about: Mapping[str, Any], path: Path) -> NDArray[np.float64]:
    if "radius" in table:
        radius = _floats(table, "radius", path)
    elif isinstance(about.get("Radius"), int | float):
        radius = np.full(len(table), float(about["Radius"]))
    else:
        raise InputError(
            f"No radius for the spheres of '{path}': add a column 'radius' in mm, or "
            '"Radius" to the JSON file beside it.'
        )
    wrong = np.flatnonzero((radius <= 0) | (radius > _LARGEST_RADIUS))
    if wrong.size:
        raise InputError(
            f"The radius of '{table['name'].iloc[wrong[0]]}' in '{path}' is {radius[wrong[0]]:g} "
            f"mm; it must be above 0 and at most {_LARGEST_RADIUS:g} mm."
        )
    return radius


def _packaged(volume: Mapping[str, str]) -> tuple[Path | None, str]:
    # Only a file of the package is needed, so that it is found but not imported.
    spec = importlib.util.find_spec(volume["Package"])
    if spec is None or spec.origin is None:
        return None, volume["Install"]
    image = Path(spec.origin).parent / volume["File"]
    return (image, "") if image.is_file() else (None, volume["Install"])
