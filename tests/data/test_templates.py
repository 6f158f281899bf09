"""Prompt templates: what they make of rows, what they may not do, and that the public ones can be used."""

import json
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.load import guess_task, load
from dragoman.data.problems import Place, Problem, Row
from dragoman.data.templates import NAMED, Template, Templated, find_template, read_templates
from tests.data.prompted import made, real

PLACE = Place("a.jsonl", 3)


def shaped(template: Templated, **values: object) -> Example:
    found = template(Row(PLACE, values))
    assert not isinstance(found, Problem), found
    return found[0]


def test_a_row_becomes_what_is_asked_and_what_is_answered() -> None:
    template = Template("Is it good? {{text}} ||| {{ answer_choices[label] }}", "no ||| yes")
    example = shaped(Templated(template, id="n"), text="Very.\nIndeed.", label=1, n=7)
    assert example.prompt == (Message("user", "Is it good? Very.\nIndeed."),)
    assert (example.answers, example.meta) == (("yes",), {"place": "a.jsonl:3:1", "id": "7"})


def test_the_mark_inside_a_row_is_text() -> None:
    assert Template("{{a}} ||| {{b[0]}}").render({"a": "x ||| y", "b": ["1|||2"]}) == ("x ||| y", ("1|||2",))


def test_choices_are_a_template_of_their_own() -> None:
    template = Template("{{answer_choices | join(' or ')}}? ||| {{answer_choices[1]}}", "{{a}} ||| {{b}}")
    assert template.render({"a": "left", "b": "right"}) == ("left or right?", ("right",))


def test_what_is_drawn_follows_from_the_row() -> None:
    template = Template("{{ range(1000) | choice }} {{ [1, 2, 2] | most_frequent }} ||| {{ n }}")
    first = template.render({"n": 1})
    assert template.render({"n": 1}) == first
    assert len({template.render({"n": n}) for n in range(5)}) == 5
    assert "[2]" in first[0]


@pytest.mark.parametrize(
    ("source", "name", "word"),
    [
        ("{{ txet }} ||| {{ label }}", "template-failed", "'txet' is undefined"),
        ("{% if label == 5 %}{{ text }} ||| {{ label }}{% endif %}", "template-empty", "no prompt"),
        ("{{ text }} ||| {% if label == 5 %}x{% endif %}", "template-empty", "no answer"),
        ("{{ text.__class__.__mro__ }} ||| x", "template-failed", "no template may do"),
        ("{{ held.update({'a': 1}) }} ||| x", "template-failed", "no template may do"),
        ("{{ text * 300000000 }} ||| x", "template-failed", "a text too long"),
        ("{% for n in range(10000000) %}{% endfor %} ||| x", "template-failed", "loops count"),
    ],
)
def test_what_goes_wrong_is_a_problem_of_the_row(source: str, name: str, word: str) -> None:
    found = Templated(Template(source))(Row(PLACE, {"text": "x", "label": 1, "held": {}}))
    assert isinstance(found, Problem)
    assert (found.name, found.place) == (name, PLACE)
    assert word in found.reason


def test_answers_outside_the_scope_are_refused() -> None:
    found = Templated(Template("{{ a }} ||| {{ b }}"), labels=("yes", "no"))(Row(PLACE, {"a": "x", "b": "yse"}))
    assert isinstance(found, Problem)
    assert found.name == "label-outside-scope"


def test_a_template_is_found_by_name_text_and_file(tmp_path: Path) -> None:
    assert find_template("alpaca").source == NAMED["alpaca"]
    assert find_template("{{ a }} ||| {{ b }}").source == "{{ a }} ||| {{ b }}"
    (tmp_path / "own.txt").write_text("{{ a }} ||| b")
    assert find_template("own.txt", tmp_path).source == "{{ a }} ||| b"
    row = {"dataset": "glue", "subset": "rte", "name": "yes/no ", "jinja": "{{ a }} ||| b", "answer_choices": None}
    (tmp_path / "many.jsonl").write_text(json.dumps(row) + "\n")
    assert find_template("many.jsonl#glue/rte/yes/no", tmp_path).source == "{{ a }} ||| b"


@pytest.mark.parametrize(
    ("spec", "problem", "hint"),
    [
        ("alpcaa", "no template named 'alpcaa'", "did you mean 'alpaca'?"),
        ("{{ a }", "broken at line 1", "data.template=NAME"),
        ("{{ a }}", "where the prompt ends", "|||"),
        ("many.jsonl#glue/ret", "holds no template 'glue/ret'", "glue/rte"),
        ("broken.jsonl#x", "broken.jsonl:1 is no template", "each line holds"),
    ],
)
def test_what_is_no_template_is_a_users_mistake(tmp_path: Path, spec: str, problem: str, hint: str) -> None:
    (tmp_path / "many.jsonl").write_text('{"dataset": "glue/rte", "name": "x", "jinja": "a ||| b"}\n')
    (tmp_path / "broken.jsonl").write_text("{}\n")
    with pytest.raises(UserError) as caught:
        find_template(spec, tmp_path)
    assert problem in caught.value.problem
    assert hint in caught.value.hint


def test_rows_of_any_shape_take_a_template(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"q": "two and two?", "r": 4}\n{"q": "", "r": 5}\n')
    loaded = load("a.jsonl", template="{{ q }} ||| {{ r }}", root=tmp_path, task="")
    assert (loaded.shape, guess_task(loaded), loaded.examples[0].answers) == ("template", "write", ("4",))
    assert [problem.name for problem in loaded.problems] == ["template-empty"]


def test_the_built_in_ones_fit_public_sets(shared_data: Path) -> None:
    for name, file in {
        "alpaca": "instruction/alpaca_en.jsonl",
        "summarize": "summarization/dialogsum_dev.jsonl",
        "translate": "translation/multi30k_val.jsonl",
        "sentiment": "classification/sst2_dev.jsonl",
        "entailment": "classification/rte_dev.jsonl",
        "closed_question": "reasoning/gsm8k_test.jsonl",
    }.items():
        loaded = load(str(shared_data / file), template=name, task="")
        assert loaded.examples, name
        assert not loaded.problems, name


def test_the_public_templates_can_be_used(shared_data: Path) -> None:
    """479 of 487 can: 90 on rows of their own sets, the rest on rows made by hand; 8 change a dictionary, which none
    may."""
    file = shared_data / "instruction" / "prompt_templates.jsonl"
    templates = read_templates(file)
    origin = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(templates) == len(origin) == 487
    used, refused = {"real": 0, "made": 0}, []
    for row, (name, template) in zip(origin, templates.items(), strict=True):
        rows = real(row["dataset"], row["subset"] or "", shared_data)
        found = [Templated(template)(Row(PLACE, values)) for values in rows or made(row["dataset"])]
        good = [one[0] for one in found if not isinstance(one, Problem)]
        used["real" if rows else "made"] += bool(good)
        assert all(example.text and example.answers[0] for example in good)
        refused += [(name, found[0].reason)] if not good and isinstance(found[0], Problem) else []
    assert used == {"real": 90, "made": 389}
    assert {name.split("/")[0] for name, _ in refused} == {"e2e_nlg_cleaned"}
    assert len(refused) == 8
    assert all("'update' of 'dict' object is unsafe" in reason for _, reason in refused)


def test_a_template_may_hold_other_ends_of_a_line(tmp_path: Path) -> None:
    rows = [{"dataset": "a", "name": name, "jinja": "x\u2028y\u0085z ||| w"} for name in "bc"]
    file = tmp_path / "templates.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    assert list(read_templates(file)) == ["a/b", "a/c"]
