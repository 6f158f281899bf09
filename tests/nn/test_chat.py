"""A dialogue is written as its publisher wrote it, and nobody in it can speak as the template."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.chat import Control, Template, read_template
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.chats import SPECIALS, TEMPLATES, write_chat, write_marked

JOINED = "{% for message in messages %}{{ message.content }}{% endfor %}"


def said(*contents: str) -> list[Message]:
    return [Message("assistant" if place % 2 else "user", content) for place, content in enumerate(contents)]


def controls(*texts: str) -> list[Control]:
    return [Control(text, 900 + place) for place, text in enumerate(texts)]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_control_token_in_a_message_is_text(name: str, tmp_path: Path) -> None:
    tokens = Tokenizer(write_chat(name, tmp_path))
    attack = "".join(SPECIALS[name])
    benign = tokens.dialogue(said("hello", "yes", "go on"))
    for contents in ((attack, "yes", "go on"), ("hello", f"a{attack}", "go on"), ("hello", "yes", f"{attack} b")):
        ids = tokens.dialogue(said(*contents))
        assert [n for n in ids if n in tokens.control_ids] == [n for n in benign if n in tokens.control_ids]
        assert attack in tokens.decode(ids)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_text_of_an_attack_has_the_ids_of_text(name: str, tmp_path: Path) -> None:
    tokens = Tokenizer(write_marked(name, tmp_path))
    attack = f"hello {SPECIALS[name][1]} you"
    ids = tokens.dialogue(said(attack))
    assert attack in tokens.decode(ids)
    assert sum(n in tokens.control_ids for n in ids) == sum(n in tokens.control_ids for n in tokens.dialogue(said("x")))


@given(st.lists(st.text(alphabet="<|>im_startend[] \ue000\ue001"), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_no_text_makes_a_control_token(contents: list[str]) -> None:
    template = Template(JOINED, {}, controls("<|im_start|>", "<|im_end|>", "<", "<s", "[]"))
    texts = contents if len(contents) % 2 else [*contents, "go on"]
    assert template.sections(said(*texts)) == ([joined] if (joined := "".join(texts)) else [])


def test_two_messages_cannot_make_a_control_token_together() -> None:
    template = Template(JOINED, {}, controls("<|im_end|>"))
    assert template.sections(said("<|im_", "end|>", "x")) == ["<|im_end|>x"]
    around = Template("<|{{ messages[0].content }}|>", {}, controls("<|end|>", "<|", "|>"))
    assert around.sections(said("end")) == [901, "end", 902]
    alone = Template("<|{{ messages[0].content }}", {}, controls("<|end|>"))
    assert alone.sections(said("end|>")) == ["<|end|>"]


def test_what_the_template_writes_is_a_token_and_what_people_write_is_not(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% if m.role == 'assistant' %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>{% endif %}"
    )
    tokens = Tokenizer(write_chat("chatml", tmp_path, template, plain=("<think>", "</think>", "<other>")))
    think, thought, other = (tokens.size - 3 + place for place in range(3))
    ids = tokens.dialogue(said("a <think> b", "hm </think> yes", "go"))
    assert ids.count(think) == 1 and ids[-1] == think and thought not in ids
    assert "hm" not in tokens.decode(ids)
    assert think not in tokens.plain(["<think>"])[0] and tokens.plain(["<other>"]) == [[other]]
    assert tokens.decode([think, other]) == "<think><other>"  # an answer shows them: they are not special
    tokens.save(tmp_path / "saved")
    again = Tokenizer(tmp_path / "saved")
    assert again.decode([think, other]) == "<think><other>" and again.control_ids == tokens.control_ids


def test_spaces_that_a_control_token_swallows_go() -> None:
    greedy = [Control("<a>", 1, eats_left=True), Control("<b>", 2, eats_right=True)]
    template = Template("x  <a> y <b>  {{ messages[0].content }}", {}, greedy)
    assert template.sections(said("z")) == ["x", 1, " y ", 2, "z"]


def test_the_template_is_found_wherever_it_is_kept(tmp_path: Path) -> None:
    assert read_template(tmp_path) == ""
    (tmp_path / "chat_template.json").write_text('{"chat_template": "A"}')
    assert read_template(tmp_path) == "A"
    named = '{"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]}'
    (tmp_path / "tokenizer_config.json").write_text(named)
    assert read_template(tmp_path) == "D"
    (tmp_path / "chat_template.jinja").write_text("J")
    assert read_template(tmp_path) == "J"
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(UserError, match="not UTF-8"):
        read_template(tmp_path)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("a\n{% for %}", "broken at line 2"),
        ("{{ raise_exception('only the user speaks') }}", "refuses this dialogue: only the user"),
        ("{{ nobody.home }}", "refuses this dialogue: 'nobody' is undefined"),
        ("{{ ''.__class__.__mro__ }}", "does what none may do"),
        ("{{ messages.append(1) }}", "does what none may do"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ 'a' * 10**9 }}", "too l"),
        ("{{ 'aaaa' * 9999999 }}", "a text too long"),
        ("{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}", "loops count beyond"),
        ("{% for i in range(9000) %}{{ 'a' * 9000 }}{% endfor %}", "more than"),
    ],
)
def test_a_template_that_cannot_be_used_is_one_message(source: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        Template(source, {}, ()).sections(said("hello"))


def test_what_templates_may_use() -> None:
    source = (
        "{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i * 3 }}{% endfor %}{{ strftime_now('%%') }}"
        "{% generation %}{{ messages | tojson }}{% endgeneration %}{{ '<' * 3 }}{{ eos_token }}{{ 2 ** 3 }}"
    )
    shown = Template(source, {"eos_token": "E"}, ()).sections(said("<é>"))
    assert shown == ['03%[{"role": "user", "content": "<é>"}]<<<E8']


def test_a_text_that_uses_the_private_characters_is_a_text() -> None:
    template = Template(JOINED, {}, controls("<|im_end|>"))
    some = "".join(map(chr, range(0xE000, 0xF900)))
    assert template.sections(said(f"{some}<|im_end|>")) == [f"{some}<|im_end|>"]
    with pytest.raises(UserError, match="every character of"):
        template.sections(said(some + "".join(map(chr, range(0xF0000, 0x110000)))))


def test_who_may_speak() -> None:
    template = Template(JOINED, {}, ())
    with pytest.raises(UserError, match="without a message"):
        template.sections([])
    with pytest.raises(UserError, match="nobody speaks as 'root'"):
        template.sections([Message("root", "x")])
    with pytest.raises(UserError, match="leaves out the message"):
        Template("x", {}, ()).sections(said("a", "b"))


def test_a_model_without_a_template_holds_no_dialogue(tmp_path: Path) -> None:
    write_chat("mistral", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "</s>", "pad_token": "</s>"}')
    tokens = Tokenizer(tmp_path)
    assert not tokens.chat
    with pytest.raises(UserError, match="no chat template"):
        tokens.dialogue(said("hello"))
