"""
From series to a graph
======================

Six people are simulated, in whom six regions form a chain: A drives B, B drives C, and so on. All
regions are judged together, in one fit of all people. No measurement of a brain.
"""

import numpy as np

from causal_ivae import discover
from causal_ivae.simulate import simulate_bold

names = ["A", "B", "C", "D", "E", "F"]
chain = np.eye(6, k=1, dtype=bool)
people = [simulate_bold(chain, n_times=400, tr=1.0, subject=str(k)).values for k in range(6)]

# %%
# ``segments=50`` cuts every run into windows of 50 volumes. The table has one row for each pair,
# with the probabilities behind the decision.
graph = discover(people, segments=50, names=names, seed=0)
graph.edges[["x", "y", "decision", "probability_forward", "probability_backward", "why"]]

# %%
# How many arrows the data claim at every probability, beside twins of them that have none.
graph.tables["twins"]

# %%
# The drawing: an arrow runs from cause to effect; an open head leans only.
drawing = graph.plot()
