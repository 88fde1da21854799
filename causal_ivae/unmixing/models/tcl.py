"""Define a stack of time-contrastive learners (TCL; Hyvarinen and Morioka 2016)."""

from typing import Literal

import torch
from torch import Tensor

from causal_ivae.settings import TCLSettings
from causal_ivae.unmixing.linear_ica import fast_ica, score_matching_ica
from causal_ivae.unmixing.models.networks import Initialiser, StackedMaxout
from causal_ivae.unmixing.models.stacked import Auxiliary, LikelihoodModel


class StackedTCL(LikelihoodModel):
    """Classify segments by maxout features, whose linear ICA gives the components.

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
    auxiliary : Auxiliary
        The segments; a continuous u is not possible.

    Notes
    -----
    The segment label is predicted by multinomial logistic regression on as many features h(x) as
    there are columns, with absolute values in the last layer.  At the optimum, h is a linear
    mixture of the terms of log p(z), here |z| (Hyvarinen and Morioka 2016, theorem 1), which linear
    ICA unmixes.
    """

    def __init__(
        self, keys: Tensor, n_features: int, auxiliary: Auxiliary, settings: TCLSettings
    ) -> None:
        super().__init__()
        self.keys = keys
        self.n_components = n_features
        self.settings = settings
        n_segments = auxiliary.segments
        init = Initialiser(keys)
        self.features = StackedMaxout(
            init, n_features, hidden=settings.hidden, layers=settings.layers, pieces=settings.maxout
        )
        self.class_weight = init.symmetric(n_features, n_segments, bound=0.1)
        self.class_bias = init.constant(1, n_segments, value=0.0)
        self.ica_mean: Tensor
        self.ica_weight: Tensor
        self.register_buffer("ica_mean", keys.new_zeros(len(keys), 1, n_features).float())
        identity = torch.eye(n_features, device=keys.device)
        self.register_buffer("ica_weight", identity.repeat(len(keys), 1, 1))

    def log_likelihood(self, x: Tensor, u: Tensor, noise: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return the log-probability of the true segment u (rows,) of x, shape (members, rows)."""
        logits = self._logits(x)
        true = logits.gather(-1, u.expand(len(x), -1).unsqueeze(-1)).squeeze(-1)
        return true - logits.logsumexp(-1)

    def accuracy(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the share of rows whose segment is predicted correctly, shape (members,)."""
        return (self._logits(x).argmax(-1) == u).float().mean(-1)

    def finish(self, x: Tensor, u: Tensor) -> None:
        """Fit the linear ICA of the features that the settings name."""
        self.fit_ica(x, u, self.settings.ica)

    def fit_ica(self, x: Tensor, u: Tensor, ica: Literal["fastica", "score_matching"]) -> None:
        """Fit a linear ICA of the features of rows x (members, rows, n_features)."""
        features = self.features(x)
        self.ica_mean, self.ica_weight = fast_ica(features, iterations=self.settings.ica_iterations)
        if ica == "score_matching":
            self.ica_mean, self.ica_weight = score_matching_ica(
                features, u, self.ica_mean, self.ica_weight
            )

    def disturbances(self, x: Tensor, u: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return independent components of the features, shape (members, rows, n_features).

        They estimate the absolute values of z up to scale, sign and order.  `finish` must have been
        called before.
        """
        components: Tensor = (self.features(x) - self.ica_mean) @ self.ica_weight
        return components

    def _logits(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.class_bias, self.features(x), self.class_weight)
