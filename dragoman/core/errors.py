"""What can go wrong because of what was given, and how it is told.

Exception
├── UserError            a mistake in what was given: one message, one command that mends it, exit code 2
│   └── Busy             somebody else holds the folder
└── Stopped              asked to stop (Ctrl-C, SIGTERM): everything is saved, the same command goes on, exit code 128
+ signal

Anything else that reaches the top is a bug in Dragoman and is shown as one.
"""

__all__ = ["Busy", "Stopped", "UserError", "empty_prompt"]


class UserError(Exception):
    """A mistake in what was given. `problem` says what is wrong and where, `hint` the command or setting that mends
    it."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


class Busy(UserError):
    """A folder or a port is held by another process."""


class Stopped(Exception):
    """The person or the system asked to stop; `signal` is the number of the signal that did."""

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal


def empty_prompt() -> UserError:
    """The mistake of saying nothing to a model, whoever notices it."""
    return UserError("the prompt is empty", 'say what to go on from: dragoman generate MODEL "Once upon a time"')
