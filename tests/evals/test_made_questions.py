"""Questions made by rule stand in their documents word for word, and those that test nothing are left out."""

import pytest

from dragoman.core.documents import Chunk
from dragoman.core.errors import UserError
from dragoman.evals.made_questions import RULE, Written, make_by_rule, sift

TOWER = (
    "The tower\n\nThe tower was built in 1889 by Gustave Eiffel. It is 330 metres tall and stands in Paris. "
    "The top platform is a favourite of the visitors who come in summer."
)
BEES = "Bees\n\nA hive of the western kind holds about 50,000 bees. The queen lives for four years in the hive."
CODE = "code\n\nx = f(1) + g[2] * h{3} - 4 / 5 == 6 and y != 7 or z."


def piece(text: str, source: str, number: int = 0, start: int = 0, parent: bool = False) -> Chunk:
    """A piece under its first line as the heading."""
    path = (text.split("\n")[0],)
    return Chunk(source, number, start, start + len(text), text, path, is_parent=parent)


PIECES = (piece(TOWER, "tower.md", start=100), piece(BEES, "bees.md"), piece(CODE, "code.md"))
WHOLE = {"tower.md": "x" * 100 + TOWER, "bees.md": BEES}


def test_every_answer_stands_where_it_is_said_to_and_not_in_its_question() -> None:
    made = make_by_rule(PIECES, 20)
    assert len(made.questions) > 5 and {one.by for one in made.questions} == {RULE}
    for one in made.questions:
        (place,), (answer,) = one.relevant, one.answers
        assert WHOLE[place.source][place.start : place.end] == answer
        assert answer.lower() not in one.text.lower()
    texts = {one.text: one.answers[0] for one in made.questions}
    assert texts["What is the top platform?"].startswith("a favourite of the visitors")
    assert texts["Which date is missing here: The tower was built in ___ by Gustave Eiffel."] == "1889"
    assert texts["Which name is missing here: The tower was built in 1889 by ___."] == "Gustave Eiffel"
    assert texts["Which number is missing here: A hive of the western kind holds about ___ bees."] == "50,000"
    assert any(one.startswith("What does The tower say about") for one in texts)
    assert not any("330" in one for one in texts)  # "It" may be anything


def test_the_same_seed_makes_the_same_questions_by_turns_from_every_source() -> None:
    one, two = make_by_rule(PIECES, 4, seed=1), make_by_rule(PIECES, 4, seed=1)
    assert one == two and len(one.questions) == 4
    assert sorted(question.relevant[0].source for question in one.questions) == ["bees.md"] * 2 + ["tower.md"] * 2
    assert len({question.id for question in one.questions}) == 4


def test_parents_and_texts_without_sentences_make_none() -> None:
    with pytest.raises(UserError, match="no question could be made"):
        make_by_rule([piece(TOWER, "tower.md", parent=True), piece("A list\n\none\n\ntwo", "list.md")])


@pytest.mark.parametrize(
    ("text", "answer", "why"),
    [
        ("What was built in 1889?", "the bridge", "does not stand"),
        ("Was the tower built in 1889?", "1889", "holds its own answer"),
        ("When?", "1889", "too short"),
        ("What year does the passage name?", "1889", "speaks of the text"),
        ("According to whom was it built?", "Gustave Eiffel", "speaks of the text"),
        ("Where is it then?", "Paris", "speaks of the text"),
    ],
)
def test_what_tests_no_search_is_dropped_with_its_reason(text: str, answer: str, why: str) -> None:
    chunk = PIECES[0]
    start = max(chunk.text.find(answer), 0)
    kept, dropped = sift([Written(text, answer, chunk, start, start + len(answer))], PIECES)
    (reason,) = dropped
    assert not kept and why in reason


def test_a_question_is_asked_once_and_has_one_answer_in_one_source() -> None:
    def written(text: str, answer: str, chunk: Chunk) -> Written:
        start = chunk.text.index(answer)
        return Written(text, answer, chunk, start, start + len(answer))

    tower, bees = PIECES[:2]
    once = written("When was the tower built?", "1889", tower)
    kept, dropped = sift([once, once, written("Where does the tower stand?", "Paris", tower)], PIECES)
    assert len(kept) == 2 and dropped == {"was asked before": 1}
    two = [written("How many are counted there?", "330", tower), written("How many are counted there?", "50,000", bees)]
    assert sift(two, PIECES) == ([], {"has several answers": 2})
    copy = piece(TOWER, "copy.md")
    assert sift([once], [*PIECES, copy]) == ([], {"is answered by another source too": 1})
