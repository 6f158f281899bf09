"""Rows that the public prompt templates can be laid over: real ones where the data set lies beside the repository, and
one made up for every other."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from dragoman.data.problems import Row
from dragoman.data.read import scan

__all__ = ["made", "real"]

TREC = ("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM")
FOUR = ["a hammer", "a saw", "a spoon", "a rope"]
# Every column that any of the data sets has; a template takes those it knows.
EVERY: dict[str, Any] = {
    "text": "The pianist thanked the composer because she had written the piece.",
    "label": 1,
    "sentence": "The trophy does not fit in the case because _ is too large.",
    "sentence1": "He went to the bank of the river.",
    "sentence2": "She sat on the bank.",
    "question1": "How do I learn the piano?",
    "question2": "What is the best way to learn the piano?",
    "question": "Which tool cuts wood?",
    "premise": "A man plays the piano.",
    "hypothesis": "Somebody makes music.",
    "passage": "Wood is cut with a saw.",
    "context": "Wood is cut with a saw.",
    "title": "On_tools",
    "content": "A saw is a tool that cuts wood.",
    "sms": "Are you coming tonight?",
    "word": "bank",
    "span1_text": "The pianist",
    "span2_text": "she",
    "span2_index": 6,
    "choice1": "He was tired.",
    "choice2": "He was late.",
    "choices": {"text": FOUR, "label": ["A", "B", "C", "D"]},
    "answerKey": "B",
    "question_stem": "Wood is cut with",
    "abstractive_explanation": "saws have teeth",
    "answers": {"text": ["a saw"], "answer_start": [17]},
    "correct_answer": "a saw",
    "distractor1": "a spoon",
    "distractor2": "a rope",
    "distractor3": "a hammer",
    "support": "Saws have teeth.",
    "fact1": "A saw has teeth.",
    "fact2": "Teeth cut wood.",
    "combinedfact": "A saw cuts wood.",
    "goal": "cut a board",
    "sol1": "use a saw",
    "sol2": "use a spoon",
    "activity_label": "Cutting wood",
    "ctx": "A man takes a saw. He",
    "ctx_a": "A man takes a saw.",
    "ctx_b": "He",
    "endings": ["cuts the board.", "eats it.", "flies away.", "sings."],
    "option1": "trophy",
    "option2": "case",
    "answer": "1",
    "article": "A saw is a tool. It cuts wood.",
    "options": FOUR,
    "answerA": "a saw",
    "answerB": "a spoon",
    "answerC": "a rope",
    "document_title": "Saw",
    "document": "A saw is a tool. It cuts wood.",
    "summary": "– A saw cuts wood.",
    "highlights": "A saw cuts wood.",
    "concepts": ["saw", "wood", "cut"],
    "target": "A saw cuts wood.",
    "human_reference": "The Mill serves Italian food near the river.",
    "meaning_representation": "name[The Mill], eatType[pub], food[Italian], priceRange[cheap], near[the river], "
    "customer rating[5 out of 5], area[riverside], familyFriendly[yes]",
    "input_text": {
        "table": {"column_header": ["name", "article_title", "born"], "content": ["Ada", "ada", "1815"]},
        "context": "ada",
    },
    "target_text": "Ada was born in 1815.",
    "package_name": "org.example.saw",
    "review": "It works well.",
    "star": 4,
    "sent_more": "The old man forgot it.",
    "sent_less": "The young man forgot it.",
    "stereo_antistereo": 0,
    "bias_type": 2,
    "tokens": ["The", "pianist", "thanked", "the", "composer", "because", "she", "had", "written", "the", "piece", "."],
    "coreference_clusters": ["3", "4", "6", "6"],
    "rationale": "It has teeth.",
    "correct": "B",
    "dialogue": "Ann: Hello.\nBen: Hello.",
}
OWN: dict[str, list[dict[str, Any]]] = {
    "cos_e": [{"choices": FOUR, "answer": "a saw"}],
    "race": [{"answer": "B"}],
    "trivia_qa": [{"answer": {"value": "a saw", "aliases": ["a saw", "saws"]}}],
    "wiki_qa": [{"answer": "a saw"}],
    "hellaswag": [{"label": "1"}, {"label": "0"}],
    "social_i_qa": [{"label": "2"}],
    "super_glue": [{"question": "cause"}, {"question": "effect"}],
    "glue": [{"label": 0}, {"label": 1}],
    "crows_pairs": [{"stereo_antistereo": 1}],
}


def made(dataset: str) -> Iterator[dict[str, Any]]:
    """Rows with the columns of a data set, written by hand; several where its templates ask for different ones."""
    yield EVERY
    for own in OWN.get(dataset, []):
        yield {**EVERY, **own}


@cache
def real(dataset: str, subset: str, folder: Path) -> list[dict[str, Any]]:
    """The first rows of a data set that lies in `folder`, with the columns that PromptSource knows."""
    if dataset == "imdb":
        return _rows(folder / "classification/imdb_test.jsonl")
    if dataset == "rotten_tomatoes" or subset == "sst2":
        rows = _rows(folder / "classification/sst2_dev.jsonl")
        return [{**row, "sentence": row["text"]} for row in rows]
    if dataset == "trec":
        rows = [json.loads(line) for line in (folder / "classification/trec_train.jsonl").read_text().splitlines()]
        fine = sorted({row["fine"] for row in rows}, key=lambda name: (TREC.index(name.split(":")[0]), name))
        by_class = {row["coarse"]: row for row in rows}
        return [
            {"text": row["text"], "coarse_label": TREC.index(row["coarse"]), "fine_label": fine.index(row["fine"])}
            for row in by_class.values()
        ]
    if subset == "rte":
        rows = _rows(folder / "classification/rte_dev.jsonl")
        # Here 1 is entailment, there it is 0.
        pairs = {"sentence1": "premise", "sentence2": "hypothesis"}
        return [{**row, "label": 1 - row["label"], **{a: row[b] for a, b in pairs.items()}} for row in rows]
    if dataset in ("squad", "squad_v2", "xquad"):
        rows = _rows(folder / "qa/xquad.en.json")
        lists = [{key: [one[key] for one in row["answers"]] for key in ("text", "answer_start")} for row in rows]
        return [{"title": "On_tools", **row, "answers": answers} for row, answers in zip(rows, lists, strict=True)]
    if dataset == "samsum":
        return _rows(folder / "summarization/dialogsum_dev.jsonl")
    return []


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    for found in scan(str(path)):
        if isinstance(found, Row):
            rows.append(dict(found.values))
        if len(rows) == 6:
            break
    return rows
