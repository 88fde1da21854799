"""Estimate what a subject's data could decide, by arrows that are planted into them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from causal_ivae.derivatives.network_tables import POWER
from causal_ivae.discovery.chunks import Progress
from causal_ivae.discovery.network.judgement import LEANING_SLOPE, NetworkJudgement
from causal_ivae.discovery.network.twins import Twins
from causal_ivae.discovery.network.units import series_of_own
from causal_ivae.outcomes import LEAST_ADJACENT
from causal_ivae.seeding import generator
from causal_ivae.settings import PowerSettings
from causal_ivae.simulate.planting import PlantedArrows, plant_arrows

STRENGTHS = (0.3, 0.6, 0.9)
"""Share of the standard deviation of the effect that comes from the cause."""
BASES = ("twins", "shifted")
"""Series that arrows are planted into: twins of the data, or regions moved in time each by itself.

Twins keep the regions' covariance, so that there are common sources between them; shifted regions
share nothing.
"""
_FEWEST_SIGNS = 8
"""With fewer signs of strong planted arrows, nothing is said of how they lean."""
WANTED = 0.8
"""Power that the advice asks for."""
_SLOPE_SPREAD = 0.3
_LARGEST_ODDS = 6.0
_LARGEST_SLOPE = 2.0

Judge = Callable[[NDArray[np.float64]], NetworkJudgement]
Rule = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


@dataclass(frozen=True)
class PowerRow:
    """Hold what became of the arrows of one strength in series of one kind.

    Attributes
    ----------
    base : {"twins", "shifted"}
    planted, connected, drawn, wrong, right_sign : int
        Number of arrows planted; of those between regions that were called connected; of those that
        were drawn either way; of those that were drawn the wrong way; of the connected ones whose
        likelier direction is the right one.
    """

    base: str
    strength: float
    planted: int
    connected: int
    drawn: int
    wrong: int
    right_sign: int


@dataclass(frozen=True)
class Power:
    """Hold what could be decided about planted arrows.

    Attributes
    ----------
    slope : float
        Factor of the log odds of the two directions with which the probability of the likelier one
        is right as often as it says, on the planted arrows.
    """

    rows: tuple[PowerRow, ...]
    slope: float
    seed: int

    def frame(self) -> pd.DataFrame:
        """Return the table of the power."""
        counts = pd.DataFrame([asdict(row) for row in self.rows])
        planted = counts["planted"]
        columns: dict[str, Any] = {
            "series": counts["base"],
            "strength": counts["strength"],
            "planted": planted,
            "times_needed": np.array([times_needed(row) for row in self.rows], dtype=np.float64),
        }
        for name in ("connected", "drawn", "wrong"):
            columns[name] = counts[name] / planted
        for name, total in (("drawn", planted), ("right_sign", counts["connected"])):
            found = [_share(*pair) for pair in zip(counts[name], total, strict=True)]
            columns |= dict(
                zip((name, f"{name}_low", f"{name}_high"), np.transpose(found), strict=True)
            )
        return POWER.frame(columns)

    def about(
        self, values: NDArray[np.floating], segments: NDArray[np.int64], tr: float, *, drawn: bool
    ) -> dict[str, Any]:
        """Return the sidecar's entry on the power.

        Data of which an arrow is drawn are not said to be unable to decide.
        """
        x = values - values.mean(axis=0)
        lagged = (x[1:] * x[:-1]).sum(axis=0) / np.square(x).sum(axis=0)
        return {
            "Volumes": len(values),
            "Windows": len(np.unique(segments)),
            "LagOne": float(np.median(lagged)),
            "RepetitionTime": tr,
            "RightSign": {
                base: {
                    name: None if np.isnan(value) else value
                    for name, value in zip(
                        ("Share", "Low", "High"), self.right_sign(base), strict=True
                    )
                }
                for base in BASES
            },
            "CannotDecide": self.undecidable and not drawn,
            "LeaningSlope": self.slope,
            "Seed": self.seed,
        }

    def right_sign(self, base: str) -> tuple[float, float, float]:
        """Return the share of right signs of strong arrows, and its 95 % interval.

        Strong arrows are those of the two largest strengths that were found connected; without any
        all three numbers are NaN.
        """
        return _share(*self._signs(base))

    def _signs(self, base: str) -> tuple[int, int]:
        strong = [row for row in self.rows if row.base == base and row.strength > STRENGTHS[0]]
        return sum(row.right_sign for row in strong), sum(row.connected for row in strong)

    @property
    def misleads(self) -> bool:
        """Check whether strong planted arrows lean the wrong way as often as the right one.

        Those without common sources count.  No arrow of such data is drawn: what looks like a
        direction in them comes from something else, such as noise or the shape of the responses.
        """
        right, connected = self._signs("shifted")
        return connected >= _FEWEST_SIGNS and 2 * right <= connected

    @property
    def undecidable(self) -> bool:
        """Check whether signs are about as often wrong as right even without common sources.

        The 95 % interval of the share that is right starts at one half or below, and ends below .8:
        few planted arrows alone make no data undecidable.
        """
        _, low, high = self.right_sign("shifted")
        return bool(low <= 0.5 and high < WANTED)


def estimate_power(
    twins: Twins,
    segments: NDArray[np.int64],
    blocks: NDArray[np.int64],
    judge: Judge,
    rule: Rule,
    decoys: NDArray[np.float64],
    *,
    tr: float,
    settings: PowerSettings,
    seed: int,
    progress: Progress | None = None,
) -> Power:
    """Plant arrows of several strengths through haemodynamic responses, and look for them.

    Parameters
    ----------
    twins : Twins
        Of the data.
    segments, blocks : ndarray, shape (n_times,), int64
    judge : callable
        Judges series of the same shape.
    rule : callable
        Returns the probability from which arrows are drawn, given those of the arrows of a network
        and of series without arrows.
    decoys : ndarray, shape (n_twins, 2 * n_pairs), float64
        Probabilities of all arrows in twins of the data.
    tr : float
        Repetition time (s).
    progress : callable, optional

    Notes
    -----
    Half of the arrows are planted into twins of the data, half into series in which every region
    was moved in time by itself.  An arrow counts as drawn if its probability reaches the threshold
    that the claims of series without arrows set.  Shifted series without arrows are taken to claim
    nothing, since they hold one claim in hundreds of pairs.
    """
    subjects = series_of_own(segments)
    draws = networks_with_arrows(settings, twins.n_regions) // (len(BASES) * len(STRENGTHS))
    against = {"twins": decoys, "shifted": np.zeros_like(decoys)}
    rows: list[PowerRow] = []
    odds = []
    for base in BASES:
        for strength in STRENGTHS:
            counts = np.zeros(5, dtype=np.int64)
            for number in range(draws):
                rng = generator(seed, "power", base, f"{strength:g}", number)
                start = twins.draw(rng) if base == "twins" else twins.shifted(rng)
                planted = plant_arrows(
                    start, subjects, blocks, tr, strength, rng, delay_sd=settings.delay_sd
                )
                found = judge(twins.as_scaled(planted.values))
                least = rule(found.directed.ravel(), against[base])
                own, signed = _counts(found, planted, least)
                counts += own
                odds.append(signed)
            rows.append(PowerRow(base, strength, *counts.tolist()))
            if progress is not None:
                progress("planting arrows", len(rows) / (len(BASES) * len(STRENGTHS)))
    slope = calibrated_slope(np.concatenate(odds))
    return Power(tuple(rows), slope, seed)


def networks_with_arrows(settings: PowerSettings, n_regions: int) -> int:
    """Return the number of networks that arrows are planted into and that are judged."""
    if not settings.plants:
        return 0
    per_network = max(1, n_regions // 2)
    draws = max(1, -(-settings.plants // (len(BASES) * per_network)))
    return draws * len(BASES) * len(STRENGTHS)


def _counts(
    found: NetworkJudgement, planted: PlantedArrows, least: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count the planted arrows of a network as in `PowerRow`, with the log odds of their signs."""
    drawn = found.directed >= least
    number = {tuple(pair): row for row, pair in enumerate(found.pairs.tolist())}
    rows = np.array([number[tuple(sorted(arrow))] for arrow in planted.arrows.tolist()])
    turned = planted.arrows[:, 0] > planted.arrows[:, 1]
    there, back = np.where(turned[:, None], drawn[rows, ::-1], drawn[rows]).T
    odds = np.where(turned, -1.0, 1.0) * found.leaning_odds()[rows]
    connected = found.adjacent[rows] >= LEAST_ADJACENT
    right = connected & (odds > 0)
    counts = [len(rows), connected.sum(), (there | back).sum(), back.sum(), right.sum()]
    # Where no arrow was looked for, the odds are even and say nothing of the slope.
    return np.array(counts, dtype=np.int64), odds[found.kept[rows]]


def _share(count: int, total: int) -> tuple[float, float, float]:
    """Return a share and its 95 % Wilson interval; NaN of nothing."""
    if not total:
        return np.nan, np.nan, np.nan
    low, high = proportion_confint(count, total, method="wilson")
    return count / total, float(low), float(high)


def calibrated_slope(odds: NDArray[np.float64]) -> float:
    """Return the factor of log odds with which they are right as often as they say.

    Parameters
    ----------
    odds : ndarray, shape (n_arrows,), float64
        Log odds of the right direction against the wrong one.

    Notes
    -----
    Logistic regression through the origin, with a normal prior around `LEANING_SLOPE`.
    """
    known = np.clip(odds, -_LARGEST_ODDS, _LARGEST_ODDS)

    def loss(slope: float) -> float:
        prior = 0.5 * ((slope - LEANING_SLOPE) / _SLOPE_SPREAD) ** 2
        return float(np.logaddexp(0.0, -slope * known).sum() + prior)

    found = minimize_scalar(loss, bounds=(0.0, _LARGEST_SLOPE), method="bounded")
    return float(found.x)


def times_needed(row: PowerRow) -> float | None:
    """Return how many times the data would be needed to draw arrows of a row in 80 % of cases.

    Returns
    -------
    float or None
        1 if the power suffices; None if the signs are not shown to be better than chance, so that
        more data of this kind are not known to help.

    Notes
    -----
    An extrapolation.  The evidence for the right sign is taken to be normal, with a mean that grows
    as the root of the number of volumes and variance one: its mean is the probit of the share of
    right signs, and the threshold of drawing follows from the share that is drawn the right way.
    """
    right = row.drawn - row.wrong
    if right >= WANTED * row.planted:
        return 1.0
    if not _share(row.right_sign, row.connected)[1] > 0.5:
        return None
    # Where nothing was found connected, one direction is as likely as the other.
    signs = row.right_sign + 0.5 * (row.planted - row.connected)
    share, drawn = ((count + 0.5) / (row.planted + 1) for count in (signs, right))
    mean = float(norm.ppf(share))
    limit = mean - float(norm.ppf(drawn))
    return max(1.0, ((limit + float(norm.ppf(WANTED))) / mean) ** 2)
