"""Read tables of an atlas's regions: those of BIDS, FreeSurfer, FSL, XCP-D and DiFuMo."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd

from causal_ivae.derivatives.names import refuse_missing_name
from causal_ivae.errors import InputError
from causal_ivae.given_files import read_table, read_text

TABLE_ENDINGS = (".tsv", ".csv", ".xml", ".txt", ".lut", ".ctab")
"""Ends of the names of tables of regions; the last four are those of FSL and FreeSurfer."""
_NAMES = ("name", "label", "difumo_names", "region", "region_name", "regionname", "roi_name")
_INDICES = ("index", "component", "value", "id", "roi", "label")
_NETWORKS = ("network", "network_label", "network_label_7network", "yeo_networks7", "community")
_SNAP_LINE = re.compile(r'\s*(\d+)(?:\s+[\d.]+){3,6}\s+"([^"]*)"\s*')
"""ITK-SNAP and ASHS write a number, six numbers for the display, and the name in quotes."""
_LUT_LINE = re.compile(r"\s*(\d+)[\s,]+(\S+)((?:[\s,]+\d+){3,4})?\s*")


def read_regions(path: Path) -> pd.DataFrame:
    """Read the regions of an atlas as text, with a column ``name``.

    Parameters
    ----------
    path : pathlib.Path
        A .tsv or .csv with a header; a table of FreeSurfer's (.txt, .lut, .ctab: number, name,
        colours) or of ITK-SNAP's and ASHS's; or FSL's .xml.

    Returns
    -------
    DataFrame
        Columns in lower case.  ``index`` (value of the label, or number of the map from 0) and
        ``network`` are there if the file has them under one of their usual names.

    Raises
    ------
    InputError
        If the table cannot be read, has no names, or names a region twice.
    """
    extension = path.suffix.lower()
    if extension == ".xml":
        table = _of_fsl(path)
    elif extension in (".txt", ".lut", ".ctab"):
        table = _of_freesurfer(path)
    else:
        table = _of_columns(path)
    if "name" not in table or not len(table):
        columns = ", ".join(map(str, table.columns))
        raise InputError(
            f"The table of regions '{path}' needs a column 'name' and a row per region. "
            f"Its columns: {columns}."
        )
    table["name"] = table["name"].str.strip()
    names = list(table["name"])
    refuse_missing_name(names, f"The table of regions '{path}'")
    seen: set[str] = set()
    for row, name in enumerate(names):
        if not name or name in seen:
            what = f"'{name}' is listed twice" if name else f"row {row + 1} has no name"
            raise InputError(f"In the table of regions '{path}', {what}.")
        seen.add(name)
    return table


def _of_columns(path: Path) -> pd.DataFrame:
    separator = "\t" if path.suffix == ".tsv" else ","
    options = {"sep": separator, "dtype": str, "keep_default_na": False}
    table = read_table(path, "The table of regions", **options)
    table = table.rename(columns=lambda c: str(c).strip().lower())
    table = table.loc[:, ~table.columns.duplicated()]
    # FreeSurfer's tables in BIDS have numbers in 'label' and words in 'name'; XCP-D's have words in
    # 'label'.
    for wanted, usual in (("name", _NAMES), ("index", _INDICES), ("network", _NETWORKS)):
        found = next(
            (c for c in usual if c in table and (c != "label" or _fits(table, wanted))), ""
        )
        if found and wanted not in table:
            table[wanted] = table[found]
    return table


def _fits(table: pd.DataFrame, wanted: str) -> bool:
    numbers = bool(table["label"].str.strip().str.fullmatch(r"\d+").all())
    return numbers == (wanted == "index")


def _of_freesurfer(path: Path) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(read_text(path, "The table of regions").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _SNAP_LINE.fullmatch(line) or _LUT_LINE.fullmatch(line)
        if found is None:
            raise InputError(
                f"'{path}', line {number}: '{line.strip()[:60]}' is no region; a line holds a "
                "number, a name and perhaps colours."
            )
        rows.append((found.group(1), found.group(2)))
    return pd.DataFrame(rows, columns=["index", "name"])


def _of_fsl(path: Path) -> pd.DataFrame:
    text = read_text(path, "The table of regions")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"'{path}' declares entities of its own, which are not read.")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without a document type there are no entities
    except ET.ParseError as error:
        raise InputError(f"The table of regions '{path}' cannot be read: {error}") from error
    labels = root.findall(".//label")
    kind = (root.findtext(".//type") or "").strip().lower()
    # FSL counts from 0 the maps of probabilistic atlases, and the labels of its images from 1 more.
    shift = 0 if kind.startswith("probabilis") or kind == "label" else 1
    rows = [
        (str(int(label.get("index", "0")) + shift), (label.text or "").strip()) for label in labels
    ]
    return pd.DataFrame(rows, columns=["index", "name"])
