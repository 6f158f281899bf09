"""What tunings with thin matrices share: the bounds of their settings and the scale of what they learn."""

from dragoman.core.errors import UserError

__all__ = ["check_thin", "thin_scale"]


def check_thin(rank: int, alpha: float, dropout: float) -> None:
    """Raise UserError where one of the settings makes no thin matrix."""
    if rank < 1:
        raise UserError(f"rank cannot be {rank}", "it must be 1 or more")
    if alpha <= 0:
        raise UserError(f"alpha cannot be {alpha}", "it must be above 0; twice the rank is usual")
    if not 0 <= dropout < 1:
        raise UserError(f"dropout cannot be {dropout}", "it must be at least 0 and below 1")


def thin_scale(rank: int, alpha: float, stabilised: bool) -> float:
    """What B A x is multiplied by: alpha / rank, or alpha / sqrt(rank) (Kalajdzievski 2023)."""
    return float(alpha / rank**0.5 if stabilised else alpha / rank)
