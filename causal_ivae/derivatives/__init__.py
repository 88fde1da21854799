"""The one place that knows output names, and the only writer of output files.

Every file is written under a temporary name beside its final one and then moved, sidecars last,
so a file that exists under its final name is whole.

::

    dataset_description.json
    sub-XX/func/sub-XX_<entities>_timeseries.tsv, .json    kept volumes, z-scored per run
                              ..._outliers.tsv             one row per volume as acquired
                              ..._meas-<method>_edges.tsv, .json
                              ..._meas-<method>_tests.tsv
                              ..._meas-<method>_restarts.tsv
                              ..._meas-<method>_training.tsv
                              ..._meas-<method>_diagnostics.tsv, .json
                              ..._meas-<method>_stability.tsv, .json     over resamples, restarts
                              ..._meas-<method>_disturbances.npy, .json  recovered, of every pair
                              ..._meas-<method>_evidence.tsv, .json      of structural flows
                              ..._meas-<method>_screen.tsv, .json        where pairs were screened
                              ..._meas-<method>_priorcheck.tsv
                              ..._meas-<method>_relmat.dense.tsv, _relmat.json
                              ..._nodeindices.tsv
    sub-XX/figures/sub-XX_<entities>_meas-<method>_graph.graphml, .dot, .json, .tsv
                   ..._meas-<method>_graph.svg, .png; _circuit, _brain, _scores, _training alike
                   ..._series.svg, .png; _reliability, _share alike
    atlas-<name>_regions.png        the regions on the MNI template, where an atlas places them
    sub-XX.html, group.html
    group/group_meas-<method>_edges.tsv, .json, _relmat.dense.tsv, ...
    group/group_meas-<method>_model.tsv, .json      what scores go with, where a model is asked for
    group/group_subjects.tsv        which subjects are in it, and why the others are not
    pooled.html, pooled/pooled_meas-<method>_edges.tsv, ...    one fit of all, where asked for
    logs/<uuid>/status.tsv, run.json, run.log, pipeline.yaml
    .causal-ivae-claims/            says to other programs who writes what
"""
