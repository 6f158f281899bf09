"""The tokenizer files of a model folder, whatever their form, opened as one tokenizer of the `tokenizers` library."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, decoders, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Rust
from tokenizers.models import BPE, WordPiece
from tokenizers.processors import RobertaProcessing, TemplateProcessing

from dragoman.core.errors import UserError
from dragoman.nn.sentencepiece import build, parse
from dragoman.nn.specials import optional

__all__ = ["AGAIN", "open_pieces"]

AGAIN = "give a folder with tokenizer.json (or vocab.txt, vocab.json + merges.txt, a .model) in models.candidates"


def open_pieces(folder: Path, special: Mapping[str, str]) -> tuple[Rust, dict[str, str]]:
    """The tokenizer of a folder and its special tokens by role, those added that only its files know.

    Read are tokenizer.json, BERT's vocab.txt, GPT-2's vocab.json + merges.txt and SentencePiece's .model, the first
    that is there. Raises UserError where none is, or it is damaged.
    """
    path, roles = folder / "tokenizer.json", dict(special)
    if path.is_file():
        try:
            return Rust.from_file(str(path)), roles
        except Exception as error:  # the library raises nothing narrower
            raise UserError(f"{path} cannot be read as a tokenizer: {error}", AGAIN) from None
    if (folder / "vocab.txt").is_file():
        rust = _from_bert(folder, roles)
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        rust = _from_gpt2(folder, roles)
    elif models := sorted(folder.glob("*.model")):
        rust = _from_sentencepiece(models[0], roles)
    else:
        raise UserError(f"there is no tokenizer.json in {folder}", AGAIN)
    _add(rust, folder)
    return rust, roles


def _from_bert(folder: Path, special: Mapping[str, str]) -> Rust:
    """BERT's tokenizer from its list of words: split at spaces and punctuation, then the longest piece first."""
    settings = optional(folder / "tokenizer_config.json")
    try:
        words = (folder / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{folder / 'vocab.txt'} is not UTF-8: {error}", AGAIN) from None
    numbers = {word: number for number, word in enumerate(words)}
    lacking = [token for token in special.values() if token not in numbers]
    if lacking:
        raise UserError(f"{folder / 'vocab.txt'} lacks the special token {lacking[0]}", AGAIN)
    rust = Rust(WordPiece(vocab=numbers, unk_token=special["unk_token"]))
    rust.normalizer = normalizers.BertNormalizer(
        lowercase=bool(settings.get("do_lower_case", True)),
        strip_accents=settings.get("strip_accents"),
        handle_chinese_chars=bool(settings.get("tokenize_chinese_chars", True)),
    )
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.decoder = decoders.WordPiece()
    rust.add_special_tokens(list(special.values()))
    _around(rust, [special["cls_token"]], [special["sep_token"]])
    return rust


def _from_gpt2(folder: Path, special: Mapping[str, str]) -> Rust:
    """Byte-level BPE from its vocabulary and its merges (Radford et al. 2019); RoBERTa and BART too."""
    config, settings = optional(folder / "config.json"), optional(folder / "tokenizer_config.json")
    kind = config.get("model_type", "gpt2")
    if kind not in ("gpt2", "roberta", "bart"):  # others cut numbers and spaces by rules these two files do not hold
        raise UserError(f"the vocab.json of a {kind} model does not say how its texts are split", AGAIN)
    try:
        model = BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    except Exception as error:  # the library raises nothing narrower
        raise UserError(f"{folder} has a vocab.json or merges.txt that cannot be read: {error}", AGAIN) from None
    rust = Rust(model)
    lacking = [token for token in special.values() if rust.token_to_id(token) is None]
    if lacking:
        raise UserError(f"{folder / 'vocab.json'} lacks the special token {lacking[0]}", AGAIN)
    prefix = bool(settings.get("add_prefix_space", False))
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    rust.decoder = decoders.ByteLevel()
    mask = special.get("mask_token")
    rust.add_special_tokens([AddedToken(token, lstrip=token == mask) for token in special.values()])
    if kind in ("roberta", "bart"):
        first, last = ((special[role], _number(rust, special[role])) for role in ("cls_token", "sep_token"))
        rust.post_processor = RobertaProcessing(last, first, trim_offsets=True, add_prefix_space=prefix)
    elif settings.get("add_bos_token"):
        _around(rust, [special["bos_token"]], [])
    return rust


def _from_sentencepiece(path: Path, roles: dict[str, str]) -> Rust:
    """A .model with its own roles: a text begins with the begin piece where there is one, else it ends with the end
    piece, as T5's does."""
    model = parse(path)
    usual = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    known = {role: found for role, text in usual.items() if (found := model.role(text))}
    if model.unknown is not None:
        known["unk_token"] = model.pieces[model.unknown].text
    roles.update(known | roles)
    settings = optional(path.parent / "tokenizer_config.json")
    t5 = optional(path.parent / "config.json").get("model_type") in ("t5", "mt5")
    given = settings.get("extra_ids", 100 if t5 else 0)
    rust = build(model, extra=given if isinstance(given, int) and 0 <= given <= 10_000 else 0)
    begin, end = roles.get("bos_token"), roles.get("eos_token")
    before = [begin] if begin and settings.get("add_bos_token", True) and not t5 else []
    after = [end] if end and settings.get("add_eos_token", not before) else []
    _around(rust, before, after)
    return rust


def _around(rust: Rust, before: list[str], after: list[str]) -> None:
    """Let these tokens stand in front of and behind a text, and behind the second of a pair."""
    if before or after:
        tail = [f"{token}:1" for token in after]
        rust.post_processor = TemplateProcessing(
            single=[*before, "$A", *after],
            pair=[*before, "$A", *after, "$B:1", *tail],
            special_tokens=[(token, _number(rust, token)) for token in dict.fromkeys((*before, *after))],
        )


def _number(rust: Rust, token: str) -> int:
    number = rust.token_to_id(token)
    if number is None:
        raise UserError(f"the tokenizer has no token {token}, which its settings name", AGAIN)
    return int(number)


def _add(rust: Rust, folder: Path) -> None:
    """Tokens that were added after the vocabulary was made, under the ids they were given."""
    listed = optional(folder / "added_tokens.json")
    settings = optional(folder / "tokenizer_config.json").get("added_tokens_decoder")
    rows: dict[int, dict[str, Any]] = {n: {"content": text} for text, n in listed.items() if isinstance(n, int)}
    if isinstance(settings, dict):
        rows |= {int(n): row for n, row in settings.items() if n.isdigit() and isinstance(row, dict)}
    for number, row in sorted(rows.items()):
        content = str(row.get("content", ""))
        flags = {name: bool(row.get(name)) for name in ("lstrip", "rstrip", "single_word", "normalized")}
        token = AddedToken(content, special=bool(row.get("special")), **flags)
        (rust.add_special_tokens if token.special else rust.add_tokens)([token])
        if rust.token_to_id(content) != number:
            raise UserError(f"{folder} gives the added token {content} the id {number}, which is not free", AGAIN)
