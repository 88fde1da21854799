"""
Unmix sources with iVAE
=======================

Two sources whose variances change from segment to segment are mixed by a nonlinear network. iVAE,
which sees the segments, finds them; a VAE, which does not, has no reason to.
"""

import matplotlib.pyplot as plt
import numpy as np

from causal_ivae import IVAE, VAE
from causal_ivae.simulate import segment_sources
from causal_ivae.unmixing import mean_correlation

rng = np.random.default_rng(0)
sources, segments = segment_sources(20, 100, 2, rng=rng)
hidden = sources @ np.array([[1.0, 0.6], [-0.5, 1.0]])
mixed = np.where(hidden > 0, hidden, 0.2 * hidden) @ np.array([[0.8, -0.5], [0.4, 1.0]])

# %%
# The score is the mean correlation of sources and components, the best match of them taken.
models = {"iVAE": IVAE(steps=400, restarts=2, seed=0).fit(mixed, segments)}
found = {"iVAE": models["iVAE"].transform(mixed, segments)}
found["VAE"] = VAE(steps=400, restarts=2, seed=0).fit(mixed).transform(mixed)
found["as observed"] = mixed
scores = {name: mean_correlation(sources, values) for name, values in found.items()}
scores

# %%
# One component of iVAE against its source, coloured by segment.
figure, axes = plt.subplots(1, 2, figsize=(8, 3.5), layout="constrained")
axes[0].bar(list(scores), list(scores.values()))
axes[0].set_ylabel("mean correlation with the sources")
correlation = np.abs(np.corrcoef(sources.T, found["iVAE"].T)[:2, 2:])
axes[1].scatter(sources[:, 0], found["iVAE"][:, correlation[0].argmax()], c=segments, s=3)
axes[1].set(xlabel="source", ylabel="component")

# %%
# Whether the fit can be believed, without knowing the sources:
print(models["iVAE"].diagnostics_.sentence())
