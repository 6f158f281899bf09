"""Small random language models of every kind, the tokenizer that goes with them, and writing without any cache."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, decoders, pre_tokenizers
from tokenizers import Tokenizer as Rust
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing

from dragoman.nn.decode import Decoding, Writer
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.masked import MaskedLM
from dragoman.nn.store import family_of, fresh_lm, save_lm
from dragoman.nn.templates import TEMPLATES
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.tiny import amplify

__all__ = [
    "DECODERS",
    "END",
    "ENDS",
    "SHAPES",
    "SOURCES",
    "WRITERS",
    "drawn",
    "folder_of",
    "greedy",
    "tokens",
    "without_end",
    "writer",
]

END = 2
ENDS = frozenset({END})
_LLAMA = {
    "vocab_size": 290,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
_BART = {
    f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in (("layers", 2), ("attention_heads", 4))
}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", _LLAMA),
    "gpt2": ("gpt2", {"vocab_size": 290, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}),
    "window": ("mistral", {**_LLAMA, "sliding_window": 5}),
    "gemma3": (
        "gemma3_text",
        {**_LLAMA, "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 4, "sliding_window_pattern": 2},
    ),
    "t5": (
        "t5",
        {
            "vocab_size": 290,
            "d_model": 32,
            "d_kv": 8,
            "d_ff": 48,
            "num_layers": 2,
            "num_heads": 4,
            "pad_token_id": 0,
            "decoder_start_token_id": 0,
        },
    ),
    "bart": (
        "bart",
        {
            **_BART,
            "vocab_size": 290,
            "d_model": 32,
            "encoder_ffn_dim": 48,
            "decoder_ffn_dim": 40,
            "max_position_embeddings": 64,
            "pad_token_id": 1,
            "decoder_start_token_id": 2,
        },
    ),
}
WRITERS = tuple(SHAPES)
DECODERS = tuple(name for name in WRITERS if name not in ("t5", "bart"))
_DICE = torch.Generator().manual_seed(7)
SOURCES = [torch.randint(3, 290, (size,), generator=_DICE).tolist() for size in (5, 11, 1, 8, 17, 3, 11)]


def writer(name: str, seed: int = 0) -> Writer:
    """A net with amplified weights that nothing was done to, in eval."""
    family, config = SHAPES[name]
    net = fresh_lm(family_of(family).read(config))
    assert not isinstance(net, MaskedLM)
    amplify(net, seed)
    return net.eval()


def tokens(name: str, folder: Path, chat_template: str = "") -> Tokenizer:
    """Bytes and a few merges; `<s>` in front of a text, or `</s>` behind it for the encoder of a T5."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("h", "e"), ("l", "l"), ("Ġ", "t"), ("Ġt", "he"), ("i", "n"), ("Ġ", "a"), ("t", "i")]
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    if name == "bart":
        special = ["<s>", "<pad>", "</s>", "<unk>"]
    words = [*special, *letters, *(first + second for first, second in merges)]
    rust = Rust(BPE(vocab={word: number for number, word in enumerate(words)}, merges=merges))
    rust.pre_tokenizer, rust.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    rust.add_special_tokens([AddedToken(word, special=True) for word in special])
    around = {"t5": "$A </s>", "bart": "<s> $A </s>"}.get(name, "<s> $A")
    numbers = [(word, words.index(word)) for word in ("<s>", "</s>")]
    rust.post_processor = TemplateProcessing(single=around, special_tokens=numbers)
    rust.save(str(folder / "tokenizer.json"))
    named = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", **named}
    if chat_template:
        settings["chat_template"] = chat_template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(json.dumps({"model_type": SHAPES[name][0]}))
    return Tokenizer(folder)


def without_end(folder: Path, chat_template: str = TEMPLATES["instruct"]) -> Tokenizer:
    """The tokenizer of a decoder that knows no token which ends a text."""
    tokens("llama", folder, chat_template)
    place = folder / "tokenizer_config.json"
    settings = json.loads(place.read_text())
    del settings["eos_token"]
    place.write_text(json.dumps(settings))
    return Tokenizer(folder)


def folder_of(name: str, folder: Path, chat_template: str = "") -> Path:
    """The folder of such a model with its tokenizer."""
    save_lm(writer(name), tokens(name, folder.with_name(f"{folder.name}-tokens"), chat_template), folder)
    return folder


@torch.no_grad()
def greedy(net: Writer, prompt: Sequence[int], most: int, ends: frozenset[int] = ENDS) -> list[int]:
    """The most probable token again and again, the whole text read anew for each of them."""
    written: list[int] = []
    while len(written) < most and not (written and written[-1] in ends):
        if isinstance(net, EncoderDecoder):
            logits = net(torch.tensor([prompt]), None, torch.tensor([[net.arch.start_id, *written]]))  # [1, s, v]
        else:
            assert isinstance(net, Decoder)
            logits = net(torch.tensor([[*prompt, *written]]))  # [1, s, v]
        written.append(int(logits[0, -1].argmax()))
    return written


def drawn(decoding: Decoding) -> list[list[int]]:
    """All that is written, by row."""
    found: list[list[int]] = [[] for _ in decoding.rows]
    while written := decoding.step():
        for one in written:
            found[one.row].append(one.id)
    return found
