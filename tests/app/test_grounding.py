"""A sentence stands on a passage, or it is found out: planted ones on real paragraphs, figures in the open."""

import json
import random
import re
from pathlib import Path

import pytest

from dragoman.app.grounding import Ground, evidence_of
from dragoman.app.wording import names, same_word, words
from dragoman.core.sentences import split_sentences
from tests.app.shelf import passage

TOWER = "The Eiffel Tower was built in 1889 by four hundred workers. It did not fall. The Tower is 1,330 feet high."


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        ("The Eiffel Tower was built in 1889 [1].", True),
        ("Workers built the tower in 1889.", True),
        ("It is 1330 feet high.", True),
        ("The tower was built in 1890.", False),
        ("The Tokyo tower was built in 1889.", False),
        ("It was Gustave who built the tower.", False),
        ("The Eiffel Tower was not built in 1889.", False),
        ("It did fall.", False),
        ("It did not fall.", True),
        ("Pigs whistle loudly at dawn.", False),
        ("It is.", True),
    ],
)
def test_small_sentences(sentence: str, holds: bool) -> None:
    assert evidence_of(sentence, [Ground.of(passage(TOWER))]).holds() is holds


def test_the_best_passage_is_named_and_no_passage_supports_nothing() -> None:
    grounds = [Ground.of(passage(text, number)) for number, text in enumerate(("A bird sings.", TOWER), 1)]
    assert evidence_of("The tower is high.", grounds).number == 2
    assert not evidence_of("The tower is high.", []).holds()
    found = evidence_of("Built in 1890.", grounds[1:])
    assert found.problems == ("1890 is not in it",)


def test_words_are_compared_by_what_they_say() -> None:
    assert [word.plain for word in words("Manning's 1,234 four didn\u2019t 23\u201316")] == [
        "manning",
        "1234",
        "4",
        "didn't",
        "23",
        "16",
    ]
    assert same_word("ranked", "ranking") and same_word("defend", "defended")
    assert not same_word("cat", "cats") and not same_word("1990", "19900")
    assert names(words("The Battle of Hastings")) == {"battle", "hastings"}


def test_planted_sentences_are_found_out_and_true_ones_kept(shared_data: Path) -> None:
    articles = json.loads((shared_data / "qa/xquad.en.json").read_text())["data"]
    texts = [(place, one["context"]) for place, article in enumerate(articles) for one in article["paragraphs"]]
    draw = random.Random(1)
    known = sorted({name for _, text in texts for name in names(words(text))})
    true: list[bool] = []
    planted: dict[str, list[bool]] = {"elsewhere": [], "beside": [], "number": [], "name": [], "denied": []}
    for place, text in texts[1::2]:  # the threshold was chosen on the others
        shown = [text, *draw.sample([other for _, other in texts if other != text], 4)]
        grounds = [Ground.of(passage(one, number)) for number, one in enumerate(shown, 1)]
        said = text[slice(*draw.choice(split_sentences(text)))]
        clauses = said.split(", ")
        for kept in (said, max(clauses, key=len), ", ".join(clauses[::-1])):
            true.append(evidence_of(kept, grounds).holds())
        for kind, pool in (
            ("elsewhere", [other for at, other in texts if at != place and other not in shown]),
            ("beside", [other for at, other in texts if at == place and other not in shown]),
        ):
            other = draw.choice(pool)
            planted[kind].append(evidence_of(other[slice(*draw.choice(split_sentences(other)))], grounds).holds())
        own = words(said)
        for kind, found, put in (
            ("number", [word for word in own if said[word.start].isdigit()], str(draw.randint(2, 3000))),
            ("name", [word for word in own if word.plain in names(own)], draw.choice(known).capitalize()),
        ):
            if found:
                word = draw.choice(found)
                planted[kind].append(evidence_of(said[: word.start] + put + said[word.end :], grounds).holds())
        verb = re.search(r"\b(?:is|was|are|were|has|had|can|will)\b", said)
        if verb:
            planted["denied"].append(evidence_of(f"{said[: verb.end()]} not{said[verb.end() :]}", grounds).holds())
    assert sum(true) / len(true) >= 0.9
    missed = {kind: 1 - sum(held) / len(held) for kind, held in planted.items()}
    print(
        "kept", round(sum(true) / len(true), 3), "found out", {kind: round(share, 3) for kind, share in missed.items()}
    )
    everything = [held for one in planted.values() for held in one]
    assert 1 - sum(everything) / len(everything) >= 0.9
    assert min(missed[kind] for kind in ("elsewhere", "beside", "number", "name")) >= 0.9
    assert missed["denied"] >= 0.75
