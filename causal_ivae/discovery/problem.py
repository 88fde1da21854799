"""Define what a method receives about a subject's series, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from causal_ivae.settings import (
    DecisionSettings,
    IndependenceSettings,
    PowerSettings,
    ScreenSettings,
    UnmixingSettings,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
    from numpy.typing import NDArray

    from causal_ivae.discovery.chunks import Progress


@dataclass(frozen=True)
class Problem:
    """Hold the checked series of one subject and all settings.

    Attributes
    ----------
    values : ndarray, shape (n_times, n_regions), float32
        As `causal_ivae.discovery.input_series.checked` returns them: z-scored.
    segments, blocks : ndarray, shape (n_times,), int64
        Segment and block of every volume.  No block crosses a gap, a run or a segment.
    names : tuple of str, length n_regions
    pairs : ndarray, shape (n_pairs, 2), int64
        Pairs of regions to decide on, as positions in `names`; the lower one is x.
    key : str
        Subject label.
    progress : callable or None
        Called with a stage in words and the share of all work that is done.
    tr : float
        Repetition time (s).
    power : PowerSettings or None
        None if the power is not asked for.
    exogenous : tuple of int
        Places in `names` of the inputs that are known, which no arrow leads into.
    """

    values: NDArray[np.float32]
    segments: NDArray[np.int64]
    blocks: NDArray[np.int64]
    names: tuple[str, ...]
    pairs: NDArray[np.int64]
    unmixing: UnmixingSettings
    independence: IndependenceSettings
    decision: DecisionSettings
    screen: ScreenSettings
    seed: int
    key: str
    device: torch.device
    progress: Progress | None = None
    tr: float = 2.0
    power: PowerSettings | None = None
    exogenous: tuple[int, ...] = ()


@dataclass(frozen=True)
class Found:
    """Hold what a method found.

    Attributes
    ----------
    tables : mapping of str to pandas.DataFrame
        By name, as `causal_ivae.derivatives.tables` declares them; ``"edges"`` has one row per pair
        of the problem, in its order.
    disturbances : ndarray or None, shape (n_unmixed, 2, n_times), float32
        As in `causal_ivae.derivatives.causal_graph.CausalGraph`.
    made_by : str
        Name of the method that the work was handed over to; empty if it was not.
    about : mapping
        Further facts for the result's sidecar.
    """

    tables: Mapping[str, pd.DataFrame]
    disturbances: NDArray[np.float32] | None = None
    made_by: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
