"""Writes the model card of a published model: a header for machines and what a stranger must know to trust it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dragoman.report.record import Figure, figure, hollow, number, rows, table, words

__all__ = ["CardFacts", "write_model_card"]

_SIMPLE = re.compile(r"[A-Za-z][\w.+/-]*")  # what YAML reads as a text without quotes
OUTCOMES = {"tie": "not told apart"}
"what a card calls the outcome of a comparison, where it is not the record's own word"
_NO_TEXT = {"true", "false", "yes", "no", "on", "off", "null"}


@dataclass(frozen=True)
class CardFacts:
    """What is known of a model that is published; every figure is from the record of a run."""

    title: str
    place: str
    "Where it is published: owner/name, or a folder."
    run: str
    version: str
    pipeline: str
    "What the hub calls its task, such as text-classification."
    library: str = "transformers"
    license: str = ""
    base: str = ""
    "The base on the hub, owner/name; empty where it has no public name."
    base_said: str = ""
    data: tuple[str, ...] = ()
    "The data sets on the hub, owner/name."
    data_name: str = ""
    tags: tuple[str, ...] = ()
    scope: Mapping[str, object] = field(default_factory=dict)
    record: Mapping[str, object] = field(default_factory=dict)
    "Of a verdict, or of a training of a language model."
    judged_on: str = ""
    "The rows that the metrics were measured on, such as sealed test; empty where nothing was measured."
    facts: Mapping[str, object] = field(default_factory=dict)
    "Names and values about the model itself."
    usage: tuple[tuple[str, str], ...] = ()
    "Pieces of code, each with its language."


def write_model_card(facts: CardFacts) -> str:
    """The README.md of a model, in Markdown under a YAML header.

    What the record does not hold is left out; no row of the data and no path is ever written.
    """
    parts = [
        _header(facts),
        [f"# {_plain(facts.title)}", "", *_opening(facts)],
        _scope(facts),
        _verdict(facts),
        _ladder(facts),
        _paired(facts),
        _language(facts),
        _data(facts),
        _forgetting(facts),
        _limits(facts),
        _usage(facts),
        ["", f"Made by dragoman {facts.version} as {facts.run}. Intervals are at 95 %."],
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


# ----------------------------------------------------------------------------------------------------- the header
def _header(facts: CardFacts) -> list[str]:
    """YAML as the hub reads it (huggingface.co/docs/hub/model-cards), figures in the form of a model index."""
    lines = ["---", f"library_name: {facts.library}", f"pipeline_tag: {facts.pipeline}"]
    if facts.license:
        lines.append(f"license: {_yaml(facts.license)}")
    if facts.base:
        lines.append(f"base_model: {_yaml(facts.base)}")
    for name, values in (("datasets", facts.data), ("tags", ("dragoman", *facts.tags))):
        lines += [f"{name}:", *(f"- {_yaml(value)}" for value in values)] if values else []
    metrics = _metrics(facts)
    if metrics:
        lines += ["model-index:", f"- name: {_yaml(facts.title)}", "  results:", "  - task:"]
        lines += [
            f"      type: {facts.pipeline}",
            "    dataset:",
            f"      name: {_yaml(facts.data_name or 'own data')}",
        ]
        lines += [f"      type: {_yaml(facts.data[0] if facts.data else facts.data_name or 'own data')}"]
        lines += [f"      split: {_yaml(facts.judged_on)}", "    metrics:"]
        for name, found in metrics:
            lines += [f"    - type: {_yaml(name)}", f"      value: {found.value!r}", f"      name: {_yaml(name)}"]
            if found.wide:
                args = {"low": found.low, "high": found.high, "rows": found.n, "level": 0.95}
                lines.append(
                    f"      args: {json.dumps({key: value for key, value in args.items() if value is not None})}"
                )
    return [*lines, "---", ""]


def _metrics(facts: CardFacts) -> list[tuple[str, Figure]]:
    """What is measured of the quality of the answers; figures of one machine do not belong into an index."""
    source = table(facts.record.get("metrics")) or table(facts.record.get("tiles"))
    plain = {"parameters", "tokens", "tokens/s", "size_mb", "memory_mb", "p50_ms", "p95_ms", "forgetting"}
    named = [(name, figure(value)) for name, value in source.items() if name not in plain]
    return [(name, found) for name, found in named if found is not None] if facts.judged_on else []


def _yaml(text: str) -> str:
    """A text as YAML has it; JSON's quotes are YAML's too."""
    plain = _SIMPLE.fullmatch(text) and text.lower() not in _NO_TEXT
    return text if plain else json.dumps(words(text), ensure_ascii=False)


# ------------------------------------------------------------------------------------------------------- the parts
def _opening(facts: CardFacts) -> list[str]:
    said = words(facts.scope.get("objective"))
    lines = [_plain(said), ""] if said else []
    if facts.base_said:
        lines += [f"It was trained from {_plain(facts.base_said)}.", ""]
    headline = words(facts.record.get("headline"))
    return [*lines, f"**{_plain(headline)}**", ""] if headline else lines


def _scope(facts: CardFacts) -> list[str]:
    told = [(name, words(facts.scope.get(name))) for name in ("task", "audience", "instruction")]
    told += [(name, words(value)) for name, value in facts.facts.items()]
    lines = ["## What it is for", ""] if facts.scope else ["## What it is", ""]
    lines += [f"- {name}: {_plain(value)}" for name, value in told if value]
    labels = table(facts.scope.get("labels"))
    if labels:
        lines += ["", *_grid(("label", "what it means"), [(name, words(said)) for name, said in labels.items()])]
    return [*lines, ""]


def _verdict(facts: CardFacts) -> list[str]:
    if not facts.judged_on:
        said = "It has not been measured on rows that it did not learn from; expect nothing of it until it is."
        return [] if table(facts.record.get("tiles")) else ["## Measured", "", said, ""]
    criteria = rows(facts.record.get("criteria"))
    test = table(facts.record.get("test"))
    lines = ["## Measured", "", f"On the {_plain(facts.judged_on)}"]
    count, opened = number(test.get("rows")), number(test.get("openings"))
    lines[-1] += f", {count:,.0f} rows" if count else ""
    lines[-1] += f", which was opened {_times(opened)}." if opened else "."
    if criteria:
        told = [
            (words(one.get("metric")), words(one.get("asked")), _figure(one.get("estimate")), words(one.get("outcome")))
            for one in criteria
        ]
        lines += ["", *_grid(("criterion", "asked", "measured", "outcome"), told)]
    lines += ["", *_grid(("metric", "measured"), [(name, _figure(found)) for name, found in _metrics(facts)])]
    return [*lines, ""]


def _ladder(facts: CardFacts) -> list[str]:
    """Every rung that was climbed beside this one: the base without training, and what each training added."""
    ladder = rows(facts.record.get("ladder"))
    if not ladder:
        return []
    told = []
    for one in ladder:
        name = words(one.get("rung"))
        mark = f"**{_plain(name)}** (this model)" if one.get("chosen") is True else _plain(name)
        told.append((mark, words(one.get("metric")), _figure(one.get("estimate")), _against(one)))
    heads = ("rung", "metric", "on validation", "paired difference")
    return ["## Base against tuned", "", *_grid(heads, told, plain=False), ""]


def _paired(facts: CardFacts) -> list[str]:
    """The untouched model and this one on the same rows, metric by metric."""
    told = [
        (
            words(one.get("metric")),
            *(_figure(one.get(name)) for name in ("before", "after")),
            f"{_signed(one.get('difference'))}: {OUTCOMES.get(words(one.get('outcome')), words(one.get('outcome')))}",
        )
        for one in rows(facts.record.get("paired"))
    ]
    heads = ("metric", "untouched", "tuned", "paired difference")
    return ["## Base against tuned", "", *_grid(heads, told), ""] if told else []


def _against(one: Mapping[str, object]) -> str:
    found = table(one.get("comparison"))
    if not found:
        return ""
    better = "better" if found.get("better") is True else "worse" if found.get("worse") is True else "not told apart"
    return f"{_signed(found.get('difference'))} against {_plain(words(found.get('against')))}: {better}"


def _language(facts: CardFacts) -> list[str]:
    """What a training of a language model recorded."""
    tiles, model, corpus = (table(facts.record.get(name)) for name in ("tiles", "model", "corpus"))
    if not tiles:
        return []
    told = [(name, _figure(value)) for name, value in tiles.items() if not hollow(value)]
    lines = ["## Measured on held-out text", "", *_grid(("figure", "measured"), told), ""]
    plain = {name: value for name, value in model.items() if not hollow(value) and not isinstance(value, Mapping)}
    if plain:
        lines += [
            "## The model",
            "",
            *_grid(("part", "size"), [(name, _count(value)) for name, value in plain.items()]),
        ]
        lines.append("")
    sizes = [(name, _count(value)) for name, value in corpus.items() if number(value) is not None]
    return [*lines, "## The corpus", "", *_grid(("what", "how much"), sizes), ""] if sizes else lines


def _data(facts: CardFacts) -> list[str]:
    card = table(facts.record.get("data"))
    if not card:
        return []
    lines = ["## Data", "", f"Rows of {_plain(facts.data_name or 'own data')}; none of them is published here.", ""]
    dropped = sum(number(value) or 0 for value in table(card.get("dropped")).values())
    lines.append(f"- {_count(card.get('read'))} rows read, {_count(card.get('kept'))} kept, {dropped:,.0f} dropped")
    splits = table(card.get("splits"))
    lines += [f"- {name}: {_count(table(one).get('rows'))} rows" for name, one in splits.items()]
    doubles = table(card.get("duplicates"))
    if doubles:
        lines.append("- doubles among them: " + ", ".join(f"{_count(value)} {name}" for name, value in doubles.items()))
    for name, found in table(card.get("lengths")).items():
        shown = table(found)
        lines.append(f"- {name} of a text: median {_count(shown.get('p50'))}, 95 % up to {_count(shown.get('p95'))}")
    return [*lines, ""]


def _forgetting(facts: CardFacts) -> list[str]:
    lines = []
    lost = table(facts.record.get("forgetting"))
    if lost:
        before, after = _figure(lost.get("before")), _figure(lost.get("after"))
        lines += [
            "## What the training cost it",
            "",
            f"- before {before}, after {after}: {_plain(words(lost.get('probe')))}",
        ]
        lines += [f"- lost: {_signed(lost.get('drop'))}"] if not hollow(lost.get("drop")) else []
    parity = rows(facts.record.get("parity"))
    if parity:
        same = all(one.get("same_answers") is True for one in parity)
        pairs = ", ".join(_plain(words(one.get("pair"))) for one in parity)
        lines += ["" if lines else "## Every form of it", f"- {pairs}: {'the same answers' if same else 'not alike'}"]
    return [*lines, ""] if lines else []


def _limits(facts: CardFacts) -> list[str]:
    told = []
    labels = table(facts.scope.get("labels"))
    if labels:
        told.append(f"It answers with one of its {len(labels)} labels whatever it is given, also where none fits.")
    if number(facts.facts.get("most tokens of a text")):
        told.append(f"Longer texts than {_count(facts.facts['most tokens of a text'])} tokens are cut.")
    cut = number(facts.record.get("cut"))
    if cut:
        told.append(f"{cut:,.0f} of its training texts were cut to that length.")
    for one in rows(table(facts.record.get("data")).get("findings")):
        if words(one.get("severity")) == "warning":
            told.append(
                f"Its data has a warning, {_plain(words(one.get('name')))}, at {_count(one.get('count'))} rows."
            )
    missed = [one for one in rows(facts.record.get("criteria")) if words(one.get("outcome")) != "met"]
    told += [f"Not proven: {_plain(words(one.get('metric')))} {_plain(words(one.get('asked')))}." for one in missed]
    told.append("Measured on rows like those it learnt from; texts of another kind were not measured.")
    return ["## Limits", "", *(f"- {line}" for line in told), ""]


def _usage(facts: CardFacts) -> list[str]:
    lines = ["## How to use it"] if facts.usage else []
    for language, code in facts.usage:
        lines += ["", f"```{language}", code, "```"]
    return lines


# ------------------------------------------------------------------------------------------------------- the words
def _grid(heads: Sequence[str], lines: Sequence[Sequence[str]], plain: bool = True) -> list[str]:
    """A table of Markdown; with `plain` its cells are texts, otherwise they are Markdown already."""
    cells = [[_plain(cell) if plain else cell for cell in line] for line in lines]
    rule = "| " + " | ".join("---" for _ in heads) + " |"
    return ["| " + " | ".join(heads) + " |", rule, *("| " + " | ".join(line) + " |" for line in cells)]


def _plain(text: str) -> str:
    """A text of anybody's that Markdown shows as it is, on one line."""
    one = " ".join(words(text).split())
    return re.sub(r"([\\`*|]|(?<=\])\()", r"\\\1", one).replace("<", "&lt;")


def _figure(value: object) -> str:
    found = value if isinstance(value, Figure) else figure(value)
    if found is None:
        return ""
    if not found.wide:
        return _count(found.value)
    low, high = found.ends
    return f"{found.value:.3f} [{low:.3f}, {high:.3f}]"


def _signed(value: object) -> str:
    found = figure(value)
    if found is None or not found.wide:
        return _figure(value)
    low, high = found.ends
    return f"{found.value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _count(value: object) -> str:
    found = number(value)
    if found is None:
        return words(value)
    return f"{found:,.0f}" if found == round(found) else f"{found:,.3f}"


def _times(count: float) -> str:
    return "once" if count == 1 else f"{count:,.0f} times"
