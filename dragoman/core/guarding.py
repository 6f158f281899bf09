"""What stands around a model that answers: which guards there are, and the file of its prompt."""

import re
from dataclasses import dataclass
from typing import Literal

from dragoman.core.errors import UserError

__all__ = ["Guards", "Prompting"]

HOST = re.compile(r"(?!-)[a-z0-9-]+(\.[a-z0-9-]+)*", re.IGNORECASE)
LABELLED = re.compile(r"(.+)#(.+)")


@dataclass(frozen=True, slots=True)
class Guards:
    """The guards of an assistant that writes, or that answers from documents: the same when it is measured and when it
    is asked."""

    canary: bool = False
    "A random word in the system message, new each time a model is opened; an answer that gives it away is withheld."
    topic: bool | float = False
    """Whether questions that the assistant is not for are refused: a cosine with the objective and questions of the
    training part below which they are; true chooses it on the training part and on data.general."""
    about: str = ""
    "What topic compares questions with besides the objective and examples."
    personal: bool | Literal["auto"] = "auto"
    """Whether e-mails, numbers of telephones, cards and accounts, and secrets are masked, for the model and in its
    answers, those in documents too. auto leaves what documents say, and does nothing where there are none."""
    toxicity: str = ""
    "A classifier and its label that hurts, FOLDER#LABEL or RUN#LABEL: an answer that likely has it is withheld."
    links: tuple[str, ...] = ()
    """The hosts that answers may lead to; other addresses are taken out. Those from documents may lead to their sources
    too; where there are no documents, all stay until a host is named here, or none."""
    marks: Literal["auto", "datamark", "encode", "delimit", "none"] = "auto"
    "How documents are marked for a model that writes: auto is datamark; encode is for models that read base64."

    def __post_init__(self) -> None:
        if not isinstance(self.topic, bool) and not -1.0 <= self.topic <= 1.0:
            raise UserError(f"guards.topic cannot be {self.topic}", "a cosine lies between -1 and 1: guards.topic=0.3")
        if self.toxicity and not LABELLED.fullmatch(self.toxicity):
            problem = f"'{self.toxicity}' does not name a classifier and a label"
            raise UserError(problem, "say it as guards.toxicity=FOLDER#LABEL")
        for host in self.links:
            if not HOST.fullmatch(host):
                raise UserError(f"'{host}' is no host", 'name it alone: guards.links=["docs.example.org"]')

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that are named, without the word none."""
        return frozenset(host.lower() for host in self.links if host != "none")

    @property
    def judge(self) -> tuple[str, str]:
        """The classifier of toxicity and its label; both empty where there is none."""
        where, _, label = self.toxicity.rpartition("#")
        return where, label


@dataclass(frozen=True, slots=True)
class Prompting:
    """What a model that writes is told in front of everything else."""

    file: str = ""
    """A .md or .toml file with the system's message; {name}, {objective} and {audience} in it are the scope's. Every
    answer tells its name and the hash of its text."""
