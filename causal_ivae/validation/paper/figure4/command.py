"""Compute and write what the command ``reproduce figure4`` asks for."""

from pathlib import Path

from causal_ivae.anatomy import load_prior
from causal_ivae.errors import SettingsError
from causal_ivae.outcomes import is_decided
from causal_ivae.provenance import versions
from causal_ivae.settings import PriorSettings, UnmixingSettings
from causal_ivae.validation.paper.figure4.drawing import draw_circuit
from causal_ivae.validation.paper.figure4.experiment import MAX_PATH, Circuit, estimate_circuit
from causal_ivae.validation.paper.figure4.recordings import REGIONS, load_recordings
from causal_ivae.validation.report import Report, Say
from causal_ivae.validation.session import Session
from causal_ivae.validation.suites.ours import quick_settings
from causal_ivae.validation.text_tables import as_text

PRIOR = "hippocampal_circuit"
_SPLITS = 2


def reproduce_figure4(
    session: Session, *, data: Path | None, seed: int, device: str, say: Say
) -> Report:
    """Compute the paper's Figure 4 on the data given, and write it.

    Parameters
    ----------
    session : Session
        Its folder gets ``figure4_edges.tsv``, ``_halves.tsv``, ``_chance.tsv``,
        ``_stability.tsv``, ``.png``, ``.svg`` and ``.json``.
    data : pathlib.Path
        See `causal_ivae.validation.paper.figure4.recordings.load_recordings`.
    say : callable
        Told what is done, and the tables at the end.

    Raises
    ------
    SettingsError
        If there is no `data`.
    InputError
        If the data cannot be used.

    Notes
    -----
    Khemakhem et al. 2020, section 6.  Their u was the day of one person's scan; here it is the
    subject, because their data were never released.
    """
    if data is None:
        raise SettingsError("figure4 needs the subjects' tables: give their folder with --data.")
    recordings = load_recordings(data.expanduser().resolve())
    prior = load_prior(PriorSettings(name=PRIOR))
    assert prior is not None
    splits = 1 if session.quick else _SPLITS
    unmixing = quick_settings() if session.quick else UnmixingSettings()
    circuit = estimate_circuit(
        recordings, prior, splits=splits, seed=seed, device=device, unmixing=unmixing, say=say
    )
    png, svg = draw_circuit(circuit, prior)
    written = session.write(
        "figure4",
        {
            "_edges.tsv": circuit.edges,
            "_halves.tsv": circuit.halves,
            "_chance.tsv": circuit.chance,
            "_stability.tsv": circuit.stability,
            ".png": png,
            ".svg": svg,
        },
        Figure="figure4",
        Seed=seed,
        Device=device,
        Content=recordings.content,
        Subjects=list(recordings.labels),
        Volumes=[len(values) for values in recordings.values],
        Regions={name: list(parts) or [name] for name, parts in REGIONS.items()},
        AuxiliaryVariable="subject",
        Prior=PRIOR,
        LongestPath=MAX_PATH,
        Splits=splits,
        Unmixing=unmixing.model_dump(mode="json"),
        Software=versions(),
    )
    say(tables_as_text(circuit))
    return Report("", written)


def tables_as_text(circuit: Circuit) -> str:
    """Return edges, chance levels and stability for a terminal."""
    decided = circuit.edges[is_decided(circuit.edges)]
    shown = decided[["method", "x", "y", "decision", "confidence", "verdict", "half_votes"]]
    stability = circuit.stability.drop(columns="comparison", errors="ignore")
    blocks = {
        "Edges": as_text(shown) if len(shown) else "No pair was decided.",
        "Against the prior, random graphs of the same size and permuted labels": as_text(
            circuit.chance
        ),
        "Halves of the subjects, and permuted regions": as_text(stability),
    }
    return "\n\n".join(f"{title}\n{text}" for title, text in blocks.items())
