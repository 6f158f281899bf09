"""Answers that obey a JSON schema, match a regular expression or are one of given texts, by the library `llguidance`.

The library is given the bytes of every token, so byte-level, byte-fallback and SentencePiece vocabularies are all one
to it. docs/decisions/0007 says why it was chosen.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable
from weakref import ref

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling, schema_of

__all__ = ["Grammar", "Matcher", "Spelling"]

# Between the parts of a JSON text: nothing, one space, or a line end with its indent. Without a bound a weak model may
# write spaces until its tokens are used up.
_SPACE = r"( |\n {0,24})?"
_KEPT = "_spelled"  # the attribute of a tokenizer that holds its vocabulary as the library wants it


@runtime_checkable
class Spelling(Protocol):
    """What a constraint asks of a tokenizer; `nn.tokenizer.Tokenizer` answers it."""

    @property
    def size(self) -> int:
        """The largest id + 1."""
        ...

    @property
    def eos_ids(self) -> frozenset[int]:
        """The tokens that end a text."""
        ...

    @property
    def control_ids(self) -> frozenset[int]:
        """The tokens that stand for no text."""
        ...

    @property
    def unknown_id(self) -> int | None:
        """The token for what the others cannot spell."""
        ...

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """The bytes each token stands for; b"" for one that stands for none."""
        ...


class Grammar:
    """What the answers to one request have to be; each answer follows its own `matcher()`."""

    def __init__(self, source: str, setting: str, tokenizer: Spelling) -> None:
        """`source` is a grammar in the library's words, `setting` what a message about it names.

        Raises UserError where it is no grammar, or no token can begin it.
        """
        from llguidance import LLMatcher, LLParserLimits

        self._spelled = _spelled(tokenizer)
        self._setting = setting
        quiet = LLParserLimits(verbose_errors=False)
        self._first = LLMatcher(self._spelled.trie, source, log_level=0, limits=quiet)
        _refuse(self._first, setting)
        self.matcher().allowed()

    @staticmethod
    def of(how: Sampling, tokenizer: Spelling) -> "Grammar | None":
        """The constraint that `how` asks for, or None. In a regex, \\d, \\w and \\s are ASCII, as with re.ASCII.

        Raises UserError where the schema or the regex is wrong or holds what cannot be guaranteed, or where the tokens
        cannot spell a choice.
        """
        if how.json_schema:
            return Grammar(_from_schema(how.json_schema), "json_schema", tokenizer)
        if how.regex:
            return Grammar(_from_regex(how.regex), "regex", tokenizer)
        if how.choices:
            pieces = _spelled(tokenizer).pieces
            for choice in how.choices:
                if not pieces.issuperset(_spell(choice.encode(), pieces)):
                    said = f"the tokens of this model cannot spell the choice {choice!r}"
                    raise UserError(
                        said, "say choices=... in plainer letters, or use a model whose tokens have all bytes"
                    )
            return Grammar(_from_choices(how.choices), "choices", tokenizer)
        return None

    def matcher(self) -> "Matcher":
        """A fresh one, at the beginning of an answer."""
        return Matcher(self._first.deep_copy(), self._spelled.ends, self._spelled.size, self._setting)


class Matcher:
    """How far one answer has come, and what may follow."""

    def __init__(self, state: Any, ends: tuple[int, ...], size: int, setting: str) -> None:
        self._state = state
        self._ends, self._size, self._setting = list(ends), size, setting
        self._ended = False

    @property
    def done(self) -> bool:
        """Whether nothing but the end may follow."""
        return self._ended or (self._state.is_stopped() and not self._state.is_error())

    def allowed(self) -> Bool[Tensor, " v"]:
        """True for the tokens that may come next; the end only where the text may end.

        Raises UserError where the grammar asks for what no token spells.
        """
        if self.done:
            mask = np.zeros(self._size, dtype=bool)  # [v]
            mask[self._ends] = True
            return torch.from_numpy(mask)
        bits = np.frombuffer(self._state.compute_bitmask(), dtype=np.uint8)  # [v / 8]
        mask = np.unpackbits(bits, count=self._size, bitorder="little").astype(bool)  # [v]
        may_end = bool(self._state.is_accepting())
        mask[self._ends] = may_end
        _refuse(self._state, self._setting)
        if not may_end and not mask.any():
            raise UserError(
                f"no token of this model can go on with what {self._setting} asks for",
                f"ask for plainer characters in {self._setting}, or use a model whose vocabulary has all bytes",
            )
        return torch.from_numpy(mask)

    def push(self, token: int) -> None:
        """This token was written. Raises ValueError where it was not allowed."""
        if token in self._ends and (self.done or self._state.is_accepting()):
            self._ended = True
        elif self.done or not self._state.consume_token(token):
            raise ValueError(f"token {token} may not come here: {self._setting} forbids it")


class _Spelled:
    """A vocabulary as the library wants it: the bytes of every token in one tree, and what ends a text.

    Where the vocabulary has no end, or lacks a byte (T5 has no "{"), ids behind it stand for them: the library takes
    for granted that every text can be spelled and ended. No mask shows these ids.
    """

    def __init__(self, tokenizer: Spelling) -> None:
        from llguidance import LLTokenizer

        self.size = tokenizer.size
        self.ends = tuple(sorted(end for end in tokenizer.eos_ids if end < self.size))
        mute = tokenizer.control_ids | tokenizer.eos_ids | {tokenizer.unknown_id}
        spelled = tokenizer.pieces(range(self.size))
        tokens = [b"" if token in mute else piece for token, piece in enumerate(spelled)]
        self.pieces = frozenset(piece for piece in tokens if piece)
        lacking = [bytes([byte]) for byte in range(256) if bytes([byte]) not in self.pieces]
        given = _Given([*tokens, b"", *lacking], self.ends[0] if self.ends else self.size, self)
        self.whole = not lacking
        self.trie: Any = LLTokenizer(given, eos_token=list(self.ends) or [self.size])  # type: ignore[arg-type]


class _Given:
    """What the library is given as a tokenizer and never lets go of: it must not hold the tree, which holds it."""

    def __init__(self, tokens: list[bytes], end: int, owner: _Spelled) -> None:
        # Names the library reads.
        self.is_tokenizer_wrapper = True
        self.tokens = tokens
        self.eos_token_id = end
        self.bos_token_id = None
        self.special_token_ids = [token for token, piece in enumerate(tokens) if not piece]
        self._owner = ref(owner)

    def __call__(self, text: str) -> list[int]:
        """How the library is to write what the grammar leaves no choice about."""
        owner = self._owner()
        if owner is not None and owner.whole:
            ids: list[int] = owner.trie.greedy_tokenize(text)  # the longest piece first
            return ids
        numbers = {piece: token for token, piece in enumerate(self.tokens) if piece}
        pieces = owner.pieces if owner is not None else frozenset(numbers)
        return [numbers[piece] for piece in _spell(text.encode(), pieces)]


def _spelled(tokenizer: Spelling) -> _Spelled:
    """Kept for the next request, as long as the tokenizer lives: 32,000 tokens take some 0.1 s, a grammar over them
    below a millisecond."""
    kept = vars(tokenizer)
    if _KEPT not in kept:
        kept[_KEPT] = _Spelled(tokenizer)
    found: _Spelled = kept[_KEPT]
    return found


def _from_schema(text: str) -> str:
    from llguidance import LLMatcher

    schema = schema_of(text)
    return LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_pattern": _SPACE})


def _from_regex(text: str) -> str:
    from llguidance import LLMatcher, regex_to_lark

    return LLMatcher.grammar_from_lark(f"start: /{regex_to_lark(text, 'dws')}/")


def _from_choices(choices: Iterable[str]) -> str:
    from llguidance import LLMatcher

    return LLMatcher.grammar_from_regex("|".join(map(_escaped, choices)))


def _escaped(text: str) -> str:
    """A regular expression for this text alone; re.escape writes a space in a way that Rust refuses."""
    return "".join(one if one.isascii() and one.isalnum() else f"\\x{{{ord(one):x}}}" for one in text)


def _spell(text: bytes, pieces: frozenset[bytes]) -> list[bytes]:
    """The text in as few pieces as can be; a byte that no piece helps with stands alone, which is the last resort."""
    longest = max(map(len, pieces), default=1)
    best: list[tuple[int, int]] = [(0, 0)]  # for each length: its cost, and where its last piece begins
    for end in range(1, len(text) + 1):
        starts = range(max(0, end - longest), end)
        ways = [(best[start][0] + 1, start) for start in starts if text[start:end] in pieces]
        best.append(min([*ways, (best[end - 1][0] + len(text) + 1, end - 1)]))
    cuts = [len(text)]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][1])
    return [text[start:end] for end, start in pairwise(cuts)][::-1]


def _refuse(state: Any, setting: str) -> None:
    """Raise UserError where the library found something wrong."""
    if state.is_error():
        said = " ".join(state.get_error().replace("<non-verbose/>", "").split())
        raise UserError(f"{setting} cannot be held: {said[:300]}", f"leave that out of {setting}, or ask in the prompt")
