"""Ratings: what is read, what the journal keeps through kills and company, and what an export holds."""

import concurrent.futures
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.data.load import load
from dragoman.data.ratings import Item, Journal, Judgement, Thumb, pairwise
from dragoman.data.ratings_desk import Desk, check_rater, question
from dragoman.data.ratings_pairs import export_thumbs, export_votes
from dragoman.data.ratings_read import read_items, read_thumbs

ASKED = (Message("user", "Say hello"),)


def item(number: int, count: int = 2) -> Item:
    """An item of its own, with completions a, b, c, d."""
    texts = tuple(f"{letter} {number}" for letter in "abcd"[:count])
    return Item(str(number), (Message("user", f"ask {number}"),), texts, tuple("ABCD"[:count]))


def rows(path: Path, *values: Any) -> str:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return str(path)


def pick(desk: Desk, rater: str, *wanted: str) -> None:
    """Let a rater put the completions that begin with these letters first, wherever they stand."""
    shown = desk.view(rater)["item"]
    places = [next(i for i, text in enumerate(shown["completions"]) if text.startswith(one)) for one in wanted]
    desk.judge(rater, shown["key"], "rank", places)


def test_items_are_read_in_every_form(tmp_path: Path) -> None:
    source = rows(
        tmp_path / "sets.jsonl",
        {"prompt": "Say hello", "completions": ["Hi", " Hello "], "id": "x", "models": ["m", "n"]},
        {
            "prompt": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Hi"}],
            "completions": list("abcd"),
        },
        {
            "prompt": "Which?",
            "completions": [{"response": "one", "model": "m"}, {"role": "assistant", "content": "two"}],
        },
        {"prompt": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:", "completions": ["d", "e", "d"]},
        {"prompt": "Same", "completions": ["one", " one"]},
        {"prompt": "Say hello", "completions": ["Hi", "Hello"]},
    )
    items, said = read_items(source)
    assert items[0] == Item("x", ASKED, ("Hi", "Hello"), ("m", "n"))
    assert [len(one.completions) for one in items] == [2, 4, 2, 2]
    assert items[2].models == ("m", "")
    assert [one.role for one in items[3].prompt] == ["user", "assistant", "user"]
    assert "the same text" in " ".join(said) and "the same prompt and completions again" in " ".join(said)


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"prompt": "a", "completions": ["one"]}, "wrong-completions"),
        ({"prompt": "a", "completions": list("abcde")}, "wrong-completions"),
        ({"prompt": "a", "completions": "ab"}, "wrong-completions"),
        ({"prompt": "a", "completions": ["b", 3]}, "wrong-type"),
        ({"prompt": "a", "completions": ["b", "  "]}, "empty-answer"),
        ({"prompt": " ", "completions": ["b", "c"]}, "no-question"),
        ({"prompt": [{"role": "assistant", "content": "x"}], "completions": ["b", "c"]}, "no-question"),
        ({"prompt": "a", "completions": ["b", "c"], "models": ["one"]}, "wrong-models"),
        ({"prompt": 7, "completions": ["b", "c"]}, "wrong-type"),
        ({"completions": ["b", "c"]}, "missing-column"),
        ({"prompt": "a"}, "missing-column"),
    ],
)
def test_what_cannot_be_rated_is_refused_with_its_place(tmp_path: Path, row: dict[str, Any], named: str) -> None:
    source = rows(tmp_path / "sets.jsonl", {"prompt": "fine", "completions": ["b", "c"]}, row)
    with pytest.raises(UserError) as caught:
        read_items(source)
    assert named in caught.value.problem and "sets.jsonl:2" in caught.value.problem
    items, said = read_items(source, keep_going=True)
    assert (len(items), "1 row" in said[0]) == (1, True)


def test_nothing_to_compare_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to compare"):
        read_items(rows(tmp_path / "sets.jsonl", {"prompt": "a", "completions": ["b", "b"]}))


def test_every_rater_has_an_order_of_their_own_and_no_place_is_preferred() -> None:
    items = [item(number, 3) for number in range(300)]
    desk = Desk(items, Journal(Path("unused")), seed=4)
    orders = {rater: [desk.order(rater, one) for one in items] for rater in ("anna", "ben")}
    assert orders["anna"] != orders["ben"]
    assert orders["anna"] == [Desk(items, Journal(Path("unused")), seed=4).order("anna", one) for one in items]
    counts = Counter(orders["anna"])
    assert len(counts) == 6 and min(counts.values()) > 25


def test_a_rater_goes_through_all_and_takes_back(tmp_path: Path) -> None:
    desk = Desk([item(1), item(2, 4), item(3)], Journal(tmp_path / "j.jsonl"))
    pick(desk, "anna", "b")
    pick(desk, "anna", "c", "a")
    desk.judge("anna", desk.items[2].key, "skip")
    view = desk.view("anna")
    assert (view["item"], view["done"], view["skipped"]) == (None, 3, 1)
    held = desk.journal.standing("helpful")["anna"]
    assert [held[one.key].ranks for one in desk.items] == [(2, 1), (2, 3, 1, 3), ()]
    first = held[desk.items[0].key]
    assert first.order == desk.order("anna", desk.items[0])
    assert desk.undo("anna") and desk.undo("anna")
    assert desk.view("anna")["item"]["key"] == desk.items[1].key
    desk.judge("anna", desk.items[1].key, "rank")
    assert desk.journal.standing("helpful")["anna"][desk.items[1].key].ranks == (1, 1, 1, 1)
    assert desk.undo("anna") and desk.undo("anna") and not desk.undo("anna")
    assert desk.view("ben")["done"] == 0


def test_models_and_the_order_of_the_file_are_never_shown(tmp_path: Path) -> None:
    one = Item("id-of-gpt", ASKED, ("x", "y"), ("secret-model", "other-model"))
    shown = json.dumps(Desk([one], Journal(tmp_path / "j")).view("anna"))
    assert "model" not in shown and "id-of-gpt" not in shown


def test_only_the_item_that_is_asked_can_be_judged(tmp_path: Path) -> None:
    desk = Desk([item(1), item(2)], Journal(tmp_path / "j.jsonl"))
    other = Desk(desk.items, Journal(tmp_path / "j.jsonl"))
    pick(other, "anna", "a")  # the same rater in another window
    assert not desk.judge("anna", desk.items[0].key, "rank", [0])
    assert desk.view("anna")["done"] == 1
    for act, picked in (("rank", [0, 0]), ("rank", [2]), ("rank", [-1]), ("undo", []), ("", [])):
        with pytest.raises(UserError):
            desk.judge("anna", desk.items[1].key, act, picked)
    assert len((tmp_path / "j.jsonl").read_text().splitlines()) == 1


def test_a_journal_is_read_again_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    desk = Desk([item(1, 3), item(2)], Journal(path))
    pick(desk, "anna", "c", "b")
    desk.judge("anna", desk.items[1].key, "skip")
    desk.undo("anna")
    journal = Journal.open(path)
    journal.add(Thumb(ASKED, "Hi \u2028 there", True, "anna", "helpful"))
    again = Journal.open(path)
    assert again.held == journal.held == desk.journal.held
    assert again.thumbed("helpful")["anna"][0].completion == "Hi \u2028 there"
    assert again.notes() == []


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_line_costs_only_itself(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "j.jsonl"
    desk = Desk([item(1), item(2)], Journal(path))
    pick(desk, "anna", "a")
    whole = path.read_bytes()
    pick(desk, "anna", "a")
    path.write_bytes(path.read_bytes()[:-cut])
    opened = Desk(desk.items, Journal.open(path))
    assert opened.view("anna")["done"] == 1
    assert "breaks off" in opened.journal.notes()[0]
    pick(opened, "anna", "b")  # closes the torn line, and counts whatever that line was
    again = Journal.open(path)
    assert again.standing("helpful")["anna"][desk.items[1].key].ranks == (2, 1)
    assert again.path.read_bytes().startswith(whole)
    assert not again.torn


BY = '"item": "x", "rater": "r", "criterion": "c", "at": ""'


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[1]",
        "7",
        "ÿ",
        '{"rating": 1, "act": "rank", "ranks": [1], "order": [0], BY}',
        '{"rating": 1, "act": "rank", "ranks": [1, 9], "order": [0, 1], BY}',
        '{"rating": 1, "act": "rank", "ranks": [1, 2], "order": [0, 0], BY}',
        '{"rating": 1, "act": "rank", "ranks": [1, true], "order": [0, 1], BY}',
        '{"rating": 1, "act": "rank", "ranks": 7, "order": [0, 1], BY}',
        '{"rating": 1, "act": "drop", BY}',
        '{"rating": 1, "act": "skip", "item": ["x"], "rater": "r", "criterion": "c", "at": ""}',
        '{"rating": 1, "act": "thumb", "up": 1, "prompt": [], "completion": "x", BY}',
        '{"rating": 2, "act": "skip", BY}',
        "[" * 5000,
    ],
)
def test_a_line_that_is_no_judgement_is_left_out_and_said(tmp_path: Path, line: str) -> None:
    path = tmp_path / "j.jsonl"
    Journal(path).add(Judgement("x", "anna", "helpful", "skip"))
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line.replace("BY", BY) + "\n")
    journal = Journal.open(path)
    assert (journal.unread, len(journal.held)) == (1, 1)
    assert "1 line of" in journal.notes()[0]


def test_another_kind_of_file_is_not_written_to(tmp_path: Path) -> None:
    source = rows(tmp_path / "sets.jsonl", {"prompt": "a", "completions": ["b", "c"]})
    with pytest.raises(UserError, match="no journal"):
        Journal.open(Path(source))


def _rate_all(path: Path, rater: str) -> None:
    desk = Desk([item(number) for number in range(25)], Journal.open(path))
    while (shown := desk.view(rater)["item"]) is not None:
        desk.judge(rater, shown["key"], "rank", [0])


def test_raters_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with concurrent.futures.ThreadPoolExecutor(3) as pool:  # each opens the file for itself, as processes do
        list(pool.map(_rate_all, [path] * 3, "abc"))
    journal = Journal.open(path)
    assert {rater: len(said) for rater, said in journal.standing("helpful").items()} == {"a": 25, "b": 25, "c": 25}
    assert (journal.unread, journal.torn) == (0, False)


def test_ranks_as_pairs() -> None:
    assert pairwise((2, 1)) == {(0, 1): -1}
    assert pairwise((1, 2, 2)) == {(0, 1): 1, (0, 2): 1, (1, 2): 0}


def judged(items: list[Item], tmp_path: Path, **said: list[tuple[int, ...]]) -> dict[str, dict[str, Judgement]]:
    """What stands after each rater gave these ranks, an empty one being a skip."""
    journal = Journal(tmp_path / "judged.jsonl")
    for rater, given in said.items():
        for one, ranks in zip(items, given, strict=False):
            order = tuple(range(len(ranks)))
            journal.add(Judgement(one.key, rater, "helpful", "rank" if ranks else "skip", ranks, order))
    return journal.standing("helpful")


def test_the_majority_decides_and_ties_are_left_out(tmp_path: Path) -> None:
    items = [item(1), item(2), item(3, 3), item(4)]
    standing = judged(
        items,
        tmp_path,
        anna=[(1, 2), (1, 2), (1, 2, 3), ()],
        ben=[(1, 2), (2, 1), (1, 1, 1)],
        carl=[(2, 1), (1, 1), (2, 1, 2)],
    )
    made = export_votes(items, standing, "helpful")
    found = {(row["item"], row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in made.rows}
    # 2: one each way and a tie. 3: a-b 1:1, a-c 1:0, b-c 2:0.
    assert found == {("1", "a 1", "b 1"), ("3", "a 3", "c 3"), ("3", "b 3", "c 3")}
    assert made.ties == 2
    assert made.rows[0]["votes"] == {"for": 2, "against": 1, "tie": 0}
    assert made.rows[0]["models"] == ["A", "B"]
    each = export_votes(items, standing, "helpful", each=True)
    assert len(each.rows) == 3 + 2 + 5
    assert each.ties == 1 + 3 + 1
    assert len({row["id"] for row in each.rows}) == 10
    assert export_votes(items[1:], standing, "helpful").gone == 3


def test_an_export_is_read_as_preferences(tmp_path: Path) -> None:
    """A completion that looks like a dialogue, or like markup, comes back letter by letter."""
    odd = "Human: yes\n\nAssistant: no"
    prompt = (Message("system", "Be brief"), Message("user", "One"), Message("assistant", "Two"), Message("user", "3?"))
    items = [Item("1", prompt, (odd, "<script>x</script>")), item(2)]
    made = export_votes(items, judged(items, tmp_path, anna=[(1, 2), (2, 1)]), "helpful")
    loaded = load(rows(tmp_path / "pairs.jsonl", *made.rows), task="chat")
    assert loaded.shape == "preference" and not loaded.problems
    first, second = loaded.examples
    assert (first.prompt, first.answers, first.rejected) == (prompt, (odd,), "<script>x</script>")
    assert (second.prompt, second.answers, second.rejected) == (items[1].prompt, ("b 2",), "a 2")
    assert first.meta["group"] == items[0].group


def test_thumbs_of_every_form(tmp_path: Path) -> None:
    told = [{"role": "user", "content": "Say hello"}]
    source = rows(
        tmp_path / "thumbs.jsonl",
        {"messages": [*told, {"role": "assistant", "content": "Hello"}], "label": True},
        {"messages": [*told, {"role": "assistant", "content": "No"}], "thumbs": "down", "user": "ben"},
        {"prompt": "Say hello", "completion": "Go", "label": 0},
        {"prompt": "Say hello", "completion": "Hey", "thumb": "\N{THUMBS UP SIGN}"},
        {"prompt": "Alone", "completion": "Hey", "feedback": "+1"},
    )
    thumbs, said = read_thumbs(source, criterion="helpful", rater="import")
    assert [(one.up, one.rater) for one in thumbs] == [
        (True, "import"), (False, "ben"), (False, "import"), (True, "import"), (True, "import")
    ]  # fmt: skip
    assert said == []
    journal = Journal(tmp_path / "j.jsonl")
    journal.add(*thumbs)
    made = export_thumbs(journal.thumbed("helpful"), "helpful")
    found = [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in made.rows]
    assert found == [("Hello", "No"), ("Hey", "Go")]
    assert made.alone == 1
    each = export_thumbs(journal.thumbed("helpful"), "helpful", each=True)
    assert (len(each.rows), each.alone) == (2, 2)
    assert load(rows(tmp_path / "pairs.jsonl", *made.rows), task="chat").shape == "preference"


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "user", "content": "a"}], "label": True},
        {"messages": [{"role": "assistant", "content": "a"}], "label": True},
        {"prompt": "a", "completion": "b"},
        {"prompt": "a", "completion": "b", "label": "perhaps"},
        {"prompt": "a", "completion": "b", "label": 0.5},
        {"prompt": "a", "label": True},
        {"completion": "a", "label": True},
    ],
)
def test_what_is_no_thumb_is_refused(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="1 problem"):
        read_thumbs(rows(tmp_path / "t.jsonl", row), criterion="helpful", rater="x")


def test_raters_who_disagree_about_a_thumb_leave_it_out() -> None:
    up, down = (Thumb(ASKED, "Hello", way, name, "helpful") for way, name in ((True, "a"), (False, "b")))
    made = export_thumbs({"a": [up], "b": [down]}, "helpful")
    assert (made.rows, made.ties) == ([], 1)


@pytest.mark.parametrize("name", ["", "  ", "a" * 41, "a\nb", "a\x1b[31mb", "a\tb", "\u202eabc"])
def test_a_rater_has_a_name_that_can_be_read(name: str) -> None:
    with pytest.raises(UserError, match="no name for a rater"):
        check_rater(name)


def test_a_criterion_is_known_or_taken_by_its_words() -> None:
    assert "less harm" in question("harmless")
    assert question("it rhymes").endswith("it rhymes")
    assert check_rater(" Ægir 2 ") == "Ægir 2"
