"""A noisy series made readable: fewer points where there are more than a drawing can show, and a running mean."""

from collections.abc import Sequence

__all__ = ["running_mean", "thin"]


def thin(points: Sequence[tuple[float, float]], most: int = 500) -> list[tuple[float, float]]:
    """At most `most` points: each the mean of as many neighbours as are needed. The points are in order."""
    size = -(-len(points) // most)
    if size <= 1:
        return list(points)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def running_mean(values: Sequence[float], reach: int) -> list[float]:
    """The mean of each value and `reach` neighbours on both sides, so that it does not lag; fewer near an end.

    As many on the one side as on the other: otherwise the steep beginning of a training would be bent.
    """
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    means = []
    for place in range(len(values)):
        near = min(reach, place, len(values) - 1 - place)
        means.append((sums[place + near + 1] - sums[place - near]) / (2 * near + 1))
    return means
