"""Where things stand in any net: its blocks, their matrices, the parts that are new, and what of it learns."""

import re
from collections import Counter
from collections.abc import Iterable

from torch import nn

from dragoman.core.errors import UserError
from dragoman.nn.blocks import Block
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.encoder import Encoder
from dragoman.nn.masked import MaskedLM

__all__ = [
    "blocks",
    "chosen",
    "count_learning",
    "describe_learning",
    "fold_learning",
    "freeze",
    "fresh_parts",
    "levels",
    "matrices",
    "put",
    "stacks",
]

BODY = ("attention", "cross", "feed_forward")
"the parts of a block that hold its matrices, as nn.blocks.Block names them"


def stacks(net: nn.Module) -> dict[str, Encoder | Decoder]:
    """The stacks of blocks by name, in the order in which a text goes through them. A Decoder is its own, named ''."""
    return {name: each for name, each in net.named_modules() if isinstance(each, Encoder | Decoder)}


def blocks(net: nn.Module) -> dict[str, Block]:
    """Every block by its full name, the lowest first; the encoder's before the decoder's."""
    found: dict[str, Block] = {}
    for place, stack in stacks(net).items():
        for number, block in enumerate(stack.blocks):
            assert isinstance(block, Block)
            found[_joined(place, f"blocks.{number}")] = block
    return found


def matrices(net: nn.Module) -> dict[str, nn.Linear]:
    """Every linear map inside the blocks by its full name: query, key, value, output, gate, up, down, where they are.

    It is to be asked before a tuning puts anything into the net, whose own maps would be found as well.
    """
    return {
        f"{place}.{part}.{name}": each
        for place, block in blocks(net).items()
        for part in BODY
        if isinstance(half := getattr(block, part), nn.Module)
        for name, each in half.named_modules()
        if isinstance(each, nn.Linear)
    }


def chosen(net: nn.Module, where: Iterable[str], tuning: str) -> dict[str, nn.Linear]:
    """The matrices that `where` names by the last part of their names; all of them where it is empty.

    Raises UserError where a name matches none: a tuning that silently tunes nothing costs a training to find out.
    """
    every = matrices(net)
    known = list(dict.fromkeys(name.rpartition(".")[2] for name in every))
    wanted = tuple(where)
    for name in wanted:
        if name not in known:
            raise UserError(
                f"{tuning} finds no matrix named '{name}' in this model",
                f"name one or more in tuning.where, or none for all: {', '.join(sorted(known))}",
            )
    return {name: each for name, each in every.items() if not wanted or name.rpartition(".")[2] in wanted}


def fresh_parts(net: nn.Module) -> dict[str, nn.Module]:
    """The parts that are new and learn whole under every tuning: the head over an encoder. A language model has none.

    What predicts words in a language model was pretrained with the rest of it.
    """
    if isinstance(net, Encoder | Decoder | EncoderDecoder | MaskedLM):
        return {}
    head = getattr(net, "head", None)
    return {"head": head} if isinstance(head, nn.Module) else {}


def freeze(net: nn.Module) -> None:
    """Let nothing learn but the fresh parts."""
    net.requires_grad_(False)
    for part in fresh_parts(net).values():
        part.requires_grad_(True)


def put(net: nn.Module, name: str, module: nn.Module) -> None:
    """Set a module in the place of the one of that name."""
    place, _, last = name.rpartition(".")
    setattr(net.get_submodule(place), last, module)


def levels(net: nn.Module) -> dict[str, int]:
    """On which level each weight stands: 0 the words, 1 the lowest block, ..., and what stands above the last block.

    The blocks of a decoder stand on those of its encoder. A fresh head is one level above the highest block; the layers
    that were pretrained with the blocks (the last norm, the prediction of words) are on the highest block's own.
    """
    numbers = {name: number + 1 for number, name in enumerate(blocks(net))}
    top = len(numbers)
    fresh = tuple(f"{name}." for name in fresh_parts(net))
    ends: list[tuple[str, int, int]] = []  # of each stack: how its weights' names begin, its lowest and highest level
    for place, stack in stacks(net).items():
        own = [numbers[_joined(place, f"blocks.{number}")] for number in range(len(stack.blocks))]
        ends.append((_joined(place, ""), own[0], own[-1]))

    def level(name: str) -> int:
        if name.startswith(fresh):
            return top + 1
        for place, number in numbers.items():
            if name.startswith(f"{place}."):
                return number
        for front, lowest, highest in ends:
            if name.startswith(front):
                rest = name.removeprefix(front)
                return 0 if rest.startswith("embeddings.") else lowest if rest.startswith("sights.") else highest
        return top

    return {name: level(name) for name, _ in net.named_parameters()}


def describe_learning(net: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of each weight that learns now, in the net's order; a shared one comes once."""
    return [(name, tuple(weight.shape)) for name, weight in net.named_parameters() if weight.requires_grad]


def fold_learning(net: nn.Module, most: int = 200) -> list[tuple[str, tuple[int, ...]]]:
    """The same for people: weights of one name and shape in several blocks are one line, `blocks.*.norm.weight x 12`.

    At most `most` lines; the last then says how many weights more there are.
    """
    kinds = Counter((re.sub(r"\.\d+(?=\.)", ".*", name), shape) for name, shape in describe_learning(net))
    lines = [(f"{name} x {times}" if "*" in name else name, shape) for (name, shape), times in kinds.items()]
    if len(lines) <= most:
        return lines
    left = sum(list(kinds.values())[most - 1 :])
    return [*lines[: most - 1], (f"and {left} more", ())]


def count_learning(net: nn.Module) -> int:
    """How many numbers learn now; shared ones count once."""
    return sum(weight.numel() for weight in net.parameters() if weight.requires_grad)


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
