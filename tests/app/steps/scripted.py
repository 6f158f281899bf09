"""Programs for problems whose answers are known, as a model that never errs would write them."""

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Problem", "read_problems"]

NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")
STEP = re.compile(r"<<([^=<>]+)=([^<>]+)>>")
ARITHMETIC = re.compile(r"[\d.+\-*/() ]+")
MISTAKEN = ("50000*50*.1", "0.5*.1*50000")  # annotations of GSM8K whose arithmetic is not what they say
OPERATIONS = ("+", "-", "*", "/")


@dataclass(frozen=True)
class Problem:
    """A question, the number that answers it, a program that finds that number, and whether the program computes."""

    question: str
    target: float
    program: str
    computes: bool


def read_problems(file: Path, most: int = 0) -> list[Problem]:
    """The first problems of a file of GSM8K (its annotations become the program) or of a set with targets alone."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [_annotated(row) if "answer" in row else _searched(row) for row in rows[: most or None]]


def _annotated(row: dict[str, str]) -> Problem:
    """Each annotation `<<expression=value>>` becomes a line; the answer is the last one that has its value."""
    target = float(row["answer"].rsplit("####", 1)[1].replace(",", "").replace("$", ""))
    lines, name = [], ""
    for number, (expression, value) in enumerate(STEP.findall(row["answer"])):
        plain = re.sub(r"\b0+(?=\d)", "", expression.replace(",", "").replace("$", ""))
        if not ARITHMETIC.fullmatch(plain) or plain in MISTAKEN:
            continue
        lines.append(f"step_{number} = {plain.strip()}")
        found = NUMBER.fullmatch(value.strip())
        if found and float(found[0].replace(",", "")) == target:
            name = f"step_{number}"
    answer = f"answer = round({name}, 6)" if name else f"answer = {target!r}"
    return Problem(row["question"], target, "\n".join([*lines, answer]), bool(name))


def _searched(row: dict[str, str | float]) -> Problem:
    """The first operation on two or three numbers of the question that gives the target."""
    question, target = str(row["input"]), float(row["target"])
    numbers = list(dict.fromkeys(match.rstrip(".").replace(",", "") for match in NUMBER.findall(question)))[:6]
    for size in (2, 3):
        for chosen in itertools.permutations([text.lstrip("0") or "0" for text in numbers], size):
            for signs in itertools.product(OPERATIONS, repeat=size - 1):
                for text in (_joined(chosen, signs, False), _joined(chosen, signs, True)):
                    if abs(_value(chosen, signs, text[0] == "(") - target) < 1e-9:
                        return Problem(question, target, f"answer = round({text}, 6)", True)
    return Problem(question, target, f"print({target!r})", False)


def _joined(chosen: tuple[str, ...], signs: tuple[str, ...], left_first: bool) -> str:
    if len(chosen) == 2:
        return f"({chosen[0]} {signs[0]} {chosen[1]})" if left_first else f"{chosen[0]} {signs[0]} {chosen[1]}"
    first, second, third = chosen
    if left_first:
        return f"({first} {signs[0]} {second}) {signs[1]} {third}"
    return f"{first} {signs[0]} ({second} {signs[1]} {third})"


def _value(chosen: tuple[str, ...], signs: tuple[str, ...], left_first: bool) -> float:
    values = [float(text) for text in chosen]
    if len(values) == 2:
        return _applied(signs[0], *values)
    if left_first:
        return _applied(signs[1], _applied(signs[0], values[0], values[1]), values[2])
    return _applied(signs[0], values[0], _applied(signs[1], values[1], values[2]))


def _applied(sign: str, first: float, second: float) -> float:
    if sign == "/":
        return first / second if second else float("nan")
    return {"+": first + second, "-": first - second, "*": first * second}[sign]
