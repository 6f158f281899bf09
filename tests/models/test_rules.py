"""Rules as rewards: what they count, what a file may not do, and that nothing a rule does is silent or hangs."""

import os
from pathlib import Path

import pytest

from dragoman.core.doors import Reward
from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.models.rules import Working, open_rule

PROMPT = (Message("user", "say e"),)


def rated(reward: Reward, *answers: str) -> list[float]:
    return list(reward.rate([PROMPT] * len(answers), answers))


def rule(folder: Path, body: str) -> str:
    file = folder / "rule.py"
    file.write_text(body, encoding="utf-8")
    return f"python:{file}"


def test_what_is_counted() -> None:
    assert rated(open_rule("count:e"), "eel", "x", "") == [2.0, 0.0, 0.0]
    assert rated(open_rule("length:3"), "abc", "a", "abcdef") == [0.0, -2.0, -3.0]
    assert rated(open_rule(r"regex:\d+"), "1 and 22", "none") == [2.0, 0.0]


def test_a_file_sees_the_prompt_and_the_answer(tmp_path: Path) -> None:
    body = "print('aside')\ndef reward(prompt, answer):\n    return prompt[0]['content'].count('e') + len(answer)\n"
    assert rated(open_rule(rule(tmp_path, body)), "four", "\u00fc\n") == [5.0, 3.0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def reward(prompt, answer):\n    return float('nan')\n", "it gave nan"),
        ("def reward(prompt, answer):\n    return 'much'\n", "not a number"),
        ("def reward(prompt, answer):\n    return 1 / 0\n", "ZeroDivisionError"),
        ("import os\ndef reward(prompt, answer):\n    os._exit(3)\n", "its process was ended"),
        ("import socket\ndef reward(prompt, answer):\n    socket.socket()\n", "may not do this"),
        ("def reward(prompt, answer):\n    open('/tmp/kept-by-a-rule', 'w')\n", "may not do this"),
        ("import subprocess\ndef reward(prompt, answer):\n    subprocess.run(['true'])\n", "may not do this"),
        ("import os\ndef reward(prompt, answer):\n    os.fork()\n", "may not do this"),
        ("def reward(prompt, answer):\n    return len('x' * (1 << 32))\n", "MemoryError"),
        ("import os\ndef reward(prompt, answer):\n    return os.environ['HOME']\n", "KeyError"),
    ],
)
def test_what_goes_wrong_in_a_file_is_one_message_that_names_the_answer(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(UserError, match="the reward of answer 0, 'an answer', failed") as caught:
        rated(open_rule(rule(tmp_path, body)), "an answer")
    assert said in caught.value.problem


def test_a_rule_that_never_ends_is_ended_and_the_next_answer_is_rated_again() -> None:
    slow = Working("regex", "(a+)+$", seconds=0.5)
    with pytest.raises(UserError, match=r"more than 0\.5 seconds"):
        rated(slow, "a" * 40 + "b")
    assert rated(slow, "aaa") == [1.0]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("count:", "is no rule"),
        ("length:long", "is no rule"),
        ("regex:(", "cannot be used"),
        ("python:missing.py", "there is no missing.py"),
        ("wish:x", "is no rule"),
    ],
)
def test_what_is_no_rule_is_refused_before_anything_is_drawn(spec: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        open_rule(spec)


def test_a_file_without_the_function_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no function reward"):
        open_rule(rule(tmp_path, "x = 1\n"))


def test_ctrl_c_is_for_the_training_and_not_for_its_rule(tmp_path: Path) -> None:
    body = "import os\ndef reward(prompt, answer):\n    return os.getpgid(0)\n"
    assert rated(open_rule(rule(tmp_path, body)), "x") != [float(os.getpgid(0))]
