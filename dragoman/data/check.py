"""The preflight of a set of any shape: what would spoil the work is found before it, with a sample of each."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from dragoman.core.types import Example
from dragoman.data.check_answers import answers_found, whole
from dragoman.data.check_pairs import pairs_found
from dragoman.data.clean import CHANGES
from dragoman.data.dedupe import Overlap, conflicts, exact, near, overlap, words_of
from dragoman.data.finding import Finding, Sample, Severity, sample_of
from dragoman.data.leaks import leaks
from dragoman.data.load import Loaded
from dragoman.data.private import SECRETS, hints, mask
from dragoman.data.problems import Problem
from dragoman.data.prompt_leaks import is_preference, prompt_leaks
from dragoman.data.split import NEAR_ALLOWED

__all__ = ["ORDER", "Finding", "Sample", "Severity", "preflight"]

Count = Callable[[Sequence[str]], list[int]]
ORDER: dict[str, int] = {"error": 0, "warning": 1, "note": 2}
RARE = 10  # rows of a label under which its own score says little: the interval is wider than 30 points
IMBALANCE = 20.0
CUT = 0.05  # the share of cut texts from which cutting is a warning
Z = 1.96  # of a 95 % interval


def preflight(
    data: Loaded,
    *,
    validation: Loaded | None = None,
    test: Loaded | None = None,
    labels: Collection[str] = (),
    near_duplicate: float = 0.8,
    on_overlap: str = "refuse",
    keep_going: bool = False,
    test_share: float = 0.15,
    bounds: Mapping[str, float] | None = None,
    count: Count | None = None,
    max_length: int = 128,
) -> list[Finding]:
    """Every finding, errors first. Labels are looked at where the shape has them, answers where they are texts.

    `labels` are the scope's. `bounds` maps each target metric that lies between 0 and 1 to the value it must reach.
    `count` gives the length of texts in tokens, untruncated; `max_length` is how many of them a model will read.
    """
    found: list[Finding] = []
    for loaded in (data, validation, test):
        if loaded is not None:
            found += _reading(loaded, keep_going)
    classes = data.shape == "classify" or (bool(labels) and data.shape != "tag")
    if classes:
        found += _labels(data, labels, keep_going, given=test is not None and validation is not None)
    else:
        found += answers_found(data.examples, data.shape == "tag", count)
        found += pairs_found(data.examples)
    found += _duplicates(data.examples, near_duplicate, classes)
    for name, part in (("validation", validation), ("test", test)):
        if part is not None:
            texts = [words_of(example) for example in part.examples]
            shared = overlap([words_of(example) for example in data.examples], texts, near_duplicate)
            shared = replace(shared, exact=tuple(sorted({*shared.exact, *prompt_leaks(data.examples, part.examples)})))
            found += _overlaps(data, part, name, shared, on_overlap)
            found += _unseen(data, part, name) if classes else []
    found += _leaking(data.examples) if classes else []
    # A model that writes learns its answers too, and they take their part of its length.
    texts = [example.text if classes or data.shape == "tag" else whole(example) for example in data.examples]
    rejected = [f"\n{example.rejected}" if example.rejected else "" for example in data.examples]
    found += _private(data.examples, [text + other for text, other in zip(texts, rejected, strict=True)])
    if count is not None and data.examples:
        found += _cut(data.examples, count(texts), max_length)
    rows = len(test.examples) if test is not None else round(len(data.examples) * test_share)
    found += _provable(rows, bounds or {})
    found = [replace(finding, message=mask(finding.message)) for finding in found]
    return sorted(found, key=lambda finding: ORDER[finding.severity])


def _reading(loaded: Loaded, keep_going: bool) -> list[Finding]:
    found = [
        Finding("columns", "note", 1, said, hint="data.columns.text=NAME data.columns.label=NAME")
        for said in loaded.said
    ]
    firsts: dict[str, Problem] = {}
    for problem in loaded.problems:
        firsts.setdefault(problem.name, problem)
    counts = Counter(problem.name for problem in loaded.problems)
    for name, count in counts.most_common():
        first = firsts[name]
        sample = Sample(mask(first.reason), str(first.place))
        hint = first.fix or "data.keep_going=true leaves the rows out and lists them in rejects.jsonl"
        message = f"{count:,} in {loaded.source}: {first.reason}"
        found.append(Finding(name, "warning" if keep_going else "error", count, message, sample, hint))
    for name, count in loaded.notes.items():
        severity: Severity = "warning" if name in DOUBTFUL else "note"
        found.append(Finding(name, severity, count, f"{count:,} in {loaded.source}: {NOTES.get(name, name)}"))
    if not loaded.examples and not loaded.problems:
        found.append(Finding("no-rows", "error", 0, f"0 examples in {loaded.source}", hint="data.source=PATH"))
    return found


DOUBTFUL = frozenset(
    ("bidi", "invisible", "duplicate-id", "disliked-answer", "equal-answers", "scores-disagree", "mended-offset")
)
NOTES = {
    **CHANGES,
    "bom": "a byte order mark was left out",
    "blank-line": "blank lines were passed over",
    "separator": "the separator of the cells was found in the file",
    "file-passed-over": "files that hold no rows were passed over",
    "extra-column": "rows have a column that most rows lack",
    "duplicate-id": "rows have an id that another row has",
    "short-docstring": "docstrings under 20 characters were left out",
    "duplicate-docstring": "docstrings that stand elsewhere too were left out",
    "unanswered-turn": "messages behind the last answer were left out",
    "disliked-answer": "answers were marked as bad by people; only objective=kto learns to avoid them",
    "scores-disagree": "the rejected answer has the higher score; the scores were left out",
    "tied-answers": "the answers of a row are all rated alike: none is rejected, and the row is no pair",
    "unrated-answer": "rows hold answers without a score, which were left out",
    "empty-completion": "rows hold answers without a text, which were left out",
    "middle-answer": "rows hold answers between the best and the worst, which were left out",
    "empty-turn": "dialogues hold a message without a text",
    "equal-answers": "the chosen answer is the rejected one: nothing is preferred",
    "number-as-text": "numbers were read as texts",
    "bio-scheme": "tags were turned into BIO",
    "line-ends": "CRLF and CR became LF",
    "composed": "characters were composed (Unicode NFC)",
    "blank-in-word": "words with a blank inside became words of their own",
    "blank-word": "words without a letter were left out",
    "span-inside-word": "words were cut where an entity begins or ends inside them",
    "mended-offset": "the place of an answer was wrong and was found nearby",
    "question-on-one-line": "questions of several lines were put on one",
    "private-docstring": "docstrings of private names were left out",
    "docstring-begins-with-its-module": "docstrings that begin with the name of their module were left out",
}


def _labels(data: Loaded, labels: Collection[str], keep_going: bool, given: bool) -> list[Finding]:
    counts = Counter(label for example in data.examples for label in example.answers)
    found: list[Finding] = []
    if not data.examples:
        return found
    if len(counts) < 2:
        only = f"only the label '{next(iter(counts))}'" if counts else "no label"
        hint = "data.columns.label=NAME names another column"
        return [Finding("one-label", "error", sum(counts.values()), f"the data has {only}", hint=hint)]
    for label in labels:
        if label not in counts:
            hint = "scope.labels without it, or rows with it"
            found.append(
                Finding("label-without-rows", "warning", 0, f"no row has the label '{label}' of the scope", hint=hint)
            )
    first = {label: example for example in reversed(data.examples) for label in example.answers}
    for label, rows in sorted(counts.items(), key=lambda item: (item[1], item[0])):
        if rows == 1:
            severity: Severity = "warning" if keep_going or given else "error"
            hint = "add rows with it, or data.keep_going=true leaves it out"
            message = f"the label '{label}' has one row, which cannot be both learnt and measured"
            found.append(Finding("label-of-one-row", severity, 1, message, sample_of(first[label]), hint))
        elif rows < RARE:
            message = f"the label '{label}' has {rows} rows: its own score will say little"
            found.append(Finding("rare-label", "warning", rows, message, sample_of(first[label]), "add rows with it"))
    ratio = max(counts.values()) / min(counts.values())
    if ratio > IMBALANCE:
        (most, many), (least, few) = counts.most_common()[0], counts.most_common()[-1]
        message = f"'{most}' has {many:,} rows and '{least}' {few:,}: accuracy alone would hide the small labels"
        hint = 'scope.target.macro_f1=">= 0.80" gives every label the same weight'
        found.append(Finding("imbalance", "warning", round(ratio), message, hint=hint))
    return found


def _duplicates(examples: Sequence[Example], threshold: float, classes: bool) -> list[Finding]:
    texts = [words_of(example) for example in examples]
    found = []
    clash = conflicts(examples) if classes else []
    if clash:
        rows = clash[0]
        named = " and ".join(
            f"{'+'.join(examples[row].answers)} ({examples[row].meta.get('place', row)})" for row in rows[:2]
        )
        message = f"{len(clash):,} texts stand with different labels, the first as {named}"
        found.append(
            Finding(
                "conflicting-labels", "warning", len(clash), message, sample_of(examples[rows[0]]), "mend the labels"
            )
        )
    same = exact(texts)
    if same:
        spare = sum(len(rows) - 1 for rows in same)
        message = f"{spare:,} rows repeat an earlier text; they stay in one part of the split"
        found.append(Finding("duplicates", "note", spare, message, sample_of(examples[same[0][1]])))
    alike = near(texts, threshold)
    if alike:
        rows_near = len({row for one, other, _ in alike for row in (one, other)})
        one, other, value = alike[0]
        message = (
            f"{rows_near:,} rows are nearly the same as another (overlap {value:.2f} at "
            f"{examples[one].meta.get('place', one)}); they stay in one part of the split"
        )
        found.append(Finding("near-duplicates", "note", rows_near, message, sample_of(examples[other])))
    return found


def _overlaps(data: Loaded, part: Loaded, name: str, shared: Overlap, on_overlap: str) -> list[Finding]:
    found = []
    hint = f'data.overlap="drop" takes those rows out of training, or name another data.{name}=PATH'
    dropped = on_overlap == "drop"
    if shared.exact:
        mine, other = shared.exact[0]
        rows = len({row for _, row in shared.exact})
        place = data.examples[mine].meta.get("place", mine)
        leaking = any(is_preference(part.examples[row]) for _, row in shared.exact)
        message = f"{rows:,} {name} rows stand in the data to train on, the first at {place}"
        if leaking:
            message = f"the prompts of {rows:,} {name} rows stand in the data to train on, the first at {place}"
        severity: Severity = "warning" if dropped else "error"
        kind = "prompt-leak" if leaking else "overlap"
        found.append(Finding(kind, severity, rows, message, sample_of(part.examples[other]), hint))
    if shared.near:
        mine, other, value = shared.near[0]
        rows = len({row for _, row, _ in shared.near})
        place = data.examples[mine].meta.get("place", mine)
        message = f"{rows:,} {name} rows are nearly in the data to train on, the first at {place} (overlap {value:.2f})"
        severity = "error" if shared.near_share > NEAR_ALLOWED and not dropped else "warning"
        found.append(Finding("near-overlap", severity, rows, message, sample_of(part.examples[other]), hint))
    return found


def _unseen(data: Loaded, part: Loaded, name: str) -> list[Finding]:
    known = {label for example in data.examples for label in example.answers}
    strange = [example for example in part.examples if set(example.answers) - known]
    if not strange:
        return []
    labels = ", ".join(sorted({label for example in strange for label in example.answers} - known)[:5])
    message = f"{len(strange):,} {name} rows have labels that no row to train on has: {labels}"
    return [Finding("label-not-in-train", "warning", len(strange), message, sample_of(strange[0]), "add rows with it")]


def _leaking(examples: Sequence[Example]) -> list[Finding]:
    return [
        Finding(
            "label-in-text",
            "warning",
            leak.rows,
            f"'{leak.word}' stands in {leak.share:.0%} of the rows of '{leak.label}' and gives the label away",
            sample_of(examples[leak.row]),
            "take the word out of the texts, unless users will write it too",
        )
        for leak in leaks(examples)
    ]


def _private(examples: Sequence[Example], texts: Sequence[str]) -> list[Finding]:
    counts: Counter[str] = Counter()
    first: dict[str, Sample] = {}
    for example, text in zip(examples, texts, strict=True):
        for kind in {hint.kind for hint in hints(text)}:
            counts[kind] += 1
            first.setdefault(kind, sample_of(example, text))
    return [
        Finding(
            "secret" if kind in SECRETS else "personal-data",
            "warning",
            rows,
            f"{kind} in {rows:,} row{'' if rows == 1 else 's'}, as it seems",
            first[kind],
            "take it out of the data: a model can repeat what it was trained on",
        )
        for kind, rows in counts.most_common()
    ]


def _cut(examples: Sequence[Example], lengths: Sequence[int], max_length: int) -> list[Finding]:
    cut = [index for index, length in enumerate(lengths) if length > max_length]
    if not cut:
        return []
    lost = sum(lengths[index] - max_length for index in cut)
    severity: Severity = "warning" if len(cut) > CUT * len(lengths) else "note"
    message = (
        f"{len(cut):,} of {len(lengths):,} texts are longer than {max_length} tokens and lose their end: "
        f"{lost / sum(lengths):.1%} of all tokens; the longest has {max(lengths):,}"
    )
    worst = examples[max(cut, key=lengths.__getitem__)]
    return [
        Finding("cut", severity, len(cut), message, sample_of(worst), "models.max_length=NUMBER reads more of each")
    ]


def _provable(rows: int, bounds: Mapping[str, float]) -> list[Finding]:
    """Whether the test part can prove the target: the half-width of the normal interval at the bound itself."""
    found = []
    for metric, bound in bounds.items():
        half = Z * math.sqrt(max(bound * (1 - bound), 0.01) / max(rows, 1))
        around = f"the interval is about {100 * half:.1f} points each way"
        if bound + half > 1:
            message = f"{rows:,} test rows cannot prove {metric} >= {bound:g}: {around}"
            found.append(
                Finding("too-few-rows", "warning", rows, message, hint="more rows, or a larger share in data.split")
            )
        else:
            message = f"{rows:,} test rows: {around}, {metric} >= {bound:g} is proven from about {bound + half:.3f} on"
            found.append(Finding("provable", "note", rows, message))
    return found
