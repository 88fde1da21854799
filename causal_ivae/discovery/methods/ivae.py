"""Define the method iVAE (Khemakhem et al. 2020), fitted from several starts."""

from causal_ivae.discovery.methods.pair_method import WORDS, steps_in_words
from causal_ivae.discovery.methods.restarts import RestartedMethod
from causal_ivae.drawing.wording import count
from causal_ivae.settings import IVAESettings, UnmixingSettings
from causal_ivae.unmixing.training.fit_size import FitSize

_ARRAYS_PER_LAYER = 6
"""A training step holds this many arrays of the width of a layer for each of its rows."""
_ARRAYS_PER_MAP = 80
"""Of an invertible decoder's linear map with its spline, as many numbers are held a column."""
_COLUMNS = 2


class IVAEMethod(RestartedMethod[IVAESettings]):
    """Estimate disturbances by an identifiable variational autoencoder."""

    name = "ivae"
    title = "iVAE"
    settings = IVAESettings
    doubts = ("a disturbance collapsed to its prior",)

    def size(self, settings: IVAESettings) -> FitSize:
        """Return the size of encoder and decoder."""
        if settings.invertible:
            numbers = _ARRAYS_PER_MAP * _COLUMNS * settings.maps
            return FitSize(numbers, _COLUMNS * settings.knots, settings.batch_size)
        numbers = 2 * _ARRAYS_PER_LAYER * settings.layers * settings.hidden
        return FitSize(numbers, settings.hidden, settings.batch_size)

    def statistics_per_disturbance(self, settings: IVAESettings) -> int:
        """Return 2 if segments change means as well as scales, else 1."""
        return 2 if settings.modulates == "mean_variance" else 1

    def fit_sentences(
        self,
        unmixing: UnmixingSettings,
        n_pairs: int,
        *,
        alone: bool,  # noqa: ARG002
    ) -> list[str]:
        """Describe the model, its bound and its training."""
        model, restarts = self.own(unmixing), unmixing.restarts
        weights = model.weights
        weighted = (
            ""
            if weights.plain
            else " Its parts [@chen2018] were weighted: reconstruction by "
            f"{weights.reconstruction:g}, mutual information by {weights.mutual_information:g}, "
            f"total correlation by {weights.total_correlation:g}, dimension-wise Kullback-Leibler "
            f"divergence by {weights.dimension_wise_kl:g}."
        )
        networks = self._networks_in_words(model)
        annealed = (
            ""
            if model.invertible
            else ", Kullback-Leibler term annealed over the first "
            f"{100 * model.warmup:.0f}% of the steps"
        )
        return [
            f"For every pair of regions ({count(n_pairs, 'pair')}), an identifiable "
            "variational autoencoder [@khemakhem2020] estimated two latent disturbances, with a "
            f"{WORDS[model.prior]} conditional prior whose {WORDS[model.modulates]} varied "
            f"between segments, {networks}.",
            f"The evidence lower bound was maximised with Adam [@kingma2015] from "
            f"{count(restarts, 'random start')} per pair ({steps_in_words(model)}, batches of "
            f"{model.batch_size}, learning rate {model.learning_rate:g}{annealed}).{weighted}",
        ]

    def _networks_in_words(self, model: IVAESettings) -> str:
        """Describe encoder, decoder and likelihood."""
        if model.invertible:
            return (
                f"an invertible decoder of {model.maps} linear maps with monotone splines "
                "[@mueller2019] between them, the inverse of the encoder's mean, a posterior with "
                "the full covariance that this implies [@reizinger2022], and a Gaussian likelihood "
                f"of the whitened regions, whose standard deviation fell to {model.final_noise:g} "
                "during training"
            )
        noise = (
            "a learned noise level"
            if model.noise == "learned"
            else f"a noise standard deviation of {model.noise:g}"
        )
        return (
            f"encoder and decoder networks of {model.layers} layers with {model.hidden} hidden "
            f"units and {WORDS[model.activation]} activations, a {model.posterior} posterior "
            f"covariance, and a Gaussian likelihood with {noise}"
        )
