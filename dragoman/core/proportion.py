"""How sure a share of trials is: Wilson's interval, for every room that counts."""

import math
from statistics import NormalDist

__all__ = ["Z", "wilson"]

Z = NormalDist().inv_cdf(0.975)  # of a 95 % interval


def wilson(share: float, n: float, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval (1927) of a proportion seen in `n` trials; `n` may be an effective, broken number."""
    if n <= 0:
        return 0.0, 1.0
    weight = 1.0 + z * z / n
    middle = (share + z * z / (2 * n)) / weight
    half = z / weight * math.sqrt(max(share * (1 - share), 0.0) / n + z * z / (4 * n * n))
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))
