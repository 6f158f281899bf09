"""The vote of the nearest labelled examples, and the choice of how many vote and how fast their weight falls off."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Setting", "nearest", "tune", "votes"]

BLOCK = 8_000_000  # cosines held at once: 32 MB
NEIGHBOURS = (1, 2, 3, 5, 8, 12, 16, 24, 32, 48, 64)
TEMPERATURES = (0.02, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class Setting:
    """How many neighbours vote, the temperature of their weights, and how they did when each row was left out."""

    neighbours: int
    temperature: float
    accuracy: float
    log_loss: float


def nearest(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    count: int,
    banned: Sequence[NDArray[np.intp]] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Cosine and place of the `count` nearest vectors of each query, nearest first, of shape [queries, count] each.

    `banned` names, for each query, the vectors it must not see; they come out with a cosine of -inf, last. Of equal
    cosines the earlier vector comes first.
    """
    count = min(count, len(vectors))
    cosines = np.empty((len(queries), count))
    places = np.empty((len(queries), count), dtype=np.intp)
    block = max(1, BLOCK // max(1, len(vectors)))
    for start in range(0, len(queries), block):
        near = queries[start : start + block] @ vectors.T
        if banned is not None:
            for row, out in enumerate(banned[start : start + block]):
                near[row, out] = -np.inf
        few = np.argpartition(-near, count - 1, axis=1)[:, :count] if count < near.shape[1] else _all(near)
        values = np.take_along_axis(near, few, axis=1)
        order = np.lexsort((few, -values), axis=1)
        places[start : start + block] = np.take_along_axis(few, order, axis=1)
        cosines[start : start + block] = np.take_along_axis(values, order, axis=1)
    return cosines, places


def _all(near: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.broadcast_to(np.arange(near.shape[1]), near.shape)


def votes(
    cosines: NDArray[np.float64],
    places: NDArray[np.intp],
    held: NDArray[np.float64],
    temperature: float,
    counts: Sequence[int],
    multi_label: bool = False,
) -> Iterator[NDArray[np.float64]]:
    """For each count: the probability of each label, of shape [queries, labels], by the vote of the first neighbours.

    `held` has shape [examples, labels]. A neighbour weighs exp(cosine / temperature). One more votes that knows nothing
    (every label alike), so that no label is impossible (Laplace's rule); it changes no choice.
    """
    top = np.where(np.isfinite(cosines[:, :1]), cosines[:, :1], 0.0)
    weights = np.exp((cosines - top) / temperature)
    ignorant = 0.5 if multi_label else 1.0 / held.shape[1]
    total = np.zeros((len(cosines), 1))
    seen = np.zeros((len(cosines), 1))
    sums = np.zeros((len(cosines), held.shape[1]))
    for number in range(max(counts, default=0)):
        if number < cosines.shape[1]:
            weight = weights[:, number : number + 1]
            sums += weight * held[places[:, number]]
            total += weight
            seen += weight > 0
        if number + 1 in counts:
            shares = np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)
            yield (shares * seen + ignorant) / (seen + 1.0)


def _left_out(count: int, identities: Sequence[str], rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """For each row, the places that are the row itself or share its identity."""
    if not identities:
        return [np.array([row]) for row in rows]
    if len(identities) != count:
        raise ValueError(f"{count} vectors but {len(identities)} identities")
    same: dict[str, list[int]] = {}
    for place, identity in enumerate(identities):
        same.setdefault(identity, []).append(place)
    return [np.array([row] if identities[row] == "" else same[identities[row]]) for row in rows]


def tune(
    vectors: NDArray[np.float32],
    held: NDArray[np.float64],
    identities: Sequence[str] = (),
    *,
    multi_label: bool = False,
    rows: int = 2000,
    seed: int = 0,
) -> Setting:
    """The setting that does best when each training row is answered by the others (leave-one-out).

    `vectors` has shape [examples, width], `held` [examples, labels] with 1 where a label holds; examples that share an
    `identity` (an id, or a group of near-duplicates) never vote for one another. At most `rows` are tried, drawn with
    the seed. Of the settings within one standard error of the best accuracy, the one with the least log loss is taken.
    """
    if len(vectors) < 2:
        raise ValueError("leave-one-out needs at least two examples")
    count = len(vectors)
    tried = np.arange(count)
    if count > rows:
        tried = np.sort(np.random.default_rng(seed).choice(count, rows, replace=False))
    banned = _left_out(count, identities, tried)
    counts = [number for number in NEIGHBOURS if number == 1 or number < count]
    cosines, places = nearest(vectors[tried], vectors, max(counts), banned)
    found = [
        _score(given, held[tried], number, temperature, multi_label)
        for temperature in TEMPERATURES
        for number, given in zip(counts, votes(cosines, places, held, temperature, counts, multi_label), strict=True)
    ]
    best = max(setting.accuracy for setting in found)
    slack = float(np.sqrt(best * (1 - best) / len(tried)))
    return min((setting for setting in found if setting.accuracy >= best - slack), key=lambda setting: setting.log_loss)


def _score(
    given: NDArray[np.float64], truth: NDArray[np.float64], number: int, temperature: float, multi_label: bool
) -> Setting:
    safe = np.clip(given, 1e-12, 1.0 - 1e-12)
    if multi_label:
        right = ((given >= 0.5) == (truth > 0)).mean()
        loss = -(truth * np.log(safe) + (1 - truth) * np.log1p(-safe)).mean()
    else:
        right = truth[np.arange(len(truth)), given.argmax(axis=1)].mean()
        loss = -np.log((safe * truth).sum(axis=1)).mean()
    return Setting(number, temperature, float(right), float(loss))
