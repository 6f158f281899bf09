"""Questions on everything else are many and short, and one that a text may answer is known."""

from dragoman.evals.off_topic import OFF_TOPIC, speaks_of


def test_they_are_many_and_no_two_are_the_same() -> None:
    assert len(set(OFF_TOPIC)) == len(OFF_TOPIC) == 40 and all(one.endswith("?") for one in OFF_TOPIC)


def test_a_text_that_holds_every_word_of_a_question_may_answer_it() -> None:
    assert speaks_of("The kangaroo can jump nine metres far.", "How far can a kangaroo jump?")
    assert speaks_of("Kangaroos jump far.", "How far can a kangaroo jump?")
    assert not speaks_of("A kangaroo eats grass.", "How far can a kangaroo jump?")
