"""What a model that uses tools wrote: a tool with its arguments, or an answer."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["OBSERVATION", "Move", "read_move"]

OBSERVATION = "Observation:"
_ANSWER = re.compile(r"^\s*(?:Final )?Answer\s*:\s*", re.MULTILINE)
_INPUT = re.compile(r"^\s*Input\s*:\s*", re.MULTILINE)
_ACTION = re.compile(r"^\s*Action\s*:\s*(?P<tool>[\w.-]+)\s*(?:\((?P<call>.*)\))?\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Move:
    """What a model wrote: a tool with its arguments, or an answer; neither where it cannot be read."""

    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    answer: str = ""
    problem: str = ""


def read_move(text: str) -> Move:
    """The first move of a text; whatever stands behind an observation that the model made up is not read."""
    text = text.split(OBSERVATION)[0]
    action, answer = _ACTION.search(text), _ANSWER.search(text)
    if answer and (not action or answer.start() < action.start()):
        end = action.start() if action else len(text)
        return Move(answer=text[answer.end() : end].strip())
    if not action:
        return Move(problem="write 'Action: TOOL' and 'Input: ' with JSON, or 'Answer: '")
    given = _INPUT.search(text, action.end())
    raw = action["call"] if action["call"] else text[given.end() :].strip() if given else ""
    return _called(action["tool"], raw)


def _called(tool: str, raw: str) -> Move:
    """A tool with its arguments: an object of JSON, or one value, which is its first argument."""
    if not raw:
        return Move(tool)
    try:
        value, _ = json.JSONDecoder().raw_decode(raw)
    except ValueError:
        return Move(tool, {"": raw.splitlines()[0].strip()})
    return Move(tool, value if isinstance(value, dict) else {"": value})
