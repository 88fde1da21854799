"""Offer every model as an estimator with scikit-learn's methods, for one data set at a time."""

from causal_ivae.unmixing.estimators.autoencoders import IVAE, VAE
from causal_ivae.unmixing.estimators.flow import FlowIVAE
from causal_ivae.unmixing.estimators.linear import DirectLiNGAM, FastICA, SegmentICA
from causal_ivae.unmixing.estimators.tcl import TCL

__all__ = ["IVAE", "TCL", "VAE", "DirectLiNGAM", "FastICA", "FlowIVAE", "SegmentICA"]
