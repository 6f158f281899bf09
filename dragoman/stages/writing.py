"""What a task asks of a model that writes: its instruction, its objective, its tokenizer, its general texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.app.steps.instruct import instructed
from dragoman.app.steps.system_prompt import begun
from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.types import Example, Message

if TYPE_CHECKING:
    from dragoman.nn.arch import Arch
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.packing import Texts

__all__ = [
    "OBJECTIVE_OF",
    "general_texts",
    "instruction_of",
    "known",
    "model_kind",
    "objective_of",
    "open_tokenizer",
    "read_shape",
    "taught",
    "template_at",
    "texts_beside",
    "tokens_an_example",
    "told_of",
    "writes",
]

INSTRUCTIONS = {
    "summarize": "Summarize the following text.",
    "translate": "Translate the following text.",
    "answer": "Answer the question that follows the text.",
}
OBJECTIVE_OF = {"decoder": "sft", "encoder-decoder": "seq2seq"}
"the objective by which a kind of model learns to write"
TEMPLATE = 12
"tokens that a chat template writes around an example, about"
HELD = 5
"of the general texts every so manieth is measured on, and never replayed"


def read_shape(folder: Path) -> "Arch | None":
    """The shape of a model from its config.json alone, without torch; None where it is none of our families."""
    from dragoman.nn.family import FAMILIES
    from dragoman.nn.weights import read_config

    config = read_config(folder)
    name = str(config.get("model_type"))
    if name not in FAMILIES.names():
        return None
    found: Arch = FAMILIES.make(name, {}).read(config)
    return found


def model_kind(folder: Path) -> str:
    """What the model in a folder is: encoder, decoder or encoder-decoder. No weight is read.

    Raises UserError where it is none of our families.
    """
    arch = read_shape(folder)
    if arch is None:
        raise UserError(
            f"{folder} is of a kind that is not trained here",
            "choose another in models.candidates: dragoman models tells which can be trained",
        )
    return arch.kind


def objective_of(task: str, kind: str) -> str:
    """By which objective a kind of model learns a task. Raises UserError where it cannot."""
    if kind == "encoder":
        found = {"classify": "classify", "tag": "tag", "answer": "extract"}.get(task)
        if found is None:
            raise UserError(
                f"an encoder reads texts and writes none, so it cannot {task}",
                'name a model that writes, such as models.candidates=["hf:Qwen/Qwen3-0.6B"]',
            )
        return found
    if task in ("classify", "tag"):
        raise UserError(
            f"a model that writes does not learn to {task} here",
            'name an encoder: models.candidates=["builtin:minilm"]',
        )
    return OBJECTIVE_OF[kind]


def writes(objective: str) -> bool:
    """Whether what learns by this objective answers in its own words."""
    return objective not in ("classify", "tag", "extract", "reward")


def tokens_an_example(card: Mapping[str, Any]) -> float:
    """About how many tokens an example has, prompt, answer and template, by the data card."""
    sizes = [card.get(part, {}).get("tokens", {}).get("median", 0) for part in ("length", "answers")]
    return float(sum(sizes)) + TEMPLATE if any(sizes) else 100.0


def instruction_of(project: Project) -> str:
    """What the model is told beside each text."""
    return project.scope.instruction or INSTRUCTIONS.get(project.scope.task, "")


def told_of(project: Project) -> tuple[str, str]:
    """What the model is told beside each text, and what its prompt tells it in front of everything."""
    from dragoman.stages.guarded import system_of

    return instruction_of(project), system_of(project)


def taught(examples: Sequence[Example], instruction: str, system: str = "") -> list[Example]:
    """The examples as the assistant will put them to the model: the last message of each prompt instructed, and the
    system's message in front."""
    said = [_instructed(one, instruction) if one.prompt else one for one in examples]
    return [replace(one, prompt=begun(one.prompt, system)) if one.prompt else one for one in said] if system else said


def _instructed(example: Example, instruction: str) -> Example:
    *before, last = example.prompt
    if last.role != "user":
        return example
    asked = Message(last.role, instructed(last.content, instruction))
    return replace(example, prompt=(*before, asked))


def open_tokenizer(
    folder: Path, arch: "Arch", project: Project, examples: Sequence[Example], said: Callable[[str], None]
) -> "Tokenizer":
    """The tokenizer of a model that learns to write: with the chat template it will be served with, and stopping where
    that template ends an answer.

    Raises UserError where the template is not known, or ends no answer (`stop-token-untrained`).
    """
    from dragoman.nn.marking import mark
    from dragoman.nn.templates import template_of
    from dragoman.nn.tokenizer import Tokenizer

    tokenizer = Tokenizer(folder)
    tokenizer.fit(arch)
    tokenizer.max_length = min(project.models.max_length, arch.longest or project.models.max_length)
    wanted = template_at(project)
    two = arch.kind == "encoder-decoder"
    goes_on = bool(examples) and not any(one.prompt for one in examples)  # texts, whose beginnings are gone on with
    if wanted != "auto" or not (tokenizer.chat or two or goes_on):
        tokenizer.use_template(template_of(wanted, tokenizer.template))
        if wanted == "auto":
            said("the model has no chat template: 'instruct' is used and saved with it (models.template=...)")
    first = next((one for one in examples if one.prompt and one.answers), None)
    if first is not None and not two:
        stop = mark(tokenizer, [*first.prompt, Message("assistant", first.answers[0])], every=False).stop
        if stop is not None and stop not in tokenizer.eos_ids:
            tokenizer.stop_on(stop)
            name = tokenizer.tokens([stop])[0]
            said(f"stop-token-not-stopping: the template ends answers with {name}, on which it now stops")
    return tokenizer


def general_texts(project: Project, tokenizer: "Tokenizer") -> tuple["Texts", "Texts"]:
    """Texts unlike the task's, in the model's tokens: those that may be replayed, and those that are measured on.

    Raises UserError where the source holds fewer than ten texts.
    """
    from dragoman.core.shards import Documents
    from dragoman.train.packing import Texts

    found = _read_texts(project)
    if len(found) < 2 * HELD:
        raise UserError(
            f"{project.data.general} holds {len(found)} texts, too few to measure forgetting on",
            "name more: data.general=PATH",
        )
    parts = (
        ([], [])
        if not found
        else tuple([text for place, text in enumerate(found) if (place % HELD == 0) == held] for held in (False, True))
    )
    made = []
    for name, texts in zip(("replayed", "measured"), parts, strict=True):
        made.append(Texts((Documents.of(name, tokenizer.plain(texts), [len(text.encode()) for text in texts]),)))
    return made[0], made[1]


def _read_texts(project: Project) -> list[str]:
    from dragoman.data.load import load

    try:
        loaded = load(project.place(project.data.general), shape="plain")
    except UserError as wrong:
        raise UserError(f"the general texts: {wrong.problem}", "data.general=PATH names others") from wrong
    return [one.answers[0] for one in loaded.examples if one.answers]


def texts_beside(project: Project) -> dict[str, Path | str]:
    """What a training reads besides its rows, for the run's inputs: the chat template and the general texts."""
    template, general = Path(template_at(project)), Path(project.place(project.data.general))
    return {
        "template": template if template.is_file() else project.models.template,
        "general": general if general.exists() else project.data.general,
    }


def template_at(project: Project) -> str:
    """The chat template by name, or its file as seen from here."""
    name = project.models.template
    return project.place(name) if name.endswith((".jinja", ".j2")) else name


def known(project: Project) -> dict[str, Any]:
    """What an assistant that writes is made of besides its model, for its card."""
    from dragoman.stages.guarded import identity_of

    return {
        "instruction": instruction_of(project),
        "task": project.scope.task,
        "max_length": project.models.max_length,
        "max_tokens": project.models.max_tokens,
        **identity_of(project),
    }
