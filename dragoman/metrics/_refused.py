"""Whether a question was refused because the documents do not answer it, and whether that is so."""

import numpy as np

from dragoman.core.documents import NOT_IN_DOCUMENTS
from dragoman.core.doors import Row
from dragoman.core.types import Answer

__all__ = ["refused_row"]


def refused_row(answer: Answer, references: tuple[str, ...]) -> Row:
    """Rightly refused, refused, and without an answer: 0 or 1 each; of shape [3]."""
    refused = answer.text.strip().rstrip(".").lower() == NOT_IN_DOCUMENTS
    unanswerable = not any(reference.strip() for reference in references)
    return np.array([refused and unanswerable, refused, unanswerable], dtype=np.float64)
