"""Show a text going through a model, on one page that needs nothing but a browser.

The page holds the tokens, their embeddings, the positions, every attention head, what each layer would predict and the
next token with its sliders; for an encoder-decoder the cross-attention, for a masked language model the filled words.
In a text for the latter, the model's own mask token, such as [MASK], is a gap to fill.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.core import durable
from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.show import Show, many
from dragoman.core.sizing import show_bytes
from dragoman.stages.generate import given, no_model

if TYPE_CHECKING:
    from dragoman.nn.encoder import Encoder
    from dragoman.nn.store import LanguageModel

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("model", "text")
SECTIONS = False


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman explain`."""

    model: str = ""
    "The model: a folder, builtin:minilm, or hf:owner/name."
    text: str = ""
    "The text it reads; empty reads standard input."
    answer: str = ""
    "For an encoder-decoder: what it writes; empty lets it write what it finds most probable."
    out: str = "explain.html"
    "The file of the page."
    device: str = "auto"
    "Where the model runs: auto, cpu, cuda or mps."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Trace the text through the model, draw the page, and say where it is."""
    if not settings.model:
        raise no_model("explain")
    text = _text(settings)
    out = typed(settings.out)
    if out.is_dir() or not out.resolve().parent.is_dir():
        raise UserError(f"{out} is no place for a file", "name a file in a folder that exists: out=explain.html")
    from dragoman.models.device import choose_device
    from dragoman.models.source import resolve
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.nn.trace import trace
    from dragoman.report.explain import render

    folder = resolve(settings.model)
    net, tokenizer = _open(folder, settings.model), Tokenizer(folder)
    tokenizer.fit(net.arch)
    net.to(choose_device(settings.device))
    title = settings.model.removeprefix("hf:").removeprefix("builtin:").rstrip("/").split("/")[-1]
    traced = trace(net, tokenizer, text, title=title or folder.name, model=settings.model, answer=settings.answer)
    page = render(traced).encode("utf-8")
    durable.write(out, page)
    count, left = len(traced["tokens"]), traced["left_out"]
    rows = [("page", str(out)), ("size", show_bytes(len(page))), ("tokens", f"{count:,}")]
    if left:
        rows.append(("left out", f"{many(left, 'token')}: the page shows the first {count:,}"))
    if traced["masked"]:
        best = ", ".join(traced["names"][str(gap["candidates"][0][0])].strip() for gap in traced["masked"])
        rows.append(("filled", best))
    elif traced["kind"] == "encoder" and traced["lens"] and "mask_token" in tokenizer.special:
        rows.append(("gaps", f"none: write {tokenizer.special['mask_token']} in the text to see a word filled in"))
    show.card(f"{traced['title']} ({traced['family']}, {traced['kind']})", rows, mark="good")
    show.result(
        {
            "page": str(out),
            "model": settings.model,
            "family": traced["family"],
            "kind": traced["kind"],
            "tokens": count,
            "left_out": left,
            "bytes": len(page),
        }
    )
    return 0


def _text(settings: Settings) -> str:
    text = given(settings.text)
    if not text.strip():
        raise UserError("there is no text to explain", 'give one: dragoman explain MODEL "Once upon a time"')
    return text


def _open(folder: Path, spec: str) -> "LanguageModel | Encoder":
    """The language model in a folder; an encoder that was published without the head that fills masks as it is."""
    from dragoman.nn.family import FAMILIES
    from dragoman.nn.store import load_encoder, load_lm, read_arch
    from dragoman.nn.weights import architectures, read_config

    config = read_config(folder)
    family = config.get("model_type")
    if isinstance(family, str) and family and family not in FAMILIES.names():
        said = f"explain draws what is written here, and no architecture here is named '{family}'"
        raise UserError(said, f"dragoman models lists them; dragoman generate {spec} runs it through transformers")
    masked = any("MaskedLM" in name or "PreTraining" in name for name in architectures(config))
    return load_lm(folder) if masked or read_arch(folder).kind != "encoder" else load_encoder(folder)
