"""Draw random numbers for a stack of models, with an independent stream for every member.

A draw is a hash of the member's key, the step and the position.  It therefore does not depend on
the other members of the stack, and is the same on CPU and on CUDA up to the rounding of logarithm
and cosine.  The hash function is the 32-bit finaliser ``lowbias32`` (C. Wellons, "Prospecting for
Hash Functions", 2018), applied twice.
"""

import math

import torch
from torch import Tensor

_LOW_31 = (1 << 31) - 1


def member_keys(seeds: list[int], device: torch.device) -> Tensor:
    """Split 63-bit seeds into two 32-bit words, shape (members, 2) int32."""
    words = [(_signed(seed & 0xFFFFFFFF), _signed((seed >> 32) & 0xFFFFFFFF)) for seed in seeds]
    return torch.tensor(words, dtype=torch.int32, device=device)


def standard_normal(keys: Tensor, stream: int, shape: tuple[int, ...]) -> Tensor:
    """Draw standard normal numbers, shape (members, *shape) float32.

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
        Keys from `member_keys`.
    stream : int
        Number of the draw, for instance the training step; each number gives an independent draw.
    shape : tuple of int
        Shape per member.
    """
    return standard_normals(keys, torch.tensor([stream], device=keys.device), shape)[0]


def standard_normals(keys: Tensor, streams: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Draw standard normal numbers of many streams at once.

    Parameters
    ----------
    keys : Tensor, shape (members, 2), int32
    streams : Tensor, shape (streams,), int64
        Numbers of the draws, on the device of the keys.
    shape : tuple of int

    Returns
    -------
    Tensor, shape (streams, members, *shape), float32
    """
    count = math.prod(shape)
    half = (count + 1) // 2
    radius = torch.sqrt(-2.0 * torch.log(_uniform(keys, 2 * streams, half)))
    angle = 2.0 * math.pi * _uniform(keys, 2 * streams + 1, half)
    both = torch.cat((radius * torch.cos(angle), radius * torch.sin(angle)), dim=-1)
    return both[..., :count].reshape(len(streams), len(keys), *shape)


def uniform(keys: Tensor, stream: int, shape: tuple[int, ...]) -> Tensor:
    """Draw uniform numbers in (0, 1), shape (members, *shape) float32."""
    streams = torch.tensor([2 * stream], device=keys.device)
    return _uniform(keys, streams, math.prod(shape)).reshape(len(keys), *shape)


def _uniform(keys: Tensor, streams: Tensor, count: int) -> Tensor:
    counter = torch.arange(count, dtype=torch.int32, device=keys.device)
    start = streams.to(torch.int32) * _signed(0x9E3779B9)
    mixed = _mix(counter + start[:, None])
    mixed = _mix(mixed[:, None] ^ keys[:, :1])
    mixed = _mix(mixed ^ keys[:, 1:])
    # 23 bits plus one half give a result strictly inside (0, 1) in float32.
    return (((mixed >> 9) & 0x7FFFFF).to(torch.float32) + 0.5) * (1.0 / (1 << 23))


def _mix(word: Tensor) -> Tensor:
    word = word ^ ((word >> 16) & 0xFFFF)
    word = word * 0x7FEB352D
    word = word ^ ((word >> 15) & 0x1FFFF)
    word = word * _signed(0x846CA68B)
    return word ^ ((word >> 16) & 0xFFFF)


def _signed(word: int) -> int:
    return word - (1 << 32) if word > _LOW_31 else word
