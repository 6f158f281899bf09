"""Any causal or sequence-to-sequence model of transformers, asked for logits alone: how to draw is ours to decide."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.padding import pad
from dragoman.nn.weights import read_config

__all__ = ["HfNet", "Running"]

_WRITES = re.compile(r"CausalLM|LMHead|ConditionalGeneration|MTModel|Seq2SeqLM")
_OTHER = "choose another model: dragoman models lists the architectures written here"
_AGAIN = "give a folder whose config.json was published with its weights: dragoman generate MODEL"


class HfNet:
    """A model folder opened by transformers: safetensors alone, nothing fetched, no code of the folder run.

    `many_lengths` tells whether texts of different lengths may share a batch: where the model does not take positions,
    only texts of one length do, which no architecture can get wrong. What generation_config.json says about drawing is
    not read; the settings of `Sampling` are all there is.
    """

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        """Raises UserError where transformers is missing, does not know the architecture, or the weights do not fit."""
        config = read_config(folder)
        self.family = str(config.get("model_type", ""))
        self.device = device
        _refuse(config, folder)
        self.model, self.settings = _load(folder, dtype)
        self.model = self.model.to(device).eval()
        self.vocabulary = int(self.model.get_input_embeddings().weight.shape[0])
        self.seq2seq = bool(getattr(self.settings, "is_encoder_decoder", False))
        takes = inspect.signature(self.model.forward).parameters
        self.cached = "past_key_values" in takes
        self._takes_positions = "position_ids" in takes
        self._keeps_last = "logits_to_keep" in takes
        self.many_lengths = self.seq2seq or (self.cached and self._takes_positions)
        relative = hasattr(self.settings, "relative_attention_num_buckets")
        names = () if relative else ("max_position_embeddings", "n_positions", "n_ctx")
        self.context = next((int(size) for name in names if (size := getattr(self.settings, name, None))), 0)
        start = getattr(self.settings, "decoder_start_token_id", None)
        self.decoder_start = int(start if start is not None else getattr(self.settings, "bos_token_id", 0) or 0)

    @torch.inference_mode()
    def log_probabilities(
        self, prompts: Sequence[Sequence[int]], options: Sequence[Sequence[int]]
    ) -> list[Float[Tensor, " n"]]:
        """For each row the log-probabilities of its option's tokens after its prompt, in float32, on the CPU."""
        if self.seq2seq:
            starts = [[self.decoder_start, *option[:-1]] for option in options]
            sources, mask = self._padded(prompts)
            targets, _ = self._padded(starts)
            said = self.model(input_ids=sources, attention_mask=mask, decoder_input_ids=targets, use_cache=False)
            begins = [0] * len(options)
        else:
            rows = [[*prompt, *option[:-1]] for prompt, option in zip(prompts, options, strict=True)]
            ids, mask = self._padded(rows)
            said = self.model(input_ids=ids, attention_mask=mask, use_cache=False, **self._positions(mask))
            begins = [len(prompt) - 1 for prompt in prompts]
        found = []
        for logits, begin, option in zip(said.logits, begins, options, strict=True):  # logits [s, v]
            part = logits[begin : begin + len(option)].float().log_softmax(-1)  # [n, v]
            chosen = torch.tensor(list(option), device=part.device)[:, None]  # [n, 1]
            found.append(part.gather(1, chosen)[:, 0].cpu())  # [n]
        return found

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "b s"], Int[Tensor, "b s"]]:
        """The rows in one tensor, filled on the right, and a mask that is 1 on the text."""
        ids, mask = pad(rows, 0)
        mask = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
        return ids.to(self.device), mask.to(self.device).long()

    def _positions(self, mask: Int[Tensor, "b s"]) -> dict[str, Tensor]:
        """Where each token stands in its own text, for a model that wants to be told; a finished row stands still."""
        if not self._takes_positions:
            return {}
        places = (mask.cumsum(1) - 1).clamp(0, (self.context or 1 << 30) - 1)  # [b, s]
        return {"position_ids": places}

    def _last(self) -> dict[str, int]:
        """Logits of the last token alone, where the model can leave out the others."""
        return {"logits_to_keep": 1} if self._keeps_last else {}


class Running:
    """A batch of texts that are being written: `logits` are those of the next token, [b, v]."""

    def __init__(self, net: HfNet, rows: Sequence[Sequence[int]]) -> None:
        """Read the prompts. Rows of different lengths need `net.many_lengths`."""
        self._net = net
        self._cache: Any = None
        self._encoded: Any = None
        self._ids, self._mask = net._padded([row[::-1] for row in rows])
        if net.seq2seq:
            self._ids, self._mask = net._padded(rows)
            self._encode()
            ids = torch.full((len(rows), 1), net.decoder_start, device=net.device)  # [b, 1]
            self._ids = ids
        else:  # padding stands on the left, so that all texts go on in one column
            self._ids, self._mask = self._ids.flip(1), self._mask.flip(1)
            ids = self._ids
        self.logits = self._read(ids)

    def push(self, tokens: Int[Tensor, " b"]) -> None:
        """Each row goes on with its token."""
        column = tokens[:, None].to(self._ids.device)  # [b, 1]
        self._ids = torch.cat((self._ids, column), 1)
        if not self._net.seq2seq:
            self._mask = torch.cat((self._mask, torch.ones_like(column)), 1)
        self.logits = self._read(column if self._cache is not None else self._ids)

    @torch.inference_mode()
    def _encode(self) -> None:
        encoder = self._net.model.get_encoder()
        self._encoded = encoder(input_ids=self._ids, attention_mask=self._mask)

    @torch.inference_mode()
    def _read(self, ids: Int[Tensor, "b s"]) -> Float[Tensor, "b v"]:
        net = self._net
        words: dict[str, Any] = {"attention_mask": self._mask, "use_cache": net.cached}
        if net.cached:
            words["past_key_values"] = self._cache
        if net.seq2seq:
            words |= {"encoder_outputs": self._encoded, "decoder_input_ids": ids}
        else:
            places = net._positions(self._mask)
            words |= {name: value[:, -ids.shape[1] :] for name, value in places.items()}
            words |= {"input_ids": ids, **net._last()}
        said = net.model(**words)
        self._cache = said.past_key_values if net.cached else None
        logits: Tensor = said.logits[:, -1].float()  # [b, v]
        return logits


def _refuse(config: Mapping[str, Any], folder: Path) -> None:
    classes = [str(name) for name in config.get("architectures") or ()]
    if classes and not any(_WRITES.search(name) for name in classes):
        raise UserError(f"{folder} holds a {classes[0]}, which does not write texts", _OTHER)
    if config.get("quantization_config"):
        raise UserError(f"the weights in {folder} are quantised, which is not read", "give the model as published")


def _load(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """The model and its settings, every tensor of it from the folder."""
    try:
        import transformers
    except ImportError:
        raise UserError("transformers is not installed", 'install it with: pip install "dragoman[hf]"') from None
    try:
        with _quiet(transformers.utils.logging):
            settings = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            two = bool(getattr(settings, "is_encoder_decoder", False))
            kind = transformers.AutoModelForSeq2SeqLM if two else transformers.AutoModelForCausalLM
            model, found = kind.from_pretrained(  # type: ignore[misc]
                folder,
                config=settings,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                attn_implementation="eager",  # config.json must not choose a kernel that would be fetched
                output_loading_info=True,
            )
    # A config.json may say anything: transformers' own checks, a division by no heads, a package that one architecture
    # imports raise what they like, and all of it is a folder that cannot be opened.
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"transformers cannot open {folder}: {said[0][:300]}", _AGAIN) from None
    for what, word in (("missing_keys", "lacks"), ("unexpected_keys", "has, and the model does not,")):
        names = sorted(str(name) for name in found.get(what) or ())
        if names:
            raise UserError(f"{folder} {word} {len(names)} tensors, such as {names[0]}", _AGAIN)
    return model, settings.get_text_config(decoder=True) if not two else settings


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Without transformers' bars and tables, which would stand in the middle of what is printed."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
