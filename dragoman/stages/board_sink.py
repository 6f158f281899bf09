"""TensorBoard as a second place for the figures of each step, for those who ask for it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dragoman.core.errors import UserError

__all__ = ["tensorboard_sink"]


@contextlib.contextmanager
def tensorboard_sink(folder: str) -> Iterator[Callable[[Any], None] | None]:
    """Something that writes each Step into a TensorBoard folder; None where no folder is named.

    Raises UserError where the library is not installed.
    """
    if not folder:
        yield None
        return
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        raise UserError("tensorboard is not installed", 'pip install "dragoman[train]"') from None
    writer = SummaryWriter(str(Path(folder)))

    def log(step: Any) -> None:
        for name in ("loss", "norm", "rate", "tokens"):
            writer.add_scalar(f"train/{name}", float(getattr(step, name)), step.number)

    try:
        yield log
    finally:
        writer.close()
