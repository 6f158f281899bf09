"""The tools that an assistant may use, by name, under a policy that documents cannot talk their way around."""

from collections.abc import Sequence

from dragoman.app.guards.policy import Policy, Powers, Slot, check_powers
from dragoman.app.passages import Find
from dragoman.app.steps.react import React
from dragoman.app.tools.tool import Tool
from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.stages.answering import TOOLS, Answering

__all__ = ["acting"]


def acting(find: Find, how: Answering, access: Sequence[str] = ()) -> React:
    """The step in which a model thinks, uses the tools that `how` names, and answers.

    Once a document was read, its words may be behind all that the model writes: then it may compute, and look for words
    that the user said, and nothing else. Raises UserError where a tool is not known, http has no host, no sandbox is
    here, or the tools together could carry private documents away (the rule of two).
    """
    for name in how.tools:
        if name not in TOOLS:
            raise UserError(f"there is no tool named '{name}'", nearest(name, TOOLS))
    outside = "http" in how.tools
    reads = outside or "search" in how.tools
    check_powers(Powers(reads_untrusted=reads, reads_private=bool(access), acts_outside=outside))
    tools = tuple(_tool(name, find, how, access) for name in dict.fromkeys(how.tools))
    after = {"search": {"question": Slot("asked")}, "calculator": {"expression": Slot("arithmetic")}}
    policy = Policy(frozenset(how.tools), {name: slots for name, slots in after.items() if name in how.tools})
    return React(tools, policy, max_tokens=how.max_tokens)


def _tool(name: str, find: Find, how: Answering, access: Sequence[str]) -> Tool:
    if name == "search":
        from dragoman.app.tools.search import search

        return search(find, how.k, frozenset(access))
    if name == "python":
        from dragoman.app.sandbox.box import open_sandbox
        from dragoman.app.tools.python import python

        return python(open_sandbox())
    if name == "http":
        from dragoman.app.tools.fetch import Fetcher
        from dragoman.app.tools.http import http

        if not how.hosts:
            raise UserError("the tool http has no host that it may ask", "name some: hosts=example.org")
        return http(Fetcher(hosts=frozenset(host.lower() for host in how.hosts)))
    from dragoman.app.tools.calculator import calculator

    return calculator()
