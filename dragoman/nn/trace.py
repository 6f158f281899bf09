"""What happens inside a model while it reads one text, as plain values that another wing can draw.

A trace is a dict of JSON types; arrays are packed as {"shape", "kind", "data"} (see `trace_parts.pack`). Its keys, all
always there, None or empty where a model has no such part:

schema       1
title, model the model's name, and the words that open it
kind, family decoder, encoder or encoder-decoder; the published architecture
text         what was given
facts        [[name, value]] for people
sizes        layers, heads, kv_heads, width, vocabulary, longest
left_out     tokens of the text that were not read, so that a page stays small
names        {id: written form}, of the most probable next tokens and of every id named below
tokens       [{id, text, bytes (hexadecimal), special}] as the model read them
targets      the same for what the decoder of an encoder-decoder wrote, its start token first
embeddings   ids (distinct, in their order), points [n, 2], variance [2], neighbours [n][8] of [id, cosine, x, y]
positions    kind, values, scaling: angles [s, pairs] (rotary), rows of the table [s, numbers] (learned, sinusoidal),
             or what is added to scores [heads, 2 s - 1] by key place minus query place, from 1 - s (relative, alibi)
attention    self, target, cross: layers, heads, queries, keys, causal, weights (uint8: 255 sqrt(share), [l, h, q, k];
             where causal [l, h, q (q + 1) / 2], the lower triangles row by row)
lens         of (tokens or targets), ids and probabilities [l + 1, s, 5], real and rank [l + 1, s] of what came next
next         after (tokens or targets), logits [v], counts {id: times seen}, ends (ids)
masked       [{position, candidates [[id, probability]]}]
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.cache import Cache
from dragoman.nn.decode import Reading
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.encoder import Encoder
from dragoman.nn.masked import MaskedLM
from dragoman.nn.positions import sinusoids
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.trace_parts import (
    named_first,
    pack,
    trace_embeddings,
    trace_lens,
    trace_masked,
    trace_next,
    trace_shares,
)
from dragoman.nn.watch import Seen, watch

__all__ = ["most_tokens", "trace", "written_form"]

MOST = 128
"the most tokens of a text that are read"
ROOM = 2_000_000
"how many bytes of attention shares a trace may hold: with all else, a page of less than 5 MB"
WRITTEN = 32
"how many tokens an encoder-decoder writes when it is not told what to write"
NUMBERS = 128
"how many numbers of a position's vector are kept"


def trace(
    net: Decoder | EncoderDecoder | MaskedLM | Encoder,
    tokenizer: Tokenizer,
    text: str,
    title: str = "",
    model: str = "",
    answer: str = "",
) -> dict[str, Any]:
    """The trace of `text` going through `net`, which is left as it was. See the head of this file for its parts.

    An encoder reads its literal mask token in the text as a mask. An encoder-decoder writes `answer`, or greedily what
    it likes where none is given. Raises UserError where no token is left to read, or a number is not finite.
    """
    arch = net.arch
    ids, left_out = _read_ids(net, tokenizer, text)
    training = net.training
    net.eval()
    try:
        with torch.inference_mode():
            parts = _parts(net, tokenizer, ids, answer)
    finally:
        net.train(training)
    names = {number: written_form(tokenizer, number) for number in _named(parts, ids)}
    return {
        "schema": 1,
        "title": title or Path(model).name or arch.family,
        "model": model,
        "kind": arch.kind,
        "family": arch.family,
        "text": text,
        "facts": _facts(net),
        "sizes": {
            "layers": arch.layers,
            "heads": arch.heads,
            "kv_heads": arch.groups,
            "width": arch.width,
            "vocabulary": arch.vocabulary,
            "longest": arch.longest,
        },
        "left_out": left_out,
        "tokens": _tokens(tokenizer, ids),
        **parts,
        "names": {**parts["names"], **{str(number): name for number, name in names.items()}},
    }


def most_tokens(arch: Arch) -> int:
    """How many tokens of a text are read: MOST, fewer where so many heads would fill more than ROOM."""
    heads = arch.layers * arch.heads
    if arch.kind == "encoder-decoder":
        heads = (arch.layers + arch.decoder_layers) * arch.heads  # the decoder's own shares are small
    whole = 2 if arch.kind == "decoder" else 1  # half of the squares is empty
    return max(8, min(MOST, arch.longest, int((whole * ROOM / heads) ** 0.5)))


def written_form(tokenizer: Tokenizer, number: int) -> str:
    """A token for people: its text; its bytes where they are part of a character; its name where it is a control."""
    piece = tokenizer.pieces([number])[0] if number < tokenizer.size else b""
    if not piece:
        return (tokenizer.tokens([number])[0] if number < tokenizer.size else "") or f"#{number}"
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError:
        return f"⟨{piece.hex(' ').upper()}⟩"


def _read_ids(net: torch.nn.Module, tokenizer: Tokenizer, text: str) -> tuple[list[int], int]:
    """The ids the model reads, cut to what fits, and how many are left out."""
    arch = net.arch
    assert isinstance(arch, Arch)
    most = most_tokens(arch)
    if arch.kind == "decoder":
        ids = tokenizer.start(text)
        kept = ids[:most]
        if not kept:
            raise UserError("there is no text to explain", 'give one: dragoman explain MODEL "Once upon a time"')
        return kept, len(ids) - len(kept)
    before = tokenizer.start("")
    after = tokenizer.encode([""], 1 << 30)[0][len(before) :]
    mask = tokenizer.special.get("mask_token", "") if arch.kind == "encoder" else ""
    body = _masked_body(tokenizer, text, mask) if mask and tokenizer.mask_id is not None else tokenizer.plain([text])[0]
    if not body:
        raise UserError("there is no text to explain", 'give one: dragoman explain MODEL "Once upon a time"')
    room = max(1, most - len(before) - len(after))
    return [*before, *body[:room], *after], max(0, len(body) - room)


def _masked_body(tokenizer: Tokenizer, text: str, mask: str) -> list[int]:
    """The ids of a text in which the mask token's own name is a mask: here the user asks for it, and nowhere else."""
    assert tokenizer.mask_id is not None
    pieces = text.split(mask)
    ids: list[int] = []
    for place, piece in enumerate(pieces):
        last = place == len(pieces) - 1
        # RoBERTa's mask takes the space before it in; BERT drops spaces anyway.
        ids += tokenizer.plain([piece if last else piece.rstrip(" ")])[0]
        ids += [] if last else [tokenizer.mask_id]
    return ids


def _parts(
    net: Decoder | EncoderDecoder | MaskedLM | Encoder, tokenizer: Tokenizer, ids: list[int], answer: str
) -> dict[str, Any]:
    """Everything that depends on the pass through the model."""
    stack = net if isinstance(net, Decoder | Encoder) else net.encoder
    device = stack.embeddings.words.weight.device
    row = torch.tensor([ids], device=device)  # [1, s]
    with watch(stack) as seen:
        states = stack(row)  # [1, s, w], of a decoder [1, s, v]
    _refuse_not_finite(*seen.states, states)
    parts: dict[str, Any] = {
        "targets": [],
        "embeddings": trace_embeddings(stack.embeddings.words.weight, list(dict.fromkeys(ids))),
        "positions": _positions(stack, len(ids)),
        "attention": {"self": trace_shares(torch.stack(seen.shares), isinstance(net, Decoder))},
        "lens": None,
        "next": None,
        "masked": [],
        "names": {},
    }
    if isinstance(net, Decoder):
        parts |= _said(net, tokenizer, seen, ids, "tokens")
    if isinstance(net, EncoderDecoder):
        written = _write(net, tokenizer, states, answer)
        with watch(net.decoder) as wrote:
            logits = net.decoder(torch.tensor([written], device=device), source=states)  # [1, t, v]
        _refuse_not_finite(*wrote.states, logits)
        parts["targets"] = _tokens(tokenizer, written)
        parts["attention"]["target"] = trace_shares(torch.stack(wrote.shares), True)
        parts["attention"]["cross"] = trace_shares(torch.stack(wrote.crossed), False)
        parts |= _said(net.decoder, tokenizer, wrote, written, "targets")
    if isinstance(net, MaskedLM):
        parts |= _filled(net, tokenizer, seen, ids)
    return parts


def _said(net: Decoder, tokenizer: Tokenizer, seen: Seen, ids: list[int], side: str) -> dict[str, Any]:
    """What the layers of a decoder would predict, and every logit of the last place."""
    first = net.head.weight

    def read(states: Float[Tensor, "s w"]) -> Float[Tensor, "s v"]:
        wide = states.to(first)  # [s, w]
        return net.predict(wide if net.norm is None else net.norm(wide)).float().cpu()  # [s, v]

    logits = read(seen.states[-1][-1:])[0]  # [v]
    names = named_first(logits, lambda numbers: [written_form(tokenizer, number) for number in numbers])
    return {
        "lens": {"of": side, **trace_lens(seen.states, read, [*ids[1:], -1])},
        "next": {"after": side, **trace_next(logits, ids, sorted(tokenizer.eos_ids))},
        "names": {str(number): name for number, name in names.items()},
    }


def _filled(net: MaskedLM, tokenizer: Tokenizer, seen: Seen, ids: list[int]) -> dict[str, Any]:
    """What the layers of a masked language model would put at each place, and the words for its masks."""
    first = net.head.weight

    def read(states: Float[Tensor, "s w"]) -> Float[Tensor, "s v"]:
        wide = states.to(first)  # [s, w]
        return net.predict(wide if net.encoder.norm is None else net.encoder.norm(wide)).float().cpu()  # [s, v]

    _refuse_not_finite(read(seen.states[-1]))
    places = [place for place, number in enumerate(ids) if number == tokenizer.mask_id]
    lens = trace_lens(seen.states, read, [-1 if number == tokenizer.mask_id else number for number in ids])
    masked = trace_masked(places, read(seen.states[-1][places])) if places else []
    return {"lens": {"of": "tokens", **lens}, "masked": masked}


def _write(net: EncoderDecoder, tokenizer: Tokenizer, source: Float[Tensor, "1 t w"], answer: str) -> list[int]:
    """What the decoder reads: its start token and the answer, which is not ended: the end is left to predict."""
    ids, most = [net.arch.start_id], min(WRITTEN, net.arch.longest)
    if answer:
        return [*ids, *tokenizer.plain([answer])[0][: most - 1]]
    cache = Cache(net.arch, 1, most, source.dtype, source.device, source=source.shape[1])
    start = torch.tensor([ids], device=source.device)  # [1, 1]
    reading = Reading(net.decoder, cache, net.decoder(start, cache=cache, source=source)[:, -1])
    while len(ids) < most:
        best = int(reading.logits[0].argmax())
        if best in tokenizer.eos_ids:
            break
        ids.append(best)
        reading.logits = reading.go_on(torch.tensor([[best]], device=source.device))[:, 0]  # [1, v]
    return ids


def _refuse_not_finite(*values: Tensor) -> None:
    """Raise UserError where a model computes what can be neither drawn nor compared."""
    if not all(bool(one.isfinite().all()) for one in values):
        said = "copy or download it again, then give its folder: dragoman explain FOLDER TEXT"
        raise UserError("the model's numbers are not finite", said)


def _positions(stack: Encoder | Decoder, count: int) -> dict[str, Any]:
    """How the model tells places apart, as numbers for the first `count` of them."""
    arch, sights = stack.arch, stack.sights
    places = torch.arange(count)  # [s]
    values = torch.zeros(1, 1)
    if sights.rotary is not None:
        values = places[:, None].float() * sights.rotary.steps.cpu()  # [s, d / 2]
    elif stack.embeddings.positions is not None:
        values = stack.embeddings.positions(places[None].to(stack.embeddings.words.weight.device))[0]  # [s, w]
    elif arch.position == "sinusoidal":
        values = sinusoids(places[None], arch.width)[0]  # [s, w]
    elif sights.relative is not None:
        device = sights.relative.table.weight.device
        asking, seen = torch.tensor([count - 1], device=device), torch.arange(2 * count - 1, device=device)
        values = sights.relative(asking, seen)[0, :, 0]  # [h, 2 s - 1]
    elif sights.slopes is not None:
        values = -sights.slopes[:, None] * (torch.arange(2 * count - 1) - count + 1).abs()  # [h, 2 s - 1]
    if arch.position in ("learned", "sinusoidal") and values.shape[1] > NUMBERS:
        pairs = torch.linspace(0, values.shape[1] // 2 - 1, NUMBERS // 2).long()  # whole pairs: a sine and its cosine
        values = values[:, torch.stack((2 * pairs, 2 * pairs + 1), 1).flatten().to(values.device)]  # [s, NUMBERS]
    scaling = f"{arch.rope.scaling}, {arch.rope.factor:g} times" if arch.rope.scaling != "none" else ""
    return {"kind": arch.position, "values": pack(values), "scaling": scaling}


def _tokens(tokenizer: Tokenizer, ids: Sequence[int]) -> list[dict[str, Any]]:
    pieces, control = tokenizer.pieces(ids), tokenizer.control_ids
    return [
        {"id": number, "text": written_form(tokenizer, number), "bytes": piece.hex(), "special": number in control}
        for number, piece in zip(ids, pieces, strict=True)
    ]


def _facts(net: Decoder | EncoderDecoder | MaskedLM | Encoder) -> list[list[str]]:
    arch = net.arch
    shared = {id(tensor): tensor.numel() for tensor in net.parameters()}  # a tied table counts once
    layers = f"{arch.layers} + {arch.decoder_layers}" if arch.decoder_layers else str(arch.layers)
    return [
        ["parameters", f"{sum(shared.values()):,}"],
        ["layers", layers],
        ["heads", str(arch.heads)],
        ["width", f"{arch.width:,}"],
        ["vocabulary", f"{arch.vocabulary:,}"],
        ["positions", arch.position],
    ]


def _named(parts: dict[str, Any], ids: Sequence[int]) -> list[int]:
    """Every id that the trace speaks of and that has no name yet."""
    found = set(ids) | {token["id"] for token in parts["targets"]}
    found |= {int(near[0]) for row in parts["embeddings"]["neighbours"] for near in row}
    found |= {int(candidate[0]) for gap in parts["masked"] for candidate in gap["candidates"]}
    if parts["lens"]:
        found |= set(parts["lens"].pop("named"))
    if parts["next"]:
        found |= set(parts["next"]["ends"])
    return sorted(number for number in found if str(number) not in parts["names"])
