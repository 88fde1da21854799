"""Turn results into pages, figures and files for readers."""

__all__ = [
    "cohort_pages",
    "fits",
    "graph_files",
    "html",
    "mni_maps",
    "region_map",
    "templates",
    "verdict",
]
