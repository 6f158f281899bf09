"""A question is answered by what the model's program computes; a program that fails is asked for once more."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dragoman.app.assistant import Assistant
from dragoman.app.sandbox import backends
from dragoman.app.sandbox.box import NoSandbox
from dragoman.app.steps.pal import Pal, program_in
from dragoman.app.turn import Turn
from dragoman.core.doors import Per, Prompt
from dragoman.core.sampling import Completion, Sampling
from tests.app.sandbox.boxes import opened
from tests.app.steps.scripted import read_problems


@dataclass(frozen=True)
class Programmer:
    """Writes, for each question, the programs it is given for it, one a try."""

    programs: dict[str, Sequence[str]]
    asked: list[Prompt] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """The program of the question and of the try: a try is a message of the assistant's."""
        self.asked.extend(prompts)
        found = []
        for prompt in prompts:
            question = next(message.content for message in prompt if message.role == "user").split("\n\n")[0]
            found.append(Completion(self.programs[question][len(prompt) // 2], 5))
        return found

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """The same at once."""
        yield self.generate([prompt], how)[0].text

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """All alike."""
        return np.zeros((len(prompts), len(options)))


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("answer = 1", "answer = 1"),
        ("Here:\n```python\nanswer = 1\n```\nDone.", "answer = 1"),
        ("```\nanswer = 1\n```", "answer = 1"),
        ("```python\na = 1\n```\nor\n```py\na = 2\n```\n```text\n2\n```", "a = 2"),
        ("```python\nanswer = 1", "answer = 1"),
        ("~~~~python\nx = '''\n```\n'''\n~~~~", "x = '''\n```\n'''"),
        ("```python\nx = 'a```b'\n```", "x = 'a```b'"),
        ("", ""),
    ],
)
def test_the_program_of_a_completion(text: str, program: str) -> None:
    assert program_in(text) == program


def test_answers_in_the_order_of_the_questions() -> None:
    scripts = {
        "sum": ["```python\nanswer = 2 + 2\n```"],
        "printed": ["print('so')\nprint(7 / 2)"],
        "mended": ["answer = 1 / 0", "answer = 5"],
        "nothing": ["x = 1", "x = 2"],
        "hostile": ["import os\nos.kill(os.getppid(), 9)", "print(open('/etc/passwd').read())"],
        "empty": ["```python\n```", "answer = 'late'"],
    }
    model = Programmer(scripts)
    turns = Pal(box=opened())([Turn(question) for question in scripts], model)
    assert [turn.question for turn in turns] == list(scripts)
    assert [turn.answer.text for turn in turns] == ["4", "3.5", "5", "", "", "late"]
    assert [turn.refused for turn in turns] == [False, False, False, True, True, False]
    assert turns[2].trace == ("pal: program 1 failed: ZeroDivisionError: division by zero (line 1)", "pal: program 2")
    assert turns[4].answer.finish == "refused"
    assert len(model.asked) == 6 + 4


def test_the_model_is_told_what_was_wrong() -> None:
    model = Programmer({"q": ["answer = undefined", "answer = 1"]})
    Pal(box=opened())([Turn("q")], model)
    first, second = model.asked
    assert first[-1].content.startswith("q\n\nWrite a Python program")
    assert [message.role for message in second] == ["user", "assistant", "user"]
    assert "NameError: name 'undefined' is not defined (line 1)" in second[-1].content


def test_no_sandbox_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Programmer({"q": ["answer = 1"]})
    monkeypatch.setattr(backends, "_not_here", lambda: "it is there on Linux alone")
    with pytest.raises(NoSandbox, match="Linux alone"):
        Pal()([Turn("q")], model)
    assert model.asked == []


@pytest.mark.parametrize(("name", "most"), [("gsm8k_test", 30), ("svamp", 12), ("asdiv", 12)])
def test_scripted_programs_answer_every_problem(shared_data: Path, name: str, most: int) -> None:
    """benchmarks/pal.py does so with all of them."""
    problems = read_problems(shared_data / "reasoning" / f"{name}.jsonl", most)
    model = Programmer({one.question.split("\n\n")[0]: [f"```python\n{one.program}\n```"] for one in problems})
    turns = Assistant(model, (Pal(box=opened(), tries=1),)).answer([one.question for one in problems])
    assert [float(turn.answer.text) for turn in turns] == pytest.approx([one.target for one in problems], abs=1e-5)
    assert sum(one.computes for one in problems) >= 0.5 * len(problems)
