"""What the estimators refuse, and what they say then."""

import numpy as np
import pytest

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.seeding import generator
from causal_ivae.unmixing.estimators import IVAE, TCL, VAE, FastICA, FlowIVAE

X = generator(1, "bad input").normal(size=(186, 2)) * 7.0 + 3.0
U = 10 * np.repeat(np.arange(6), 31) - 5
BAD_ROW = np.where(np.arange(len(X))[:, None] == 7, [[0.0, np.nan]], X)
LONELY = np.where(np.arange(len(U)) == 4, 99, U)
REAL_U = np.linspace(0.0, 1.0, len(U))


def tiny(kind=IVAE, **changes):
    return kind(steps=2, device="cpu", **changes)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: IVAE().transform(X, U), "IVAE is not fitted; call fit"),
        (lambda: VAE().sample(3), "VAE is not fitted; call fit"),
        (lambda: FlowIVAE().inverse_transform(X), "FlowIVAE is not fitted; call fit"),
        (lambda: tiny(n_components=3).fit(X, U), "n_components is 3, but 'x' has 2 .* give 1 to 2"),
        (lambda: tiny(n_components=0).fit(X, U), "n_components is 0, but 'x' has 2 .* give 1 to 2"),
        (lambda: FastICA(3).fit(X), "n_components is 3, but 'x' has 2 columns; give 1 to 2"),
        (lambda: tiny().fit(X, U[:-1]), r"'u'. .* integers of shape \(186,\), .* \(185,\)"),
        (lambda: tiny().fit(X, U.astype(str)), "'u'. Expected integers .* but got type <U"),
        (lambda: tiny().fit(X, REAL_U[:-1]), r"'u'. Expected \(186,\) or .* but got \(185,\)"),
        (lambda: tiny().fit(X, U * 0 + 3), "'u' has one distinct value, 3; .* two segments"),
        (lambda: tiny().fit(X, LONELY), "Segment 99 of 'u' has one row; .* Join it to another"),
        (lambda: tiny().fit(X, REAL_U * 0 + 0.1), "'u'. Every column must vary, but column 0 is"),
        (
            lambda: tiny().fit(X, np.where(REAL_U > 0.5, np.inf, REAL_U)),
            "'u'. .* finite, but got inf in row 93, column 0 instead; remove or",
        ),
        (lambda: tiny().fit(X * [0, 1] + 0.1, U), "'x'. .* but column 0 is constant; leave it out"),
        (lambda: tiny().fit(X[:, 0], U), r"'x'. .* \(n_times, n_features\), but got \(186,\)"),
        (lambda: tiny().fit(X[:0], U[:0]), r"'x'. Expected .* but got \(0, 2\) instead"),
        (
            lambda: tiny(TCL).fit(BAD_ROW, U),
            "'x'. .* finite, but got nan in row 7, column 1 instead; remove or interpolate",
        ),
        (lambda: FastICA().fit(BAD_ROW), "'x'. .* got nan in row 7, column 1"),
        (lambda: tiny(VAE).fit(BAD_ROW), "'x'. .* got nan in row 7, column 1"),
        (
            lambda: tiny(likelihood="bernoulli").fit(X, U),
            "'x' has the value .* in row 0, column 0; with likelihood='bernoulli' .* 0 or 1",
        ),
        (
            lambda: tiny(TCL).fit(X, REAL_U),
            r"'u' has shape \(186,\) and type float64; TCL .* integ",
        ),
        (lambda: tiny(TCL).fit(X, X), r"'u' has shape \(186, 2\).* so u must be integers"),
        (lambda: tiny(TCL).fit(X, U).transform(X[:, :1]), "'x' has 1 columns; .* fitted to 2"),
        (lambda: FastICA().fit(X).transform(X[:, :1]), "'x' has 1 columns; .* fitted to 2"),
        (lambda: tiny().fit(X, U).transform(X, U + 60), "Segment 55 in row 0 of 'u' was not in"),
        (lambda: tiny().fit(X, U).sample(U + 1), "Segment -4 in row 0 of 'u' was not in"),
        (lambda: tiny().fit(X, U).transform(X), "IVAE needs the auxiliary variable: give x and u"),
        (lambda: tiny().fit(X, REAL_U).transform(X, X), "'u' has 2 columns; .* fitted to 1"),
        (lambda: tiny(VAE).fit(X).sample(0), "Invalid value 0 for 'count': give 1 or more"),
        (
            lambda: tiny(FlowIVAE).fit(X, U).inverse_transform(X[:, :1]),
            "'z' has 1 columns; the model was fitted to 2",
        ),
        (
            lambda: tiny(FlowIVAE, n_components=1).fit(X, U).inverse_transform(X[:, :1]),
            r"1 components for 2 columns, so z alone does not give x; use sample\(u\)",
        ),
    ],
)
def test_bad_input_is_named(use, message):
    with pytest.raises(InputError, match=message):
        use()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (IVAE(prior="foo"), "Invalid value 'foo' for 'prior': .* 'gaussian' or 'laplace'"),
        (FlowIVAE(prior="foo"), "Invalid value 'foo' for 'prior': .* 'gaussian' or 'laplace'"),
        (IVAE(modulates="mean"), "Invalid value 'mean' for 'modulates': .* 'mean_variance'"),
        (IVAE(likelihood="poisson"), "Invalid value 'poisson' for 'likelihood'"),
        (IVAE(noise=0.0), "Invalid value 0.0 for 'noise"),
        (IVAE(weights={"reconstruction": 0.0}), "Invalid value 0.0 for 'weights.reconstruction'"),
        (IVAE(weights={"kl": 1.0}), "Invalid value 1.0 for 'weights.kl'"),
        (VAE(beta=-1.0), "Invalid value -1.0 for 'weights.*': .* greater than or equal to 0"),
        (TCL(steps=0), "Invalid value 0 for 'steps': .* greater than or equal to 1"),
        (TCL(ica="infomax"), "Invalid value 'infomax' for 'ica'"),
        (FlowIVAE(knots=1), "Invalid value 1 for 'knots': .* greater than or equal to 2"),
        (IVAE(restarts=0), "Invalid value 0 for 'restarts': give 1 or more"),
        (TCL(restarts=-1), "Invalid value -1 for 'restarts': give 1 or more"),
        (IVAE(device="gpu"), "Unknown device 'gpu'. Allowed"),
    ],
)
def test_bad_parameters_are_named(model, message):
    with pytest.raises(SettingsError, match=message):
        model.fit(X, U)
    assert issubclass(SettingsError, ValueError)
    assert issubclass(InputError, ValueError)
