"""Runs a program in the sandbox."""

from dragoman.app.sandbox.box import Sandbox
from dragoman.app.tools.tool import Argument, Tool

__all__ = ["python"]


def python(box: Sandbox) -> Tool:
    """The tool; `box` is where programs run."""

    def compute(program: str) -> str:
        came = box.run(program)
        return (came.text or "it printed nothing") if came.finished else f"error: {came.problem}"

    about = "runs a Python program with the standard library and tells what it prints"
    return Tool("python", about, (Argument("program"),), lambda given: compute(given["program"]))
