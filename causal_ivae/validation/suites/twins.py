"""Count what the network method draws where the truth is known in the margins of given series.

Arrows are planted through haemodynamic responses into twins of the series, which keep their common
sources, and into series whose regions were moved in time each by itself, which share nothing; and
none are planted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import product, starmap
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from causal_ivae.discovery import discover
from causal_ivae.discovery.network.power import BASES, STRENGTHS
from causal_ivae.discovery.network.twins import Twins
from causal_ivae.discovery.network.units import series_of_own
from causal_ivae.drawing.svg import BLUE, RED, new_figure
from causal_ivae.errors import SettingsError
from causal_ivae.seeding import child_seed, generator
from causal_ivae.settings import DecisionSettings, PowerSettings, UnmixingSettings
from causal_ivae.simulate.planting import plant_arrows
from causal_ivae.validation.report import Say
from causal_ivae.validation.suites.method_lines import finish
from causal_ivae.validation.suites.null_series import NETWORK_WINDOW, draw_network
from causal_ivae.validation.suites.study import Study, content_of, load_study
from causal_ivae.validation.suites.suite import SUMMARY, Suite, Tables
from causal_ivae.validation.text_tables import as_block, share_by_name

GUARDS = ("share", "network")
_FEW = PowerSettings(plants=2)
_NAMES = {"twins": "common sources", "shifted": "nothing shared"}

METHOD = {
    "twins": "Twins of the series: the same covariance and spectra, common sources, no arrow.",
    "shifted": "Every region moved in time by itself: no common source, no arrow.",
    "strength": "Share of the effect's standard deviation that comes from the cause, through the "
    "two regions' haemodynamic responses; 0: nothing was planted.",
    "claimed": "Arrows of at least the probability 'decision.confidence', whatever twins claim.",
    "drawn": "Arrows that the method draws beside twins of the series that it was given, and "
    "beside arrows that it plants into them itself.",
}


@dataclass(frozen=True)
class TwinsCase:
    """Describe one network with known arrows.

    Attributes
    ----------
    base : {"twins", "shifted"}
    strength : float
        0 for no arrow.
    number : int
        Which choice of subject, regions and random numbers.
    guard : {"share", "network"}
    """

    base: str
    strength: float
    number: int
    guard: str

    @property
    def key(self) -> str:
        """Return a key of the network and the guard."""
        return f"{self.base}, strength {self.strength:g}, {self.number}, {self.guard}"


@dataclass(frozen=True, kw_only=True)
class KnownArrows(Suite[TwinsCase]):
    """Measure what the network method draws of known arrows, and where there is none.

    Attributes
    ----------
    data : pathlib.Path or None
        Folder of tables of region time series; simulated BOLD networks if it is not given.
    study : Study or None
        What is read from `data`.
    networks : int
        Of every kind and strength.
    regions : int
        Regions of a network, of those of a subject.
    subjects : int
        Subjects of a network that are pooled.
    guards : tuple of {"share", "network"}
    """

    name = "twins"
    method = METHOD

    data: Path | None = None
    study: Study | None = None
    networks: int = 50
    regions: int = 6
    subjects: int = 1
    guards: tuple[str, ...] = GUARDS
    unmixing: UnmixingSettings = field(default_factory=UnmixingSettings)
    power: PowerSettings = field(default_factory=PowerSettings)

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Return the options of a quick run: few networks, few twins and planted arrows of each."""
        few = UnmixingSettings.model_validate({"network": {"twins": 6}})
        return {"networks": 2, "guards": GUARDS[:1], "unmixing": few, "power": _FEW}

    @classmethod
    def asked(cls, options: Mapping[str, Any], *, quick: bool, say: Say) -> Self:
        """Return the suite with the options given, and what is read of the data; see `Suite`."""
        data, study = options.get("data"), None
        if data is not None:
            folder = data.expanduser().resolve()
            study = Study(folder, content_of(folder), None, NETWORK_WINDOW)
        suite = super().asked({**options, "study": study}, quick=quick, say=say)
        unknown = [guard for guard in suite.guards if guard not in GUARDS]
        if unknown:
            raise SettingsError(f"No guard '{unknown[0]}'; there are {' and '.join(GUARDS)}.")
        if study is not None:
            people = load_study(study)
            for name, most in (("regions", len(people[0].names)), ("subjects", len(people))):
                if getattr(suite, name) > most:
                    raise SettingsError(
                        f"'{name}' is {getattr(suite, name)}, and the tables have {most}."
                    )
        return suite

    def settings(self) -> dict[str, Any]:
        """Return the seed, the sizes, the settings of the method, and the digest of the tables."""
        return {
            "seed": self.seed,
            "regions": self.regions,
            "subjects": self.subjects,
            "network": self.unmixing.network.model_dump(mode="json"),
            "decision": DecisionSettings().model_dump(mode="json"),
            "power": self.power.model_dump(mode="json"),
            "content": None if self.study is None else self.study.content,
        }

    def described(self) -> dict[str, Any]:
        """Return where the tables are, and how many networks there are of a kind."""
        return {"data": None if self.data is None else str(self.data), "networks": self.networks}

    def cases(self) -> Iterator[TwinsCase]:
        """Return every network by every guard."""
        numbers, strengths = range(self.networks), (0.0, *STRENGTHS)
        return starmap(TwinsCase, product(BASES, strengths, numbers, self.guards))

    def work(self, case: TwinsCase) -> pd.DataFrame:
        """Plant the arrows of a case, and judge the network; one row."""
        values, segments, blocks, tr = draw_network(
            self.study, case.number, self.regions, self.subjects, self.seed
        )
        rng = generator(self.seed, "twins", case.base, f"{case.strength:g}", case.number)
        maker = Twins(values, segments, blocks)
        series = maker.draw(rng) if case.base == "twins" else maker.shifted(rng)
        true = np.zeros((series.shape[1],) * 2, dtype=bool)
        if case.strength:
            own = series_of_own(segments)
            delay_sd = PowerSettings().delay_sd
            planted = plant_arrows(series, own, blocks, tr, case.strength, rng, delay_sd=delay_sd)
            series = maker.as_scaled(planted.values)
            true[tuple(planted.arrows.T)] = True
        graph = discover(
            series,
            segments,
            blocks=blocks,
            method="network",
            tr=tr,
            seed=child_seed(self.seed, "judged", case.number),
            decision=DecisionSettings.model_validate({"guard": case.guard}),
            power=self.power,
            unmixing=self.unmixing,
        )
        x, y = np.triu_indices(len(true), 1)
        both = graph.edges.get("probability_both", 0.0)
        claimed = np.zeros_like(true)
        least = DecisionSettings().confidence
        claimed[x, y] = graph.edges["probability_forward"] + both >= least
        claimed[y, x] = graph.edges["probability_backward"] + both >= least
        drawn = graph.adjacency
        row = {
            "pairs": len(x),
            "planted": int(true.sum()),
            "twins": int(graph.sidecar.get("Twins", 0)),
            "made_by": graph.made_by or graph.method,
        }
        for name, found in (("claimed", claimed), ("drawn", drawn)):
            row |= {name: int(found.sum()), f"{name}_right": int((found & true).sum())}
        return pd.DataFrame([{**asdict(case), **row}])

    def tables(self, rows: pd.DataFrame) -> Tables:
        """Return precision, recall and false arrows of every kind, strength and guard."""
        summary = []
        for (base, strength, guard), own in rows.groupby(["base", "strength", "guard"], sort=False):
            counts = own[["pairs", "planted", "claimed", "claimed_right", "drawn", "drawn_right"]]
            total = counts.sum()
            for name in ("claimed", "drawn"):
                count, right = int(total[name]), int(total[f"{name}_right"])
                false = own[name] > own[f"{name}_right"]
                empty = int(total["pairs"] - total["planted"])
                summary.append(
                    {
                        "series": _NAMES[str(base)],
                        "strength": strength,
                        "guard": guard if name == "drawn" else "none",
                        "networks": len(own),
                        "planted": int(total["planted"]),
                        "arrows": count,
                        "right": right,
                        "precision": right / count if count else float("nan"),
                        "recall": right / total["planted"] if total["planted"] else float("nan"),
                        "false_per_pair": (count - right) / empty,
                        **share_by_name("false_networks", int(false.sum()), len(own)),
                    }
                )
        table = pd.DataFrame(summary)
        # Claims are the same whatever the guard.
        return {SUMMARY: table.drop_duplicates(["series", "strength", "guard"], ignore_index=True)}

    def blocks(self, tables: Tables) -> Iterator[str]:
        """Yield tables with guards in rows and strengths in columns, by kind of series."""
        for kind, rows in tables[SUMMARY].groupby("series", sort=False):
            for column in ("precision", "recall", "false_per_pair", "false_networks"):
                title = f"{kind}: {column.replace('_', ' ')}"
                yield as_block(title, rows, column, "guard", "strength", "strength {:g}")

    def draw(self, _: pd.DataFrame, tables: Tables) -> Figure:
        """Draw precision and recall over the strength, and false arrows where there is none."""
        summary = tables[SUMMARY]
        guards = list(dict.fromkeys(summary["guard"]))
        figure = new_figure(7.2, 2.9)
        panels = figure.subplots(1, 3)
        columns = {"precision": "precision", "recall": "recall", "false_networks": "no arrow"}
        for axes, (column, title) in zip(panels, columns.items(), strict=True):
            for kind, colour in zip(_NAMES.values(), (RED, BLUE), strict=True):
                for guard, form in zip(guards, ("o:", "s-", "^--"), strict=False):
                    own = summary[(summary["series"] == kind) & (summary["guard"] == guard)]
                    label = f"{kind}, " + ("claimed" if guard == "none" else f"guard {guard}")
                    if column == "false_networks":
                        empty = own.loc[own["strength"] == 0, column]
                        axes.plot([guards.index(guard)] * len(empty), empty, form, color=colour)
                    else:
                        some = own[own["strength"] > 0]
                        axes.plot(some["strength"], some[column], form, color=colour, label=label)
            axes.set_title(title)
            axes.set_xlabel("strength" if title != "no arrow" else "guard")
        panels[2].set_xticks(range(len(guards)), guards)
        panels[2].set_ylabel("share of networks with an arrow")
        finish(figure, panels)
        return figure
