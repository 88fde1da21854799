"""Turn results into pages, figures and files for readers."""
