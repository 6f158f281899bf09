"""The preflight of the texts that a model that writes is to learn: who speaks, in which words, what answers repeat."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from dragoman.core.errors import UserError
from dragoman.core.show import many
from dragoman.core.types import Example
from dragoman.data.check import Finding
from dragoman.data.private import mask
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages.check_marks import sample_of

__all__ = ["inspect_texts", "known_roles"]

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
ALIKE = 0.3  # the share of rows with one and the same answer from which a model learns to say that and nothing else
LEAST = 10  # rows that say something about shares
COPIED = 0.2  # the share of answers that stand in their prompt word for word
LONG = 20  # characters from which an answer in a prompt is no accident
UNKNOWN = 0.001  # the share of tokens that stand for nothing
SPLIT = 1.0  # tokens a character: the words of a language that a tokenizer was made for have a quarter of one
PROBED = 50  # dialogues in which it is tried whether a message is written at all
BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def inspect_texts(tokenizer: Tokenizer, examples: Sequence[Example], pairs: bool = False) -> list[Finding]:
    """What is wrong with the messages themselves. `pairs`: an encoder-decoder, which may have no chat template."""
    found = _roles(examples)
    known = [one for one in examples if known_roles(one)]
    if tokenizer.chat and not pairs:
        found += _dropped(tokenizer, known)
    found += _controls(tokenizer, known) + _unknown(tokenizer, known)
    return found + _alike(known) + _copied(known)


def known_roles(example: Example) -> bool:
    """Whether everybody in it is somebody whom a chat template can know."""
    return all(message.role in ROLES for message in example.prompt)


def _roles(examples: Sequence[Example]) -> list[Finding]:
    strange = [(one, message.role) for one in examples for message in one.prompt if message.role not in ROLES]
    if not strange:
        return []
    named = ", ".join(sorted({f"'{role}'" for _, role in strange})[:5])
    said = f"{len({id(one) for one, _ in strange}):,} examples have messages of {named}, whom no template knows"
    hint = f"name the roles otherwise; known: {', '.join(ROLES)}"
    return [Finding("role-unknown", "error", len(strange), said, sample_of(strange[0][0]), hint)]


def _dropped(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[Finding]:
    """Messages that the template leaves out: the same ids whatever they say."""
    found = []
    for name, roles in (("system-dropped", ROLES[:2]), ("user-dropped", ("user",)), ("tool-dropped", ROLES[4:])):
        mine = [one for one in examples if any(message.role in roles for message in one.prompt)]
        lost = [one for one in mine[:PROBED] if _ignored(tokenizer, one, roles)]
        if lost:
            tried = len(mine[:PROBED])
            said = f"the chat template leaves out what the {roles[0]} says: in {len(lost):,} of {tried:,} tried"
            hint = "choose another chat template: models.template=roles writes every message"
            found.append(
                Finding(
                    name, "error" if name == "user-dropped" else "warning", len(lost), said, sample_of(lost[0]), hint
                )
            )
    return found


def _ignored(tokenizer: Tokenizer, example: Example, roles: Sequence[str]) -> bool:
    other = [replace(one, content=f"{one.content} 7") if one.role in roles else one for one in example.prompt]
    try:
        return tokenizer.dialogue(other) == tokenizer.dialogue(list(example.prompt))
    except UserError:
        return False  # a template that refuses says so itself


def _controls(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[Finding]:
    """Texts that hold the written form of a control token: text here, a control token to whoever parses them."""
    forms = [text for text in tokenizer.tokens(sorted(tokenizer.control_ids)) if len(text) > 1]
    if not forms:
        return []
    shape = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))))
    ends = {text for text in tokenizer.tokens(sorted(tokenizer.eos_ids)) if text}
    counts: Counter[str] = Counter()
    first: dict[str, Example] = {}
    rows: Counter[str] = Counter()
    for example in examples:
        written = [shape.findall(message.content) for message in example.prompt]
        ended = any(answer.rstrip().endswith(tuple(ends)) for answer in example.answers[:1]) if ends else False
        for name, hits in (("control-token-in-text", sum(map(len, written))), ("stop-written-in-answer", int(ended))):
            counts[name] += hits
            rows[name] += bool(hits)
            if hits:
                first.setdefault(name, example)
    found = []
    if rows["control-token-in-text"]:
        said = (
            f"{rows['control-token-in-text']:,} prompts hold {many(counts['control-token-in-text'], 'control token')} "
            "in writing; here they are text, and one that parses whole texts would obey them"
        )
        sample = sample_of(first["control-token-in-text"])
        found.append(Finding("control-token-in-text", "note", counts["control-token-in-text"], said, sample))
    if rows["stop-written-in-answer"]:
        said = (
            f"{rows['stop-written-in-answer']:,} answers end with the stop token in writing: it would be learnt as "
            "letters, in front of the real one"
        )
        sample, hint = (
            sample_of(first["stop-written-in-answer"]),
            "take it out of the data: the template writes the stop",
        )
        found.append(Finding("stop-written-in-answer", "warning", rows["stop-written-in-answer"], said, sample, hint))
    return found


def _unknown(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[Finding]:
    """Texts in letters that the tokenizer does not know."""
    texts = [(one, text) for one in examples for text in (*(said.content for said in one.prompt), *one.answers[:1])]
    ids = tokenizer.plain([text for _, text in texts]) if texts else []
    total = sum(map(len, ids))
    if not total:
        return []
    strange = [sum(number == tokenizer.unknown_id for number in row) for row in ids]
    forms = {number: tokenizer.tokens([number])[0] for number in {number for row in ids for number in row}}
    bytes_of = [sum(bool(BYTE.fullmatch(forms[number])) for number in row) for row in ids]
    letters = sum(len(text) for _, text in texts)
    for counts, what, least in (
        (strange, "stand for nothing the tokenizer knows", UNKNOWN),
        (bytes_of, "are single bytes of letters that it does not know", 0.1),
    ):
        if sum(counts) > least * total:
            said = f"{sum(counts) / total:.1%} of all tokens {what}: another language, or another script?"
            return [_wrong_language(sum(counts), said, texts[max(range(len(counts)), key=counts.__getitem__)][0])]
    if total > SPLIT * letters:
        said = f"the texts have {total / letters:.1f} tokens a letter: the tokenizer was made for another language"
        return [_wrong_language(total, said, texts[0][0])]
    return []


def _wrong_language(count: int, said: str, example: Example) -> Finding:
    hint = "choose a model that knows the language of the data: models.candidates"
    return Finding("unknown-tokens", "warning", count, said, sample_of(example), hint)


def _alike(examples: Sequence[Example]) -> list[Finding]:
    answers = Counter(one.answers[0].strip() for one in examples if one.answers and one.answers[0].strip())
    if not answers or sum(answers.values()) < LEAST:
        return []
    text, rows = answers.most_common(1)[0]
    if rows <= ALIKE * sum(answers.values()):
        return []
    total = sum(answers.values())
    said = f"{rows:,} of {total:,} answers are the same, {mask(text)[:60]!r}: the model will learn to say that"
    example = next(one for one in examples if one.answers and one.answers[0].strip() == text)
    return [Finding("answers-alike", "warning", rows, said, sample_of(example), "take most of these rows out")]


def _copied(examples: Sequence[Example]) -> list[Finding]:
    """Answers that stand in their prompts: the columns were joined too early, or there is nothing to learn."""

    def holds(example: Example) -> bool:
        answer = example.answers[0].strip() if example.answers else ""
        return len(answer) >= LONG and any(answer in message.content for message in example.prompt)

    asked = [one for one in examples if one.prompt and "starts" not in one.meta]  # spans are meant to be copied
    mine = [one for one in asked if holds(one)]
    if len(mine) < LEAST or len(mine) <= COPIED * len(asked):
        return []
    said = f"{len(mine):,} of {len(asked):,} answers stand word for word in their prompt: there is nothing to learn"
    hint = "look at which column is which: data.columns.text=NAME data.columns.label=NAME"
    return [Finding("answer-in-prompt", "warning", len(mine), said, sample_of(mine[0]), hint)]
