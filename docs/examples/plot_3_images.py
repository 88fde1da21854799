"""
Images, confounds and an atlas
==============================

A small simulated run with motion in every voxel. ``discover_images`` averages the voxels of every
region, regresses the confounds out and leaves gaps where volumes are censored.
"""

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.maskers import NiftiLabelsMasker

from causal_ivae import discover_images
from causal_ivae.simulate import simulate_bold

names = ("ERC", "CA1", "SUB")
adjacency = np.zeros((3, 3), dtype=bool)
adjacency[0, 1] = adjacency[1, 2] = True
series = simulate_bold(adjacency, n_times=600, tr=1.0).values
motion = np.cumsum(np.random.default_rng(1).normal(scale=0.2, size=600))

# %%
# Three slabs of voxels are the regions.
labels = np.repeat([1, 2, 3], 2)[:, None, None] * np.ones((6, 4, 4), dtype=int)
voxels = 1000 + 10 * (series.T[labels - 1] + motion)
bold = nib.Nifti1Image(voxels.astype(np.float32), np.diag([3.0, 3, 3, 1]))
bold.header.set_zooms((3, 3, 3, 1))

# %%
# A masker of nilearn or the name of an atlas would do as well.
atlas = nib.Nifti1Image(labels.astype(np.int16), bold.affine)
regions = pd.DataFrame({"index": [1, 2, 3], "name": names})
masker = NiftiLabelsMasker(atlas, lut=regions, standardize=None)
masker.set_output(transform="pandas").fit()
kept = np.setdiff1d(np.arange(600), [200, 201, 202])
graph = discover_images(bold, pd.DataFrame({"trans_x": motion}), masker, sample_masks=kept)
graph.edges[["x", "y", "decision", "leaning", "probability_leaning"]]

# %%
# An open head leans only: a single person's data seldom decide.
drawing = graph.plot()
