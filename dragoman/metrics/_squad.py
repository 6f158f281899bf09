"""How SQuAD reads an answer: lower case, without punctuation, English articles and spare white space."""

import re
import string

__all__ = ["plain"]

ARTICLE = re.compile(r"\b(a|an|the)\b")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain(text: str) -> str:
    """The text as it is compared (Rajpurkar, 2016): `The  Eiffel-Tower!` is `eiffeltower`."""
    return " ".join(ARTICLE.sub(" ", text.lower().translate(NO_PUNCTUATION)).split())
