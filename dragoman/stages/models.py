"""List the architectures read here, or show one model's card without loading its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.core.errors import UserError
from dragoman.core.show import Show, many
from dragoman.core.sizing import show_bytes

if TYPE_CHECKING:
    from dragoman.nn.arch import Arch

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("model",)
SECTIONS = False
_BUILTIN = {"builtin:minilm": 'sentence embeddings in English, 384 numbers: pip install "dragoman[encoder]"'}
# config.json says the same thing in several words, one for each publisher.
_WORDS = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "width": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads"),
    "context": ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"),
    "vocabulary": ("vocab_size",),
}


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman models`."""

    model: str = ""
    "The model to show: a folder, builtin:minilm, or hf:owner/name; empty lists the architectures."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """List, or show one; exit code 1 where that one is not complete."""
    if not settings.model:
        _list(show)
        return 0
    if settings.model.startswith("openai:"):
        from dragoman.models.remote import parse_remote

        url, model = parse_remote(settings.model)
        show.card(settings.model, [("runs at", url), ("model", model), ("asked", "nothing yet: its card is its own")])
        show.result({"model": model, "url": url, "backend": "remote"})
        return 0
    from dragoman.models.source import resolve

    card = _card(resolve(settings.model), settings.model)
    show.card(settings.model, _rows(card), mark="bad" if card["problems"] else "good")
    show.result(card)
    return 1 if card["problems"] else 0


def _list(show: Show) -> None:
    from dragoman.nn.family import FAMILIES

    rows = []
    for name in FAMILIES.names():
        family = FAMILIES.kind(name)()
        kinds = {arch.kind for arch in family.presets.values()}
        rows.append((name, ", ".join(sorted(kinds)), ", ".join(family.presets)))
    show.table("architectures written here", ("name", "kind", "sizes"), rows)
    show.table("models without a download", ("name", "what it is"), list(_BUILTIN.items()))
    if not show.json:
        show.say('any other architecture of transformers runs through it, slower: pip install "dragoman[hf]"')
        show.say("dragoman models FOLDER shows one model's card")
    families = [{"name": name, "kind": kind, "presets": sizes.split(", ")} for name, kind, sizes in rows]
    show.result({"families": families, "builtin": list(_BUILTIN)})


def _card(folder: Path, spec: str) -> dict[str, Any]:
    """What the files of a model say about it; what is wrong with them stands under `problems`."""
    from dragoman.nn.family import FAMILIES
    from dragoman.nn.weights import read_config, weight_files

    config = read_config(folder)
    family = str(config.get("model_type", ""))
    ours = family in FAMILIES.names()
    problems: list[str] = []
    shape, cache = _shape(config), 0
    arch = _arch(folder, problems) if ours else None
    if arch is not None:
        shape = {name: getattr(arch, name) for name in ("layers", "width", "heads", "vocabulary")}
        shape, cache = {**shape, "context": arch.longest}, _kept(arch)
    elif not ours:
        cache = _cache(config, shape)
    files = weight_files(folder)
    tensors = _headers(folder, files, problems)
    if arch is not None and not problems:
        problems += _lacking(arch, folder, {name for name, _, _, _ in tensors})
    count = sum(size for _, _, size, _ in tensors)
    kinds = sorted({dtype for _, dtype, _, _ in tensors})
    return {
        "model": spec,
        "folder": str(folder),
        "family": family,
        "backend": "dragoman" if ours else "transformers",
        "shape": shape,
        "parameters": count,
        "dtype": kinds,
        "bytes": sum(file.stat().st_size for file in folder.iterdir() if file.is_file()),
        "files": len(files),
        "tokenizer": _tokenizer(folder, shape, problems),
        "memory": {"fp32": 4 * count, "bf16": 2 * count, "int8": sum(_in_bytes(*one[2:]) for one in tensors)},
        "cache_bytes_per_token": cache,
        "problems": problems,
    }


def _arch(folder: Path, problems: list[str]) -> "Arch | None":
    """The shape of a model whose architecture is written here; why not, where its config.json is no good."""
    from dragoman.nn.store import read_arch

    try:
        return read_arch(folder)
    except UserError as error:
        problems.append(error.problem)
        return None


def _shape(config: Mapping[str, Any]) -> dict[str, int]:
    """The sizes that config.json tells; a multimodal model keeps those of its text part one level down."""
    inner = config.get("text_config")
    config = {**config, **inner} if isinstance(inner, dict) else config
    return {name: next((_whole(config[key]) for key in keys if key in config), 0) for name, keys in _WORDS.items()}


def _whole(value: Any) -> int:
    """A size as somebody wrote it down; 0 where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _headers(folder: Path, files: Sequence[Path], problems: list[str]) -> list[tuple[str, str, int, bool]]:
    """Name, type, size and whether it is a matrix that int8 covers, of each tensor; no weight is read."""
    from safetensors import SafetensorError, safe_open

    from dragoman.nn.weights import read_json

    found: list[tuple[str, str, int, bool]] = []
    for path in files:
        try:
            with safe_open(path, "np") as file:
                for name in file.keys():  # noqa: SIM118 - it is no dict
                    part = file.get_slice(name)
                    dims, size = part.get_shape(), 1
                    for dim in dims:
                        size *= dim
                    table = any(word in name for word in ("embed", "wte", "wpe", "shared"))
                    found.append((name, str(part.get_dtype()), size, len(dims) == 2 and not table))
        except (SafetensorError, OSError) as error:
            problems.append(f"{path.name} is damaged or cut short: {error}")
    index = folder / "model.safetensors.index.json"
    if index.is_file() and not (folder / "model.safetensors").is_file() and not problems:
        lacking = sorted(set(read_json(index).get("weight_map", {})) - {name for name, _, _, _ in found})
        if lacking:
            problems.append(f"{many(len(lacking), 'tensor')} of the index are in no file, such as {lacking[0]}")
    return found


def _lacking(arch: "Arch", folder: Path, names: set[str]) -> list[str]:
    """The tensors that a model of this shape writes with and the files do not hold; encoders may leave out a head."""
    from dragoman.nn.hollow import hollow
    from dragoman.nn.names import pairs
    from dragoman.nn.store import build_lm, family_of, refuse_hollow

    try:
        refuse_hollow(arch, len(names), folder)
    except UserError as error:
        return [error.problem]
    if arch.kind == "encoder":
        return []
    language = family_of(arch.family).language
    with hollow():  # only the names are asked for
        wanted = {one.name for one in pairs(build_lm(arch), arch, language)}
    held = {name.removeprefix(language.prefix) for name in names}
    lacking = sorted(name for name in wanted if name.removeprefix(language.prefix) not in held)
    return [f"{many(len(lacking), 'tensor')} of its {len(wanted)} missing, such as {lacking[0]}"] if lacking else []


def _in_bytes(size: int, matrix: bool) -> int:
    """int8 holds the matrices of the blocks in a byte each; tables and gains stay in two."""
    return size if matrix else 2 * size


def _tokenizer(folder: Path, shape: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    from dragoman.nn.tokenizer import Tokenizer

    try:
        tokenizer = Tokenizer(folder)
    except UserError as error:
        problems.append(error.problem)
        return {}
    if shape["vocabulary"] and tokenizer.size > shape["vocabulary"]:
        problems.append(f"the tokenizer knows {tokenizer.size} tokens, the model {shape['vocabulary']}")
    return {"size": tokenizer.size, "chat": tokenizer.chat}


def _kept(arch: "Arch") -> int:
    """Bytes that one token keeps in the cache in bf16: a key and a value in every layer; 0 for an encoder."""
    if arch.kind == "encoder":
        return 0
    return 2 * 2 * (arch.decoder_layers or arch.layers) * arch.groups * arch.head_size


def _cache(config: Mapping[str, Any], shape: Mapping[str, int]) -> int:
    """The same as far as a config.json of an architecture that is not written here tells it."""
    from dragoman.nn.weights import architectures

    names = architectures(config)
    if not any("LM" in name or "Generation" in name for name in names) or any("Masked" in name for name in names):
        return 0
    heads = shape["heads"] or 1
    answering = _whole(config.get("num_key_value_heads")) or heads
    width = _whole(config.get("head_dim")) or _whole(config.get("d_kv")) or shape["width"] // heads
    decoder = _whole(config.get("decoder_layers")) or _whole(config.get("num_decoder_layers"))
    return 2 * 2 * (decoder or shape["layers"]) * answering * width


def _rows(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    shape, tokenizer, memory = card["shape"], card["tokenizer"], card["memory"]
    runs = "dragoman's own code" if card["backend"] == "dragoman" else "transformers, slower: no family file for it"
    files = f"{', '.join(card['dtype'])} in {many(card['files'], 'file')}, {show_bytes(card['bytes'])} in all"
    rows = [
        ("architecture", card["family"] or "not told"),
        ("run by", runs),
        ("shape", f"{shape['layers']} layers, {shape['width']} wide, {shape['heads']} heads"),
        ("parameters", f"{card['parameters']:,}"),
        ("stored as", files),
        ("context", f"{shape['context']:,} tokens" if shape["context"] else "not told"),
    ]
    if tokenizer:
        template = "with a chat template" if tokenizer["chat"] else "no chat template"
        rows.append(("tokenizer", f"{tokenizer['size']:,} tokens, {template}"))
    rows.append(("memory", ", ".join(f"{name} {show_bytes(size)}" for name, size in memory.items())))
    if card["cache_bytes_per_token"]:
        rows.append(("cache", f"{show_bytes(card['cache_bytes_per_token'])} a token in bf16"))
    return [*rows, *(("problem", text) for text in card["problems"])]
