"""Draw graphs as figures, for results that draw themselves and for the pages."""
