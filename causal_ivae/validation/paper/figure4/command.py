"""The command `reproduce figure4`: what is computed, and what is written."""

import time
from collections.abc import Callable
from pathlib import Path

from causal_ivae.anatomy import load_prior
from causal_ivae.derivatives.files import write_bytes, write_json, write_table, write_text
from causal_ivae.errors import SettingsError
from causal_ivae.provenance import versions
from causal_ivae.settings import PriorSettings, UnmixingSettings
from causal_ivae.validation.paper.figure4.drawing import draw_circuit
from causal_ivae.validation.paper.figure4.experiment import MAX_PATH, Circuit, estimate_circuit
from causal_ivae.validation.paper.figure4.recordings import REGIONS, load_recordings
from causal_ivae.validation.suites.ours import quick_settings
from causal_ivae.validation.suites.report import as_text

PRIOR = "hippocampal_circuit"
_SPLITS = 2


def reproduce_figure4(
    output: Path,
    *,
    data: Path | None,
    quick: bool = False,
    seed: int = 0,
    device: str = "auto",
    command: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Compute the paper's Figure 4 on the data given, and write it.

    Parameters
    ----------
    output : pathlib.Path
        Folder; gets ``figure4.png``, ``.svg``, ``_edges.tsv``, ``_halves.tsv``, ``_chance.tsv``,
        ``_stability.tsv`` and ``.json``.
    data : pathlib.Path
        See `causal_ivae.validation.paper.figure4.recordings.load_recordings`.
    quick : bool
        One split and short fits, to see that it works.
    seed : int
    device : str
    command : str
        The command line, for the record.
    say : callable
        Told what is done, and the tables at the end.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    SettingsError
        If there is no `data`, or `output` is a file.
    InputError
        If the data cannot be used.

    Notes
    -----
    Khemakhem et al. 2020, section 6.  Their u was the day of one person's scan; here it is the
    subject, because their data were never released.
    """
    output = output.expanduser().resolve()
    if output.exists() and not output.is_dir():
        raise SettingsError(f"'{output}' is not a folder; give a folder to write to.")
    if data is None:
        raise SettingsError("figure4 needs the subjects' tables: give their folder with --data.")
    started = time.perf_counter()
    recordings = load_recordings(data.expanduser().resolve())
    prior = load_prior(PriorSettings(name=PRIOR))
    assert prior is not None
    splits = 1 if quick else _SPLITS
    unmixing = quick_settings() if quick else UnmixingSettings()
    circuit = estimate_circuit(
        recordings, prior, splits=splits, seed=seed, device=device, unmixing=unmixing, say=say
    )
    png, svg = draw_circuit(circuit, prior)
    tables = {
        "edges": circuit.edges,
        "halves": circuit.halves,
        "chance": circuit.chance,
        "stability": circuit.stability,
    }
    written = [output / f"figure4_{name}.tsv" for name in tables]
    for path, table in zip(written, tables.values(), strict=True):
        write_table(path, table)
    written += [output / f"figure4{suffix}" for suffix in (".png", ".svg", ".json")]
    write_bytes(written[-3], png)
    write_text(written[-2], svg)
    write_json(
        written[-1],
        {
            "Figure": "figure4",
            "Command": command,
            "Quick": quick,
            "Seed": seed,
            "Device": device,
            "Seconds": round(time.perf_counter() - started, 1),
            "Content": recordings.content,
            "Subjects": list(recordings.labels),
            "Volumes": [len(values) for values in recordings.values],
            "Regions": {name: list(parts) or [name] for name, parts in REGIONS.items()},
            "AuxiliaryVariable": "subject",
            "Prior": PRIOR,
            "LongestPath": MAX_PATH,
            "Splits": splits,
            "Unmixing": unmixing.model_dump(mode="json"),
            "Software": versions(),
        },
    )
    say(tables_as_text(circuit))
    return written


def tables_as_text(circuit: Circuit) -> str:
    """Return edges, chance levels and stability for a terminal."""
    decided = circuit.edges[circuit.edges["cause"] != ""]
    shown = decided[["method", "cause", "effect", "confidence", "verdict", "half_votes"]]
    stability = circuit.stability.drop(columns="comparison", errors="ignore")
    blocks = {
        "Edges": as_text(shown) if len(shown) else "No pair was decided.",
        "Against the prior, random graphs of the same size and permuted labels": as_text(
            circuit.chance
        ),
        "Halves of the subjects, and permuted regions": as_text(stability),
    }
    return "\n\n".join(f"{title}\n{text}" for title, text in blocks.items())
