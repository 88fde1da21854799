"""What the measurements were taken on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        found["MemoryGiB"] = round(pages * size / 2**30, 1)
    if device.type == "cuda":
        found["GPU"] = torch.cuda.get_device_name(device)
    return found


def load() -> float | None:
    """Return how many processes want the processor, over the last minute; None if not known."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def software(*others: str) -> dict[str, str]:
    """Return the versions of what makes the numbers, and of other packages that are there."""
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
