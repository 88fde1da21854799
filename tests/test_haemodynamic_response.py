import numpy as np
import pytest
from nilearn.glm.first_level import spm_hrf
from scipy.stats import gamma

from causal_ivae.haemodynamic_response import double_gamma


@pytest.mark.parametrize("step", [0.1, 0.72, 2.0])
def test_the_response_is_that_of_friston(step):
    seconds = np.arange(0.0, 32.0, step)
    expected = gamma.pdf(seconds, 6.0) - gamma.pdf(seconds, 16.0) / 6.0
    np.testing.assert_allclose(double_gamma(step), expected, rtol=1e-12, atol=1e-15)


def test_it_peaks_after_five_seconds_and_undershoots_as_others_say():
    response = double_gamma(0.1)
    assert np.argmax(response) == pytest.approx(50, abs=1)
    theirs = spm_hrf(t_r=0.1, oversampling=1, time_length=32.0)
    assert np.corrcoef(response, theirs)[0, 1] > 0.999
    assert response.min() / response.max() == pytest.approx(theirs.min() / theirs.max(), abs=0.01)
