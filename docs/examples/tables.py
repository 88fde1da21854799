"""Write three simulated subjects as CSV files of region time series.

    python docs/examples/tables.py FOLDER

ERC drives CA1, and CA1 drives SUB.  No measurement of a brain.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from causal_ivae.simulate import simulate_bold


def main(folder: Path) -> None:
    """Write one file per subject: a column per region, a row per volume."""
    folder.mkdir(parents=True)
    adjacency = np.zeros((3, 3), dtype=bool)
    adjacency[0, 1] = adjacency[1, 2] = True
    for label in ("01", "02", "03"):
        values = simulate_bold(adjacency, n_times=600, tr=1.0, subject=label).values
        table = pd.DataFrame(values, columns=["ERC", "CA1", "SUB"])
        table.to_csv(folder / f"sub-{label}_timeseries.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
