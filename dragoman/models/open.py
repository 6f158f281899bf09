"""From the name of a model to a model that answers, behind the door it belongs to."""

from collections.abc import Sequence
from pathlib import Path

from dragoman.core.errors import UserError
from dragoman.models.classifier import LocalClassifier
from dragoman.models.device import Precision, choose_device
from dragoman.models.encoder import LocalEncoder
from dragoman.models.source import resolve
from dragoman.nn.adapter import merge_adapter
from dragoman.nn.store import load_classifier, load_encoder
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.weights import read_json

__all__ = ["open_classifier", "open_embedder"]


def open_embedder(
    spec: str | Path, device: str = "auto", precision: Precision = "auto", max_length: int = 0
) -> LocalEncoder:
    """The embedder in a folder or behind a name. `auto` computes in bf16 where that is faster and proven equal.

    Raises UserError as `resolve` and `nn.store.load_encoder`, and where the folder pools in a way not built here.
    """
    folder = resolve(spec)
    pool_first = _pools_first(folder)
    net, tokenizer = load_encoder(folder), Tokenizer(folder)
    tokenizer.fit(net.arch)
    return LocalEncoder(
        net,
        tokenizer,
        device=choose_device(device),
        precision=precision,
        max_length=max_length,
        pool_first=pool_first,
    )


def open_classifier(
    spec: str | Path,
    device: str = "auto",
    precision: Precision = "auto",
    adapter: Path | None = None,
    labels: Sequence[str] = (),
    multi_label: bool = False,
) -> LocalClassifier:
    """The classifier in a folder or behind a name, with a LoRA adapter in PEFT's format merged in where one is given.

    An adapter holds no label names: `labels` gives them where the folder is an encoder. `auto` is fp32, because a score
    is compared with a threshold; bf16 is faster and moves scores in the third digit. Raises UserError as `resolve` and
    `nn.store.load_classifier`.
    """
    folder = resolve(spec)
    # An adapter brings the tokenizer it was trained with: cut at another length, the same weights answer otherwise.
    words = adapter if adapter is not None and (adapter / "tokenizer.json").is_file() else folder
    net, tokenizer = load_classifier(folder, labels, multi_label), Tokenizer(words)
    tokenizer.fit(net.arch)
    if adapter is not None:
        merge_adapter(net, adapter)
    elif net.fresh:
        raise UserError(f"{folder} holds no classifier for these labels", "train one with: dragoman train")
    return LocalClassifier(net, tokenizer, device=choose_device(device), half=precision == "bf16")


def _pools_first(folder: Path) -> bool:
    """Whether a sentence-transformers folder takes the first token's state; where nothing is said it is the mean."""
    if not (folder / "1_Pooling" / "config.json").is_file():
        return False
    settings = read_json(folder / "1_Pooling" / "config.json")
    modes = {
        key.removeprefix("pooling_mode_")
        for key, on in settings.items()
        if key.startswith("pooling_mode_") and on is True
    }
    named = settings.get("pooling_mode")
    modes |= {str(named)} if named else set()
    if (folder / "2_Dense").is_dir() or not (modes <= {"mean_tokens", "mean"} or modes <= {"cls_token", "cls"}):
        said = ", ".join(sorted(modes)) or "a dense layer"
        raise UserError(
            f"{folder} pools by {said}, which is not built here", "choose another model in models.candidates"
        )
    return bool(modes & {"cls_token", "cls"})
