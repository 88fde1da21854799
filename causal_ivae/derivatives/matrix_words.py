"""Describe for sidecars what the matrices that are written beside the tables hold."""

MATRIX = (
    "Signed direction score of every ordered pair of regions. Row = cause, column = effect: a "
    "positive value in row i, column j favours 'region i drives region j', and the value in row "
    "j, column i is its negative. No header; rows and columns in the order of _nodeindices.tsv. "
    "File names follow the draft of BIDS extension proposal 17 (BEP017)."
)
DISTURBANCES = (
    "Recovered disturbances, z-scored, half precision, shape (pairs, 2, volumes): one row per "
    "unmixed pair in the order of _diagnostics.tsv, of the fit that it judges; by structural flows "
    "of x and y, else n1 and n2. Volumes are the rows of _timeseries.tsv that are in a segment. "
    "Read it with numpy.load."
)
