"""Define benchmarks of pairs, each of which a method of ours or of others judges by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.derivatives.tables import PROBABILITY_COLUMNS
from causal_ivae.settings import DecisionSettings, IndependenceSettings, UnmixingSettings
from causal_ivae.validation.suites.ours import PAIR_METHODS, judge_pairs, quick_settings
from causal_ivae.validation.suites.rivals import ALPHA, RIVALS
from causal_ivae.validation.suites.suite import M, MethodSuite

PACKAGES: Mapping[str, str | None] = {
    **dict.fromkeys(PAIR_METHODS),
    **{name: rival.package for name, rival in RIVALS.items()},
}
"""All methods, ours and the published ones, and the package that each needs."""
COLUMNS = (
    "method", "pair", "decision", "score", "confidence", "p_value", *PROBABILITY_COLUMNS, "rows",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PairSuite(MethodSuite[M]):
    """Measure the directions of pairs by our methods and by published ones.

    Attributes
    ----------
    decision : DecisionSettings or None
        Of our methods.
    unmixing : UnmixingSettings
        Of our methods.
    """

    packages = PACKAGES
    decision: ClassVar[DecisionSettings | None] = None

    methods: tuple[str, ...] = PAIR_METHODS
    unmixing: UnmixingSettings = field(default_factory=UnmixingSettings)

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Return the options of a quick run: short fits."""
        return {"unmixing": quick_settings()}

    def judge(
        self,
        method: str,
        series: NDArray[np.float64],
        segments: NDArray[np.int64],
        keys: Sequence[str],
        blocks: NDArray[np.int64] | None = None,
    ) -> pd.DataFrame:
        """Orient pairs that have their segments in common.

        Parameters
        ----------
        method : str
            One of `PACKAGES`.
        series : ndarray, shape (pairs, n_times, 2), float64
            Columns x and y of every pair.
        segments : ndarray, shape (n_times,), int64
        keys : sequence of str, length pairs
            What each pair is, distinct; with `seed`, the seed of all that is random about it.
        blocks : ndarray, shape (n_times,), int64, optional
            Stretches without a gap, for our methods; see `causal_ivae.discover`.

        Returns
        -------
        pandas.DataFrame
            ``method`` (some of ours give rows under two names), ``pair`` (its place in `series`),
            ``decision``, ``score`` (positive favours x -> y), ``confidence``, ``p_value`` and the
            probabilities of all outcomes (missing for methods without), ``rows`` (that the method
            saw).
        """
        if method not in RIVALS:
            found = judge_pairs(
                series,
                segments,
                method=method,
                keys=tuple(keys),
                seed=self.seed,
                blocks=blocks,
                unmixing=self.unmixing,
                decision=self.decision,
            ).assign(rows=series.shape[1])
            return found[list(COLUMNS)]
        verdicts = [
            asdict(RIVALS[method](x, segments, seed=self.seed, key=key))
            for x, key in zip(series, keys, strict=True)
        ]
        found = pd.DataFrame(verdicts).assign(method=method, pair=range(len(keys)))
        return found.reindex(columns=list(COLUMNS))

    def settings_of(self, method: str) -> dict[str, Any]:
        """Return every setting that the decisions of a method depend on."""
        if method in RIVALS:
            return {"most_rows": RIVALS[method].most_rows, "alpha": ALPHA}
        return {
            method: getattr(self.unmixing, method).model_dump(mode="json"),
            "restarts": self.unmixing.restarts,
            "independence": IndependenceSettings().model_dump(mode="json"),
            "decision": (self.decision or DecisionSettings()).model_dump(mode="json"),
        }

    def sources(self) -> dict[str, str]:
        """Return where the published methods come from."""
        return {name: RIVALS[name].citation for name in self.methods if name in RIVALS}

    def remarks(self) -> list[str]:
        """Return what a reader of a table of these methods must know, in sentences."""
        rivals = [RIVALS[name] for name in self.methods if name in RIVALS]
        said = [
            f"{rival.name} sees at most {rival.most_rows} rows, taken at random."
            for rival in rivals
            if rival.most_rows
        ]
        always = [rival.name for rival in rivals if not rival.abstains]
        return [*said, f"Never abstaining: {', '.join(always)}."] if always else said
