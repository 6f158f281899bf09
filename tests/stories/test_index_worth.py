"""A person has questions made for a folder, reads them, measures the index, and lets it choose when to refuse."""

import json
from pathlib import Path

import pytest

from tests.command import dragoman

FACTS = {
    "tower": ("The tower", "The tower was built in 1889 by Gustave Eiffel. The tower has a height of 330 metres."),
    "bees": ("Bees", "Bees make honey from the nectar of flowers. A hive of bees holds about 50,000 workers."),
    "bridge": (
        "The bridge",
        "The old bridge was opened in 1932 in Sydney. The bridge is a steel arch over the harbour.",
    ),
    "bread": ("Bread", "Rye bread needs a leaven of flour and water. The dough rests for twelve hours in a basket."),
    "comet": ("The comet", "The comet of Halley returns every 76 years. The comet is a body of ice, dust and rock."),
    "chess": ("Chess", "The game of chess has 64 squares on its board. A bishop of chess moves along the diagonals."),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six documents and their index."""
    folder = tmp_path_factory.mktemp("worth")
    (folder / "docs").mkdir()
    for name, (title, text) in FACTS.items():
        (folder / "docs" / f"{name}.md").write_text(f"# {title}\n\n{text}\n")
    said = dragoman("index", "docs", folder=folder)
    assert said.code == 0, said.whole
    return folder


def test_an_index_is_measured_and_learns_when_to_refuse(place: Path) -> None:
    made = dragoman("evaluate", "index.sqlite", "questions=make", "n=14", folder=place)
    assert made.code == 0, made.whole
    assert "what is found: 14 questions, generated" in made.whole and "so figures flatter" in made.whole
    rows = [json.loads(line) for line in (place / "questions.jsonl").read_text().splitlines()]
    assert len(rows) == 14 and all(row["generated"] for row in rows)
    assert {row["relevant"][0]["source"] for row in rows} == {f"{name}.md" for name in FACTS}
    for row in rows:
        (one,) = row["relevant"]
        assert (place / "docs" / one["source"]).read_text().count(row["answers"][0]) == 1
    again = dragoman("evaluate", "questions=make", folder=place)
    assert again.code == 2 and "is there already" in again.whole

    rows = [*rows, {"question": "Who won the last election?", "answers": []}]
    (place / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = dragoman("evaluate", "index.sqlite", "questions.jsonl", "--json", folder=place).json
    assert told["asked"] == 15 and told["generated"] == 14 and told["threshold"]["origin"] == "default"
    assert set(told["retrieval"]) == {"bm25", "vectors", "hybrid"} and told["retrieval"]["hybrid"]["mrr"]["n"] == 14
    assert told["retrieval"]["hybrid"]["recall@5"]["value"] == 1.0
    assert told["comparisons"][0]["metric"] == "ndcg@10" and told["answers"]["refusal_recall"]["n"] == 1
    assert told["answers"]["groundedness"]["value"] == told["answers"]["citation_precision"]["value"] == 1.0
    assert {kind: found["n"] for kind, found in told["refusal"].items()}["near miss"] == 14
    assert told["refusal"]["off topic"]["auroc"]["value"] > 0.95
    folder = place / "runs" / told["run"]
    lines = [json.loads(line) for line in (folder / "answers" / "answers.jsonl").read_text().splitlines()]
    assert len(lines) == 15 and lines[0]["passages"] and lines[-1]["answers"] == []
    assert dragoman("evaluate", "index.sqlite", "questions.jsonl", "--json", folder=place).json == told  # found again

    chosen = dragoman("evaluate", "index.sqlite", "questions.jsonl", "calibrate=true", "--json", folder=place).json
    kept = chosen["calibrated"]
    assert chosen["threshold"]["value"] == kept["threshold"] and kept["false_refusals"]["n"] == 14
    assert set(kept["by_kind"]) == {"without an answer", "near miss", "off topic"}
    asked = dragoman("ask", "Who won the world cup?", "--json", folder=place).json
    assert asked["threshold"] == {
        "value": pytest.approx(kept["threshold"]),
        "origin": "calibrated",
        "questions": kept["questions"],
    }
    refused = dragoman("ask", "Who won the world cup?", folder=place)
    assert refused.code == 1 and f"(calibrated on {kept['questions']} questions)" in refused.whole
    given = dragoman("ask", "Who won the world cup?", "threshold=-1", "--json", folder=place).json
    assert given["threshold"]["origin"] == "given" and not given["answers"][0]["refused"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("index.sqlite",), "needs questions to measure an index on"),
        (("index.sqlite", "none.jsonl"), "none.jsonl cannot be read"),
        (("index.sqlite", "q.jsonl", "data=rows.csv"), "is a project's setting"),
        (("index.sqlite", "q.jsonl", "calibrate=true", "threshold=0.2"), "is not chosen"),
        (("index.sqlite", "q.jsonl", "calibrate=true"), "at least 10 are needed"),
        (("none.sqlite", "q.jsonl"), "there is no index none.sqlite"),
        (("lora", "q.jsonl"), "questions are asked of an index, and lora is none"),
        (("index.sqlite", "strange.jsonl"), "names no document of the index"),
    ],
)
def test_mistakes_are_one_message(place: Path, words: tuple[str, ...], problem: str) -> None:
    (place / "q.jsonl").write_text(
        '{"question": "How tall is it?", "answer": "330 metres", "relevant": ["tower.md"]}\n'
    )
    (place / "strange.jsonl").write_text('{"question": "How tall is it?", "relevant": ["elsewhere.md"]}\n')
    said = dragoman("evaluate", *words, folder=place)
    assert said.code == 2 and problem in said.whole, said.whole
