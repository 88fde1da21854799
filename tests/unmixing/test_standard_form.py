import numpy as np
import pytest
from scipy.stats import norm

from causal_ivae.unmixing.standard_form import normal_scores


@pytest.mark.parametrize("bend", [np.exp, lambda z: z, lambda z: np.sign(z) * np.abs(z) ** 1.5])
def test_scores_are_normal_as_far_out_as_values_lie(bend):
    z = norm.ppf((np.arange(3000) + 0.5) / 3000)[:, None]
    values = bend(z)
    scores, log_slope = normal_scores(((values - values.mean()) / values.std()).astype(np.float32))
    # The outermost values are quantiles too, so that no line leads far beyond the last one.
    assert np.abs(scores - z).max() < 0.25
    assert np.abs(scores[30:-30] - z[30:-30]).max() < 0.1
    assert np.isfinite(log_slope).all()
