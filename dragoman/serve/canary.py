"""A trial of a candidate on a share of the traffic: who is in it is decided once, by what stays the same of them."""

import hashlib
from dataclasses import dataclass

from dragoman.core.errors import UserError

__all__ = ["Canary"]


@dataclass(frozen=True, slots=True)
class Canary:
    """`share` of those who ask for `control` are answered by `candidate`."""

    control: str
    candidate: str
    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise UserError(f"{self.share:g} is not a share of the traffic", "say canary=NAME:0.1")
        if self.control == self.candidate:
            raise UserError("a trial compares two models", "name another candidate: canary=NAME:0.1")

    def arm(self, asked: str, key: str, conversation: str) -> str:
        """Who answers: the control or the candidate; empty where neither was asked for.

        The same person, told by the key, or else by the conversation, is answered by the same one every time. Who
        gives neither is given another `conversation` at each request, and so drawn anew.
        """
        if asked != self.control:
            return ""
        number = hashlib.sha256(f"{self.candidate}\0{key or conversation}".encode()).digest()
        return self.candidate if int.from_bytes(number[:8]) < self.share * 2**64 else self.control
