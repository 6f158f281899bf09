"""The processes that train one model together: who is who, what they add up, and how the weights are shared.

One process alone is a world of one, in which all of this is nothing. Several are started by torchrun, on one machine
or many; each holds a part of every matrix (FSDP2, Zhao et al. 2023) and reads its share of every step's batch, so that
the order of the data and the gradient are those of one process. What they tell each other is numbers and JSON.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor
from torch import distributed as group

from dragoman.core.errors import UserError

__all__ = ["World", "alone"]

Found = TypeVar("Found")


@dataclass(frozen=True)
class World:
    """Which process this is of how many. `device` is empty where the settings choose it.

    Every method is called by all processes at the same place, in the same order: they wait for each other in it.
    """

    rank: int = 0
    size: int = 1
    device: str = ""

    @property
    def sharded(self) -> bool:
        """Whether every process holds a part of each matrix alone."""
        return self.size > 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def hollow(self, net: Any) -> Any:
        """What `whole` fills in the end: the net without its numbers, where the net itself is about to be shared out.

        A world of one has none.
        """
        from dragoman.train.distributed import hollow_copy

        return hollow_copy(net) if self.sharded else None

    def shard(self, net: Any, precision: Literal["fp32", "bf16"]) -> Any:
        """The net, which is on the CPU where there are several processes, with its weights divided among them.

        It then multiplies in `precision` and keeps its weights in fp32. Raises UserError where it is no language model.
        """
        from dragoman.train.distributed import shard

        return shard(net, self.device, precision) if self.sharded else net

    def shed(self, net: Any) -> None:
        """Let go of the whole weights that a pass without gradients left behind: they do not follow the parts."""
        from dragoman.train.distributed import shed

        if self.sharded:
            shed(net)

    def whole(self, net: Any, hollow: Any) -> Any:
        """A plain net on the CPU in the first process, in the others `hollow` as it was; alone the net itself."""
        from dragoman.train.distributed import whole

        return whole(net, hollow, self.first) if self.sharded else net

    def total(self, numbers: Sequence[float]) -> list[float]:
        """Each number summed over all processes, in float64."""
        return self._reduced(numbers, group.ReduceOp.SUM)

    def highest(self, numbers: Sequence[float]) -> list[float]:
        """Of each number the highest that a process has."""
        return self._reduced(numbers, group.ReduceOp.MAX)

    def summed(self, own: Tensor) -> Tensor:
        """A scalar summed over all processes."""
        if not self.sharded:
            return own
        found = own.clone()
        group.all_reduce(found)
        return found

    def joined(self, names: Sequence[str]) -> tuple[str, ...]:
        """The names that all processes have, in the order of the processes."""
        if not self.sharded:
            return tuple(names)
        data = json.dumps(list(names)).encode()
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        group.all_gather(sizes, torch.tensor([len(data)]))
        longest = max(int(size) for size in sizes)
        parts = [torch.empty(longest, dtype=torch.uint8) for _ in range(self.size)]
        group.all_gather(parts, _bytes(data.ljust(longest)))
        return tuple(name for part in parts for name in json.loads(part.numpy().tobytes()))

    def told(self, value: Any) -> Any:
        """The value that the first process gives, which must be JSON; what the others give is not asked."""
        if not self.sharded:
            return value
        data = json.dumps(value).encode() if self.first else b""
        size = torch.tensor([len(data)])
        group.broadcast(size, 0)
        sent = _bytes(data) if self.first else torch.empty(int(size), dtype=torch.uint8)
        group.broadcast(sent, 0)
        return json.loads(sent.numpy().tobytes())

    def once(self, do: Callable[[], Found]) -> Found:
        """What the first process finds, which must be JSON, when it does something that only one may do.

        A UserError of it is raised in every process, and so is another error: nobody waits for one that is gone.
        """
        if not self.sharded:
            return do()
        if not self.first:
            heard: Found = _answer(self.told(None))
            return heard
        try:
            found = do()
        except UserError as error:
            self.told({"problem": error.problem, "hint": error.hint})
            raise
        except BaseException as error:
            said = f"the first process stopped: {type(error).__name__} {error}"
            self.told({"problem": said, "hint": "look at what the first process says"})
            raise
        self.told({"found": found})
        return found

    def agree(self, what: str, own: str) -> None:
        """Raise UserError unless all processes have the same, such as the hash of what they read."""
        if len(set(self.joined([own]))) > 1:
            raise UserError(
                f"the {self.size} processes do not have the same {what}",
                "give every machine the same files and the same command",
            )

    def _reduced(self, numbers: Sequence[float], how: Any) -> list[float]:
        if not self.sharded:
            return list(numbers)
        found = torch.tensor(numbers, dtype=torch.float64)
        group.all_reduce(found, how)
        listed: list[float] = found.tolist()
        return listed


def alone() -> World:
    """The world of one process."""
    return World()


def _bytes(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _answer(told: Any) -> Any:
    """What the first process found, or its error."""
    if "problem" in told:
        raise UserError(told["problem"], told["hint"])
    return told["found"]
