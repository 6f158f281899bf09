"""The fields of a body, taken one by one: each has a kind and a range, and what nobody took is refused by its name."""

from collections.abc import Sequence
from typing import Any

from dragoman.serve.refused import Refused

__all__ = ["Fields"]

NAMED = 64  # characters of an unknown field's name that are said: the name is the client's own


class Fields:
    """A JSON object being read. A field that is null counts as one that is not there."""

    def __init__(self, table: Any, where: str = "") -> None:
        """`where` is said in front of a field's name. Raises Refused (400) where it is no object."""
        if not isinstance(table, dict):
            raise Refused(400, f"{where or 'the body'} is not an object", param=where)
        self._table = table
        self._where = f"{where}." if where else ""
        self._taken: set[str] = set()

    def any(self, name: str) -> Any:
        """The field as it is; None where there is none."""
        self._taken.add(name)
        return self._table.get(name)

    def text(self, name: str, most: int, default: str = "") -> str:
        """A text of at most so many characters."""
        value = self.any(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(name, "is not a text")
        if len(value) > most:
            raise self.wrong(name, f"has more than {most} characters", 413)
        return value

    def number(self, name: str, low: float, high: float, default: float) -> float:
        """A number in a range."""
        value = self.any(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise self.wrong(name, "is not a number")
        if not low <= value <= high:
            raise self.wrong(name, f"is not from {low:g} to {high:g}")
        return float(value)

    def integer(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number in a range; 1.0 is one too, as JSON Schema has it."""
        value = self.any(name)
        if value is None:
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "is not a whole number")
        if not low <= value <= high:
            raise self.wrong(name, f"is not from {low} to {high}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.any(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, "is not true or false")
        return value

    def choice(self, name: str, known: Sequence[str], default: str) -> str:
        """One of several words."""
        value = self.any(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in known:
            raise self.wrong(name, f"is none of: {', '.join(known)}")
        return value

    def texts(self, name: str, count: int, most: int) -> tuple[str, ...]:
        """Texts: one, or a list of at most so many, each of at most so many characters and not empty."""
        value = self.any(name)
        if value is None:
            return ()
        many = value if isinstance(value, list) else [value]
        if len(many) > count:
            raise self.wrong(name, f"holds more than {count} texts", 413)
        for place, one in enumerate(many):
            part = f"{name}[{place}]" if isinstance(value, list) else name
            if not isinstance(one, str):
                raise self.wrong(part, "is not a text")
            if not one:
                raise self.wrong(part, "is empty")
            if len(one) > most:
                raise self.wrong(part, f"has more than {most} characters", 413)
        return tuple(many)

    def done(self, ignored: Sequence[str] = ()) -> None:
        """Refuse a field that was not taken. Those of `ignored` change nothing here."""
        left = sorted(set(self._table) - self._taken - set(ignored))
        left = [name for name in left if self._table[name] is not None]
        if left:
            name = "".join(letter if letter.isalnum() or letter in "_-." else "?" for letter in left[0][:NAMED])
            raise self.wrong(name, "is not a field that is known here")

    def wrong(self, name: str, what: str, status: int = 400) -> Refused:
        """What is said of a field."""
        return Refused(status, f"{self._where}{name} {what}", param=f"{self._where}{name}")
