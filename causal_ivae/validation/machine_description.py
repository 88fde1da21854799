"""Describe the machine and the packages with which measurements were made."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch

from causal_ivae.batch.workers.machine import cores
from causal_ivae.provenance import versions

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


def software(*others: str) -> dict[str, str]:
    """Return the versions of what makes the numbers, and of other packages that are installed."""
    found = versions()
    for package in others:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    if _CPU.exists():
        for line in _CPU.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
