"""Describe an output folder as a BIDS dataset of derivatives."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from causal_ivae.derivatives.files import read_sidecar, write_json, write_text

_IGNORED = """\
# BIDS has no place yet for pages, figures, statistics over subjects, tables of graphs and series.
# The names of the latter follow the draft of BIDS extension proposal 17.
*.html
atlas-*_regions.png
exclude.tsv
logs**
exports**
group**
pooled**
.causal-ivae-*
sub-*/figures**
sub-*/log**
sub-*/**/*_nodeindices.*
sub-*/**/*_outliers.*
sub-*/**/*_timeseries.*
sub-*/**/*_meas-*
"""
_README = """\
# Causal graphs between brain regions

Written by causal-ivae. In every matrix a row is a cause and a column is an effect.

- `index.html`: an overview of all subjects; `sub-<label>.html` and `group.html`: the results.
- `sub-<label>/**/*_edges.tsv`: one row for each pair of regions, with the decision.
- `sub-<label>/**/*_relmat.dense.tsv`: direction scores as a matrix, in the order of
  `*_nodeindices.tsv`.
- `sub-<label>/**/*_timeseries.tsv`: the series that were analysed; `*_outliers.tsv`: which volumes
  were kept.
- `group/`: statistics over subjects.
- `exclude.tsv`, if there: whom a reader of the pages left out of the group, and why.
- `logs/`: settings, command and state of every run.

Each table has a JSON file of the same name that says what its columns mean.
`causal-ivae export` writes the graphs for other programs.
"""


def describe_dataset(output: Path, source: Path, generated_by: Sequence[Mapping[str, Any]]) -> None:
    """Write ``dataset_description.json``, and ``README.md`` and ``.bidsignore`` if missing.

    Parameters
    ----------
    source : pathlib.Path
        Folder of the input, which the description links to.
    generated_by : sequence of mapping
        The entry of this name: program, version and where its code is.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    link = source.resolve().as_uri()
    description: dict[str, Any] = {
        "Name": "causal-ivae: causal graphs between brain regions",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": list(generated_by),
        "SourceDatasets": [{"URL": link}],
        "DatasetLinks": {"source": link},
    }
    path = output / "dataset_description.json"
    if read_sidecar(path) != description:
        write_json(path, description)
    for name, text in (("README.md", _README), (".bidsignore", _IGNORED)):
        if not (output / name).exists():
            write_text(output / name, text)
