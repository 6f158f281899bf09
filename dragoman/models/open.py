"""From the name of a model to a model that answers, behind the door it belongs to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch

from dragoman.core.doors import WritingLM
from dragoman.core.errors import UserError
from dragoman.models.adapters import AdaptedLM
from dragoman.models.classifier import LocalClassifier
from dragoman.models.device import Precision, auto_precision, choose_device
from dragoman.models.encoder import LocalEncoder
from dragoman.models.extractor import LocalExtractor
from dragoman.models.fake import FakeLM
from dragoman.models.local import LocalLM
from dragoman.models.onnx_encoder import open_graph, wants_onnx
from dragoman.models.remote import RemoteLM, parse_remote
from dragoman.models.source import resolve
from dragoman.models.tagger import LocalTagger
from dragoman.nn.adapter import check_settings, merge_adapter
from dragoman.nn.family import FAMILIES
from dragoman.nn.headed import load_extractor, load_tagger
from dragoman.nn.masked import MaskedLM
from dragoman.nn.packed import Weights
from dragoman.nn.store import family_of, load_classifier, load_encoder, load_lm
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.weights import read_config, read_json

__all__ = [
    "WeightsOrAuto",
    "open_adapted",
    "open_classifier",
    "open_embedder",
    "open_extractor",
    "open_lm",
    "open_tagger",
]

WeightsOrAuto = Literal["auto"] | Weights
_KNOWN = ("auto", *get_args(Weights))


def open_embedder(
    spec: str | Path,
    device: str = "auto",
    precision: Precision = "auto",
    max_length: int = 0,
    engine: str = "auto",
) -> LocalEncoder:
    """The embedder in a folder or behind a name. `auto` computes in bf16 where that is faster and proven equal.

    `engine` is torch, onnx (ONNX Runtime in fp32, on a CPU) or auto, which is onnx where it is installed and a CPU has
    no bf16, else torch; also where the graph cannot be kept or is not proven equal. Raises UserError as `resolve`,
    `nn.store.load_encoder`, `wants_onnx`, and for onnx `open_graph`, and where the folder pools in a way not built
    here.
    """
    folder = resolve(spec)
    pool_first = _pools_first(folder)
    net, tokenizer = load_encoder(folder), Tokenizer(folder)
    tokenizer.fit(net.arch)
    place = choose_device(device)
    graph = None
    if wants_onnx(engine, place, precision, net):
        try:
            graph = open_graph(folder, net, tokenizer, pool_first)
        except UserError:
            if engine != "auto":
                raise
    return LocalEncoder(
        net,
        tokenizer,
        device=place,
        precision=precision,
        max_length=max_length,
        pool_first=pool_first,
        graph=graph,
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
    net, tokenizer = load_classifier(folder, labels, multi_label), _words(folder, adapter)
    tokenizer.fit(net.arch)
    if adapter is not None:
        merge_adapter(net, adapter)
    elif net.fresh:
        raise UserError(f"{folder} holds no classifier for these labels", "train one with: dragoman train")
    return LocalClassifier(net, tokenizer, device=choose_device(device), half=precision == "bf16")


def open_tagger(
    spec: str | Path,
    device: str = "auto",
    precision: Precision = "auto",
    adapter: Path | None = None,
    labels: Sequence[str] = (),
) -> LocalTagger:
    """The model that tags words in a folder or behind a name, with a PEFT adapter merged in where one is given.

    `labels` and `precision` as in `open_classifier`. Raises UserError as `resolve` and `nn.headed.load_tagger`.
    """
    folder = resolve(spec)
    net, tokenizer = load_tagger(folder, labels), _words(folder, adapter)
    tokenizer.fit(net.arch)
    if adapter is not None:
        merge_adapter(net, adapter)
    elif net.fresh:
        raise UserError(f"{folder} holds no model for these tags", "train one with: dragoman train objective=tag")
    return LocalTagger(net, tokenizer, device=choose_device(device), half=precision == "bf16")


def open_extractor(
    spec: str | Path, device: str = "auto", precision: Precision = "auto", adapter: Path | None = None
) -> LocalExtractor:
    """The model that cuts answers out of a context, in a folder or behind a name, with an adapter where one is given.

    `precision` as in `open_classifier`. Raises UserError as `resolve` and `nn.headed.load_extractor`.
    """
    folder = resolve(spec)
    net, tokenizer = load_extractor(folder), _words(folder, adapter)
    tokenizer.fit(net.arch)
    if adapter is not None:
        merge_adapter(net, adapter)
    elif net.fresh:
        said = f"{folder} holds no model that answers from a context"
        raise UserError(said, "train one with: dragoman train objective=extract")
    return LocalExtractor(net, tokenizer, device=choose_device(device), half=precision == "bf16")


def open_lm(spec: str | Path, device: str = "auto", precision: WeightsOrAuto = "auto", raw: bool = False) -> WritingLM:
    """The language model in a folder or behind a name: ours, transformers' where it is no family of ours, or remote.

    `spec` is a path, `hf:owner/name`, `openai:http://host/v1#model` or `fake:`. `precision` is fp32, bf16, int8
    (weights alone) or int8_dynamic (states too, CPU); `auto` is bf16 on a GPU that computes in it, else fp32. `raw`
    goes on from the text without a chat template. Raises UserError as `resolve` and `nn.store.load_lm`, and where it
    cannot write.
    """
    if precision not in _KNOWN:
        raise UserError(f"there is no precision named '{precision}'", f"say precision=... one of {', '.join(_KNOWN)}")
    scheme = str(spec).partition(":")[0]
    if scheme == "openai":
        url, model = parse_remote(str(spec))
        return RemoteLM(url, model, raw=raw)
    if scheme == "fake":
        return FakeLM()
    folder, place = resolve(spec), choose_device(device)
    name = str(read_config(folder).get("model_type"))
    if name not in FAMILIES.names():
        from dragoman.models.hf import HfLM  # transformers takes seconds to import, and few need it

        return HfLM(folder, device=device, precision=precision, raw=raw)
    if family_of(name).kind == "encoder":
        said = f"{folder} is a {name}: it reads texts and fills masks, and does not write"
        raise UserError(said, 'look at what it fills in with: dragoman explain MODEL "a text with a [MASK]"')
    weights = _weights(precision, place)
    net = load_lm(folder, torch.bfloat16 if weights == "bf16" else torch.float32)
    assert not isinstance(net, MaskedLM)
    tokenizer = Tokenizer(folder)
    tokenizer.fit(net.arch)
    return LocalLM(net, tokenizer, device=place, weights=weights, raw=raw)


def open_adapted(
    spec: str | Path,
    adapters: Sequence[Path],
    device: str = "auto",
    precision: WeightsOrAuto = "auto",
    raw: bool = False,
    rank: int = 1,
) -> AdaptedLM:
    """The language model in a folder or behind a name with LoRA adapters beside it, each named by its folder as given.
    Others may come later, as thick as the thickest of these or of `rank`.

    The first adapter's tokenizer is taken where it brings one. Raises UserError as `open_lm` and `AdaptedLM.add`, and
    where the model is none of ours.
    """
    if str(spec).partition(":")[0] in ("openai", "fake"):
        raise UserError(f"{spec} takes no adapter: it does not run here", "name the folder of a model, or leave it out")
    folder, place = resolve(spec), choose_device(device)
    name = str(read_config(folder).get("model_type"))
    if name not in FAMILIES.names() or family_of(name).kind == "encoder":
        raise UserError(f"{folder} is a {name}, beside which no adapter can stand here", "leave out adapter=...")
    rank = max(1, rank)
    for adapter in adapters:
        settings = read_json(adapter / "adapter_config.json")
        if check_settings(settings, adapter) == "LORA":
            rank = max(rank, int(settings["r"]), *(int(one) for one in (settings.get("rank_pattern") or {}).values()))
    weights = _weights(precision, place)
    net = load_lm(folder, torch.bfloat16 if weights == "bf16" else torch.float32)
    assert not isinstance(net, MaskedLM)
    tokenizer = _words(folder, adapters[0] if adapters else None)
    tokenizer.fit(net.arch)
    made = AdaptedLM(net, tokenizer, device=place, weights=weights, raw=raw, rank=rank)
    for adapter in adapters:
        made.add(str(adapter), adapter)
    return made


def _weights(precision: WeightsOrAuto, place: torch.device) -> Weights:
    """The numbers it runs in. Raises UserError where the device has no product of them."""
    weights: Weights = auto_precision(place) if precision == "auto" else precision
    if weights == "int8_dynamic" and place.type != "cpu":
        raise UserError("int8_dynamic is for CPUs", "say precision=int8, or device=cpu")
    return weights


def _words(folder: Path, adapter: Path | None) -> Tokenizer:
    """The tokenizer that an adapter was trained with, where it brings one: cut at another length, the same weights
    answer otherwise."""
    return Tokenizer(adapter if adapter is not None and (adapter / "tokenizer.json").is_file() else folder)


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
