"""What `dragoman generate` prints, for whom, and what it says where it cannot."""

import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.doors import Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling, Token
from dragoman.core.types import Message
from dragoman.models.local import LocalLM
from dragoman.nn.adapter import merge_adapter
from dragoman.nn.store import load_lm
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages.generate import shown
from dragoman.train.adapter import write_adapter
from dragoman.train.tuning.lora import Lora
from tests.command import Said, dragoman
from tests.nn.tiny_lm import folder_of
from tests.train.tunings import stirred

ASKED = (Message("user", "the hill"),)


class Scribe:
    """Writes its last message back, and remembers how it was asked."""

    def __init__(self) -> None:
        self.how: list[Sampling] = []
        self.prompts: list[Prompt] = []
        self.opened: dict[str, Any] = {}
        self.stop_after = 0
        self.closed = False
        self.note, self.chat, self.longest = "", True, 0
        self.checked: list[Prompt] = []

    def ids(self, prompt: Prompt) -> list[int]:
        return [ord(letter) for letter in prompt[-1].content]

    def check(self, prompt: Prompt) -> None:
        self.checked.append(prompt)
        if self.longest and len(self.ids(prompt)) >= self.longest:
            raise UserError("the prompt is too long", "shorten it")

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        self.how.append(how)
        self.prompts += prompts
        told = (Token("a", 5, -0.25, (("a", -0.25), ("b", -2.0))),) if how.logprobs else ()
        said = [one[-1].content for one in prompts for _ in range(how.n)]
        return [Completion(text, len(text.split()), "stop", 3, told) for text in said]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        self.how.append(how)
        self.prompts.append(prompt)
        try:
            for number, word in enumerate(prompt[-1].content.split(" ")):
                if self.stop_after and number == self.stop_after:
                    raise KeyboardInterrupt
                yield word if number == 0 else f" {word}"
        finally:
            self.closed = True


@pytest.fixture
def scribe(monkeypatch: pytest.MonkeyPatch) -> Scribe:
    lm = Scribe()

    def open_lm(spec: str, device: str = "auto", precision: str = "auto", raw: bool = False) -> Scribe:
        lm.opened = {"spec": spec, "device": device, "precision": precision, "raw": raw}
        return lm

    monkeypatch.setattr("dragoman.models.open.open_lm", open_lm, raising=False)
    return lm


def refused(*words: str) -> str:
    """The one message of a mistake."""
    said = dragoman(*words)
    assert said.code == 2, said
    assert "Traceback" not in said.err
    return said.whole


def test_a_prompt_is_answered(scribe: Scribe) -> None:
    said = dragoman("generate", "some/model", "Once upon a time")
    assert said == Said(0, "Once upon a time\n", "")
    assert scribe.opened == {"spec": "some/model", "device": "auto", "precision": "auto", "raw": False}
    assert scribe.how == [Sampling()]
    assert scribe.closed


def test_every_sampling_setting_is_a_word(scribe: Scribe) -> None:
    words = ["temperature=0.7", "top_k=3", 'stop=["END", "\\n"]', "how.seed=4", "--max-tokens=9", 'logit_bias={"3"=-1}']
    assert dragoman("generate", "m", "hi", "--raw", "precision=bf16", *words).code == 0
    [how] = scribe.how
    assert (how.temperature, how.top_k, how.stop, how.seed, how.max_tokens) == (0.7, 3, ("END", "\n"), 4, 9)
    assert how.logit_bias == {3: -1.0}
    assert (scribe.opened["raw"], scribe.opened["precision"]) == (True, "bf16")


def test_a_system_message_and_a_prompt_with_a_sign(scribe: Scribe) -> None:
    assert dragoman("generate", "m", "is 1 + 1 = 2?", "system=Be brief.").out == "is 1 + 1 = 2?\n"
    assert [one.role for one in scribe.prompts[0]] == ["system", "user"]


def test_standard_input(scribe: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("from a pipe\n"))
    assert dragoman("generate", "m").out == "from a pipe\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9"), encoding="utf-8"))
    assert "not UTF-8" in refused("generate", "m")


@pytest.mark.parametrize("typed", ["", "\n", " \n\t"])
def test_an_empty_prompt_is_one_message(scribe: Scribe, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert "the prompt is empty" in refused("generate", "m")


def test_json(scribe: Scribe) -> None:
    said = dragoman("generate", "m", "one two", "logprobs=2", "--json").json
    assert said.keys() == {"prompt", "completions", "seconds", "model"}
    [one] = said["completions"]
    assert (said["prompt"], one["text"], one["tokens"], one["finish"]) == ("one two", "one two", 2, "stop")
    assert one["logprobs"] == [{"token": "a", "id": 5, "logprob": -0.25, "top": [["a", -0.25], ["b", -2.0]]}]


def test_several_answers(scribe: Scribe) -> None:
    assert dragoman("generate", "m", "hi", "n=2", "temperature=1").out == "[1] hi\n[2] hi\n"
    assert "'a'" in dragoman("generate", "m", "hi", "logprobs=2").out


def test_a_file_of_prompts(scribe: Scribe, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("first\n\nsecond one\r\n")
    rows = [{"prompt": "third"}, {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    plain = [
        json.loads(line) for line in dragoman("generate", "m", "file=prompts.txt", folder=tmp_path).out.split("\n")[:-1]
    ]
    assert [line["prompt"] for line in plain] == ["first", "second one"]
    assert [line["completions"][0]["text"] for line in plain] == ["first", "second one"]
    said = dragoman("generate", "m", "file=prompts.jsonl", "n=2", "temperature=1", folder=tmp_path).out
    lines = [json.loads(line) for line in said.splitlines()]
    assert [[one["text"] for one in line["completions"]] for line in lines] == [["third"] * 2, ["b"] * 2]
    assert lines[1]["messages"] == rows[1]["messages"]


def test_a_prompt_that_is_too_long_is_told_with_its_place_before_anything_is_written(
    scribe: Scribe, tmp_path: Path
) -> None:
    scribe.longest = 20
    (tmp_path / "p.txt").write_text("short\n\n" * 100 + "a" * 20 + "\n")
    said = dragoman("generate", "m", "file=p.txt", folder=tmp_path)
    assert (said.code, said.out, scribe.how) == (2, "", [])
    assert "p.txt:201: the prompt is too long" in said.err
    assert "shorten it" in said.err


def test_what_is_to_be_known_of_a_model_is_told(scribe: Scribe) -> None:
    scribe.note = "run by transformers, slower"
    assert "slower" in dragoman("generate", "m", "hi").err


@pytest.mark.parametrize(
    "content", ["[" * 200_000, "{", "[]", '{"prompt": ""}', '{"prompt": 3}', '{"messages": [{"role": "user"}]}']
)
def test_a_bad_row_is_named_with_its_place(scribe: Scribe, tmp_path: Path, content: str) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "a"}\n' + content)
    assert "p.jsonl:2" in refused("generate", "m", f"file={tmp_path / 'p.jsonl'}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no model is named"),
        (("m", "hi", "temprature=1"), "did you mean 'temperature'?"),
        (("m", "hi", "--top-q=1"), "did you mean 'top_p'?"),
        (("m", "hi", "how.tpo_k=1"), "how.tpo_k"),
        (("m", "hi", "temperature=-1"), "temperature cannot be -1"),
        (("m", "hi", "top_k=many"), "top_k cannot be 'many'"),
        (("m", "hi", "n=3"), "the same answer"),
        (("m", "hi", "precision=fp8"), "precision cannot be 'fp8'"),
        (("m", "hi", "file=x"), "two things"),
        (("m", "file=nowhere.txt"), "nowhere.txt cannot be read"),
        (("m", "hi", "--raw", "system=a"), "no system message"),
    ],
)
def test_mistakes(scribe: Scribe, words: tuple[str, ...], said: str) -> None:
    assert said in refused("generate", *words)
    assert not scribe.how


def test_ctrl_c_ends_the_answer_and_frees_the_model(scribe: Scribe) -> None:
    scribe.stop_after = 2
    said = dragoman("generate", "m", "a b c d")
    assert (said.code, said.out) == (130, "a b\n")
    assert "stopped by Ctrl-C" in said.err
    assert scribe.closed


class Terminal(io.StringIO):
    """A place that obeys control characters."""

    def isatty(self) -> bool:
        return True


def test_a_model_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\x1b[2Jhi\a\tthere\r\n\x9b1m \u202eevil\x7f ü"
    assert shown(text) == text  # into a file goes what was written
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert shown(text) == "␛[2Jhi␇\tthere\n<U+009B>1m <U+202E>evil␡ ü"


def test_adapters_answer_under_their_names_as_they_do_merged(tmp_path: Path) -> None:
    folder = folder_of("llama", tmp_path / "base")
    adapters, expected = [], []
    for seed, tuning in enumerate((Lora(rank=2, where=("query", "up")), Lora(rank=20))):
        net = tuning.apply(load_lm(folder), 0)
        stirred(net, seed)
        write_adapter(net, tuning, tmp_path / f"lora{seed}", "")
        adapters.append(str(tmp_path / f"lora{seed}"))
        merged = load_lm(folder)
        merge_adapter(merged, Path(adapters[-1]))
        expected.append(LocalLM(merged, Tokenizer(folder)).generate([ASKED], Sampling(max_tokens=6))[0].text)
    words = ("generate", str(folder), "the hill", f"adapter={','.join(adapters)}", "max_tokens=6", "device=cpu")
    told = dragoman(*words, "precision=fp32", "--json").json
    assert [(one["adapter"], one["text"]) for one in told["completions"]] == list(zip(adapters, expected, strict=True))
    assert expected[0] != expected[1]
    said = dragoman(*words, "precision=fp32")
    assert said.out == "".join(f"[{name}] {shown(text)}\n" for name, text in zip(adapters, expected, strict=True))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fake:", "hi", "adapter=a"), "takes no adapter"),
        (("m", "adapter=a", "file=x"), "compared on one prompt"),
    ],
)
def test_mistakes_with_adapters(words: tuple[str, ...], said: str) -> None:
    assert said in refused("generate", *words)
