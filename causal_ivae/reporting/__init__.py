"""Turn results into pages, figures and files for readers."""

__all__ = [
    "comparison_page",
    "fits",
    "forest",
    "graph_files",
    "group_page",
    "html",
    "index_page",
    "methods_files",
    "mni_maps",
    "page_head",
    "recorded",
    "region_map",
    "subject_summary",
    "templates",
    "verdict",
]
