"""Settings of the documentation site, which `prepare.py` copies beside the pages."""

import os
import sys
from pathlib import Path

from causal_ivae.provenance import package_version

sys.path.insert(0, str(Path(__file__).parent))

project = "causal-ivae"
author = "The causal-ivae developers"
version = release = package_version()

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["templates"]
exclude_patterns = ["examples", "extra", "templates"]
html_extra_path = ["extra"]
highlight_language = "text"
nitpicky = False

myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "image_scrapers": ("matplotlib", "gallery_drawings.save_drawing"),
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    # The page of computing times would load scripts from elsewhere.
    "write_computation_times": False,
    # Examples of a site that is built for its links alone need not run.
    "plot_gallery": os.environ.get("RUN_EXAMPLES", "1") == "1",
}

html_theme = "pydata_sphinx_theme"
html_title = "causal-ivae"
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "use_edit_page_button": False,
}
