"""Turn results into pages, figures and files for readers."""

__all__ = [
    "comparison_page",
    "fits",
    "graph_files",
    "html",
    "index_page",
    "mni_maps",
    "region_map",
    "subject_summary",
    "templates",
    "verdict",
]
