"""The preflight of a model that writes: what would be learnt of each example, and what would go wrong in silence.

Every finding has a name, and docs/pains.md a section of that name. No torch is needed to ask.
"""

from collections.abc import Sequence

from dragoman.core.show import many
from dragoman.core.types import Example
from dragoman.data.check import ORDER, Finding, Severity
from dragoman.nn.templates import TEMPLATES
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages.check_marks import Failed, Reading, Taught, dialogue_of, drifts, rows_of, sample_of
from dragoman.stages.check_texts import inspect_texts, known_roles

__all__ = ["compare_labels", "compare_reading", "inspect_tokens", "sampled"]

MOST = 4000  # examples that are looked at token by token: a chat template takes about 1 ms each
ROOM = "models.max_length=NUMBER gives it more room"
TEMPLATE = "choose another chat template: models.template=instruct"
FEW = 50


def inspect_tokens(tokenizer: Tokenizer, examples: Sequence[Example], reading: Reading) -> list[Finding]:
    """Every finding about these examples, as this tokenizer writes them and a model is to read them; errors first.

    A decoder without a chat template is given the built-in `instruct`, as it will be for the training.
    """
    chosen = sampled(examples)
    found = _missing(tokenizer, chosen, reading)
    known = [example for example in chosen if known_roles(example)]
    made = [rows_of(tokenizer, example, reading) for example in known]
    failed = [one for one in made if isinstance(one, Failed)]
    rows = [row for one in made if not isinstance(one, Failed) for row in one]
    found += _failures(failed, len(chosen)) + _stops(tokenizer, rows, reading) + _cuts(rows, len(chosen), reading)
    if not reading.pairs:
        found += _begins(tokenizer, rows) + _drift(tokenizer, known, reading) + _joined(tokenizer, rows)
    found += _altered(tokenizer, rows) + inspect_texts(tokenizer, chosen, reading.pairs)
    if len(chosen) < len(examples):
        said = f"{len(chosen):,} of {len(examples):,} examples were looked at, evenly spread"
        found.append(Finding("sampled", "note", len(chosen), said))
    elif 0 < len(examples) < FEW:
        said = f"{many(len(examples), 'example')} in all: a model learns their form, hardly their matter"
        found.append(Finding("few-examples", "warning", len(examples), said, hint="data.source=PATH names more"))
    return sorted(found, key=lambda finding: ORDER[finding.severity])


def sampled(examples: Sequence[Example]) -> list[Example]:
    """At most MOST examples, evenly spread."""
    if len(examples) <= MOST:
        return list(examples)
    return [examples[place * len(examples) // MOST] for place in range(MOST)]


def compare_labels(tokenizer: Tokenizer, truth: Sequence[Taught], learnt: Sequence[Sequence[int]]) -> list[Finding]:
    """What an objective makes of rows, against what is to be learnt of them: a plug-in may mask as it likes.

    `learnt` holds, for each row, the ids it is to predict, in their order; what it leaves out is not among them.
    """
    prompts, stopless, empty = [], [], []
    for row, ids in zip(truth, learnt, strict=True):
        wanted = [number for number, here in zip(row.ids, row.predicted, strict=True) if here]
        if not ids and wanted:
            empty.append(row)
        elif len(ids) > len(wanted):
            prompts.append(row)
        elif row.stops and (not ids or ids[-1] != row.stop):
            stopless.append(row)
    found = []
    if prompts:
        said = f"in {_of(prompts, truth)} tokens of the prompt are learnt too: the model would learn to ask"
        found.append(
            Finding("prompt-learnt", "error", len(prompts), said, sample_of(prompts[0].example), "use objective=sft")
        )
    if stopless:
        said = f"in {_of(stopless, truth)} the stop token {_name(tokenizer, stopless[0].stop)} carries no label"
        hint = "use objective=sft, which masks by place and never by id"
        found.append(
            Finding("stop-token-untrained", "error", len(stopless), said, sample_of(stopless[0].example), hint)
        )
    if empty:
        said = f"in {_of(empty, truth)} nothing is left to learn"
        found.append(
            Finding("labels-all-masked", "error", len(empty), said, sample_of(empty[0].example), "use objective=sft")
        )
    return found


def compare_reading(trained: Tokenizer, served: Tokenizer, examples: Sequence[Example]) -> list[Finding]:
    """Whether what serves reads prompts as what was trained did, and stops where that one learnt to stop."""
    other, first = [], ""
    for example in (one for one in examples if one.prompt):
        was, now = _read(trained, example), _read(served, example)
        if was != now:
            first = first or f"{trained.decode(was)[-60:]!r} was learnt, {served.decode(now)[-60:]!r} is served"
            other.append(example)
    found = []
    if other:
        said = f"{len(other):,} of {many(len(examples), 'prompt')} are not read as they were learnt: {first}"
        hint = "serve the folder that was trained: its chat template is saved with it"
        found.append(Finding("template-drift", "error", len(other), said, sample_of(other[0]), hint))
    lost = trained.eos_ids - served.eos_ids
    if lost:
        named = " and ".join(_name(trained, number) for number in sorted(lost))
        said = f"the model learnt to stop with {named}, and generation does not stop on it"
        hint = "serve the folder that was trained: its generation_config.json names every end"
        found.append(Finding("stop-token-not-stopping", "error", len(lost), said, None, hint))
    return found


def _read(tokenizer: Tokenizer, example: Example) -> list[int]:
    return tokenizer.dialogue(list(example.prompt)) if tokenizer.chat else tokenizer.start(example.text)


def _missing(tokenizer: Tokenizer, examples: Sequence[Example], reading: Reading) -> list[Finding]:
    if reading.pairs or tokenizer.chat or not any(example.prompt for example in examples):
        return []
    tokenizer.use_template(TEMPLATES["instruct"])
    said = "the model has no chat template; the built-in instruct is used, saved with the model and served with it"
    return [
        Finding("template-missing", "note", 1, said, hint="models.template=roles, plain or a .jinja file is another")
    ]


def _failures(failed: Sequence[Failed], count: int) -> list[Finding]:
    """Examples that cannot be learnt, by what is wrong with them. Training would stop at any but an empty answer."""
    found = []
    for name in dict.fromkeys(one.name for one in failed):
        mine = [one for one in failed if one.name == name]
        said = f"{len(mine):,} of {many(count, 'example')} cannot be learnt: {mine[0].message}"
        hint = "take them out, or give them an answer" if name == "answer-empty" else TEMPLATE
        severity: Severity = "warning" if name == "answer-empty" and 2 * len(mine) <= count else "error"
        found.append(Finding(name, severity, len(mine), said, sample_of(mine[0].example), hint))
    return found


def _stops(tokenizer: Tokenizer, rows: Sequence[Taught], reading: Reading) -> list[Finding]:
    ends, found = reading.ends or tokenizer.eos_ids, []
    strange = [row for row in rows if row.stop is not None and row.stop not in ends]
    if strange:
        named = ", ".join(_name(tokenizer, number) for number in sorted(ends)) or "nothing"
        said = (
            f"answers end with {_name(tokenizer, strange[0].stop)} in the chat template, and generation stops on "
            f"{named}: it would write on. Training here adds the token to generation_config.json"
        )
        hint = "elsewhere, add its id to eos_token_id of generation_config.json"
        found.append(
            Finding("stop-token-not-stopping", "warning", len(strange), said, sample_of(strange[0].example), hint)
        )
    if rows and not any(row.stops for row in rows):
        said = f"in none of {many(len(rows), 'row')} the end of the answer is learnt: all are cut before it"
        found.append(Finding("stop-token-untrained", "error", len(rows), said, sample_of(rows[0].example), ROOM))
    if tokenizer.pad_id in ends | {row.stop for row in rows}:
        said = (
            f"rows are filled with {_name(tokenizer, tokenizer.pad_id)}, which also ends an answer; padding is masked "
            "by its place here, and the stop keeps its label"
        )
        hint = "a tool that masks by id would never teach the stop: give it a pad_token of its own there"
        found.append(Finding("pad-is-stop", "note", 1, said, hint=hint))
    return found


def _cuts(rows: Sequence[Taught], count: int, reading: Reading) -> list[Finding]:
    cut = [row for row in rows if row.cut]
    if not cut:
        return []
    gone = [row for row in cut if not any(row.predicted)]
    part = [row for row in cut if any(row.predicted) and sum(row.predicted) < sum(row.learnt)]
    sizes = sorted(len(row.ids) for row in rows)
    side = {"left": "the beginning", "right": "the end", "drop": "all"}[reading.cut]
    said = (
        f"{len(cut):,} of {many(len(rows), 'row')} are longer than {reading.max_length} tokens and lose {side}: "
        f"{len(gone):,} lose their whole answer, {len(part):,} a part of it, "
        f"{len(cut) - len(gone) - len(part):,} only of what is read; 99 % of all have at most "
        f"{sizes[(99 * len(sizes) - 1) // 100]:,} tokens, the longest has {sizes[-1]:,}"
    )
    worst = (gone or part or cut)[0]
    severity: Severity = "warning" if gone or part else "note"
    found = [Finding("answer-truncated", severity, len(cut), said, sample_of(worst.example), ROOM)]
    if gone:
        said = f"in {_of(gone, rows)} nothing is left to learn within {reading.max_length} tokens; they are left out"
        severity = "error" if 2 * len(gone) > count else "warning"
        found.append(Finding("labels-all-masked", severity, len(gone), said, sample_of(gone[0].example), ROOM))
    return found


def _begins(tokenizer: Tokenizer, rows: Sequence[Taught]) -> list[Finding]:
    """Whether a text begins as the model was pretrained: with its beginning, once."""
    begin, found = tokenizer.bos_id, []
    if begin is None:
        return []
    twice = [row for row in rows if row.ids[:2] == (begin, begin)]
    if twice:
        said = f"{_of(twice, rows)} begin with {_name(tokenizer, begin)} twice: the chat template writes it two times"
        found.append(Finding("double-bos", "warning", len(twice), said, sample_of(twice[0].example), TEMPLATE))
    none = [row for row in rows if row.ids[0] != begin] if begin in tokenizer.around[0] else []
    if none:
        said = f"{_of(none, rows)} begin without {_name(tokenizer, begin)}, with which the tokenizer begins every text"
        found.append(Finding("no-bos", "warning", len(none), said, sample_of(none[0].example), TEMPLATE))
    return found


def _drift(tokenizer: Tokenizer, examples: Sequence[Example], reading: Reading) -> list[Finding]:
    if reading.turns != "every":
        return []
    turns = [one for one in examples if one.answers and sum(said.role == "assistant" for said in one.prompt)]
    mine = [example for example in turns if drifts(tokenizer, example)]
    if not mine:
        return []
    said = (
        f"in {len(mine):,} of {many(len(turns), 'dialogue')} the chat template writes what was said otherwise once "
        "more is said (it drops thoughts, or trims); each answer is learnt in a row of its own, behind its own prompt"
    )
    return [
        Finding(
            "template-drift", "warning", len(mine), said, sample_of(mine[0]), "objective.turns=last learns the last"
        )
    ]


def _joined(tokenizer: Tokenizer, rows: Sequence[Taught]) -> list[Finding]:
    """Rows whose text as a whole would have a token across the border of prompt and answer."""
    mine = []
    for row in (row for row in rows if row.example.prompt):
        whole = tokenizer.dialogue(dialogue_of(row.example))
        if row.ids[: row.border] != tuple(whole[: row.border]) and row.ids[: row.border] == tuple(
            _read(tokenizer, row.example)
        ):
            mine.append(row)
    if not mine:
        return []
    said = (
        f"in {_of(mine, rows)} one text would have a token across the border of prompt and answer; the two are "
        "tokenised apart, as they are when the model answers"
    )
    return [Finding("border-joined", "note", len(mine), said, sample_of(mine[0].example))]


def _altered(tokenizer: Tokenizer, rows: Sequence[Taught]) -> list[Finding]:
    """Rows in which the last answer is not what stands in the data, such as one without its thoughts."""
    mine = []
    for row in rows:
        written = tokenizer.decode(row.ids[row.border : -1]).split()
        wanted = tokenizer.plain([dialogue_of(row.example)[-1].content])[0]
        if row.example.prompt and written != tokenizer.decode(wanted).split():
            mine.append((row, " ".join(written)))
    # Of a dialogue in rows of their own only the last one ends with the example's answer.
    last = {id(row.example): row for row in rows}
    mine = [(row, text) for row, text in mine if last[id(row.example)] is row]
    if not mine:
        return []
    said = f"the chat template changes the answers of {len(mine):,} examples; the first becomes {mine[0][1][:80]!r}"
    return [Finding("answer-altered", "warning", len(mine), said, sample_of(mine[0][0].example), TEMPLATE)]


def _of(some: Sequence[Taught], rows: Sequence[Taught]) -> str:
    return f"{len(some):,} of {many(len(rows), 'row')}"


def _name(tokenizer: Tokenizer, number: int | None) -> str:
    return tokenizer.tokens([number])[0] if number is not None else "nothing"
