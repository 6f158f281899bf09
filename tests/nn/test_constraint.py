"""A constraint allows what may still become a right answer, the end where the answer is one, and nothing else."""

import gc
import json
import re
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.nn.constraint import Grammar, Matcher
from dragoman.nn.sampling import Sampler
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.spelled import Words

LIST = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3}
RECORD = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}},
    "required": ["b"],
    "additionalProperties": False,
}
TREE = {
    "$ref": "#/$defs/tree",
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {"k": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
            "required": ["k"],
            "additionalProperties": False,
        }
    },
}
BYTES = Words([b"<end>", *(bytes([byte]) for byte in range(256))], controls=(0,))


def letters(*more: bytes) -> Words:
    return Words([b"<end>", *(bytes([byte]) for byte in b"abcdefghijklmnopqrstuvwxyz "), *more], controls=(0,))


def matcher(how: Sampling, words: Words = BYTES) -> Matcher:
    grammar = Grammar.of(how, words)
    assert grammar is not None
    return grammar.matcher()


def follows(how: Sampling, text: str, words: Words = BYTES) -> tuple[bool, bool]:
    """Whether each byte of the text was allowed where it came, and whether the text may end there."""
    state = matcher(how, words)
    for byte in text.encode():
        token = words.ids[bytes([byte])]
        if not state.allowed()[token]:
            return False, False
        state.push(token)
    return True, bool(state.allowed()[0])


def allowed(state: Matcher, words: Words) -> set[bytes]:
    return {words.tokens[token] for token in state.allowed().nonzero()[:, 0].tolist()}


def test_nothing_is_asked_for() -> None:
    assert Grammar.of(Sampling(), BYTES) is None


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (LIST, ["[1, -2]", "[0,1,2]"], ["[1]", "[1,2,3,4]", "[1.5,2]", "[01,2]"]),
        ({"enum": ["red", 3, None, "été"]}, ['"red"', "3", "null", '"été"'], ["red", "4", '"re"', "33"]),
        ({"type": "number", "minimum": -1.5, "maximum": 2}, ["-1.5", "2", "0.25"], ["2.1", "-1.6", "3"]),
        ({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}, ['"2024-05"'], ['"24-05"', '"2024-055"']),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ['"ab"', '"é…x"', r'"\n\""'], ['"a"', '"abcd"', '"a\nb"']),
        ({"const": {"a": [1, "b"]}}, ['{"a": [1, "b"]}', '{\n  "a": [1,"b"]\n}'], ['{"a": [1]}', '{  "a": [1, "b"]}']),
        (RECORD, ['{"b": true}', '{"a": 1, "b": false}'], ["{}", '{"a": 1}', '{"b": true, "c": 1}', '{"b": 1}']),
        (TREE, ['{"k": []}', '{"k": [{"k": []}, {"k": []}]}'], ['{"k": [1]}', '{"k": [{"k": }]}']),
    ],
    ids=["array", "enum", "number", "pattern", "lengths", "const", "optional", "recursive"],
)
def test_schemas(schema: dict[str, object], right: list[str], wrong: list[str]) -> None:
    how = Sampling(json_schema=json.dumps(schema))
    assert {text: follows(how, text) for text in right} == dict.fromkeys(right, (True, True))
    assert not [text for text in wrong if follows(how, text) == (True, True)]


@pytest.mark.parametrize(
    ("regex", "right", "wrong"),
    [
        ("(yes|no|maybe), [a-z]{2,3}", ["yes, ab", "maybe, abc"], ["yes, a", "yes ab", "YES, ab"]),
        (r"\d{4}/\d{2} \w+", ["2024/05 x_1"], ["２０２４/05 x", "2024/05 é"]),
        ("^[à-ü]{2}(…|ñ)$", ["éà…", "ééñ"], ["éa…", "éé"]),
        ("(?i)ab?|", ["AB", "a", ""], ["b"]),
    ],
)
def test_regular_expressions(regex: str, right: list[str], wrong: list[str]) -> None:
    how = Sampling(regex=regex)
    assert {text: follows(how, text) for text in right} == dict.fromkeys(right, (True, True))
    assert not [text for text in wrong if follows(how, text) == (True, True)]
    assert [text for text in right if re.fullmatch(regex, text, re.ASCII)] == right


def test_choices_that_begin_alike() -> None:
    words = letters(b"yes", b"no", b" plea", b"se", b"none")
    state = matcher(Sampling(choices=("yes", "yes please", "no")), words)
    assert not state.allowed()[0]
    assert not state.done
    state.push(words.ids[b"yes"])
    assert state.allowed()[0]
    assert allowed(state, words) - {b"<end>"} <= {b" ", b" plea"}
    state.push(words.ids[b" plea"])
    assert b"<end>" not in allowed(state, words)
    state.push(words.ids[b"se"])
    assert state.done
    assert allowed(state, words) == {b"<end>"}


def test_the_end_is_taken_once() -> None:
    state = matcher(Sampling(choices=("a", "ab")))
    with pytest.raises(ValueError, match="choices forbids it"):
        matcher(Sampling(choices=("a", "ab"))).push(0)
    state.push(BYTES.ids[b"a"])
    assert not state.done
    state.push(0)
    assert state.done
    assert state.allowed().nonzero()[:, 0].tolist() == [0]
    with pytest.raises(ValueError, match="choices forbids it"):
        state.push(BYTES.ids[b"b"])


def test_two_ends_none_and_controls() -> None:
    """Every end is allowed where the text may end; a control token never is, whatever its name spells."""
    tokens = [b"a", b"b", b"ab", b"</s>", b"<eot>", b"b"]
    two = matcher(Sampling(choices=("a", "ab")), Words(tokens, ends=(3, 4), controls=(2, 3, 4)))
    assert two.allowed().tolist() == [True, False, False, False, False, False]
    two.push(0)
    assert two.allowed().tolist() == [False, True, False, True, True, True]
    never = matcher(Sampling(choices=("a", "ab")), Words(tokens, ends=(), controls=(2, 3, 4)))
    never.push(0)
    assert never.allowed().tolist() == [False, True, False, False, False, True]
    never.push(5)
    assert never.done
    assert not never.allowed().any()


def test_each_answer_is_followed_by_itself() -> None:
    grammar = Grammar.of(Sampling(choices=("ab", "cd")), BYTES)
    assert grammar is not None
    one, other = grammar.matcher(), grammar.matcher()
    one.push(BYTES.ids[b"a"])
    assert allowed(one, BYTES) == {b"b"}
    assert allowed(other, BYTES) == {b"a", b"c"}


def test_the_sampler_writes_what_is_allowed() -> None:
    how = Sampling(temperature=1, choices=("north", "south pole"), n=8, min_tokens=20)
    grammar = Grammar.of(how, BYTES)
    assert grammar is not None
    limits = [grammar.matcher() for _ in range(8)]
    sampler = Sampler(how, [[]] * 8, BYTES.size + 7, BYTES.eos_ids, "cpu", range(8), limits)
    texts = [""] * 8
    for _ in range(12):
        ids = sampler.draw(torch.zeros(len(texts), BYTES.size + 7)).tolist()
        texts = [text + ("" if token == 0 else chr(token - 1)) for text, token in zip(texts, ids, strict=True)]
    assert set(texts) == {"north", "south pole"}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"json_schema": "{"}, "json_schema is no JSON"),
        ({"json_schema": "[1]"}, "json_schema is not an object"),
        ({"json_schema": '{"type": "objekt"}'}, "json_schema cannot be held: .*objekt"),
        ({"json_schema": '{"$ref": "#/$defs/none"}'}, "json_schema cannot be held: .*none"),
        ({"json_schema": '{"type": "array", "uniqueItems": true}'}, "json_schema cannot be held: .*uniqueItems"),
        ({"json_schema": '{"type": "integer", "minimum": 3, "maximum": 2}'}, "json_schema cannot be held"),
        ({"json_schema": '{"$ref": "https://example.com/a"}'}, "json_schema cannot be held"),
        ({"regex": "(a"}, "regex cannot be held: .*unclosed"),
        ({"regex": r"(a|b)\1"}, "regex cannot be held: .*backreferences"),
        ({"regex": "(?=a)b"}, "regex cannot be held: .*look-around"),
    ],
)
def test_what_cannot_be_held_is_refused(how: dict[str, str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=said) as caught:
        Grammar.of(Sampling(**how), BYTES)  # type: ignore[arg-type]
    assert "\n" not in caught.value.problem
    assert capfd.readouterr() == ("", "")


def test_what_no_token_spells_is_refused() -> None:
    with pytest.raises(UserError, match="cannot spell the choice 'Yes'"):
        Grammar.of(Sampling(choices=("no", "Yes")), letters())
    with pytest.raises(UserError, match="no token of this model can go on with what json_schema asks for"):
        Grammar.of(Sampling(json_schema='{"type": "object"}'), letters())
    with pytest.raises(UserError, match="no token of this model can go on with what regex asks for"):
        Grammar.of(Sampling(regex="[{]+[ab]"), letters())
    state = matcher(Sampling(regex="ab[0-9]"), letters())
    state.push(letters().ids[b"a"])
    state.push(letters().ids[b"b"])
    with pytest.raises(UserError, match="no token of this model can go on with what regex asks for"):
        state.allowed()


def test_a_vocabulary_without_all_bytes_spells_what_it_can() -> None:
    """The only way to write it is found where the longest piece first would lead nowhere."""
    words = Words([b"<end>", b"ab", b"a", b"bc", b"x"])
    for how in (Sampling(choices=("abc", "x")), Sampling(regex="abc")):
        state = matcher(how, words)
        assert state.allowed()[2]
        state.push(2)
        assert allowed(state, words) == {b"bc"}
        state.push(3)
        assert state.done
    optional = matcher(Sampling(regex="x[0-9]?"), words)
    optional.push(4)
    assert allowed(optional, words) == {b"<end>"}


@pytest.mark.parametrize("folder", ["models/stories260K", "tokenizers/gpt2"])
def test_published_vocabularies_spell_unicode(folder: str, shared_data: Path) -> None:
    """With bytes as tokens or byte by byte where a token lacks, a walk writes whole characters only."""
    tokenizer = Tokenizer(shared_data / folder)
    grammar = Grammar.of(Sampling(regex="[💡-💪]{2}[à-ü] [a-z]{3}"), tokenizer)
    assert grammar is not None
    random = np.random.default_rng(0)
    for _ in range(20):
        state, ids = grammar.matcher(), list[int]()
        while not state.done:
            ids.append(int(random.choice(state.allowed().nonzero()[:, 0])))
            state.push(ids[-1])
        assert re.fullmatch("[💡-💪]{2}[à-ü] [a-z]{3}", tokenizer.decode(ids))


def test_a_sentencepiece_vocabulary_writes_what_it_has(shared_data: Path) -> None:
    """T5 has no "{": its answers can be choices, and an object is refused before anything is written."""
    tokenizer = Tokenizer(shared_data / "tokenizers/t5")
    grammar = Grammar.of(Sampling(choices=("positive", "très négatif")), tokenizer)
    assert grammar is not None
    state, ids = grammar.matcher(), list[int]()
    while not state.done:
        ids.append(int(state.allowed().nonzero()[-1, 0]))
        state.push(ids[-1])
    assert tokenizer.decode(ids) in ("positive", "très négatif")
    with pytest.raises(UserError, match="no token of this model can go on with what json_schema asks for"):
        Grammar.of(Sampling(json_schema='{"type": "object"}'), tokenizer)
    with pytest.raises(UserError, match="cannot spell the choice"):
        Grammar.of(Sampling(choices=("{x}",)), tokenizer)


def test_a_vocabulary_is_kept_as_long_as_its_tokenizer() -> None:
    words = letters()
    first, second = (Grammar.of(Sampling(choices=(text,)), words) for text in ("ab", "cd"))
    assert first is not None and second is not None and first._spelled is second._spelled
    kept = [weakref.ref(words), weakref.ref(first._spelled)]
    del words, first, second
    gc.collect()
    assert [one() for one in kept] == [None, None]


@pytest.mark.parametrize("schema", ['{"a":' * 90_000, '{"a":' * 900 + "1" + "}" * 900, '{"const": "\\udcff"}', "[]"])
def test_a_schema_that_cannot_be_read(schema: str) -> None:
    with pytest.raises(UserError, match="json_schema"):
        Grammar.of(Sampling(json_schema=schema), BYTES)
