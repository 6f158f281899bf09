"""Splits examples into train, validation and test so that duplicates stay together and every label is in every part.

Which part a group goes to follows from the hash of its texts and the seed, not from the order of the rows: the same
rows in another order give the same split, and a few rows more move few others.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from dragoman.core.errors import UserError
from dragoman.core.types import Example
from dragoman.data.dedupe import Overlap, canonical, groups, overlap, words_of
from dragoman.data.generated import of_people, refuse_generated
from dragoman.data.prompt_leaks import is_preference, prompt_bonds, prompt_leaks

__all__ = ["NEAR_ALLOWED", "Parts", "sample", "split"]

NEAR_ALLOWED = 0.01  # the share of a given part's rows that may have a near duplicate in training
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """The three parts, each in the order the rows came, and the counts of what was left out on the way, by reason."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    dropped: Mapping[str, int]
    said: tuple[str, ...] = ()

    def items(self) -> tuple[tuple[str, tuple[Example, ...]], ...]:
        """Name and rows of each part."""
        return (("train", self.train), ("validation", self.validation), ("test", self.test))


def sample(examples: Sequence[Example], rows: int, seed: int = 0) -> list[Example]:
    """`rows` of the examples, the same ones whatever their order was; all of them for 0."""
    if not 0 < rows < len(examples):
        return list(examples)
    drawn = sorted(range(len(examples)), key=lambda index: (_hash(words_of(examples[index]), seed), index))[:rows]
    return [examples[index] for index in sorted(drawn)]


def split(
    examples: Sequence[Example],
    *,
    validation: Sequence[Example] | None = None,
    test: Sequence[Example] | None = None,
    shares: tuple[float, float, float] = (0.7, 0.15, 0.15),
    near_duplicate: float = 0.8,
    on_overlap: str = "refuse",
    keep_going: bool = False,
    seed: int = 0,
    labelled: bool = True,
) -> Parts:
    """The parts of a data set. Given validation and test sets stay as they are; the shares are of what is missing.

    Rows are kept together when they are exact or near duplicates, share `meta["group"]`, or are preferences about one
    prompt (`prompt_bonds`). A label that has only one group is refused, or left out with `keep_going`. Given sets must
    not stand in training: any exact duplicate, or near duplicates of more than 1 % of their rows, are refused, and so
    is a prompt of preferences (`prompt-leak`); `on_overlap="drop"` takes them out of training.
    With `labelled` False the answers are texts or tags: rows are drawn whatever they are, and none is refused for them.
    Rows that a model made (`data.generated`) are only learnt from: they move no other row, one that stands in
    validation or test, exactly or nearly, is left out, and given sets that hold such rows are refused.
    Raises UserError for these, for a set of one label, and for one too small to split.
    """
    dropped: Counter[str] = Counter()
    said: list[str] = []
    train, made = _told_apart(examples, validation, test)
    if validation is not None and test is not None:
        validation = _apart(list(validation), test, "validation", "test", near_duplicate, on_overlap, dropped)
    for name, part in (("test", test), ("validation", validation)):
        if part is not None:
            train = _apart(train, part, "train", name, near_duplicate, on_overlap, dropped)
    _enough(train if train else made, "data.source", labelled)
    wanted = {"validation": validation is None, "test": test is None}
    if any(wanted.values()):
        fractions = {
            name: share for name, share in zip(("validation", "test"), shares[1:], strict=True) if wanted[name]
        }
        total = shares[0] + sum(fractions.values())
        named = [str(row.meta.get("group", "")) for row in train]
        bound = groups([words_of(row) for row in train], near_duplicate, named, prompt_bonds(train))
        if labelled:
            train, bound = _without_single(train, bound, keep_going, dropped, said)
        _enough(train, "data.source", labelled)
        placed = _place(train, bound, {name: share / total for name, share in fractions.items()}, seed, labelled)
        validation = placed.get("validation", validation)
        test = placed.get("test", test)
        train = placed["train"]
    if made:
        train = [*train, *_kept_apart(made, {"test": test, "validation": validation}, near_duplicate, dropped)]
    return Parts(tuple(train), tuple(validation or ()), tuple(test or ()), dict(dropped), tuple(said))


def _told_apart(
    examples: Sequence[Example], validation: Sequence[Example] | None, test: Sequence[Example] | None
) -> tuple[list[Example], list[Example]]:
    """The rows of people and those that a model made. Raises UserError where one of these would be measured on."""
    refuse_generated(test or (), "test")
    refuse_generated(validation or (), "validation")
    people, made = of_people(examples)
    if made and not people and (test is None or validation is None):
        raise UserError(
            f"all {len(made):,} rows are generated: there is nothing to measure on",
            "name rows that people wrote: data.test=PATH and data.validation=PATH, or put them into data.source too",
        )
    return people, made


def _kept_apart(
    made: list[Example],
    held: Mapping[str, Sequence[Example] | None],
    threshold: float,
    dropped: Counter[str],
) -> list[Example]:
    """The rows that a model made without those that stand in a part that is measured on, or share a group with it."""
    for name, part in held.items():
        groups = {str(one.meta.get("group", "")) for one in part or ()} - {""}
        left = [one for one in made if str(one.meta.get("group", "")) not in groups]
        left = _apart(left, part or (), "train", name, threshold, "drop", Counter())
        if len(left) < len(made):
            dropped[f"generated-row-in-{name}"] += len(made) - len(left)
        made = left
    return made


def _hash(text: str, seed: int) -> bytes:
    return blake2b(f"{seed}\n{canonical(text)}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _enough(examples: Sequence[Example], where: str, labelled: bool) -> None:
    if not labelled:
        if not examples:
            raise UserError(f"{where} has no row to learn from", "data.source=PATH names other data")
        return
    labels = {label for example in examples for label in example.answers}
    if len(labels) < 2:
        found = f"only the label '{next(iter(labels))}'" if labels else "no label"
        raise UserError(
            f"{where} has {found}: there is nothing to tell apart", "data.columns.label=NAME names another column"
        )


def _apart(
    mine: list[Example],
    part: Sequence[Example],
    mine_name: str,
    name: str,
    threshold: float,
    on_overlap: str,
    dropped: Counter[str],
) -> list[Example]:
    found = overlap([words_of(row) for row in mine], [words_of(row) for row in part], threshold)
    same = sorted({*found.exact, *prompt_leaks(mine, part)})
    if not same and not found.near:
        return mine
    leaking = any(is_preference(part[index]) for _, index in same)
    if on_overlap == "drop":
        gone = {index for index, _ in same} | {index for index, _, _ in found.near}
        dropped[f"prompt-leak-with-{name}" if leaking else f"{mine_name}-row-in-{name}"] += len(gone)
        return [row for index, row in enumerate(mine) if index not in gone]
    if same or found.near_share > NEAR_ALLOWED:
        raise _leak(replace(found, exact=tuple(same)), mine, part, mine_name, name, leaking)
    return mine


def _leak(
    found: Overlap, mine: Sequence[Example], part: Sequence[Example], mine_name: str, name: str, leaking: bool
) -> UserError:
    exact = {index for _, index in found.exact}
    alike = len({index for _, index, _ in found.near} - exact)
    pairs = [*found.exact, *((one, other) for one, other, _ in found.near)][:SHOWN]
    lines = [
        f"  {part[other].meta.get('place', other)} is in {mine_name} at {mine[one].meta.get('place', one)}"
        for one, other in pairs
    ]
    message = f"{len(exact)} of {len(part):,} {name} rows stand in {mine_name} word for word, {alike} more nearly"
    if leaking:
        message = f"prompt-leak: {len(exact)} of {len(part):,} {name} rows have a prompt of {mine_name}, {alike} nearly"
    return UserError("\n".join([message, *lines]), f'data.overlap="drop" takes those rows out of {mine_name}')


def _without_single(
    train: list[Example], bound: list[int], keep_going: bool, dropped: Counter[str], said: list[str]
) -> tuple[list[Example], list[int]]:
    """Without the labels that only one group has: they cannot be both learnt and measured."""
    holders: dict[str, set[int]] = defaultdict(set)
    for example, group in zip(train, bound, strict=True):
        for label in example.answers:
            holders[label].add(group)
    single = sorted(label for label, held in holders.items() if len(held) < 2)
    if not single:
        return train, bound
    rows = [index for index, example in enumerate(train) if set(example.answers) & set(single)]
    named = ", ".join(f"'{label}'" for label in single[:10]) + (
        f" and {len(single) - 10} more" if len(single) > 10 else ""
    )
    noun, stand = ("the label", "stands") if len(single) == 1 else ("the labels", "stand each")
    first = train[rows[0]].meta.get("place", rows[0])
    if not keep_going:
        problem = f"{noun} {named} {stand} in one row (or one group of duplicates) only, first at {first}"
        raise UserError(problem, "add rows with it, or data.keep_going=true leaves it out")
    dropped["label-of-one-row"] += len(rows)
    said.append(f"left out: {noun} {named}; one row cannot be both learnt and measured")
    gone = set(rows)
    kept = [index for index in range(len(train)) if index not in gone]
    return [train[index] for index in kept], [bound[index] for index in kept]


def _place(
    train: list[Example], bound: list[int], fractions: Mapping[str, float], seed: int, labelled: bool
) -> dict[str, list[Example]]:
    """Each group to a part: label by label, in the order of the groups' hashes, until a part is full."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(bound):
        members[group].append(index)
    count = Counter(label for example in train for label in example.answers)

    def rarest(group: int) -> str:
        if not labelled:
            return ""  # all rows are one stratum
        labels = {label for index in members[group] for label in train[index].answers}
        return min(labels, key=lambda label: (count[label], label), default="")

    keys = {group: min(_hash(words_of(train[index]), seed) for index in rows) for group, rows in members.items()}
    strata: dict[str, list[int]] = defaultdict(list)
    for group in sorted(members, key=keys.__getitem__):
        strata[rarest(group)].append(group)
    part_of: dict[int, str] = {}
    for held in strata.values():
        part_of.update(_fill(held, lambda group: len(members[group]), fractions))
    _fill_empty(part_of, members, fractions)
    names = [part_of[group] for group in bound]
    return {
        part: [example for example, name in zip(train, names, strict=True) if name == part]
        for part in ("train", *fractions)
    }


def _fill(held: Sequence[int], size: Callable[[int], int], fractions: Mapping[str, float]) -> dict[int, str]:
    """The part of each group of one label. Of two groups test has one, of three every part, where their sizes allow."""
    rows = sum(map(size, held))
    room = {name: round(rows * share) for name, share in fractions.items()}
    order = sorted(fractions, key=lambda name: name != "test")
    for rank, name in enumerate(order):
        room[name] = max(room[name], 1) if len(held) >= rank + 2 else 0
    placed: dict[int, str] = {}
    for group in held:
        # A group that is larger than what a part still lacks goes on to the next one, and at last to training.
        fits = [name for name in order if room[name] >= size(group)]
        last = len(placed) == len(held) - 1 and "train" not in placed.values()
        placed[group] = "train" if last or not fits else fits[0]
        if placed[group] != "train":
            room[placed[group]] -= size(group)
    return placed


def _fill_empty(part_of: dict[int, str], members: Mapping[int, Sequence[int]], fractions: Mapping[str, float]) -> None:
    """Give a part that stayed empty, because every group was too large for it, the smallest group of training."""
    for name in fractions:
        if name in part_of.values():
            continue
        spare = sorted((len(members[group]), group) for group, part in part_of.items() if part == "train")
        if len(spare) < 2:
            problem = (
                f"{len(members)} groups of rows that belong together cannot fill train and {' and '.join(fractions)}"
            )
            raise UserError(
                problem, "data.columns.group=NAME names finer groups; data.test=PATH gives a test set of its own"
            )
        part_of[spare[0][1]] = name
