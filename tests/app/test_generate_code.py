"""Only programs that pass their tests are kept, in the sandbox, and each of them once."""

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dragoman.app.generate_code import CodeTask, generate_code, pass_at, read_code_tasks, run_tests
from dragoman.core.doors import Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from tests.app.sandbox.boxes import opened

ADD = CodeTask(
    "add", 'import math\n\n\ndef add(a: int, b: int) -> int:\n    """a + b."""\n', "add", "assert add(2, 3) == 5"
)
GOOD = "```python\ndef add(a, b):\n    return a + b\n```"


@dataclass
class Programmer:
    """Writes what it is given for a task, draw by draw."""

    texts: dict[str, Sequence[str]]
    finish: str = "stop"
    asked: list[Sampling] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """The text of this draw: each has the next seed."""
        self.asked.append(how)
        found = []
        for prompt in prompts:
            name = next(name for name in self.texts if f"def {name}(" in prompt[-1].content)
            found.append(Completion(self.texts[name][how.seed % len(self.texts[name])], 5, self.finish))
        return found

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """Nothing."""
        return iter(())


def test_each_program_that_passes_is_kept_once() -> None:
    texts = [
        GOOD,
        "```python\ndef add(a, b):  # the same\n    return (a + b)\n```",
        "    return sum((a, b))",  # goes on where the task ends
        "def add(a, b):\n    return a - b",
        "def add(a, b): return",
        "def add(a, b:",
        "raise SystemExit(0)\ndef add(a, b):\n    return a + b",
        "answer = True\nraise SystemExit",
        "def add(a, b):\n    import os\n    os.listdir('/etc')\n    return 5",
        "while True: pass\ndef add(a, b): return 5",
    ]
    model = Programmer({"add": texts})
    box = opened()
    quick = type(box)(box.backend, box.places, type(box.limits)(seconds=1.0))
    made = generate_code([ADD], model, quick, by="scripted", samples=len(texts))  # type: ignore[arg-type]
    assert [row["id"] for row in made.rows] == ["add/0", "add/2"]
    assert made.rows[0]["output"] == "```python\nimport math\n\n\ndef add(a, b):\n    return a + b\n```"
    assert made.rows[1]["output"].endswith('"""a + b."""\n    return sum((a, b))\n```')
    assert {row["made_by"] for row in made.rows} == {"scripted"} and "def add(a: int" in made.rows[0]["instruction"]
    assert made.passed == {"add": 3}
    assert made.left_out == {
        "programs that are there already": 1,
        "programs that fail their tests": 6,
        "programs that are no Python": 1,
    }
    assert [how.seed for how in model.asked] == list(range(len(texts)))


def test_tests_that_prove_nothing_are_left_out() -> None:
    empty = CodeTask("none", ADD.begins, "add", "assert True")
    model = Programmer({"add": [GOOD]})
    made = generate_code([empty, ADD], model, opened())  # type: ignore[arg-type]
    assert list(made.passed) == ["add"] and made.left_out == {"tasks whose tests prove nothing": 1}


def test_what_did_not_end_is_not_run() -> None:
    made = generate_code([ADD], Programmer({"add": [GOOD]}, finish="length"), opened())  # type: ignore[arg-type]
    assert not made.rows and made.left_out == {"programs that did not end": 1}


def test_samples_need_luck() -> None:
    with pytest.raises(UserError, match="the same program"):
        generate_code([ADD], Programmer({}), opened(), samples=3, how=Sampling())  # type: ignore[arg-type]


def test_pass_at_k_is_what_all_choices_come_to() -> None:
    for right in range(7):
        chosen = list(itertools.combinations([True] * right + [False] * (6 - right), 3))
        assert pass_at(3, [right], 6) == pytest.approx(sum(map(any, chosen)) / math.comb(6, 3), abs=1e-12)
    assert pass_at(1, [1, 3], 4) == 0.5
    with pytest.raises(UserError):
        pass_at(5, [1], 4)


@pytest.mark.parametrize("line", ["no", "[]", "{}", '{"task_id": 1, "prompt": "", "entry_point": "f", "test": ""}'])
def test_what_is_no_task_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text(f"{line}\n")
    with pytest.raises(UserError, match="line 1"):
        read_code_tasks(tmp_path / "a.jsonl")
    with pytest.raises(UserError, match="cannot be read"):
        read_code_tasks(tmp_path / "none.jsonl")


def test_programs_of_humaneval_pass_and_their_mutants_do_not(shared_data: Path) -> None:
    file = shared_data / "reasoning" / "humaneval.jsonl"
    tasks = {task.name: task for task in read_code_tasks(file)}
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    bodies = {row["task_id"]: row["canonical_solution"] for row in rows}
    some = [tasks[f"HumanEval/{number}"] for number in (0, 31, 32, 38, 50, 53)]  # three have a function in front
    whole = {
        task.entry: [f"```python\n{task.begins[task.begins.rindex('def ') :]}{bodies[task.name]}```", bodies[task.name]]
        for task in some
    }
    box = opened()
    made = generate_code(some, Programmer(whole), box, samples=2)  # type: ignore[arg-type]
    assert made.passed == {task.name: 2 for task in some} and len(made.rows) >= 6
    assert all(run_tests(task, f"{task.begins}    return 'wrong'\n", box) for task in some)
