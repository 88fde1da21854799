"""Check the request of one command of the laboratory, write its files and describe the machine."""

import platform
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import torch

from causal_ivae.batch.workers.machine import cores
from causal_ivae.derivatives.files import write_bytes, write_json, write_table, write_text
from causal_ivae.errors import SettingsError, nearest


@dataclass(frozen=True)
class Session:
    """Accompany one command of the laboratory from its start to the files that it writes.

    Attributes
    ----------
    output : pathlib.Path
        The folder to write to.
    command : str
        The command line, for the record.
    quick : bool
        Little is to be computed, to see that it works.
    started : float
        Reading of the performance counter, s.
    """

    output: Path
    command: str
    quick: bool
    started: float

    @classmethod
    def start(cls, output: Path, *, command: str, quick: bool) -> "Session":
        """Start a session after checking that the folder can be written to.

        Raises
        ------
        SettingsError
            If `output` is a file.
        """
        return cls(folder_to_write(output), command, quick, time.perf_counter())

    def write(
        self, stem: str, contents: Mapping[str, pd.DataFrame | bytes | str], **facts: Any
    ) -> tuple[Path, ...]:
        """Write files that share the beginning of their names, and a record in JSON last.

        Parameters
        ----------
        contents : mapping
            The end of each file's name, and the table, image or text in it.
        **facts
            What the record says beside the command and the seconds that it took.
        """
        written = []
        for end, content in contents.items():
            written.append(self.output / f"{stem}{end}")
            if isinstance(content, bytes):
                write_bytes(written[-1], content)
            elif isinstance(content, str):
                write_text(written[-1], content)
            else:
                write_table(written[-1], content)
        written.append(self.output / f"{stem}.json")
        of_command = {
            "Command": self.command,
            "Quick": self.quick,
            "Seconds": round(time.perf_counter() - self.started, 1),
        }
        write_json(written[-1], {**of_command, **facts})
        return tuple(written)


def folder_to_write(output: Path) -> Path:
    """Return the absolute path of a folder that exists or can be made.

    Raises
    ------
    SettingsError
        If it is a file.
    """
    folder = output.expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"'{folder}' is not a folder; give a folder to write to.")
    return folder


def check_names(what: str, given: Sequence[str], allowed: Collection[str]) -> None:
    """Check that every name is one of those allowed.

    Parameters
    ----------
    what : str
        What the names are of, for the message.

    Raises
    ------
    SettingsError
        If one is not; the message has the nearest.
    """
    for name in given:
        if name not in allowed:
            raise SettingsError(f"Unknown {what} '{name}'. {nearest(name, allowed)}")


_CPU = Path("/proc/cpuinfo")


def machine(device: torch.device) -> dict[str, str | int | float]:
    """Return processor, cores, memory (GiB) and, where one is used, GPU."""
    found: dict[str, str | int | float] = {
        "Processor": _processor(),
        "Cores": cores(),
        "System": f"{platform.system()} {platform.machine()}",
        "MemoryGiB": round(psutil.virtual_memory().total / 2**30, 1),
    }
    if device.type == "cuda":
        found["GPU"] = torch.cuda.get_device_name(device)
    return found


def load() -> float:
    """Return how many processes wanted the processor, on average over the last minute."""
    return round(float(psutil.getloadavg()[0]), 2)


def _processor() -> str:
    if _CPU.exists():
        for line in _CPU.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
