"""What an assistant that ends in plain writing gives its model: so its answer can be streamed as it is written."""

from dataclasses import dataclass

from dragoman.app.assistant import Assistant, moved_on
from dragoman.app.steps.write import Write
from dragoman.app.turn import Turn
from dragoman.core.doors import Prompt
from dragoman.core.sampling import Sampling

__all__ = ["Opening", "open_answer", "streams"]


@dataclass(frozen=True, slots=True)
class Opening:
    """A turn as its last step, the writing, finds it."""

    turn: Turn
    how: Sampling
    "how that step writes"


def streams(assistant: Assistant) -> bool:
    """Whether nothing comes behind the writing, and it is no search: the answer is what is written, as it comes."""
    last = assistant.steps[-1] if assistant.steps else None
    return isinstance(last, Write) and last.how.beams == 1


def open_answer(assistant: Assistant, prompt: Prompt) -> Opening | None:
    """The turn of a dialogue in front of the writing, refused where a step in front refuses it.

    None where steps come behind the writing: their answer is to be had whole, from `Assistant.answer`.
    """
    if not streams(assistant):
        return None
    last = assistant.steps[-1]
    assert isinstance(last, Write)
    (turn,) = moved_on([Turn.of(prompt)], assistant.steps[:-1], assistant.lm)
    return Opening(turn, last.how)
