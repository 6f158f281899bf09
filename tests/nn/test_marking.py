"""What is learnt of a dialogue is what the assistant said and the token that ends it, behind what serving reads."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.marking import join_answers, mark, mark_pair, mark_text, mark_turns
from dragoman.nn.templates import TEMPLATES as OURS
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.chats import SPECIALS, TEMPLATES, write_chat, write_marked
from tests.nn.tiny_lm import tokens, without_end

ENDS = {"chatml": "<|im_end|>", "llama": "<|eot_id|>", "gemma": "<end_of_turn>", "mistral": "</s>"}
TEXTS = ("Hello, you!", " the cat sat", "no\n\nyes", "a [INST] b", "x", "ünï ✓ code", "<|im_end|>", "  two  spaces  ")
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1] }}"
    "{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"drops earlier thoughts as soon as more is said, as Qwen3 and DeepSeek-R1 do"


@cache
def opened(name: str, marked: bool = False) -> Tokenizer:
    """The tokenizer of a chat family, or one of ours with a template that needs no token of its own."""
    if name in OURS:
        return tokens("llama", Path(mkdtemp()), OURS[name])
    return Tokenizer((write_marked if marked else write_chat)(name, Path(mkdtemp())))


def said(*contents: str) -> list[Message]:
    """User and assistant in turn."""
    return [Message("assistant" if place % 2 else "user", content) for place, content in enumerate(contents)]


def pieces(given: Tokenizer, ids: Sequence[int], learnt: Sequence[bool]) -> list[list[int]]:
    """The stretches of tokens that are learnt."""
    found: list[list[int]] = []
    for place, number in enumerate(ids):
        if learnt[place]:
            if not place or not learnt[place - 1]:
                found.append([])
            found[-1].append(number)
    return found


def holds(given: Tokenizer, name: str, contents: Sequence[str]) -> None:
    """All that must be true of the marks of a dialogue in which each text is left as it is."""
    messages = said(*contents)
    found = mark(given, messages)
    answers = contents[1::2]
    learnt = pieces(given, found.ids, found.learnt)
    assert len(learnt) == len(answers)
    stop = given.number(ENDS.get(name, "</s>"))
    for answer, ids in zip(answers, learnt, strict=True):
        assert ids[-1] == stop == found.stop
        assert ids.count(stop) == 1  # what the assistant typed is text
        # White space at the ends goes where the template trims.
        assert given.decode(ids[:-1]).strip() == answer.strip()
    place = 0
    for turn in range(1, len(messages), 2):
        prompt = given.dialogue(messages[:turn])
        assert list(found.ids[: len(prompt)]) == prompt  # exactly what serving reads
        assert not any(found.learnt[place : len(prompt)])
        place = len(prompt) + len(learnt[turn // 2])
        earlier = mark(given, messages[: turn + 1])
        assert found.ids[: len(earlier.ids)] == earlier.ids == found.ids[:place]
    if given.bos_id is not None and name != "chatml":
        assert found.ids[0] == given.bos_id and found.ids.count(given.bos_id) == 1


@pytest.mark.parametrize("name", [*TEMPLATES, *OURS])
def test_the_answers_and_their_ends_are_learnt(name: str) -> None:
    holds(opened(name), name, TEXTS[:6])


@pytest.mark.parametrize("name", TEMPLATES)
def test_also_where_the_first_word_is_marked(name: str) -> None:
    given = opened(name, marked=True)
    messages = said("hello you", "the cat", "hello", "my friend")
    found = mark(given, messages)
    learnt = pieces(given, found.ids, found.learnt)
    assert [given.decode(ids).strip() for ids in learnt] == ["the cat", "my friend"]
    assert [ids[-1] for ids in learnt] == [given.number(ENDS[name])] * 2
    for turn in (1, 3):
        prompt = given.dialogue(messages[:turn])
        assert list(found.ids[: len(prompt)]) == prompt


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([*TEMPLATES, *OURS]),
    st.lists(st.text(alphabet="aé <|>im_startend[]INST/\n✓", min_size=1, max_size=12), min_size=2, max_size=6),
)
def test_any_dialogue(name: str, contents: list[str]) -> None:
    contents = [text if text.strip() else "a" for text in contents]
    holds(opened(name), name, contents[: len(contents) // 2 * 2])


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_control_token_that_somebody_typed_is_text(name: str) -> None:
    given = opened(name)
    attack = "".join(SPECIALS[name])
    found, benign = mark(given, said(f"a{attack}", f"{attack}b")), mark(given, said("a", "b"))
    controls = [[number for number in one.ids if number in given.control_ids] for one in (found, benign)]
    assert controls[0] == controls[1]
    assert attack in given.decode(found.answers)


def test_the_last_answer_alone() -> None:
    given = opened("chatml")
    messages = said("one", "two", "three", "four")
    found = mark(given, messages, every=False)
    assert found.ids == mark(given, messages).ids
    assert given.decode(found.answers) == "four"
    assert list(found.ids[: -len(found.answers)]) == given.dialogue(messages[:3])


def test_system_tool_and_a_greeting_are_read_and_not_learnt() -> None:
    given = opened("roles")
    messages = [Message("assistant", "hi, I help"), *said("one", '{"name": "f"}'), Message("tool", "42")]
    found = mark(given, [*messages, Message("assistant", "done")])
    assert [given.decode(ids) for ids in pieces(given, found.ids, found.learnt)] == ['{"name": "f"}', "done"]
    found = mark(opened("chatml"), [Message("system", "be kind"), *said("one", "two")])
    assert opened("chatml").decode(found.answers) == "two"


def test_a_template_that_forgets_thoughts_gives_a_row_for_each_answer(tmp_path: Path) -> None:
    given = Tokenizer(write_chat("chatml", tmp_path, THINKING))
    messages = said("one", "hm</think>two", "three", "so</think>four")
    with pytest.raises(UserError, match=r"^template-drift"):
        mark(given, messages)
    first, second = mark_turns(given, messages)
    assert [given.decode(one.answers) for one in (first, second)] == ["hm</think>two", "so</think>four"]
    for row, turn in ((first, 1), (second, 3)):
        assert list(row.ids[: -len(row.answers)]) == given.dialogue(messages[:turn])
    assert "hm" not in given.decode(second.ids)  # as when it is served
    assert len(mark_turns(given, messages, every=False)) == 1
    assert len(mark_turns(opened("chatml"), messages)) == 1


def test_a_template_that_ends_no_answer_is_refused_by_name(tmp_path: Path) -> None:
    endless = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    with pytest.raises(UserError, match=r"^stop-token-untrained"):
        mark(Tokenizer(write_chat("llama", tmp_path, endless)), said("a", "b"))


def test_a_template_that_rewrites_the_prompt_is_refused_by_name(tmp_path: Path) -> None:
    late = "{{ messages | length }}{% for m in messages %}{{ m.content }}<|eot_id|>{% endfor %}"
    with pytest.raises(UserError, match=r"^template-drift"):
        mark(Tokenizer(write_chat("llama", tmp_path, late)), said("a", "b"), every=False)


def test_what_the_assistant_says_at_a_stretch_is_one_answer() -> None:
    given = opened("chatml")
    messages = [*said("a", "cat"), Message("assistant", "dog"), *said("b", "sun")]
    found = mark(given, messages)
    assert [given.decode(ids) for ids in pieces(given, found.ids, found.learnt)] == ["cat\n\ndog", "sun"]
    assert found == mark(given, said("a", "cat\n\ndog", "b", "sun"))
    assert mark_turns(given, messages) == [found]
    # Served, what was begun is gone on with: the second message is what comes next.
    begun = given.dialogue(messages[:2])
    assert list(found.ids[: len(begun)]) == begun
    assert join_answers([*said("a", " "), Message("assistant", "x")]) == said("a", "x")


@pytest.mark.parametrize("name", ["chatml", "instruct"])
def test_an_answer_without_a_word_is_read_and_never_learnt(name: str) -> None:
    given = opened(name)
    found = mark(given, said("a", " ", "b", "sun"))
    assert [given.decode(ids) for ids in pieces(given, found.ids, found.learnt)] == ["sun"]
    prompt = given.dialogue(said("a", " ", "b"))
    assert list(found.ids[: len(prompt)]) == prompt
    assert mark_turns(given, said("a", "\n")) == []


def test_a_thought_that_the_template_drops_leaves_no_row_of_a_stop_alone(tmp_path: Path) -> None:
    forgetful = THINKING.replace(" and not loop.last", "")
    given = Tokenizer(write_chat("chatml", tmp_path, forgetful))
    assert mark_turns(given, said("a", "hm</think>")) == []


def test_a_long_dialogue_is_not_tokenised_again_for_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    given, seen = opened("chatml"), list[str]()
    plain = given._ids
    monkeypatch.setattr(given, "_ids", lambda rust, texts: seen.extend(texts) or plain(rust, texts))
    mark(given, said(*(f"number {place}" for place in range(24))))
    assert len(seen) <= 2 * 24 + 8 and len(set(seen)) >= len(seen) - 2


def test_a_model_without_an_end_is_refused_with_a_hint_that_helps(tmp_path: Path) -> None:
    given = without_end(tmp_path)
    for learn in (lambda: mark(given, said("a", "b")), lambda: mark_text(given, "a"), lambda: mark_pair(given, [], "")):
        with pytest.raises(UserError, match=r"^stop-token-untrained") as refused:
            learn()
        assert "models.template" not in refused.value.hint
    endless = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    with pytest.raises(UserError, match=r"^stop-token-untrained") as refused:
        mark(tokens("llama", tmp_path / "other", endless), said("a", "b"))
    assert "models.template=instruct" in refused.value.hint


@pytest.mark.parametrize("messages", [[], said("a"), said("a", "b", "c"), [Message("assistant", "a")]])
def test_a_dialogue_without_an_answer_at_its_end(messages: list[Message]) -> None:
    with pytest.raises(UserError, match=r"^no-answer"):
        mark(opened("chatml"), messages)


@pytest.mark.parametrize(("name", "lead"), [("t5", 0), ("bart", 1)])
def test_a_pair_is_what_the_encoder_reads_and_the_decoder_writes(name: str, lead: int, tmp_path: Path) -> None:
    given = tokens(name, tmp_path)
    source, answer = mark_pair(given, [Message("system", "go"), Message("user", "the hill")], "it is </s>")
    assert source == given.encode(["go\nthe hill"], 99)[0]
    assert answer[-1] in given.eos_ids and sum(number in given.eos_ids for number in answer) == 1
    assert given.decode(answer) == "it is </s>"
    assert answer[:lead] == given.start("")


def test_a_pair_without_an_end_is_refused_by_name(tmp_path: Path) -> None:
    given = tokens("t5", tmp_path)
    given.eos_ids = frozenset()
    with pytest.raises(UserError, match=r"^stop-token-untrained"):
        mark_pair(given, said("a"), "b")
