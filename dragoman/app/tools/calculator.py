"""Computes an expression of numbers: read as a tree, so nothing but arithmetic can happen."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from dragoman.app.tools.tool import Argument, Tool

__all__ = ["calculator", "compute"]

LONGEST = 400  # characters of an expression
LARGEST = 10**30
_TWO: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_NAMED: Mapping[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "log": math.log, "exp": math.exp, "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "floor": math.floor, "ceil": math.ceil, "abs": abs, "round": round, "min": min, "max": max,
}  # fmt: skip
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_CONSTANTS = {"pi": math.pi, "e": math.e}


def compute(expression: str) -> str:
    """What an expression comes to, such as `12 * (3 + 4)`; text that says what is wrong where it is none."""
    text = expression.strip().replace("\N{MULTIPLICATION SIGN}", "*").replace("^", "**")
    text = _THOUSANDS.sub("", text)
    if not text or len(text) > LONGEST:
        return "error: give an expression of at most 400 characters"
    try:
        return _shown(_value(ast.parse(text, mode="eval").body))
    except (SyntaxError, ValueError, TypeError, ZeroDivisionError, OverflowError, RecursionError, MemoryError) as wrong:
        return f"error: {wrong if isinstance(wrong, ValueError | ZeroDivisionError) else 'that is no arithmetic'}"


def calculator() -> Tool:
    """The tool."""
    about = "computes an expression of numbers with + - * / // % ** and sqrt, log, exp, round, min, max"
    return Tool("calculator", about, (Argument("expression"),), lambda given: compute(given["expression"]))


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return _small(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        return _two(node)
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMED and not node.keywords:
        return _small(_NAMED[node.func.id](*(_value(one) for one in node.args)))
    raise ValueError("that is no arithmetic")


def _two(node: ast.BinOp) -> float:
    left, right = _value(node.left), _value(node.right)
    if isinstance(node.op, ast.Pow):
        if abs(right) > 100 or (left and abs(right * math.log10(abs(left))) > 30):
            raise ValueError("that number is too large")
        return _small(left**right)
    if type(node.op) not in _TWO:
        raise ValueError("that is no arithmetic")
    return _small(_TWO[type(node.op)](left, right))


def _small(value: Any) -> float:
    if isinstance(value, complex) or not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError("that number is too large, or none")
    return value  # type: ignore[no-any-return]


def _shown(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.10g}"
