"""Hold what the training of an estimator's restarts needs, to train them or change them first."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from causal_ivae.settings import TrainingSettings
from causal_ivae.unmixing.models.stacked import StackedModel
from causal_ivae.unmixing.training.ensemble import fit_stack
from causal_ivae.unmixing.training.stacks import Fit


@dataclass(frozen=True)
class Starts:
    """Hold the restarts of a fit; the names are those of `training.ensemble.fit_stack`."""

    build: Callable[[list[int]], StackedModel]
    seeds: list[int]
    values: Tensor
    columns: Tensor
    u: Tensor
    settings: TrainingSettings
    order_seed: int

    def trained(
        self, model: StackedModel | None = None, *, again: bool = True
    ) -> tuple[StackedModel, Fit]:
        """Train the restarts as one stack, from new weights or from those of a model."""
        return fit_stack(
            self.build,
            self.seeds,
            self.values,
            self.columns,
            self.u,
            self.settings,
            order_seed=self.order_seed,
            trained=model,
            again=again,
        )
