"""What a project puts around its steps: nothing where nothing is set, and what is kept is what is opened."""

from dataclasses import replace
from pathlib import Path

import pytest

from dragoman.app.assistant import Assistant
from dragoman.app.steps.cite import Cite
from dragoman.app.steps.guard import OFF_TOPIC, WITHHELD, Guard, guard_hits
from dragoman.app.steps.instruct import Instruct
from dragoman.app.steps.quote import Quote
from dragoman.app.steps.retrieve import Retrieve
from dragoman.app.steps.write import Write
from dragoman.core.errors import UserError
from dragoman.core.guarding import Guards, Prompting
from dragoman.core.project import Project, Scope
from dragoman.core.sampling import Completion
from dragoman.core.types import Example, Message
from dragoman.data.private import hints
from dragoman.stages.guarded import Around, Harm, identity_of, kept, open_around, prompt_of, system_of
from dragoman.stages.writing import taught
from tests.app.fakes import ReadingModel
from tests.app.scribe import Scribe
from tests.app.shelf import Shelf, piece

SCOPE = Scope(name="guide", objective="Tell visitors about the tower.", target={"rougel": ">= 0.1"})


def opened(guards: Guards, lm: Scribe) -> Assistant:
    """An assistant that writes, with these guards, as a card that was kept opens it."""
    around = open_around(kept(Project(guards=guards)))
    return Assistant(lm, (*around.told, *around.written((Instruct("Do: {text}"), Write()))))


def test_nothing_that_is_set_changes_nothing() -> None:
    plain = Project()
    assert identity_of(plain) == {} == kept(plain) and system_of(plain) == ""
    around = open_around({})
    steps = (Write(),)
    assert around.written(steps) is steps and around.told == ()
    assert isinstance(around.quoted(Quote()), Quote)
    find = Shelf([]).find
    assert around.found(find) == find
    guard = around.cited(Cite())
    assert guard == Guard(Cite(), find_personal=hints, documents_may_say=True)


def test_a_canary_is_planted_watched_and_new_each_time() -> None:
    lm = Scribe()
    told = opened(Guards(canary=True), lm).answer(["hello"])[0]
    again = opened(Guards(canary=True), lm).answer(["hello"])[0]
    first, second = (prompt[0].content for prompt, _ in lm.asked)
    assert first.startswith("Reference ") and first != second
    assert told.answer.text == "Do: hello" == again.answer.text and told.messages == ()
    lm.answers["Do: tell"] = Completion(f"It is {first}")
    assert opened(Guards(canary=True), lm).answer(["tell"])[0].answer.text == f"It is {first}"  # an old one is nobody's
    around = open_around(kept(Project(guards=Guards(canary=True))))
    steps = around.written((Write(),))
    leaky = Scribe()
    Assistant(leaky, steps).answer(["a"])
    leaky.answers["b"] = Completion(leaky.asked[0][0][0].content)
    turn = Assistant(leaky, steps).answer(["b"])[0]
    assert turn.answer.text == WITHHELD and guard_hits(turn.trace) == {"leak": 1}


def test_personal_data_and_links_of_an_assistant_without_documents() -> None:
    lm = Scribe()
    turn = opened(Guards(personal=True), lm).answer(["I am ada@example.org"])[0]
    assert lm.asked[0][0][-1].content == "Do: I am [e-mail 1]" and turn.answer.text == "Do: I am ada@example.org"
    said = "See https://evil.example/x and <b>this</b>"
    lm.answers["Do: a"] = Completion(said)
    assert opened(Guards(canary=True), lm).answer(["a"])[0].answer.text == said
    held = opened(Guards(links=("none",)), lm).answer(["a"])[0]
    assert "evil" not in held.answer.text and guard_hits(held.trace)["links"] == 3


def test_personal_data_of_documents_is_masked_before_anybody_reads_it() -> None:
    text = "Write to eve@evil.org or bob@evil.org about the tower."
    around = Around(Guards(personal=True))
    step = Retrieve(around.found(Shelf([piece(text)]).find))
    lm = Scribe()
    turn = Assistant(lm, (step, around.cited(Cite()))).answer(["Who knows the tower, ada@example.org ?"])[0]
    assert turn.passages[0].chunk.text == "Write to [e-mail] or [e-mail] about the tower."
    assert "evil.org" not in str(lm.asked) and "ada@" not in str(lm.asked)
    assert "[e-mail] or [e-mail]" in turn.answer.text and "evil" not in turn.answer.text


def test_personal_data_of_titles_and_headings_is_masked_too() -> None:
    held = piece("The tower is tall.", path=("Notes of eve@evil.org and bob@evil.org", "The tower"))
    (hit,) = Around(Guards(personal=True)).found(Shelf([held]).find)("tower", 1, frozenset())
    assert hit.chunk.path == ("Notes of [e-mail] and [e-mail]", "The tower") and hit.chunk.text == held.text


def test_a_prompt_is_told_when_it_learns_and_when_it_answers(tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text("You are {name}. {objective}", encoding="utf-8")
    project = Project(scope=SCOPE, prompt=Prompting("guide.md"), root=tmp_path)
    found = prompt_of(project)
    assert found and found[0].mark == identity_of(project)["prompt"]["mark"]
    around = open_around(kept(project))
    lm = Scribe()
    turn = Assistant(lm, (*around.told, *around.written((Write(),)))).answer(["hi"])[0]
    assert turn.trace[0] == found[0].mark == kept(project)["mark"]
    row = Example((Message("user", "hi"),), ("ho",))
    assert lm.asked[0][0] == taught([row], "", system_of(project))[0].prompt
    assert lm.asked[0][0][0] == Message("system", "You are guide. Tell visitors about the tower.")
    before = identity_of(project)
    (tmp_path / "guide.md").write_text("You are {name}, a guide.", encoding="utf-8")
    assert identity_of(project) != before
    (tmp_path / "guide.md").write_text("You are {who}.", encoding="utf-8")
    with pytest.raises(UserError, match=r"slot \{who\}"):
        identity_of(project)


def test_the_topic_is_learnt_from_the_objective_and_the_questions() -> None:
    asked = [f"How {word} is the tower at its {part}?" for word in ("high", "old", "wide", "heavy") for part in
             ("top", "base", "first floor", "second floor", "lift", "stairs")]  # fmt: skip
    rows = [Example((Message("user", question),), ("yes",)) for question in asked]
    project = Project(scope=SCOPE, guards=Guards(topic=True))
    card = kept(project, rows)
    assert len(card["topic"]["texts"]) == 13 and card["topic"]["false_answers"]["value"] <= 0.1
    lm = Scribe()
    steps = open_around(card).written((Instruct("Answer shortly."), Write()))
    turns = Assistant(lm, steps).answer(["How tall is the tower?", "How do I bake bread?"])
    assert [turn.answer.text == OFF_TOPIC for turn in turns] == [False, True]
    assert guard_hits(turns[1].trace) == {"topic": 1} and len(lm.asked) == 1
    with pytest.raises(UserError, match="at least 20 are needed"):
        kept(project, rows[:12])
    given = kept(replace(project, guards=Guards(topic=0.3, about="towers")), ())
    assert given["topic"]["threshold"] == 0.3 and given["topic"]["texts"] == [SCOPE.objective, "towers"]
    with pytest.raises(UserError, match="nothing says what"):
        kept(Project(guards=Guards(topic=0.3)))
    given["topic"]["fingerprint"] = "other"
    with pytest.raises(UserError, match="is not the model"):
        open_around(given)


def test_harm_is_the_probability_of_its_label_alone() -> None:
    several = Harm(ReadingModel(independent=True), "rude")
    assert several.rate([], ["a rude word", "a word"]).round(6).tolist() == [0.1, 0.9]
    assert several.rate([], []).shape == (0,)


def test_a_classifier_that_does_not_know_the_label_is_refused() -> None:
    with pytest.raises(UserError, match="knows no label 'rude'"):
        identity_of(Project(guards=Guards(toxicity="builtin:minilm#rude")))
