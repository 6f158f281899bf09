"""Text to token ids and back by the `tokenizers` library; what a user writes is never read as a control token."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path

from tokenizers import AddedToken, Encoding
from tokenizers import Tokenizer as Rust
from tokenizers.models import Unigram

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.arch import Arch
from dragoman.nn.characters import Characters, Pieces
from dragoman.nn.chat import Control, Template, read_template
from dragoman.nn.pieces import AGAIN, open_pieces
from dragoman.nn.specials import begin_id, end_ids, fill_id, longest, special_tokens, write_settings

__all__ = ["Tokenizer"]


class Tokenizer:
    """The tokenizer of a model folder.

    Special tokens stand around a text because the model wants them there, never because somebody typed their names:
    "[SEP]" in a user's text is five ordinary characters. `max_length` is what the folder says texts are cut to, 0 where
    it says nothing.
    """

    def __init__(self, folder: Path) -> None:
        """Read tokenizer.json, vocab.txt, vocab.json with merges.txt, or a .model. Raises UserError where none is
        good."""
        self._rust, self.special = open_pieces(folder, special_tokens(folder))
        self._rust.no_padding()
        self._rust.no_truncation()
        self._rust.encode_special_tokens = True  # text as text
        number = self._rust.token_to_id
        self.bos_id = begin_id(folder, self.special, number)
        self.eos_ids = end_ids(folder, self.special, number)
        self.size = max(self._rust.get_vocab(with_added_tokens=True).values()) + 1
        self.pad_id = fill_id(folder, self.special, number, self.eos_ids, self.size)
        self.mask_id = self._role("mask_token")
        self.max_length = longest(folder)
        around = self._rust.encode("a")  # the specials that the model's own template puts around any text
        inside = [index for index, special in enumerate(around.special_tokens_mask) if not special]
        if not inside:
            raise UserError(f"the tokenizer of {folder} turns text into nothing", AGAIN)
        self._before, self._after = around.ids[: inside[0]], around.ids[inside[-1] + 1 :]
        self._added: dict[int, AddedToken] = self._rust.get_added_tokens_decoder()
        self._special_ids = frozenset(number for number, token in self._added.items() if token.special)
        self.unknown_id = self._role("unk_token")
        taken = {self._role(role) for role in self.special if role != "unk_token"}
        self._stand_in = None if self.unknown_id in taken else self.unknown_id  # GPT-2's unknown token is its end
        self.control_ids = self._special_ids - {self._stand_in}
        self._unigram = isinstance(self._rust.model, Unigram)
        self._pieces = Pieces(self._rust, self._special_ids)
        self._template = read_template(folder)
        self._claimed: set[int] = set()
        self._claim()

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Token ids of each text with the special tokens around it, cut on the right to `max_length` in all.

        Raises UserError where max_length leaves no room for a word, or a text holds half a character.
        """
        room = max_length - len(self._before) - len(self._after)
        if room < 1:
            raise UserError(f"max_length {max_length} leaves no room for a word", "give it more: models.max_length=8")
        return [[*self._before, *body[:room], *self._after] for body in self.plain(texts)]

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has before any cut, the special ones included."""
        return [len(self._before) + len(body) + len(self._after) for body in self.plain(texts)]

    def start(self, text: str) -> list[int]:
        """The ids of a text that goes on: what the model wants in front of it, nothing behind it."""
        return [*self._before, *self.plain([text])[0]]

    def plain(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text alone, without special tokens. Raises UserError where one holds half a character."""
        found = self._ids(self._rust, texts)
        return [self._clean(text, ids, self._rust) for text, ids in zip(texts, found, strict=True)]

    def locate(self, texts: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """The ids of each text as `plain` gives them, and which characters of the text each token is, white space at
        its ends left out. Raises UserError as `plain`."""
        try:
            found = self._rust.encode_batch(list(texts), add_special_tokens=False)
        except (UnicodeEncodeError, TypeError):
            self.plain(texts)  # says which text it is, and why
            raise
        return [self._located(text, one) for text, one in zip(texts, found, strict=True)]

    @cached_property
    def pair(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """The special tokens that the model wants in front of two texts, between them and behind them."""
        found = self._rust.encode("a", "a")
        texts = found.sequence_ids
        second = texts.index(1)
        first = max(place for place in range(second) if texts[place] == 0)
        last = max(place for place, text in enumerate(texts) if text == 1)
        return tuple(found.ids[: texts.index(0)]), tuple(found.ids[first + 1 : second]), tuple(found.ids[last + 1 :])

    @property
    def chat(self) -> bool:
        """Whether the folder says how a dialogue is written."""
        return bool(self._template)

    def dialogue(self, messages: Sequence[Message]) -> list[int]:
        """The ids of a dialogue in the model's own form, up to where its next answer begins; a last assistant message
        is continued. Control tokens are the template's alone: what people wrote is text.

        Raises UserError where the model has no chat template, or the template cannot be used.
        """
        self._need_template()
        return self._numbered(self._dialogues.sections(messages))

    def reply(self, messages: Sequence[Message]) -> list[int]:
        """What the template writes behind the prompt of a dialogue's last message: the ids of the answer and its end.

        `dialogue(messages[:-1])` and this, one behind the other, are what a model learns: the border between the two is
        where serving has it, also where one text would have had a token across it. Raises UserError as `dialogue`, and
        where the template writes the dialogue otherwise once the answer is known.
        """
        [(_, found)] = self.turns(messages, [len(messages) - 1])
        return found

    def turns(self, messages: Sequence[Message], places: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
        """For each message at one of these places, what `dialogue` gives in front of it and `reply` for it.

        What stays the same from one to the next is tokenised once. Raises UserError as `reply`.
        """
        self._need_template()
        told = self._dialogues.told(messages)
        known: dict[tuple[int, str], list[int]] = {}
        for place in places:
            asked, whole = told.sections(place), told.closed(place + 1)
            rest = _behind(asked, whole)
            if rest is None:
                raise UserError(
                    "template-drift: the chat template writes a prompt otherwise once its answer is there",
                    "choose another one: models.template=instruct",
                )
            goes_on = bool(rest) and isinstance(rest[0], str) and bool(asked) and isinstance(asked[-1], str)
            first = self._joined if goes_on else self._inside
            yield self._numbered(asked, known=known), self._numbered(rest, first, known)

    def use_template(self, source: str) -> None:
        """Let dialogues be written by this chat template from now on; it is saved with the tokenizer."""
        if "eos_token" not in self.special and self.eos_ids:  # config.json alone may say how an answer ends
            self.special = {**self.special, "eos_token": self.tokens([min(self.eos_ids)])[0]}
        self._template = source
        self.__dict__.pop("_dialogues", None)
        self._claim()

    def stop_on(self, number: int) -> None:
        """Let an answer end on this token too, as the saved generation_config.json will say."""
        self.eos_ids |= {number}

    @property
    def template(self) -> str:
        """The source of the chat template; empty where there is none."""
        return self._template

    def _numbered(
        self,
        sections: Sequence[str | int],
        first: Rust | None = None,
        known: dict[tuple[int, str], list[int]] | None = None,
    ) -> list[int]:
        """The ids of texts and control tokens; the very first text as `first` cuts it, and none twice that is `known`
        by its tokenizer and itself."""
        ids: list[int] = []
        known = {} if known is None else known
        for section in sections:
            if isinstance(section, int):
                ids.append(section)
                continue
            # a word at the very beginning may be marked, as in the library
            rust = self._inside if ids else (first or self._rust)
            key = (id(rust), section)
            if key not in known:
                known[key] = self._clean(section, self._ids(rust, [section])[0], rust)
            ids += known[key]
        return ids

    def _need_template(self) -> None:
        if not self.chat:
            raise UserError(
                "this model has no chat template: it continues texts, it holds no dialogues",
                "use dragoman generate, or choose an instruction-tuned model",
            )

    @property
    def around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The special tokens that the model wants in front of a text and behind it."""
        return tuple(self._before), tuple(self._after)

    def number(self, token: str) -> int | None:
        """The id of a token by its written form; None where there is none."""
        found = self._rust.token_to_id(token)
        return None if found is None else int(found)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids, special tokens left out; bytes that make no character become U+FFFD."""
        return self.characters().whole(ids)

    def characters(self, inside: bool = False) -> Characters:
        """A fresh stream: what its pushes and its end give, joined, is what `decode` gives.

        `inside` a text that goes on, the space in front of the first word is kept.
        """
        return Characters(self._pieces, inside)

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """The bytes each token stands for inside a text; none for a special token."""
        return [self._pieces.inside(number) for number in ids]

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """The written form of each id, for looking at them."""
        return [self._rust.id_to_token(number) or "" for number in ids]

    def fit(self, arch: Arch) -> None:
        """Raise UserError where these tokens and that model do not belong together."""
        self.fit_rows(arch.vocabulary)
        if arch.kind == "encoder" and self.pad_id != arch.pad_id:
            raise UserError(
                f"the tokenizer fills with token {self.pad_id}, config.json says {arch.pad_id}",
                "give a folder whose tokenizer and config.json were published together in models.candidates",
            )

    def fit_rows(self, rows: int) -> None:
        """Raise UserError where a table of so many embeddings has none for some token."""
        if self.size > rows:
            raise UserError(
                f"the tokenizer knows token {self.size - 1}, but the model has embeddings for {rows}",
                "give a folder whose tokenizer and weights were published together in models.candidates",
            )

    def save(self, folder: Path) -> None:
        """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json, as transformers reads them; and
        generation_config.json where an answer may end in more than one way."""
        folder.mkdir(parents=True, exist_ok=True)
        write_settings(folder, self.special, self._template, self.max_length)
        (folder / "tokenizer.json").write_text(self._published(), encoding="utf-8")
        if self.eos_ids - {self._role("eos_token")}:
            ends = {"bos_token_id": self.bos_id, "eos_token_id": sorted(self.eos_ids)}
            (folder / "generation_config.json").write_text(json.dumps(ends, indent=2) + "\n", encoding="utf-8")

    def _published(self) -> str:
        """tokenizer.json with each added token as it was read: `_claim` marks some of them for our own use."""
        written = self._rust.to_str()
        if self._claimed:
            content = json.loads(written)
            for added in content["added_tokens"]:
                added["special"] = added["special"] and added["id"] not in self._claimed
            written = json.dumps(content, ensure_ascii=False)
        return str(written)

    def _claim(self) -> None:
        """Let added tokens that the chat template writes, such as <tool_call>, be text in a text like the special
        ones: the library would match them in what a user wrote."""
        plain = {number: token for number, token in self._added.items() if number not in self._special_ids}
        self._claimed |= {number for number, token in plain.items() if token.content in self._template}
        for number in sorted(self._claimed):
            old = plain[number]
            flags = {name: getattr(old, name) for name in ("single_word", "lstrip", "rstrip", "normalized")}
            self._rust.add_special_tokens([AddedToken(old.content, special=True, **flags)])
        self.control_ids |= self._claimed

    @cached_property
    def _dialogues(self) -> Template:
        controls = [
            Control(token.content, number, number in self._special_ids, token.lstrip, token.rstrip)
            for number, token in self._added.items()
            if number in self._special_ids | self._claimed | self.eos_ids
        ]
        return Template(self._template, self.special, controls)

    @cached_property
    def _inside(self) -> Rust:
        """The same tokenizer for a text that stands behind another: where only a first word is marked, none is here."""
        return self._unmarked("first")

    @cached_property
    def _joined(self) -> Rust:
        """The same tokenizer for the rest of a text: no first word is marked."""
        return self._unmarked("first", "always")

    def _unmarked(self, *schemes: str) -> Rust:
        """A tokenizer that puts no space in front of a first word where it did so by one of these schemes."""
        parts = (self._rust.pre_tokenizer, self._rust.normalizer)
        states = "".join(part.__getstate__().decode() for part in parts if part)
        # Llama 2 and those made of it mark the first word of every text in their normalizer.
        prepends = "always" in schemes and '"type":"Prepend"' in states
        if not prepends and not any(f'"prepend_scheme":"{scheme}"' in states for scheme in schemes):
            return self._rust
        content = json.loads(self._rust.to_str())
        splitter, normalizer = content["pre_tokenizer"] or {}, content["normalizer"] or {}
        for step in splitter.get("pretokenizers", [splitter]):
            if step.get("prepend_scheme") in schemes:
                step["prepend_scheme"] = "never"
        for step in normalizer.get("normalizers", [normalizer]) if prepends else ():
            if step["type"] == "Prepend":
                step.clear()
                step.update({"type": "Sequence", "normalizers": []})  # one that does nothing
        other = Rust.from_str(json.dumps(content))
        other.encode_special_tokens = True
        return other

    @cached_property
    def _breaks(self) -> re.Pattern[str]:
        """Where a control token that somebody typed is cut in two: behind its first character."""
        texts = [re.escape(self._added[number].content) for number in self._special_ids | self.control_ids]
        return re.compile(f"(?=(?:{'|'.join(texts) or '(?!)'})).", re.DOTALL)

    def _ids(self, rust: Rust, texts: Sequence[str]) -> list[list[int]]:
        try:
            return [found.ids for found in rust.encode_batch_fast(list(texts), add_special_tokens=False)]
        except (UnicodeEncodeError, TypeError):
            wrong = [row for row, text in enumerate(texts) if _broken(text)]
            raise UserError(
                f"text {wrong[0] if wrong else '?'} of {len(texts)} holds half a character (a lone surrogate)",
                "save the file as UTF-8 again, or set data.keep_going=true to leave such rows out",
            ) from None

    def _clean(self, text: str, ids: list[int], rust: Rust) -> list[int]:
        """A vocabulary may hold "[SEP]" as a word that its splitter lets through: then it is a word nobody knows.

        A unigram model finds its control pieces in any text, where SentencePiece does not; there the text is cut behind
        the first character of such a piece, and each part has its own best pieces.
        """
        first, *others = self._parts(text, ids)
        if others:
            ids = [*self._ids(rust, [first])[0], *chain.from_iterable(self._ids(self._joined, others))]
        if self.control_ids.isdisjoint(ids):
            return ids
        if self._stand_in is None:
            return [number for number in ids if number not in self.control_ids]
        return [self._stand_in if number in self.control_ids else number for number in ids]

    def _parts(self, text: str, ids: Sequence[int]) -> list[str]:
        """The text, in the parts that have their own pieces each."""
        if not self._unigram or self._special_ids.isdisjoint(ids):
            return [text]
        cuts = [found.end() for found in self._breaks.finditer(text)]
        return [text[begin:end] for begin, end in pairwise([0, *cuts, len(text)])]

    def _located(self, text: str, found: Encoding) -> tuple[list[int], list[tuple[int, int]]]:
        ids: list[int] = []
        spans: list[tuple[int, int]] = []
        place, parts = 0, self._parts(text, found.ids)
        for number, part in enumerate(parts):
            if len(parts) > 1:
                found = (self._joined if number else self._rust).encode(part, add_special_tokens=False)
            for token, (begin, end) in zip(found.ids, found.offsets, strict=True):
                known = self._stand_in if token in self.control_ids else token
                if known is None:
                    continue
                held = part[begin:end]
                begin += len(held) - len(held.lstrip())
                ids.append(known)
                spans.append((place + begin, place + max(begin, begin + len(held.strip()))))
            place += len(part)
        return ids, spans

    def _role(self, role: str) -> int | None:
        token = self.special.get(role)
        return self.number(token) if token else None


def _behind(asked: Sequence[str | int], whole: Sequence[str | int]) -> list[str | int] | None:
    """What a dialogue holds behind its prompt; None where it does not begin with it."""
    *head, last = asked
    place = len(head)
    if list(whole[:place]) != head or len(whole) <= place:
        return None
    border = whole[place]
    if isinstance(last, int) or isinstance(border, int):
        return list(whole[place + 1 :]) if border == last else None
    if not border.startswith(last):
        return None
    return [*([border[len(last) :]] if border != last else []), *whole[place + 1 :]]


def _broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
