"""
A graph held against anatomy
============================

The prior never enters the estimation. Afterwards every arrow is direct, indirect, or not
feasible, and the counts stand beside those of the same graph with its regions permuted.
"""

import numpy as np

from causal_ivae import discover
from causal_ivae.anatomy import compare_with_prior, load_prior
from causal_ivae.settings import PriorSettings
from causal_ivae.simulate import simulate_bold

names = ["PRC", "ERC", "CA3/DG", "CA1", "SUB"]
chain = np.eye(5, k=1, dtype=bool)
people = [simulate_bold(chain, n_times=400, tr=1.0, subject=str(k)).values for k in range(5)]
graph = discover(people, segments=50, names=names, seed=0)
drawing = graph.plot()

# %%
# A path of at most two projections counts as feasible; in a circuit with loops, longer ones join
# all.
prior = load_prior(PriorSettings(name="hippocampal_circuit"))
comparison = compare_with_prior(graph.edges, prior, max_path=2)
comparison.check

# %%
comparison.summary["Direct"], comparison.summary["Feasible"]
