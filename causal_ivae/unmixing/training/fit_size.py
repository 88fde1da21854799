"""Say how many fits a stack can have, by their memory and the caches of the processor."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_IN_CACHE = 2**19
"""On a CPU, one layer of a stack has at most this many activations.

If they exceed the CPU's caches, a step of wide networks takes a third longer.
"""
_OF_GPU = 0.5
"""On a GPU, a stack may take this share of the memory that is free, if that is more.

Many small stacks would leave a large card idle most of the time.
"""


@dataclass(frozen=True)
class FitSize:
    """Describe the memory that one fit needs while it is trained.

    Attributes
    ----------
    numbers : int
        Number of float32 values held for every volume of a training step.
    width : int
        Number of columns of the widest layer.
    batch_size : int
        Number of volumes of a training step.
    most_on_cpu : int
        A stack on a CPU has at most this many fits, since more are not faster.
    """

    numbers: int
    width: int
    batch_size: int
    most_on_cpu: int = 64

    def n_bytes(self, n_times: int) -> int:
        """Return the memory of one fit in bytes, for all volumes or for a training step."""
        return 4 * self.numbers * max(n_times, 2 * self.batch_size)

    def members_at_once(self, n_times: int, memory_gib: float, device: "torch.device") -> int:
        """Return the number of fits in a stack, given the number of volumes."""
        allowed = memory_gib * 2**30
        if device.type == "cuda":
            import torch

            allowed = max(allowed, _OF_GPU * torch.cuda.mem_get_info(device)[0])
        room = max(1, int(allowed / self.n_bytes(n_times)))
        if device.type != "cpu":
            return room
        in_cache = max(1, _IN_CACHE // (self.width * min(self.batch_size, n_times)))
        return min(room, in_cache, self.most_on_cpu)

    def stacks_at_once(self, n_times: int, memory_gib: float, device: "torch.device") -> int:
        """Return the number of stacks that are trained in parallel, on a CPU one per core.

        Together they take at most the given memory.
        """
        if device.type != "cpu":
            return 1
        import torch

        stack = self.members_at_once(n_times, memory_gib, device) * self.n_bytes(n_times)
        return max(1, min(torch.get_num_threads(), int(memory_gib * 2**30 / stack)))
