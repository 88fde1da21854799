"""A method from outside the package: all that one takes is this file.

Importing it registers the method, in the workers of a run as well, which import it to read the
settings that they are sent.
"""

from pydantic import Field

from causal_ivae.discovery.methods import register
from causal_ivae.discovery.methods.pair_method import steps_in_words
from causal_ivae.discovery.methods.restarts import RestartedMethod
from causal_ivae.settings import FlowSettings
from causal_ivae.unmixing.training.fit_size import FitSize


class ToySettings(FlowSettings):
    """A flow with few layers, trained for a short time."""

    layers: int = Field(2, ge=1)
    steps: int = Field(20, ge=1)
    batch_size: int = Field(64, ge=8)


class ToyMethod(RestartedMethod[ToySettings]):
    """Disturbances by the flow that the estimator FlowIVAE fits."""

    name = "toy"
    title = "Toy flow"
    settings = ToySettings
    doubts = ("a toy broke",)
    references = """@article{toymaker2026,
  author = {Toymaker, Tilda},
  title = {Flows for play},
  journal = {Journal of Toys},
  year = {2026},
}"""

    def size(self, settings):
        """Count the pieces of the splines."""
        return FitSize(4 * settings.layers * settings.knots, settings.knots, settings.batch_size)

    def fit_sentences(self, unmixing, n_pairs, *, alone):
        """Say so."""
        model = self.own(unmixing)
        alone = " alone" if alone else ""
        return [f"A toy{alone} [@toymaker2026] took {steps_in_words(model)} for {n_pairs} pairs."]


register(ToyMethod())
