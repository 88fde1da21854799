"""Write three simulated subjects as CSV files of region time series, and participants.tsv.

    python docs/examples/tables.py FOLDER

ERC drives CA1, and CA1 drives SUB.  No measurement of a brain; scores of memory are made up.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from causal_ivae.simulate import simulate_bold


def main(folder: Path) -> None:
    """Write a file per subject, with a column per region, and the table of people."""
    folder.mkdir(parents=True)
    adjacency = np.zeros((3, 3), dtype=bool)
    adjacency[0, 1] = adjacency[1, 2] = True
    for label in ("01", "02", "03"):
        values = simulate_bold(adjacency, n_times=600, tr=1.0, subject=label).values
        # In the units of a scanner: around a baseline, and not equally strong everywhere.
        scales = np.random.default_rng(int(label)).uniform(5, 15, size=3)
        table = pd.DataFrame(1000 + scales * values, columns=["ERC", "CA1", "SUB"])
        table.to_csv(folder / f"sub-{label}_timeseries.csv", index=False)
    people = {"participant_id": ["sub-01", "sub-02", "sub-03"], "memory": [21, 17, 19]}
    pd.DataFrame(people).to_csv(folder / "participants.tsv", sep="\t", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
