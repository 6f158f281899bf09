"""Tools: their arguments are checked, documents are looked through, programs run in the sandbox."""

import pytest

from dragoman.app.sandbox.box import NoSandbox, open_sandbox
from dragoman.app.tools.python import python
from dragoman.app.tools.search import search
from dragoman.app.tools.tool import Argument, Tool, described, wrong_arguments
from dragoman.core.documents import Chunk, Hit

TOOL = Tool(
    "send", "sends", (Argument("to"), Argument("times", "number"), Argument("now", "truth", needed=False)), lambda _: ""
)


def test_a_tool_is_described_for_a_model_and_for_a_schema() -> None:
    assert described(TOOL) == "send(to: text, times: number, now: truth?): sends"
    schema = TOOL.schema()
    assert schema["required"] == ["to", "times"] and schema["properties"]["now"]["type"] == "boolean"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"to": "a", "times": 1}, ""),
        ({"to": "a", "times": 1.5, "now": True}, ""),
        ({"to": "a", "times": True}, "times has to be a number"),
        ({"to": "a", "times": "1"}, "times has to be a number"),
        ({"times": 1}, "send needs the argument to"),
        ({"to": "a", "times": 1, "bcc": "x"}, "send has no argument bcc"),
        ({"to": "a" * 5000, "times": 1}, "to is longer than 4,000 characters"),
    ],
)
def test_arguments_are_checked_and_never_made_to_fit(given: dict[str, object], wrong: str) -> None:
    assert wrong_arguments(TOOL, given) == wrong


def test_documents_are_looked_through_with_the_groups_of_who_asks() -> None:
    seen = []

    def find(question: str, k: int, access: frozenset[str]) -> list[Hit]:
        seen.append((question, k, access))
        return [Hit(Chunk("a.md", 0, 0, 5, "hello"), 1.0)] if question == "hi" else []

    tool = search(find, 2, frozenset({"staff"}))
    assert tool.outside and tool.run({"question": "hi"}) == "a.md: hello"
    assert tool.run({"question": "no"}) == "nothing was found"
    assert seen[0] == ("hi", 2, frozenset({"staff"}))


def test_a_program_runs_in_the_sandbox() -> None:
    try:
        box = open_sandbox()
    except NoSandbox:
        pytest.skip("no sandbox works here")
    tool = python(box)
    assert tool.run({"program": "print(6 * 7)"}) == "42"
    assert tool.run({"program": "open('/etc/passwd').read()"}).startswith("error")
