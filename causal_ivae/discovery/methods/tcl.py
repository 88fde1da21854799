"""Define the method TCL (Hyvarinen and Morioka 2016), fitted from several random starts."""

from collections.abc import Mapping
from typing import Any

from causal_ivae.discovery.methods.pair_method import steps_in_words
from causal_ivae.discovery.methods.restarts import RestartedMethod
from causal_ivae.drawing.wording import count
from causal_ivae.settings import TCLSettings, UnmixingSettings
from causal_ivae.unmixing.training.fit_size import FitSize

_ARRAYS_PER_LAYER = 6
"""A training step holds this many arrays of the width of a layer for each of its rows."""
_ICA = {
    "fastica": ("FastICA", "FastICA [@hyvarinen1999]"),
    "score_matching": (
        "score matching",
        "score matching of piecewise-stationary components [@monti2019]",
    ),
}
"""Names of the linear ICA that follows, in a label and in a methods paragraph."""


class TCLMethod(RestartedMethod[TCLSettings]):
    """Estimate disturbances by linear ICA of the features of a classifier of segments."""

    name = "tcl"
    title = "TCL"
    settings = TCLSettings

    def size(self, settings: TCLSettings) -> FitSize:
        """Return the size of the classifier."""
        width = settings.hidden * settings.maxout
        return FitSize(_ARRAYS_PER_LAYER * settings.layers * width, width, settings.batch_size)

    def label(self, settings: Mapping[str, Any]) -> str:
        """Return the title with the linear ICA that was used."""
        ica = settings.get("unmixing", {}).get(self.name, {}).get("ica")
        return f"{self.title} ({_ICA[ica][0] if ica in _ICA else ica})" if ica else self.title

    def fit_sentences(self, unmixing: UnmixingSettings, n_pairs: int, *, alone: bool) -> list[str]:  # noqa: ARG002
        """Describe the classifier, the linear ICA and the training."""
        model, restarts = self.own(unmixing), unmixing.restarts
        again = "The" if alone else "For comparison, the"
        return [
            f"{again} disturbances of each pair were estimated by time-contrastive learning "
            f"[@hyvarinen2016]: a network of {model.layers} layers with {model.hidden} maxout "
            "units was trained to tell the segments apart, and linear independent component "
            f"analysis ({_ICA[model.ica][1]}) separated its features "
            f"({count(restarts, 'random start')}, {steps_in_words(model)}, batches of "
            f"{model.batch_size}, learning rate {model.learning_rate:g})."
        ]
