"""Graphs as figures, for a result that draws itself and for the pages."""
