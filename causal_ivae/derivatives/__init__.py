"""Name, write and read the output files; no other package knows their names.

Every file is written under a temporary name beside its final one and then moved, sidecars last,
so a file that exists under its final name is whole.  `causal_ivae.derivatives.tables` declares the
tables, and which of a subject, a group and a method has them.

::

    dataset_description.json
    sub-XX/func/sub-XX_<entities>_<table>.tsv, .json
                              ..._meas-<method>_<table>.tsv, .json
                              ..._meas-<method>_relmat.dense.tsv, _relmat.json
                              ..._meas-<method>_disturbances.npy, .json  recovered, of every pair
    sub-XX/figures/sub-XX_<entities>_meas-<method>_graph.graphml, .dot, .json, .tsv
                   ..._meas-<method>_graph.svg, .png; _circuit, _brain, _scores, _training alike
                   ..._series.svg, .png; _reliability, _share alike
                   ..._regions.png  the regions on the subject's own anatomy, where it is there
    atlas-<name>_regions.png        the regions on the MNI template, where an atlas places them
    sub-XX.html, group.html
    group/group_<table>.tsv, group_meas-<method>_<table>.tsv, ...
    pooled.html, pooled/pooled_meas-<method>_<table>.tsv, ...    one fit of all, where asked for
    logs/<uuid>/status.tsv, run.json, run.log, pipeline.yaml
    .causal-ivae-claims/            says to other programs who writes what
    .causal-ivae-index/             what the index says of every subject
"""

from causal_ivae.derivatives.causal_graph import CausalGraph, Cycle
from causal_ivae.derivatives.units import StudyResults, Unit, load_results

__all__ = ["CausalGraph", "Cycle", "StudyResults", "Unit", "load_results"]
