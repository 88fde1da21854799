"""Pictures of the gallery that pyplot does not know of."""

from typing import Any

from sphinx_gallery.scrapers import figure_rst


def save_drawing(_: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figure that a block of an example calls ``drawing``, and return how to show it.

    `causal_ivae.derivatives.CausalGraph.plot` returns a figure without pyplot, whose own scraper
    therefore does not find it.
    """
    drawing = block_vars["example_globals"].pop("drawing", None)
    if drawing is None:
        return ""
    path = next(block_vars["image_path_iterator"])
    drawing.savefig(path, dpi=150)
    return str(figure_rst([path], gallery_conf["src_dir"]))
