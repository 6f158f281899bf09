"""How good a whole text is, as one number: an encoder or a decoder with a head, from folders and into folders."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.decoder import Decoder
from dragoman.nn.encoder import Encoder, initialise
from dragoman.nn.family import EncoderFamily, Family
from dragoman.nn.folder import (
    encoder_family_of,
    family_of,
    fill_net,
    model_type,
    modules_by_published_name,
    renamed,
    save_folder,
    tell_types,
    tensors_in,
)
from dragoman.nn.heads import Head, TokenHead
from dragoman.nn.hollow import hollow
from dragoman.nn.names import from_published, pairs, to_published
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.weights import architectures, read_config

__all__ = ["Scorer", "load_scorer", "save_scorer"]

KIND = "ForSequenceClassification"
OUT = ("head.out.bias", "head.out.weight")
DENSE = ("head.dense.bias", "head.dense.weight")


class Scorer(nn.Module):
    """A decoder is read at the last token of the text, which has seen all of it; an encoder at the first.

    Padding is never read: a decoder's may stand on either side, an encoder's on the right, as in their own.
    """

    def __init__(self, body: Encoder | Decoder, head: Head | TokenHead) -> None:
        super().__init__()
        if isinstance(body, Decoder) and hasattr(body, "head"):
            del body.head  # what predicts words says nothing here
        self.body = body
        self.head = head
        self.fresh: tuple[str, ...] = ()
        "tensors that were not in the folder it was loaded from and are new; () when all were"
        self.unused: tuple[str, ...] = ()
        "tensors of that folder that a scorer has no use for, by their published names"

    @property
    def arch(self) -> Arch:
        """The shape of the body."""
        return self.body.arch

    def forward(
        self,
        ids: Int[Tensor, "b s"],
        mask: Bool[Tensor, "b s"] | None = None,
        types: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, " b"]:
        """One number a text. `mask` as in the body's own; `types` tell a pair's two texts apart, see `Encoder`."""
        if isinstance(self.body, Encoder):
            said: Tensor = self.head(self.body.first(ids, mask, types))  # [b, 1]
            return said[:, 0]
        states = self.body.states(ids, mask)  # [b, s, w]
        if mask is None:
            read = states[:, -1:]  # [b, 1, w]
        else:
            last = ids.shape[1] - 1 - mask.flip(1).int().argmax(1)  # [b]
            read = states[torch.arange(len(ids), device=ids.device), last][:, None]  # [b, 1, w]
        found: Tensor = self.head(read)  # [b, 1, 1]
        return found[:, 0, 0]

    def normalise(self, mean: float, spread: float) -> None:
        """Let what was scored `mean` be 0 from now on, and `spread` be 1. Raises ValueError at no spread."""
        if not spread > 0:
            raise ValueError("all texts have one score: there is no spread to be made 1")
        with torch.no_grad():
            self.head.out.weight /= spread
            self.head.out.bias.sub_(mean).div_(spread)


def load_scorer(folder: Path, seed: int = 0) -> Scorer:
    """The scorer in a folder, or its encoder or decoder with a new head drawn from `seed`; float32, CPU, in `eval`.

    A published sequence classifier with one label keeps its head. What is new is listed in `.fresh`: its last layer is
    N(0, 1 / sqrt(width + 1)) with bias 0 (Stiennon et al. 2020), so that fresh scores are of about unit size. Raises
    UserError as `nn.store.load_lm`, and for an encoder-decoder.
    """
    config = read_config(folder)
    family = family_of(model_type(config, folder))
    if family.kind == "encoder-decoder":
        raise UserError(
            f"{folder} is an encoder-decoder, which scores no texts here",
            'name an encoder or a decoder: models.candidates=["builtin:minilm"]',
        )
    arch = family.read(config)
    tensors = tensors_in(arch, folder)
    if isinstance(family, EncoderFamily):
        net, found, new = _encoder(config, family, arch, tensors, seed)
    else:
        net, found, new = _decoder(config, family, arch, tensors, seed)
    fill_net(net, found, folder, _names(net, family))
    net.fresh = tuple(sorted(new))
    return net.eval()


def save_scorer(net: Scorer, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a folder that `load_scorer` and transformers' AutoModelForSequenceClassification open alike.

    A published decoder's head has no bias: where ours is not 0 it stands beside the rest as `score.bias`, which
    transformers passes over, so that its scores are all apart by one number. There the last token that is not padding
    is read, so a token that ends texts is not the one that fills.
    """
    family = family_of(net.arch.family)
    held = net.state_dict()
    said: dict[str, Any] = {"id2label": {"0": "score"}, "label2id": {"score": 0}, "problem_type": "regression"}
    if isinstance(family, EncoderFamily):
        tensors = {theirs: held[ours] for ours, theirs in _names(net, family).items()}
        said["architectures"] = [family.architecture]
    else:
        tensors = to_published(net.body, net.arch, family.language) | {"score.weight": held["head.out.weight"]}
        if bool(held["head.out.bias"].any()):
            tensors["score.bias"] = held["head.out.bias"]
        written = family.language.architecture
        said["architectures"] = [written.replace("ForCausalLM", KIND).replace("LMHeadModel", KIND)]
        ends = sorted(tokenizer.eos_ids)
        said["pad_token_id"] = next(one for one in (tokenizer.pad_id, *range(tokenizer.size)) if one not in ends)
        if tokenizer.pad_id in ends:
            tokenizer = copy.copy(tokenizer)
            tokenizer.special = {role: token for role, token in tokenizer.special.items() if role != "pad_token"}
        if ends:
            said["eos_token_id"] = ends[0] if len(ends) == 1 else ends
        if tokenizer.bos_id is not None:
            said["bos_token_id"] = tokenizer.bos_id
    save_folder(family.write(net.arch) | said, tensors, tokenizer, folder)
    if net.arch.kind == "encoder" and net.arch.token_types > 1:
        tell_types(folder)


def _encoder(
    config: Mapping[str, Any], family: EncoderFamily, arch: Arch, tensors: Mapping[str, Tensor], seed: int
) -> tuple[Scorer, dict[str, Tensor], set[str]]:
    """The net without numbers, all of them by our names, and which are new."""
    kept = _has_one_label(config)
    wanted = {ours: theirs for ours, theirs in family.head.items() if ours == "dense" or kept}
    named, unused = renamed(tensors, family, arch, wanted)
    found = {_ours(name): tensor for name, tensor in named.items()}
    with hollow():
        net = Scorer(Encoder(arch), Head(arch, 1))
    new = set() if kept else set(OUT)
    if not any(name.endswith(KIND) for name in architectures(config)) and not set(DENSE) & set(found):
        new |= set(DENSE)
    net.unused = unused
    return net, found | _drawn(Head(arch, 1), arch, seed, new), new


def _decoder(
    config: Mapping[str, Any], family: Family, arch: Arch, tensors: Mapping[str, Tensor], seed: int
) -> tuple[Scorer, dict[str, Tensor], set[str]]:
    """The same for a decoder, whose prediction of words is left out."""
    kept, language = _has_one_label(config), family.language
    words = f"{language.modules['head']}."
    left = {name for name in tensors if name.startswith(("score.", words))}
    with hollow():
        net = Scorer(Decoder(arch), TokenHead(arch, 1))
    plain, unused = from_published(
        {name: tensor for name, tensor in tensors.items() if name not in left}, net.body, arch, language
    )
    found = {f"body.{name}" if name in dict(net.body.named_parameters()) else name: one for name, one in plain.items()}
    if kept:
        left -= {"score.weight", "score.bias"}
        found |= {
            f"head.out.{name[6:]}": one for name, one in tensors.items() if name in ("score.weight", "score.bias")
        }
        found.setdefault("head.out.bias", torch.zeros(1))
    net.unused = tuple(sorted({*unused, *left}))
    new = set() if kept else set(OUT)
    return net, found | _drawn(TokenHead(arch, 1), arch, seed, new), new


def _has_one_label(config: Mapping[str, Any]) -> bool:
    """Whether it is a classifier of texts that gives one number."""
    names = config.get("id2label")
    one = len(names) == 1 if isinstance(names, Mapping) else config.get("num_labels") == 1
    return one and any(name.endswith(KIND) for name in architectures(config))


def _drawn(head: Head | TokenHead, arch: Arch, seed: int, wanted: set[str]) -> dict[str, Tensor]:
    """Fresh numbers of a head, those that are wanted."""
    initialise(head, arch.initial_std, seed)
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.out.weight.normal_(0.0, (arch.width + 1) ** -0.5, generator=dice)
    return {f"head.{name}": tensor for name, tensor in head.state_dict().items() if f"head.{name}" in wanted}


def _names(net: Scorer, family: Family) -> dict[str, str]:
    """The published name of each tensor by ours. Raises ValueError where a tuning wraps one: merge it first."""
    if isinstance(family, EncoderFamily):
        modules = modules_by_published_name(encoder_family_of(net.arch.family), net.arch)
        theirs = {_ours(ours): name for name, ours in modules.items()}
        found = {}
        for name in net.state_dict():
            module, _, leaf = name.rpartition(".")
            if module not in theirs:
                raise ValueError(f"{name} has no published name in {net.arch.family}: merge the tuning before saving")
            found[name] = f"{theirs[module]}.{leaf}"
        return found
    named = {f"body.{ours}": one.name for one in pairs(net.body, net.arch, family.language) for ours in one.ours}
    return named | {f"head.out.{leaf}": f"score.{leaf}" for leaf in ("weight", "bias")}


def _ours(name: str) -> str:
    """A name of an encoder with a head as a scorer has it."""
    return f"body.{name.removeprefix('encoder.')}" if name.startswith("encoder.") else name
