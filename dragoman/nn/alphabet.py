"""A tokenizer whose tokens are the characters of a text, for small texts and small models."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, decoders
from tokenizers import Tokenizer as Rust
from tokenizers.models import BPE

from dragoman.core.errors import UserError
from dragoman.nn.specials import write_settings

__all__ = ["spell", "write_alphabet"]

_END, _UNKNOWN = "<|endoftext|>", "<|unknown|>"


def spell(characters: Iterable[str]) -> Rust:
    """A tokenizer that knows these characters, numbered in the order of their code points, and two special tokens
    behind them: the end of a text, and what stands for a character that is not known.

    It is BPE that joins nothing: each character is a token of its own, and whole texts are cut without a regular
    expression. Raises UserError where there is no character.
    """
    known = sorted(set(characters))
    if not known:
        raise UserError("there is no text to take characters from", "give files with text: dragoman corpus SOURCE")
    numbers = {character: place for place, character in enumerate(known)} | {_UNKNOWN: len(known) + 1}
    rust = Rust(BPE(numbers | {_END: len(known)}, [], unk_token=_UNKNOWN, fuse_unk=False))
    rust.decoder = decoders.Fuse()
    rust.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in (_END, _UNKNOWN)])
    return rust


def write_alphabet(rust: Rust, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json, as transformers reads them."""
    (folder / "tokenizer.json").write_text(rust.to_str(), encoding="utf-8")
    write_settings(folder, {"bos_token": _END, "eos_token": _END, "pad_token": _END, "unk_token": _UNKNOWN})
