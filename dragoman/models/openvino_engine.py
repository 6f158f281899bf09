"""A decoder whose answers OpenVINO writes on the CPU, many at once: exported once, held against our net, and kept."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dragoman.core.disk import typed
from dragoman.core.durable import problems, publish
from dragoman.core.engine import Asked, Piece
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.answer import Answer
from dragoman.models.asked import Asking
from dragoman.models.local import LocalLM
from dragoman.models.open import open_lm
from dragoman.models.openvino_export import VERSION, write_model
from dragoman.models.source import fingerprint, resolve
from dragoman.nn.decode import Written, read, room
from dragoman.nn.decoder import Decoder
from dragoman.nn.store import load_lm

__all__ = ["OpenVinoEngine", "Proof", "cache_folder", "open_openvino", "prove"]

ROWS = 32
BLOCK = 32  # tokens of a piece of OpenVINO's cache on a CPU
CHUNK = 256  # tokens of prompts and answers that one step reads together
AGREEING, COSTING = 0.9, 0.02
"the share of tokens that have to be our net's own choice, and the nats a token that the others may cost"
_GRAPH, _PROOF = "openvino_model.xml", "proof.json"
_WRITTEN = 16  # tokens that are written after each of as many texts
_WORDS = (
    "The evaluation of the evidence was careful, and the result was clear to all who read it.",
    "Once upon a time there was a small house at the edge of a very large forest.",
    "def total(prices): return sum(price for price in prices if price is not None)",
    "Ein kurzer Satz auf Deutsch, une phrase en français, y una frase en español.",
)


@dataclass(frozen=True, slots=True)
class Proof:
    """How near what OpenVINO writes is to our own net, over 16 texts with 16 tokens each."""

    agreement: float
    "the share of its tokens that are the most probable ones to our net, given what stands before them"
    cost: float
    "how much less probable its tokens are to our net than the most probable ones: nats, the mean over all tokens"


@dataclass(eq=False)
class _Row:
    """One answer under way."""

    asked: Asked
    index: int
    handle: Any
    answer: Answer
    limit: int
    read: int
    "tokens of the prompt, told with the first piece; then 0"
    count: int = 0


class OpenVinoEngine:
    """A decoder that openvino-genai writes with, its matrices in eight bits, tokenized by our own tokenizer.

    Greedy answers and drawn ones; what a drawn answer is depends on who else draws, for all share one sequence of
    random numbers there: its `seed` does not fix it. Log-probabilities, constraints, biases and beams are refused.
    """

    def __init__(self, lm: LocalLM, folder: Path, rows: int = 0) -> None:
        """`folder` holds the graph of `lm`'s net, as `export` made it."""
        import openvino_genai

        self._lm, self._genai = lm, openvino_genai
        self.longest, self.chat, self.rows = lm.longest, lm.chat, rows or ROWS
        # All rows at full length, or what memory holds: eight-bit keys and values take a quarter of our own cache.
        most = min(self.rows * (lm.longest + BLOCK), lm.cached_tokens())
        self._tokens = most // BLOCK * BLOCK
        plan = openvino_genai.SchedulerConfig()
        plan.num_kv_blocks, plan.max_num_seqs = self._tokens // BLOCK + 1, self.rows
        plan.max_num_batched_tokens, plan.dynamic_split_fuse = CHUNK, True
        threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
        self._pipeline = openvino_genai.ContinuousBatchingPipeline(str(folder), plan, "CPU", threads)
        self._raw = Asking(lm.tokenizer, False, False)
        self._rows: list[_Row] = []
        self._number = 0

    def count(self, asked: Asked) -> int:
        """The tokens of the prompt. Raises UserError as the door says, and where OpenVINO has no word for it."""
        if asked.adapter:
            raise UserError("OpenVINO serves a model without adapters", "say engine=ours")
        if lacks := _lacking(asked.how):
            raise UserError(f"an engine of OpenVINO offers no {lacks}", "leave it out, or say engine=ours")
        ids = self._ids(asked)
        if len(ids) + room(self._lm.arch, ids, asked.how.max_tokens) > self._tokens:
            raise UserError("this machine has too little memory for so long an answer", "say max_tokens=... lower")
        return len(ids)

    def add(self, asked: Asked) -> None:
        """Take a request on: each of its answers is a row of its own."""
        self.count(asked)
        ids = self._ids(asked)
        limit = room(self._lm.arch, ids, asked.how.max_tokens)
        for index in range(asked.how.n):
            answer = Answer(self._lm.tokenizer, asked.how, asked.raw or not self._lm.chat)
            handle = self._begin(ids, self._plan(asked.how, limit, index))
            self._rows.append(_Row(asked, index, handle, answer, limit, 0 if index else len(ids)))

    def cancel(self, number: int) -> None:
        """Forget a request."""
        for row in self._rows:
            if row.asked.number == number:
                row.handle.cancel()
        self._rows = [row for row in self._rows if row.asked.number != number]

    def step(self) -> list[Piece]:
        """One token of every row, or a part of the prompts that are to be read."""
        if self._pipeline.has_non_finished_requests():
            self._pipeline.step()
        pieces: list[Piece] = []
        over: set[_Row] = set()
        for row in self._rows:
            for ids, reason in self._news(row):
                if row not in over:
                    pieces.append(self._grown(row, ids, reason))
                    if pieces[-1].finish:
                        over.add(row)
        self._rows = [row for row in self._rows if row not in over]
        return pieces

    def busy(self) -> int:
        """How many requests are under way."""
        return len({row.asked.number for row in self._rows})

    def healthy(self) -> bool:
        """It runs here: always."""
        return True

    def adapters(self) -> tuple[str, ...]:
        """None."""
        return ()

    def close(self) -> None:
        """Forget all that is under way."""
        for row in self._rows:
            row.handle.cancel()
        self._rows = []
        if self._pipeline.has_non_finished_requests():
            self._pipeline.step()

    def write(self, prompts: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
        """So many of the most probable tokens after each prompt, whatever they are: what a proof is made of."""
        plan = self._plan(Sampling(max_tokens=tokens), tokens, 0)
        plan.ignore_eos = True
        handles = [self._begin(ids, plan) for ids in prompts]
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
        return [list(next(iter(handle.read_all())).generated_ids) for handle in handles]

    def _ids(self, asked: Asked) -> list[int]:
        return self._raw.ids(asked.prompt) if asked.raw else self._lm.ids(asked.prompt)

    def _begin(self, ids: Sequence[int], plan: Any) -> Any:
        import openvino

        self._number += 1
        return self._pipeline.add_request(self._number, openvino.Tensor(np.array([ids], dtype=np.int64)), plan)

    def _plan(self, how: Sampling, limit: int, index: int) -> Any:
        """What OpenVINO is told of one answer."""
        ends = set(self._lm.tokenizer.eos_ids) or {0}  # it wants one, also where a model never ends
        plan = self._genai.GenerationConfig()
        plan.max_new_tokens, plan.min_new_tokens = limit, min(how.min_tokens, limit)
        plan.eos_token_id, plan.stop_token_ids = min(ends), ends
        plan.ignore_eos = not self._lm.tokenizer.eos_ids
        plan.presence_penalty, plan.frequency_penalty = how.presence_penalty, how.frequency_penalty
        plan.do_sample = how.temperature > 0
        if plan.do_sample:
            plan.temperature, plan.top_p, plan.rng_seed = how.temperature, how.top_p, (how.seed + index) % 2**63
            if how.top_k:
                plan.top_k = how.top_k
            if how.min_p:
                plan.min_p = how.min_p
        return plan

    def _news(self, row: _Row) -> Iterator[tuple[list[int], str]]:
        """The tokens that came for a row, and why it ended where it did."""
        while row.handle.can_read():
            for out in row.handle.read().values():
                yield list(out.generated_ids), str(out.finish_reason).rpartition(".")[2]

    def _grown(self, row: _Row, ids: Sequence[int], reason: str) -> Piece:
        text, finish, begun = "", "", row.count
        for number in ids:
            text += row.answer.push(Written(0, number))
            row.count += 1
            if number in self._lm.tokenizer.eos_ids or row.answer.stopped:
                finish = "stop"
                break
        if not finish and (reason in ("STOP", "LENGTH") or row.count >= row.limit):
            finish = "stop" if reason == "STOP" else "length"
        if finish:
            text += row.answer.end(finish)
            row.handle.cancel()  # a stop text is ours to see
        told, row.read = row.read, 0
        return Piece(row.asked.number, row.index, text, count=row.count - begun, finish=finish, read=told)


def open_openvino(spec: str | Path, rows: int = 0) -> tuple[OpenVinoEngine, LocalLM]:
    """The engine of a decoder in a folder or behind a name, and the model itself, in fp32 on the CPU.

    The graph is written and proven where the cache has none. What is kept goes by the SHA-256 of the model's files, the
    version of OpenVINO and what the processor can, and is held against its own hashes before it is used. Raises
    UserError where openvino-genai is not installed, the model is no decoder of ours or has a part that is not written,
    it is not proven, or the cache cannot be written.
    """
    if importlib.util.find_spec("openvino_genai") is None:
        raise UserError("engine=openvino needs openvino-genai", 'pip install "dragoman[openvino]"')
    lm = open_lm(spec, "cpu", "fp32")
    if not isinstance(lm, LocalLM) or not isinstance(lm.net, Decoder):
        raise UserError(f"{spec} is no decoder that is written for OpenVINO here", "say engine=auto")
    folder = resolve(spec)
    place = cache_folder() / _name(folder)
    if not place.is_dir() or problems(place):
        _export(folder, place, lm)
    return OpenVinoEngine(lm, place, rows), lm


def _export(folder: Path, place: Path, lm: LocalLM) -> None:
    """Write the graph of the decoder in `folder`, and prove it against `lm`, before `place` has either."""
    import openvino

    net = load_lm(folder, torch.float32)  # once more: the one that answers is laid out for that
    assert isinstance(net, Decoder)
    model = write_model(net)
    size = 2 * sum(weight.numel() for weight in net.parameters())
    del net

    def fill(stage: Path) -> None:
        openvino.save_model(model, stage / _GRAPH, compress_to_fp16=False)
        engine = OpenVinoEngine(lm, stage)
        proof = prove(engine, lm)
        engine.close()
        (stage / _PROOF).write_text(json.dumps(asdict(proof)), encoding="utf-8")

    publish(place, fill, needed=size)


def prove(engine: OpenVinoEngine, lm: LocalLM) -> Proof:
    """Hold what the engine writes against our net, over 16 texts. Raises UserError where it is another model's."""
    texts = [_WORDS[number % 4][: 12 + 4 * number] for number in range(16)]
    half = max(1, lm.longest // 2)
    prompts = [lm.text_ids([Message("user", text)])[:half] for text in texts]
    tokens = min(_WRITTEN, lm.longest - half)
    agreed, cost, count = 0, 0.0, 0
    for prompt, written in zip(prompts, engine.write(prompts, tokens), strict=True):
        chances = _chances(lm, prompt, written)  # [t, v]
        best = chances.amax(1)  # [t]
        mine = chances.gather(1, torch.tensor(written)[:, None])[:, 0]  # [t]
        agreed += int((mine == best).sum())
        cost += float((best - mine).sum())
        count += len(written)
    proof = Proof(agreed / count, cost / count)
    if not (proof.agreement >= AGREEING and proof.cost <= COSTING):
        said = f"{proof.agreement:.1%} of its tokens are the model's own, the others cost {proof.cost:.3f} nats a token"
        raise UserError(f"OpenVINO writes what another model would: {said}", "say engine=ours")
    return proof


def cache_folder() -> Path:
    """Where graphs are kept: XDG_CACHE_HOME or ~/.cache, and in it dragoman/openvino. It may be deleted at any time."""
    named = Path(os.environ.get("XDG_CACHE_HOME") or "~")
    base = named if named.is_absolute() else typed("~/.cache")
    return base / "dragoman" / "openvino"


@torch.inference_mode()
def _chances(lm: LocalLM, prompt: Sequence[int], written: Sequence[int]) -> torch.Tensor:
    """The log-probabilities of our net at each token that was written: [t, v]."""
    reading = read(lm.net, [prompt], len(written), lm.tokenizer.pad_id, 1)
    first = reading.logits[:, None]  # [1, 1, v]
    rest = [reading.go_on(torch.tensor([written[:-1]]))] if len(written) > 1 else []  # [1, t - 1, v]
    return torch.cat([first, *rest], 1)[0].float().log_softmax(-1)  # [t, v]


def _lacking(how: Sampling) -> str:
    """The first of what is asked for that OpenVINO has not, or means otherwise; empty where there is none."""
    wanted = {
        "beams": how.beams > 1,
        "logprobs": how.logprobs > 0,
        "logit_bias": bool(how.logit_bias),
        "typical_p": how.typical_p != 1,
        "repetition_penalty": how.repetition_penalty != 1,  # theirs counts the prompt's tokens too
        "penalise_prompt": how.penalise_prompt,
        "shape of an answer (json_schema, regex, choices)": bool(how.json_schema or how.regex or how.choices),
    }
    return next((name for name, there in wanted.items() if there), "")


def _name(folder: Path) -> str:
    """What a kept graph depends on, as one name of 32 hexadecimal digits."""
    versions = (str(VERSION), importlib.metadata.version("openvino"), torch.backends.cpu.get_cpu_capability())
    return hashlib.sha256("\n".join((fingerprint(folder), *versions)).encode()).hexdigest()[:32]
