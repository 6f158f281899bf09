"""The special tokens of a model folder: which text plays which role, and which ids begin, end and fill a text."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dragoman.core.errors import UserError
from dragoman.nn.weights import read_json

__all__ = [
    "ENCODERS",
    "ROLES",
    "begin_id",
    "end_ids",
    "fill_id",
    "longest",
    "optional",
    "special_tokens",
    "write_settings",
]

ROLES = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "bos_token", "eos_token")
ENCODERS = ("bert", "distilbert", "roberta")

_UNBOUND = 10**9  # some publishers write 1e30 for "no limit"
_BERT = {role: f"[{role[:3].upper()}]" for role in ("unk_token", "sep_token", "pad_token", "cls_token")}
_GPT2 = dict.fromkeys(("unk_token", "bos_token", "eos_token"), "<|endoftext|>")
_ROBERTA = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}


def optional(path: Path) -> dict[str, Any]:
    """A JSON object, empty where there is no such file. Raises UserError where it holds something else."""
    return read_json(path) if path.is_file() else {}


def special_tokens(folder: Path) -> dict[str, str]:
    """The special tokens by their role, from the files that may name them; else the ones their kind always has."""
    named = optional(folder / "tokenizer_config.json") | optional(folder / "special_tokens_map.json")
    found: dict[str, str] = {}
    for role in ROLES:
        token = named.get(role)
        token = token.get("content") if isinstance(token, dict) else token
        if isinstance(token, str):
            found[role] = token
    if "pad_token" not in found:
        pad_id = optional(folder / "config.json").get("pad_token_id")
        numbered = isinstance(pad_id, int)  # where it is not, a file of megabytes need not be read
        contents = _added(folder / "tokenizer.json") if numbered else []
        found |= [("pad_token", str(added["content"])) for added in contents if added["id"] == pad_id]
    return _usual(folder) | found


def _added(path: Path) -> list[dict[str, Any]]:
    """The added tokens of a tokenizer.json. Raises UserError where they are not what the library writes."""
    given = optional(path).get("added_tokens") or []
    good = isinstance(given, list) and all(isinstance(one, dict) and {"id", "content"} <= set(one) for one in given)
    if not good:
        said = f"added_tokens in {path} is no list of tokens with id and content"
        raise UserError(said, "copy or download the model again, then give its folder in models.candidates")
    return list(given)


def write_settings(folder: Path, special: Mapping[str, str], template: str = "", most: int = 0) -> None:
    """Write tokenizer_config.json and special_tokens_map.json, as transformers reads them beside a tokenizer.json."""
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # "what tokenizer.json says", whatever the family
        # All texts are sentence A, which the model adds by itself; and DistilBERT refuses token types.
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **special,
    }
    if most:
        settings["model_max_length"] = most
    if template:
        settings["chat_template"] = template
    for name, content in (("tokenizer_config.json", settings), ("special_tokens_map.json", dict(special))):
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _usual(folder: Path) -> dict[str, str]:
    """What a list of words leaves unsaid, because its family has one set of special tokens."""
    if (folder / "tokenizer.json").is_file():
        return {}
    if (folder / "vocab.txt").is_file():
        return _BERT | {"mask_token": "[MASK]"}
    if (folder / "vocab.json").is_file():
        kind = optional(folder / "config.json").get("model_type", "gpt2")
        return dict(_ROBERTA if kind in ("roberta", "bart") else _GPT2)
    return {}  # a SentencePiece model names its own


def longest(folder: Path) -> int:
    """What texts are cut to: sentence-transformers' own word for it, else the tokenizer's; 0 where neither says."""
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        given = optional(folder / name).get(key)
        if isinstance(given, int | float) and 0 < given < _UNBOUND:
            return int(given)
    return 0


def begin_id(folder: Path, special: dict[str, str], number: Callable[[str], int | None]) -> int | None:
    """The id that begins a text: the tokenizer's, else what the model's settings say; None where nothing does."""
    token = special.get("bos_token")
    found = number(token) if token else None
    return found if found is not None else next(_said(folder, "bos_token_id"), None)


def end_ids(folder: Path, special: dict[str, str], number: Callable[[str], int | None]) -> frozenset[int]:
    """Every id that ends an answer. A chat model often has two: one ends the turn, the other the text."""
    token = special.get("eos_token")
    found = number(token) if token else None
    return frozenset(_said(folder, "eos_token_id")) | (frozenset() if found is None else {found})


def fill_id(
    folder: Path, special: dict[str, str], number: Callable[[str], int | None], ends: frozenset[int], size: int
) -> int:
    """The id that fills short rows; a decoder without one, or with one beyond the `size` tokens that there are, is
    filled with its end, which the mask hides.

    Raises UserError where an encoder's folder names none: its mask may depend on it.
    """
    token = special.get("pad_token")
    found = number(token) if token else None
    if found is not None:
        return found
    kind = optional(folder / "config.json").get("model_type")
    if kind not in ENCODERS:
        known = [given for given in (*_said(folder, "pad_token_id"), *sorted(ends)) if given < size]
        if known or kind:
            return known[0] if known else 0
    raise UserError(f"the tokenizer of {folder} has no pad_token", "add pad_token to its tokenizer_config.json")


def _said(folder: Path, key: str) -> Iterator[int]:
    """What generation_config.json and config.json say an id is: one number or several."""
    for name in ("generation_config.json", "config.json"):
        given = optional(folder / name).get(key)
        for one in given if isinstance(given, list) else [given]:
            if isinstance(one, int) and not isinstance(one, bool) and one >= 0:
                yield one
