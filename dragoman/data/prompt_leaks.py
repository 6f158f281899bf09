"""Finds rows about one prompt: what people preferred of its answers must not be learnt in one part and asked in
another."""

from collections.abc import Iterator, Sequence

from dragoman.core.types import Example
from dragoman.data.dedupe import canonical, joined, same_name

__all__ = ["is_preference", "prompt_bonds", "prompt_groups", "prompt_leaks"]

Key = tuple[tuple[str, str], ...]


def is_preference(example: Example) -> bool:
    """Whether it says which of two answers is better, or whether one is good."""
    return bool(example.rejected) or "good" in example.meta


def prompt_bonds(examples: Sequence[Example]) -> list[tuple[int, int]]:
    """The pairs of preference rows that must stay together, each row with the first of its kind.

    Their prompts are the same, or one is the beginning of the other: where a dialogue goes on, its prompt shows which
    answer the shorter one was given. The system message aside, as are case and white space.
    """
    first: dict[Key, int] = {}
    keys = [_key(example) if is_preference(example) else () for example in examples]
    for index, key in enumerate(keys):
        if key:
            first.setdefault(key, index)
    return [
        (first[begun], index)
        for index, key in enumerate(keys)
        for begun in _beginnings(key)
        if begun in first and first[begun] != index
    ]


def prompt_groups(examples: Sequence[Example]) -> list[int]:
    """For each row the number of its group: rows that `prompt_bonds` binds, or that share `meta["group"]`."""
    named = same_name([str(example.meta.get("group", "")) for example in examples])
    return joined(len(examples), [*prompt_bonds(examples), *named])


def prompt_leaks(train: Sequence[Example], other: Sequence[Example]) -> list[tuple[int, int]]:
    """The pairs (training row, other row) of preference rows whose prompts are one, or one the beginning of the other.

    Every row that shares is in one of them; of several rows that share with it only the first is.
    """
    mine = [_key(example) if is_preference(example) else () for example in train]
    theirs = [_key(example) if is_preference(example) else () for example in other]
    back = ((index, place) for place, index in _shared(theirs, mine))
    return sorted({*_shared(mine, theirs), *back})


def _shared(keys: Sequence[Key], others: Sequence[Key]) -> Iterator[tuple[int, int]]:
    """For each of the others the first row whose prompt it begins with, or which begins with its prompt."""
    whole: dict[Key, int] = {}
    begun: dict[Key, int] = {}
    for index, key in enumerate(keys):
        for part in _beginnings(key):
            begun.setdefault(part, index)
        if key:
            whole.setdefault(key, index)
    for place, key in enumerate(others):
        longer = begun.get(key) if key else None
        found = (
            longer if longer is not None else next((whole[part] for part in _beginnings(key) if part in whole), None)
        )
        if found is not None:
            yield found, place


def _beginnings(key: Key) -> Iterator[Key]:
    """The prompt and each of its beginnings, the shortest first."""
    return (key[:length] for length in range(1, len(key) + 1))


def _key(example: Example) -> Key:
    return tuple((one.role, canonical(one.content)) for one in example.prompt if one.role != "system")
