"""Text to token ids by the `tokenizers` library; what a user writes is never read as a control token."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Rust
from tokenizers import normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.weights import read_json

__all__ = ["Tokenizer"]

_AGAIN = "give a folder with tokenizer.json (or BERT's vocab.txt) in models.candidates"
_SPECIAL = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "bos_token", "eos_token")
_UNBOUND = 10**9  # some publishers write 1e30 for "no limit"


class Tokenizer:
    """The tokenizer of a model folder.

    Special tokens stand around a text because the model wants them there, never because somebody typed their names:
    "[SEP]" in a user's text is five ordinary characters. `max_length` is what the folder says texts are cut to, 0 where
    it says nothing.
    """

    def __init__(self, folder: Path) -> None:
        """Read tokenizer.json, or build one from BERT's vocab.txt. Raises UserError where neither is good."""
        self.special = _special_tokens(folder)
        self._rust = _open(folder, self.special)
        self._rust.no_padding()
        self._rust.no_truncation()
        self._rust.encode_special_tokens = True  # text as text
        self.pad_id = self._id("pad_token", folder)
        self.max_length = _max_length(folder)
        around = self._rust.encode("a")  # the specials that the model's own template puts around any text
        inside = [index for index, special in enumerate(around.special_tokens_mask) if not special]
        if not inside:
            raise UserError(f"the tokenizer of {folder} turns text into nothing", _AGAIN)
        self._before, self._after = around.ids[: inside[0]], around.ids[inside[-1] + 1 :]
        unknown = self.special.get("unk_token")
        self._unknown = self._rust.token_to_id(unknown) if unknown else None
        added = self._rust.get_added_tokens_decoder()
        self._controls = {number for number, token in added.items() if token.special} - {self._unknown}

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Token ids of each text with the special tokens around it, cut on the right to `max_length` in all.

        Raises UserError where max_length leaves no room for a word, or a text holds half a character.
        """
        room = max_length - len(self._before) - len(self._after)
        if room < 1:
            raise UserError(f"max_length {max_length} leaves no room for a word", "give it more: models.max_length=8")
        return [[*self._before, *body[:room], *self._after] for body in self._bodies(texts)]

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has before any cut, the special ones included."""
        return [len(self._before) + len(body) + len(self._after) for body in self._bodies(texts)]

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """The written form of each id, for looking at them."""
        return [self._rust.id_to_token(number) or "" for number in ids]

    def fit(self, arch: Arch) -> None:
        """Raise UserError where these tokens and that model do not belong together."""
        largest = max(self._rust.get_vocab(with_added_tokens=True).values())
        if largest >= arch.vocabulary:
            raise UserError(
                f"the tokenizer knows token {largest}, but the model has embeddings for {arch.vocabulary}",
                "give a folder whose tokenizer and weights were published together in models.candidates",
            )
        if self.pad_id != arch.pad_id:
            raise UserError(
                f"the tokenizer fills with token {self.pad_id}, config.json says {arch.pad_id}",
                "give a folder whose tokenizer and config.json were published together in models.candidates",
            )

    def save(self, folder: Path) -> None:
        """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json, as transformers reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {
            "tokenizer_class": "PreTrainedTokenizerFast",  # "what tokenizer.json says", whatever the family
            # All texts are sentence A, which the model adds by itself; and DistilBERT refuses token types.
            "model_input_names": ["input_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            **self.special,
        }
        if self.max_length:
            settings["model_max_length"] = self.max_length
        (folder / "tokenizer.json").write_text(self._rust.to_str(), encoding="utf-8")
        for name, content in (("tokenizer_config.json", settings), ("special_tokens_map.json", self.special)):
            (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def _bodies(self, texts: Sequence[str]) -> list[list[int]]:
        try:
            found = self._rust.encode_batch_fast(list(texts), add_special_tokens=False)
        except (UnicodeEncodeError, TypeError):
            wrong = [row for row, text in enumerate(texts) if _broken(text)]
            raise UserError(
                f"text {wrong[0] if wrong else '?'} of {len(texts)} holds half a character (a lone surrogate)",
                "save the file as UTF-8 again, or set data.keep_going=true to leave such rows out",
            ) from None
        return [self._clean(encoding.ids) for encoding in found]

    def _clean(self, ids: list[int]) -> list[int]:
        """A vocabulary may hold "[SEP]" as a word that its splitter lets through: then it is a word nobody knows."""
        if self._controls.isdisjoint(ids):
            return ids
        if self._unknown is None:
            return [number for number in ids if number not in self._controls]
        return [self._unknown if number in self._controls else number for number in ids]

    def _id(self, name: str, folder: Path) -> int:
        token = self.special.get(name)
        number = self._rust.token_to_id(token) if token else None
        if number is None:
            raise UserError(f"the tokenizer of {folder} has no {name}", f"add {name} to its tokenizer_config.json")
        return number


def _broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _special_tokens(folder: Path) -> dict[str, str]:
    """The special tokens by their role, from the files that may name them; BERT's own beside a vocab.txt."""
    named = _optional(folder / "tokenizer_config.json") | _optional(folder / "special_tokens_map.json")
    found: dict[str, str] = {}
    for role in _SPECIAL:
        token = named.get(role)
        token = token.get("content") if isinstance(token, dict) else token
        if isinstance(token, str):
            found[role] = token
    if "pad_token" not in found:
        pad_id = _optional(folder / "config.json").get("pad_token_id")
        contents = _optional(folder / "tokenizer.json").get("added_tokens") or ()
        found |= [("pad_token", str(added["content"])) for added in contents if added.get("id") == pad_id]
    if not (folder / "tokenizer.json").is_file():
        bert = {role: f"[{role[:3].upper()}]" for role in ("unk_token", "sep_token", "pad_token", "cls_token")}
        return bert | {"mask_token": "[MASK]"} | found
    return found


def _max_length(folder: Path) -> int:
    """What texts are cut to: sentence-transformers' own word for it, else the tokenizer's; 0 where neither says."""
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        given = _optional(folder / name).get(key)
        if isinstance(given, int | float) and 0 < given < _UNBOUND:
            return int(given)
    return 0


def _open(folder: Path, special: dict[str, str]) -> Rust:
    path = folder / "tokenizer.json"
    if path.is_file():
        try:
            return Rust.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise UserError(f"{path} cannot be read as a tokenizer: {error}", _AGAIN) from None
    if (folder / "vocab.txt").is_file():
        return _from_bert_vocabulary(folder, special)
    raise UserError(f"there is no tokenizer.json in {folder}", _AGAIN)


def _from_bert_vocabulary(folder: Path, special: dict[str, str]) -> Rust:
    """BERT's tokenizer from its list of words: split at spaces and punctuation, then the longest piece first."""
    settings = _optional(folder / "tokenizer_config.json")
    try:
        words = (folder / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{folder / 'vocab.txt'} is not UTF-8: {error}", _AGAIN) from None
    numbers = {word: number for number, word in enumerate(words)}
    lacking = [token for token in special.values() if token not in numbers]
    if lacking:
        raise UserError(f"{folder / 'vocab.txt'} lacks the special token {lacking[0]}", _AGAIN)
    rust = Rust(WordPiece(vocab=numbers, unk_token=special["unk_token"]))
    rust.normalizer = normalizers.BertNormalizer(
        lowercase=bool(settings.get("do_lower_case", True)),
        strip_accents=settings.get("strip_accents"),
        handle_chinese_chars=bool(settings.get("tokenize_chinese_chars", True)),
    )
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.add_special_tokens(list(special.values()))
    first, last = special["cls_token"], special["sep_token"]
    rust.post_processor = TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:1 {last}:1",
        special_tokens=[(first, numbers[first]), (last, numbers[last])],
    )
    return rust
