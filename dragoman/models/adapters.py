"""Many adapters over one base model in memory: each answers by its name, and one batch may hold rows of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from dragoman.core.doors import Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.models.local import LocalLM
from dragoman.nn.adapter import adapter_scale, check_settings, modules_under, published_modules, split_adapter
from dragoman.nn.decode import Writer
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.packed import Weights
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.updates import Choice, Update, Updated, UpdatedByRow, fused, graft, stack_updates
from dragoman.nn.weights import read_json, read_tensors

__all__ = ["AdaptedLM"]

_OTHER = "merge it instead: give its own folder in models.candidates"


class AdaptedLM:
    """A base model and LoRA adapters (Hu et al. 2021) by name, unmerged: each costs its thin matrices alone.

    Adapters come and go while others answer: an answer that has begun keeps the adapter it began with. `rank` is the
    most rows that a thin matrix may have: in a batch of several adapters all are filled up to it with zeros, so that
    what one of them answers does not depend, to the last bit, on which others there are.
    """

    def __init__(
        self,
        net: Writer,
        tokenizer: Tokenizer,
        *,
        device: torch.device | None = None,
        weights: Weights = "fp32",
        raw: bool = False,
        rank: int = 16,
    ) -> None:
        """Take over `net`: it is moved, cast and packed for answering, once for all adapters."""
        self.rank = rank
        self._published = modules_under(published_modules(net))
        self._shapes = {
            name: (module.out_features, module.in_features)
            for name, module in net.named_modules()
            if isinstance(module, nn.Linear)
        }
        self._net = net
        self._base = LocalLM(net, tokenizer, device=device, weights=weights, raw=raw)
        self._dtype = torch.bfloat16 if weights in ("bf16", "int8") else torch.float32
        self._held: Mapping[str, Mapping[str, Update]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The adapters that are there."""
        return tuple(self._held)

    def add(self, name: str, folder: Path) -> None:
        """Read a LoRA adapter in PEFT's format and answer to `name` with it from now on.

        Raises UserError where the name is taken, or the adapter is of another kind, another model's or too thick.
        """
        if not name or name in self._held:
            raise UserError(f"there is an adapter named '{name}' already", "give it a name of its own")
        updates = fused(self._net, self._read(folder))
        self._held = {**self._held, name: updates}  # whole or not at all: others may be reading it

    def remove(self, name: str) -> None:
        """Forget an adapter. Raises UserError where there is none of that name."""
        self._of(name)
        self._held = {other: updates for other, updates in self._held.items() if other != name}

    def of(self, name: str = "") -> LocalLM:
        """The door that answers with that adapter, as it is now; '' is the base alone.

        Raises UserError where there is none of that name.
        """
        if not name:
            return self._base
        grafted = {place: Updated(self._net.get_submodule(place), one) for place, one in self._of(name).items()}
        return self._base.beside(_writer(graft(self._net, grafted)))

    def generate(self, prompts: Sequence[Prompt], how: Sampling, adapters: Sequence[str]) -> list[Completion]:
        """`how.n` completions for each prompt with the adapter of its own ('' for none), all in the same batches.

        Raises UserError where there is no adapter of a name, and as `LocalLM.generate`.
        """
        if len(adapters) != len(prompts):
            raise ValueError(f"{len(prompts)} prompts cannot have {len(adapters)} adapters")
        held = {name: self._of(name) for name in dict.fromkeys(adapters) if name}
        if how.beams > 1:  # one prompt at a time anyway
            return [
                answer
                for prompt, name in zip(prompts, adapters, strict=True)
                for answer in self.of(name).generate([prompt], how)
            ]
        rows = [self._base.ids(prompt) for prompt in prompts]
        found: list[Completion] = [Completion("")] * (len(rows) * how.n)
        for batch in self._base.batches(rows, how):
            net = self._mixed(held, [adapters[index] for index in batch])
            made = self._base.beside(net).batch([rows[index] for index in batch], how)
            for place, index in enumerate(batch):
                found[index * how.n : (index + 1) * how.n] = made[place * how.n : (place + 1) * how.n]
        return found

    def mixed(self, names: Sequence[str]) -> tuple[Writer, Choice]:
        """A net in which each row of a batch may use one of these adapters, and what says which: the number of its
        name among them plus 1, or 0 for none. Raises UserError where there is no adapter of a name."""
        return self._stacked({name: self._of(name) for name in names})

    def _mixed(self, held: Mapping[str, Mapping[str, Update]], wanted: Sequence[str]) -> Writer:
        """The net of one batch, whose rows use the adapters named."""
        used = list(dict.fromkeys(name for name in wanted if name))
        if not used:
            return self._net
        net, choice = self._stacked({name: held[name] for name in used})
        choice.rows = torch.tensor([1 + used.index(name) if name else 0 for name in wanted], device=self._base.device)
        return net

    def _stacked(self, held: Mapping[str, Mapping[str, Update]]) -> tuple[Writer, Choice]:
        choice = Choice(torch.zeros(0, dtype=torch.long, device=self._base.device))
        grafted: dict[str, nn.Module] = {}
        for place in dict.fromkeys(place for updates in held.values() for place in updates):
            parts = {"attention.joint": 3, "feed_forward.joint": 2}.get(".".join(place.split(".")[-2:]), 1)
            stacked = stack_updates([None, *(updates.get(place) for updates in held.values())], self.rank * parts)
            assert stacked is not None
            grafted[place] = UpdatedByRow(self._net.get_submodule(place), *stacked, choice)
        net = _writer(graft(self._net, grafted))
        (net.decoder if isinstance(net, EncoderDecoder) else net).choice = choice
        return net, choice

    def _of(self, name: str) -> Mapping[str, Update]:
        if name not in self._held:
            there = ", ".join(self._held) or "none yet"
            raise UserError(f"there is no adapter named '{name}'", f"those that are there: {there}")
        return self._held[name]

    def _read(self, folder: Path) -> dict[str, Update]:
        """The updates of an adapter by our names of the matrices."""
        settings = read_json(folder / "adapter_config.json")
        if check_settings(settings, folder) != "LORA" or settings.get("use_dora"):
            raise UserError(f"the adapter {folder} does not add to the matrices: it cannot stay beside them", _OTHER)
        tensors = read_tensors(folder, "adapter_model.safetensors")
        parts, rest = split_adapter(tensors, "LORA", set(self._published), folder)
        if rest:
            raise UserError(f"the adapter {folder} holds {next(iter(rest))} whole, which cannot stay beside it", _OTHER)
        found: dict[str, Update] = {}
        for module, halves in parts.items():
            if set(halves) != {"lora_A", "lora_B"}:
                raise UserError(f"the adapter {folder} holds half an update of {module}", _OTHER)
            down, up = halves["lora_A"], halves["lora_B"] * adapter_scale(settings, module)
            ours = self._published[module]
            if any(one not in self._shapes for one in ours):
                raise UserError(f"the adapter {folder} changes {module}, which is not a linear layer", _OTHER)
            rows = [self._shapes[one][0] for one in ours]
            if down.ndim != 2 or tuple(up.shape) != (sum(rows), len(down)) or down.shape[1] != self._shapes[ours[0]][1]:
                raise UserError(f"the adapter {folder} does not fit {module}: another model's", _OTHER)
            for one, part in zip(ours, torch.split(up, rows), strict=True):
                used = part.any(0)  # [r]: where several of ours are one published matrix, each has columns of its own
                if int(used.sum()) > self.rank:
                    raise UserError(f"the adapter {folder} has rank {int(used.sum())}, above {self.rank}", _OTHER)
                if bool(used.any()):
                    found[one] = Update(self._placed(down[used]), self._placed(part[:, used]))
        return found

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self._base.device, self._dtype).contiguous()


def _writer(net: nn.Module) -> Writer:
    assert isinstance(net, Decoder | EncoderDecoder)
    return net
