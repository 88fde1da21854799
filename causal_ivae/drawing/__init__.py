"""Draw graphs as figures, for results that draw themselves and for the pages."""

__all__ = [
    "arrows",
    "graph_figure",
    "notebook",
    "panel_figure",
    "region_groups",
    "sketch",
    "svg",
    "text_width",
    "wording",
]
