"""Reading a model folder without trusting it: JSON and safetensors, never a pickle, never somebody's code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, dtype

__all__ = ["PICKLES", "architectures", "model_folder", "read_config", "read_json", "read_tensors", "weight_files"]

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
_WEIGHTS = "model.safetensors"
_CONVERT = (
    "a pickle can run code when it is opened. In a place you trust, save the weights again with transformers "
    "(AutoModel.from_pretrained(OLD).save_pretrained(NEW)), then give NEW in models.candidates"
)
_AGAIN = "copy or download the model again, then give its folder in models.candidates"


def model_folder(folder: Path) -> Path:
    """The folder itself. Raises UserError where it is none."""
    if not folder.is_dir():
        said = "is a file, not a model folder" if folder.exists() else "does not exist"
        raise UserError(f"the model {folder} {said}", "give the folder of a model in models.candidates")
    return folder


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises UserError where the file is missing or holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"there is no {path.name} in {path.parent}", _AGAIN) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}", _AGAIN) from None
    if not isinstance(found, dict):
        raise UserError(f"{path} holds a {type(found).__name__}, not a JSON object", _AGAIN)
    return found


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a model folder. Raises UserError where it is missing, or asks for code to be run."""
    config = read_json(model_folder(folder) / "config.json")
    for name in ("config.json", "tokenizer_config.json"):
        path = folder / name
        settings = config if name == "config.json" else read_json(path) if path.is_file() else {}
        for key in ("auto_map", "trust_remote_code"):
            if settings.get(key):
                raise UserError(
                    f"{path} asks to run code of its publisher ({key}); Dragoman never does",
                    "choose a model of a known architecture in models.candidates",
                )
    return config


def architectures(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the classes that a config.json was saved by; what is no list of names tells none."""
    given = config.get("architectures")
    return tuple(name for name in given if isinstance(name, str)) if isinstance(given, list) else ()


def read_tensors(folder: Path, name: str = _WEIGHTS, dtype: dtype | None = None) -> dict[str, Tensor]:
    """Every tensor of the folder's safetensors files, by its published name, in memory of its own.

    As float32, whatever they were saved in, or in the given `dtype`.

    Raises UserError where the weights are missing, pickled (whatever their name), cut short or not finite.
    """
    tensors: dict[str, Tensor] = {}
    for path in weight_files(folder, name):
        try:
            with safe_open(path, "pt") as file:
                for tensor in file.keys():  # noqa: SIM118 - it is no dict
                    if tensor in tensors:
                        raise UserError(f"the tensor {tensor} stands in two weight files of {folder}", _AGAIN)
                    tensors[tensor] = _plain(file.get_tensor(tensor), tensor, path, dtype)
        except (SafetensorError, OSError) as error:
            raise UserError(f"the weights {path} are damaged or cut short: {error}", _AGAIN) from None
    return tensors


def _plain(tensor: Tensor, name: str, path: Path, dtype: dtype | None) -> Tensor:
    """A copy: the file may be replaced while the model is in use, and a mapped file that shrinks kills the process."""
    if not tensor.is_floating_point():
        return tensor.clone()
    import torch  # only where a tensor is read: asking about a folder must not wait for it

    copied = tensor.to(dtype or torch.float32, copy=True)
    # A sum is finite where all its numbers are (but for 1e30 and more, which the second look lets pass), at a tenth of
    # the time that looking at each of them takes.
    if not bool(copied.sum().isfinite()) and not bool(copied.isfinite().all()):
        raise UserError(f"the tensor {name} in {path} holds a number that is not finite", _AGAIN)
    return copied


def weight_files(folder: Path, name: str = _WEIGHTS) -> list[Path]:
    """The safetensors files of a model folder: the one of that name, or the parts that its index lists.

    Raises UserError where there are none, or where one is a pickle inside.
    """
    single, index = model_folder(folder) / name, folder / f"{name}.index.json"
    if single.is_file() or index.is_file():
        files = [single] if single.is_file() else _parts(index, read_json(index))
        for path in files:
            _refuse_pickle(path)
        return files
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles:
        raise UserError(f"the weights in {folder} are pickled ({', '.join(pickles[:3])}) and are not opened", _CONVERT)
    raise UserError(f"there is no {name} in {folder}", _AGAIN)


def _parts(index: Path, content: Mapping[str, Any]) -> list[Path]:
    """The files a large model is spread over. Somebody wrote down their names: they must lie in the folder."""
    where = content.get("weight_map")
    names = sorted({str(name) for name in where.values()}) if isinstance(where, dict) else []
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors") or not (index.parent / name).is_file():
            raise UserError(f"{index} names the weight file '{name}', which is not in the folder", _AGAIN)
    if not names:
        raise UserError(f"{index} names no weight file", _AGAIN)
    return [index.parent / name for name in names]


def _refuse_pickle(path: Path) -> None:
    """A pickle under another name is told by its first bytes: a zip (torch.save) or a pickle's protocol mark.

    A safetensors file begins with the length of its header in eight bytes, which may look like either; then comes "{".
    """
    with path.open("rb") as file:
        start = file.read(9)
    pickled = start[:2] == b"PK" or (start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))
    if pickled and start[8:] != b"{":
        raise UserError(f"{path} is a pickle under the name of a safetensors file and is not opened", _CONVERT)
