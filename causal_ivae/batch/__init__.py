"""Analyse a folder of subjects and write the derivatives tree, whatever fails on the way.

``plan`` says what will run, ``runner`` runs it: ``participant`` for each subject and ``cohort`` for
the group are the pieces of work, ``cluster`` isolates them, ``recording`` writes and reads their
files, ``pages`` makes their pages, ``status`` and ``progress`` tell how it goes.
"""

__all__ = [
    "live",
    "overview",
    "pages",
    "plan",
    "preview",
    "progress",
    "request",
    "runner",
    "status",
    "workers",
]
