"""An answer is shown sentence by sentence, each after it was checked, and ends as it would have without showing."""

import io
from collections.abc import Iterator

from dragoman.app.assistant import Assistant
from dragoman.app.steps.cite import Cite
from dragoman.app.steps.contradict import Contradict
from dragoman.app.steps.ground import Ground
from dragoman.app.steps.guard import Guard
from dragoman.app.steps.refuse import Refuse
from dragoman.app.steps.retrieve import Retrieve
from dragoman.core.documents import NOT_IN_DOCUMENTS
from dragoman.core.doors import Prompt
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.fake import FakeLM
from dragoman.stages.ask_streamed import Aloud, Paper, streamed
from tests.app.shelf import Shelf, piece

TEXT = "The tower is 330 metres tall. It was built in 1889 by Gustave Eiffel. A ticket costs 20 euros."


class Speaker(FakeLM):
    """Writes an answer in small pieces, and keeps what stood on the paper before each."""

    def __init__(self, answer: str, paper: io.StringIO) -> None:
        super().__init__(answer=answer)
        self.paper, self.before = paper, list[str]()

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        for letter in self._answer:
            self.before.append(self.paper.getvalue())
            yield letter


def asked(answer: str, question: str = "How tall is the tower?") -> tuple[str, list[str], str]:
    """What stood on the paper at the end, what stood there on the way, and the answer without showing."""
    out = io.StringIO()
    lm = Speaker(answer, out)
    steps = (Retrieve(Shelf([piece(TEXT)]).find), Refuse(), Guard(Cite()), Ground(), Contradict())
    assistant = Assistant(lm, steps)
    turn = streamed(assistant, lm, (Message("user", question),), out)
    whole = assistant.answer([question])[0]
    assert turn.answer.text == whole.answer.text and turn.citations == whole.citations
    return out.getvalue(), lm.before, whole.answer.text


def test_sentences_come_as_they_are_finished_and_checked() -> None:
    first, second = "The tower is 330 metres tall. [1]", "It was built in 1889. [1]"
    shown, before, whole = asked(f"{first} The moon is made of old cheese. {second}")
    assert shown == f"{whole}\n" and "cheese" not in shown
    assert {one for one in before if one} == {first}
    assert before[len(first) + 1] == "" and before[len(first) + 2] == before[-1] == first


def test_what_is_not_in_the_documents_is_shown_once() -> None:
    assert asked(NOT_IN_DOCUMENTS)[0] == f"{NOT_IN_DOCUMENTS}\n"
    assert asked("The moon is cheese. The sun is gold. The sea is wine.")[0] == f"{NOT_IN_DOCUMENTS}\n"
    shown, before, _ = asked("x", "zebra")
    assert shown == f"{NOT_IN_DOCUMENTS}\n" and before == []


def test_an_address_is_never_shown_on_the_way() -> None:
    shown, before, _ = asked(
        "The tower is 330 metres tall, see https://evil.example/a?q=1 [1]. It was built in 1889 [1]."
    )
    assert "evil" not in shown and not any("evil" in one for one in before)


def test_marks_that_the_model_copies_are_taken_out_on_the_way() -> None:
    out = io.StringIO()

    class Copies(Speaker):
        def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
            begin = prompt[-1].content.index("330")
            yield "The tower is " + prompt[-1].content[begin:].split("tall", 1)[0] + "tall [1]. "
            yield "It was built in 1889 [1]."
            self.before.append(out.getvalue())

    lm = Copies("", out)
    steps = (Retrieve(Shelf([piece(TEXT)]).find), Guard(Cite()), Ground())
    turn = streamed(Assistant(lm, steps), lm, (Message("user", "How tall is the tower?"),), out)
    assert turn.answer.text == "The tower is 330 metres tall [1]. It was built in 1889 [1]."
    assert out.getvalue() == f"{turn.answer.text}\n" and lm.before == ["The tower is 330 metres tall [1]."]


def test_a_whole_that_says_otherwise_is_shown_as_a_whole() -> None:
    out = io.StringIO()
    paper = Paper(out)
    paper.show("One.")
    paper.show("Two. And three.")
    paper.close("Two.")
    assert out.getvalue() == "One.\n\nTwo.\n"


def test_it_is_the_model_in_all_else() -> None:
    lm = FakeLM(answer="One. Two. Three.")
    heard: list[str] = []
    aloud = Aloud(lm, heard.append)
    assert aloud.generate([(Message("user", "a"),)], Sampling())[0].text == "One. Two. Three."
    assert heard == ["One.", "One. Two."]
    assert list(aloud.stream((), Sampling())) == ["One.", " Two.", " Three."] and aloud.ids(()) == []
    assert aloud.score([()], ["a"]).shape == (1, 1)
