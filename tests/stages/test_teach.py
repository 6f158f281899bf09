"""A teacher's answers: asked for once, whatever is killed; sifted; the best of several."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling, Token
from dragoman.core.show import silent
from dragoman.core.types import Example, Message
from dragoman.stages import teach as module
from dragoman.stages.teach import Said, fault, teach, teacher_answers
from dragoman.train.objectives.distill_text import DistillText
from dragoman.train.objectives.sft import Sft
from tests.nn.tiny_lm import folder_of


@dataclass
class Teacher:
    """Answers each question with what is given for it; may be killed after some questions."""

    answers: dict[str, list[Completion]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hows: list[Sampling] = field(default_factory=list)
    lives: int = 10**6

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """`how.n` completions a prompt."""
        self.hows.append(how)
        found = []
        for prompt in prompts:
            if len(self.asked) >= self.lives:
                raise KeyboardInterrupt
            self.asked.append(prompt[-1].content)
            found += self.answers.get(prompt[-1].content, [Completion(f"so {prompt[-1].content}")] * how.n)
        return found

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """The same at once."""
        yield self.generate([prompt], how)[0].text

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """All alike."""
        return np.zeros((len(prompts), len(options)))


def asked(*questions: str, answers: tuple[str, ...] = ()) -> list[Example]:
    return [Example((Message("user", one),), answers, "worse", {"id": f"e{row}"}) for row, one in enumerate(questions)]


def scored(text: str, *logprobs: float) -> Completion:
    return Completion(text, logprobs=tuple(Token("t", 5, value) for value in logprobs))


def taught(examples: list[Example], lm: Any, folder: Path, how: Sampling | None = None, **settings: Any) -> Any:
    said: list[str] = []
    found = teach(examples, lm, how or Sampling(), folder, silent, said.append, **settings)
    return found, said[-1]


def test_the_answers_take_the_place_of_the_examples_own(tmp_path: Path) -> None:
    plain = Example((), ("a text",))
    found, said = taught([*asked("a", "b", answers=("x",)), plain], Teacher(), tmp_path)
    assert [one.answers for one in found] == [("so a",), ("so b",), ("a text",)]
    assert found[0].prompt == (Message("user", "a"),) and found[0].rejected == "" and found[0].meta["id"] == "e0"
    assert found[2] is plain
    assert said == "the teacher answered 2 questions: 3 examples"


def test_what_cannot_be_learnt_is_left_out_and_counted(tmp_path: Path) -> None:
    lm = Teacher(
        {
            "cut": [Completion("and so", finish="length")],
            "empty": [Completion(" \n")],
            "loop": [Completion("it is so and so and so and so and so and so and so")],
        }
    )
    found, said = taught(asked("cut", "good", "empty", "loop", "cut"), lm, tmp_path)
    assert [one.answers[0] for one in found] == ["so good"]
    assert said.endswith("1 examples; left out: 2 that did not end, 1 empty, 1 that repeat themselves")
    assert lm.asked == ["cut", "good", "empty", "loop"]  # equal questions are asked once
    with pytest.raises(UserError, match="none of the teacher's 1 answers") as caught:
        taught(asked("empty"), lm, tmp_path)
    assert "objective.max_tokens" in caught.value.hint


@pytest.mark.parametrize(("text", "wrong"), [
    ("The cat sat on the mat, and the dog sat on the rug.", ""),
    ("yes yes yes", ""),
    ("1, 2, 3, 4, 5, 6, 7, 8, 9, 10", ""),
    ("no " * 40, "that repeat themselves"),
    ("- a b c d\n" * 9, "that repeat themselves"),
    ("哈" * 60, "that repeat themselves"),
    ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "that repeat themselves"),
    ("人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。", ""),
])  # fmt: skip
def test_going_round_in_circles(text: str, wrong: str) -> None:
    assert fault(Said(text, "stop")) == wrong


def test_the_same_call_goes_on_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    examples = asked(*"abcdefg")
    killed = Teacher(lives=5)
    with pytest.raises(KeyboardInterrupt):
        taught(examples, killed, tmp_path)
    lines = (tmp_path / "answers.jsonl").read_bytes()
    assert lines.count(b"\n") == 4  # two batches of two are whole
    (tmp_path / "answers.jsonl").write_bytes(lines[:-9])  # and a power cut tore the last line
    again = Teacher()
    found, _ = taught(examples, again, tmp_path)
    assert again.asked == list("defg")
    whole = Teacher()
    assert found == taught(examples, whole, tmp_path / "fresh")[0]
    assert taught(examples, Teacher(lives=0), tmp_path)[0] == found  # all is there
    lines = (tmp_path / "answers.jsonl").read_bytes()
    assert [len(json.loads(line)["answers"]) for line in lines.splitlines() if line.endswith(b"]}")] == [1] * 7


def test_another_teacher_or_setting_is_asked_anew(tmp_path: Path) -> None:
    taught(asked("a"), Teacher(), tmp_path, name="one")
    for settings in ({"name": "two"}, {"how": Sampling(max_tokens=9)}, {"how": Sampling(max_tokens=9, seed=1)}):
        lm = Teacher()
        taught(asked("a"), lm, tmp_path, **settings)
        assert lm.asked == ["a"]


def test_of_several_answers_the_nearest_to_the_reference_is_taken(tmp_path: Path) -> None:
    wide = Sampling(temperature=1.0, n=3)
    several = [scored("a red dog", -0.1), scored("the black cat sat", -3.0), scored("black cat", -9.0, -9.0)]
    lm = Teacher({"q": several})
    found, _ = taught(asked("q", answers=("a black cat sat there",)), lm, tmp_path / "one", wide)
    assert [one.answers for one in found] == [("the black cat sat",)]
    assert lm.hows[0].logprobs == 1
    found, _ = taught(asked("q"), lm, tmp_path / "two", wide)  # none to compare with: the most probable one
    assert [one.answers for one in found] == [("a red dog",)]
    several[0] = Completion("a red dog", finish="length", logprobs=several[0].logprobs)
    found, _ = taught(asked("q"), lm, tmp_path / "three", wide)
    assert [one.answers for one in found] == [("the black cat sat",)]
    silent = Teacher({"q": [Completion("first"), Completion("second"), Completion("third")]})
    assert taught(asked("q"), silent, tmp_path / "four", wide)[0][0].answers == ("first",)


def test_or_all_that_differ(tmp_path: Path) -> None:
    lm = Teacher({"q": [Completion("one"), Completion(" one "), Completion("two"), Completion("", finish="stop")]})
    found, said = taught(asked("q"), lm, tmp_path, Sampling(temperature=1.0, n=4), keep="all")
    assert [(one.answers[0], one.meta["id"]) for one in found] == [("one", "e0/0"), ("two", "e0/1")]
    assert said.endswith("2 examples; left out: 1 empty")


def test_only_an_objective_with_a_teacher_asks_one(tmp_path: Path) -> None:
    said: list[str] = []
    examples = asked("a", "b")
    assert teacher_answers(Sft(), examples, tmp_path, said.append) is examples
    with pytest.raises(UserError, match="no teacher is named") as caught:
        teacher_answers(DistillText(), examples, tmp_path, said.append)
    assert "objective.teacher=" in caught.value.hint
    found = teacher_answers(DistillText(teacher="fake:"), examples, tmp_path, said.append)
    assert [one.answers for one in found] == [("a fake answer",)] * 2
    assert (tmp_path / "answers.jsonl").is_file()


def test_a_model_in_a_folder_is_asked_in_its_own_words(tmp_path: Path) -> None:
    teacher = folder_of("llama", tmp_path / "model", "{% for m in messages %}{{ m.content }}{% endfor %}")
    objective, said = DistillText(teacher=str(teacher), max_tokens=3), list[str]()
    with pytest.raises(UserError, match="left out: 2 that did not end"):  # it has learnt nothing
        teacher_answers(objective, asked("a", "b"), tmp_path / "kept", said.append)
    assert len((tmp_path / "kept" / "answers.jsonl").read_text().splitlines()) == 2
