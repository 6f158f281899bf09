"""Our own engine: many answers of one net at once, which begin and end between two tokens (Orca, Yu et al. 2022).

A step reads a chunk of one prompt and one token of every answer under way, so that a long prompt keeps nobody waiting
for longer than its chunk takes (Sarathi, Agrawal et al. 2023).
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor

from dragoman.core.engine import Asked, Piece
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.models.adapters import AdaptedLM
from dragoman.models.answer import Answer
from dragoman.models.asked import Asking
from dragoman.models.local import LocalLM
from dragoman.nn.constraint import Grammar, Matcher
from dragoman.nn.decode import Written, not_finite, room
from dragoman.nn.decoder import Decoder
from dragoman.nn.rolling import Prompt, Rolling
from dragoman.nn.sampling import Sampler
from dragoman.nn.updates import Choice

__all__ = ["LocalEngine"]

CPU_ROWS, GPU_ROWS = 32, 128
# On a core, 64 tokens of a prompt take as long as about two steps of 16 answers; a GPU does 512 in the time of one.
CPU_CHUNK, GPU_CHUNK = 64, 512
KEPT = 8  # one of so many tokens that fit into memory is kept for prompts that begin alike
REMEMBERED = 512  # prompts whose ids are remembered between `count` and `add`, and grammars
REMEMBERED_TOKENS = 1_000_000  # of these prompts together: about 36 MB


@dataclass(eq=False)
class _Request:
    """One request under way."""

    asked: Asked
    ids: Sequence[int]
    limit: int
    sampler: Sampler
    answers: list[Answer]
    matchers: Sequence[Matcher] | None
    prompt: Prompt | None = None
    net: Decoder | None = None
    "what reads the prompt"
    open: list[int] = field(default_factory=list)
    "its answers that are not over, in the sampler's order"
    counts: list[int] = field(default_factory=list)
    "tokens of each answer"

    @property
    def plain(self) -> bool:
        """Whether its next token is the most probable one, without anything else to be done."""
        how = self.asked.how
        bent = how.logit_bias or how.frequency_penalty or how.presence_penalty or how.repetition_penalty != 1
        return how.temperature == 0 and not (bent or how.logprobs or how.min_tokens or self.matchers)


class LocalEngine:
    """A decoder of `nn` that writes many answers at once, with adapters beside it where it was opened with some.

    `rows` and `chunk` are chosen by the device where they are 0.
    """

    def __init__(self, lm: LocalLM | AdaptedLM, rows: int = 0, chunk: int = 0) -> None:
        """Raises UserError where the net is none that can be shared so."""
        self._lm = lm.of() if isinstance(lm, AdaptedLM) else lm
        self._adapted = lm if isinstance(lm, AdaptedLM) else None
        net = self._lm.net
        if not isinstance(net, Decoder) or net.front is not None:
            said = "an encoder-decoder, or a model with a learnt prefix, does not share its steps"
            raise UserError(said, "serve it with engine=turns")
        self.longest, self.chat = self._lm.longest, self._lm.chat
        on_cpu = self._lm.device.type == "cpu"
        self.rows = rows or (CPU_ROWS if on_cpu else GPU_ROWS)
        dtype = torch.float32 if on_cpu else net.embeddings.words.weight.dtype
        self._most = self._lm.cached_tokens()
        chunk = chunk or (CPU_CHUNK if on_cpu else GPU_CHUNK)
        self._rolling = Rolling(net.arch, dtype, self._lm.device, chunk, self._most // KEPT, self._most)
        self._net = net
        self._raw = Asking(self._lm.tokenizer, False, False)
        self._waiting: deque[_Request] = deque()
        self._reading: deque[_Request] = deque()
        self._rows: list[tuple[_Request, int]] = []
        "the request and the answer of each row, by the row's number"
        self._next: list[int] = []
        "the last token of each row, which is read at the next step"
        self._mixed: tuple[tuple[str, ...], Decoder, Choice] | None = None
        self._chosen: list[int] = []
        "which of its adapters each row uses, as it was told last"
        self._asked: OrderedDict[int, tuple[list[int], Grammar | None]] = OrderedDict()
        self._grammars: OrderedDict[tuple[str, str, tuple[str, ...]], Grammar] = OrderedDict()
        self._lock = Lock()
        self._versions: dict[str, int] = {}
        self._dropping: set[str] = set()

    def count(self, asked: Asked) -> int:
        """The tokens of the prompt. Raises UserError as the door says."""
        ids, grammar = self._read_asked(asked)
        with self._lock:
            self._asked[asked.number] = ids, grammar
            tokens = sum(len(one) for one, _ in self._asked.values())
            while len(self._asked) > REMEMBERED or tokens > REMEMBERED_TOKENS:
                _, (oldest, _) = self._asked.popitem(last=False)
                tokens -= len(oldest)
        return len(ids)

    def _read_asked(self, asked: Asked) -> tuple[list[int], Grammar | None]:
        """The prompt's ids and the constraint. Raises UserError where the request cannot be answered."""
        if asked.how.beams > 1:
            raise UserError("an engine that is shared does not search", "say beams=1")
        if asked.adapter and asked.adapter not in self.adapters():
            there = ", ".join(self.adapters()) or "none"
            raise UserError("there is no adapter of that name", f"those that are there: {there}")
        ids = self._raw.ids(asked.prompt) if asked.raw else self._lm.ids(asked.prompt)
        limit = room(self._lm.arch, ids, asked.how.max_tokens)
        if (len(ids) + limit) * asked.how.n > self._most:
            raise UserError("this machine has too little memory for so long an answer", "say max_tokens=... lower")
        Sampler(asked.how, [[]], self._lm.arch.vocabulary, frozenset(), "cpu", [0])  # a bias on no token is told
        return ids, self._grammar(asked.how)

    def add(self, asked: Asked) -> None:
        """Take a request on; it waits in here while memory is full."""
        with self._lock:
            known = self._asked.pop(asked.number, None)
        ids, grammar = known or self._read_asked(asked)
        how, n = asked.how, asked.how.n
        matchers = None if grammar is None else [grammar.matcher() for _ in range(n)]
        eos, size = self._lm.tokenizer.eos_ids, self._lm.arch.vocabulary
        sampler = Sampler(how, [ids] * n, size, eos, self._lm.device, range(n), matchers)
        answers = [Answer(self._lm.tokenizer, how, asked.raw or not self._lm.chat) for _ in range(n)]
        limit = room(self._lm.arch, ids, how.max_tokens)
        self._waiting.append(_Request(asked, ids, limit, sampler, answers, matchers, counts=[0] * n))

    def cancel(self, number: int) -> None:
        """Forget a request; its rows are free at once."""
        for queue in (self._waiting, self._reading):
            for request in [one for one in queue if one.asked.number == number]:
                queue.remove(request)
        self._leave([row for row, (request, _) in enumerate(self._rows) if request.asked.number == number])
        with self._lock:
            self._asked.pop(number, None)

    def busy(self) -> int:
        """How many requests are under way."""
        written = {request.asked.number for request, _ in self._rows}
        return len(self._waiting) + len(self._reading) + len(written)

    def healthy(self) -> bool:
        """It runs here: always."""
        return True

    def adapters(self) -> tuple[str, ...]:
        """The adapters that may be named."""
        names = self._adapted.names if self._adapted is not None else ()
        return tuple(name for name in names if name not in self._dropping)

    def adopt(self, name: str, folder: Path) -> None:
        """Read an adapter, and answer to its name from now on. Raises UserError as `AdaptedLM.add`."""
        if self._adapted is None:
            raise UserError("this model was opened without adapters", "name one when it is opened: adapter=FOLDER")
        # Before it is there: what the engine's thread reads meanwhile is not kept under an earlier one's number.
        self._versions[name] = self._versions.get(name, 0) + 1
        self._adapted.add(name, folder)

    def drop(self, name: str) -> None:
        """Take no more requests for an adapter; it goes when the last one that uses it is over."""
        if name in self.adapters():
            self._dropping.add(name)

    def close(self) -> None:
        """Forget all that is under way, and what was kept of earlier prompts."""
        for number in {one.asked.number for one in (*self._waiting, *self._reading, *(one for one, _ in self._rows))}:
            self.cancel(number)
        self._rolling.prefixes.forget()

    def step(self) -> list[Piece]:
        """Read a chunk of the prompt whose turn it is, and write one token of every answer under way."""
        ended = self._admit()
        if self._dropping:
            self._let_go()
        written = self._write() if self._rows else []
        return [*ended, *written, *self._read(until_one=not self._rows)]

    def _admit(self) -> list[Piece]:
        """Begin what fits, in the order it came: nobody overtakes. One whose adapter went while it waited is over."""
        ended: list[Piece] = []
        while self._waiting:
            request = self._waiting[0]
            adapter = request.asked.adapter
            if adapter and (self._adapted is None or adapter not in self._adapted.names):
                self._waiting.popleft()
                request.open = list(range(request.asked.how.n))
                ended += _ended(request, "the adapter is there no more")
                continue
            under_way = [*self._reading, *dict.fromkeys(one for one, _ in self._rows)]
            rows = sum(len(one.open) or one.asked.how.n for one in under_way) + request.asked.how.n
            longest = max(len(one.ids) + one.limit for one in (*under_way, request))
            if under_way and (rows > self.rows or rows * longest > self._most):
                break
            kind = f"{adapter} {self._versions.get(adapter, 0)}"
            request.prompt, request.net = self._rolling.open(request.ids, kind), self._net_of(adapter)
            self._reading.append(self._waiting.popleft())
        return ended

    def _read(self, until_one: bool) -> list[Piece]:
        """One chunk; with `until_one`, since nobody waits for a token, chunks until a prompt is read."""
        while self._reading:
            request = self._reading[0]
            assert request.prompt is not None
            logits = self._rolling.read(request.net or self._net, request.prompt)
            if logits is not None:
                self._reading.popleft()
                return self._begin(request, logits)
            if not until_one:
                break
        return []

    def _begin(self, request: _Request, logits: Tensor) -> list[Piece]:
        """The first token of each answer, behind the prompt."""
        prompt, n, number = request.prompt, request.asked.how.n, request.asked.number
        assert prompt is not None
        request.open = list(range(n))
        first = Piece(number, read=len(request.ids), reused=prompt.reused)
        try:
            drawn = request.sampler.draw(logits.expand(n, -1)).tolist()
        except ValueError as error:
            return [first, *_failed(request, error)]
        begun = len(self._rows)
        try:
            rows = [self._rolling.join(prompt, request.limit) for _ in range(n)]
        except Exception:  # memory is full: rows that belong to nobody would shift the numbers of all that come later
            self._rolling.keep(begun)
            raise
        self._rows += [(request, answer) for answer in request.open]
        self._next += drawn
        request.prompt = None
        pieces, over = self._grown(request, rows, drawn)
        self._leave(over)
        return [first, *pieces]

    def _write(self) -> list[Piece]:
        """One token of every row."""
        ids = torch.tensor(self._next, device=self._lm.device)  # [b]
        logits = self._rolling.write(self._net_of_rows(), ids)  # [b, v]
        places: dict[_Request, dict[int, int]] = {}
        for row, (request, answer) in enumerate(self._rows):
            places.setdefault(request, {})[answer] = row
        best: list[int] = []
        finite: list[bool] = []
        if any(one.plain for one in places):
            top = logits.max(-1)
            best, finite = top.indices.tolist(), top.values.isfinite().tolist()  # nan counts as the largest
        pieces: list[Piece] = []
        over: list[int] = []
        for request, at in places.items():
            rows = [at[answer] for answer in request.open]
            try:
                if request.plain and all(finite[row] for row in rows):
                    drawn = [best[row] for row in rows]
                else:
                    drawn = request.sampler.draw(logits[rows]).tolist()
            except ValueError as error:
                pieces += _failed(request, error)
                over += rows
                continue
            for row, token in zip(rows, drawn, strict=True):
                self._next[row] = token
            grown, ended = self._grown(request, rows, drawn)
            pieces += grown
            over += ended
        self._leave(over)
        return pieces

    def _grown(self, request: _Request, rows: Sequence[int], tokens: Sequence[int]) -> tuple[list[Piece], list[int]]:
        """What a token of each open answer adds to it, and the rows of those that are over."""
        pieces: list[Piece] = []
        kept: list[int] = []
        over: list[int] = []
        told = request.sampler.told if request.asked.how.logprobs else None
        for place, (answer, token) in enumerate(zip(request.open, tokens, strict=True)):
            writing = request.answers[answer]
            before = len(writing.told)
            text = writing.push(_written(told, place, token))
            request.counts[answer] += 1
            finish = self._finish(request, place, answer, token)
            text += writing.end(finish) if finish else ""
            pieces.append(Piece(request.asked.number, answer, text, tuple(writing.told[before:]), 1, finish))
            (over if finish else kept).append(place)
        if over:
            if not request.plain:
                request.sampler.keep(kept)
            request.open = [request.open[place] for place in kept]
        return pieces, [rows[place] for place in over]

    def _finish(self, request: _Request, place: int, answer: int, token: int) -> str:
        """Why an answer ends with this token; empty where it goes on."""
        grammars = request.sampler.grammars
        if token in self._lm.tokenizer.eos_ids or request.answers[answer].stopped:
            return "stop"
        if grammars is not None and grammars[place].done:
            return "stop"
        return "length" if request.counts[answer] >= request.limit else ""

    def _leave(self, rows: Sequence[int]) -> None:
        """These rows are over. From the last one on: what takes a row's place then is none of the others."""
        for row in sorted(rows, reverse=True):
            self._rolling.leave(row)
            self._rows[row], self._next[row] = self._rows[-1], self._next[-1]
            self._rows.pop()
            self._next.pop()
        if rows and not self._rows:
            self._rolling.keep(0)

    def _let_go(self) -> None:
        """Forget the dropped adapters that nobody uses any more."""
        assert self._adapted is not None
        under_way = (*self._waiting, *self._reading, *(one for one, _ in self._rows))
        used = {request.asked.adapter for request in under_way}
        for name in set(self._dropping) - used:  # a copy: another thread may be dropping one
            if name in self._adapted.names:
                self._adapted.remove(name)
            self._dropping.discard(name)
            self._mixed = None

    def _net_of(self, adapter: str) -> Decoder:
        """The net that reads a prompt for an adapter, or for none."""
        if not adapter or self._adapted is None:
            return self._net
        net = self._adapted.of(adapter).net
        assert isinstance(net, Decoder)
        return net

    def _net_of_rows(self) -> Decoder:
        """The net that writes the rows as they are: it knows every adapter that one of them uses."""
        names = [request.asked.adapter for request, _ in self._rows]
        used = tuple(dict.fromkeys(name for name in names if name))
        if not used or self._adapted is None:
            return self._net
        if self._mixed is None or not set(used) <= set(self._mixed[0]):
            net, choice = self._adapted.mixed(used)
            assert isinstance(net, Decoder)
            self._mixed, self._chosen = (used, net, choice), []
        known, net, choice = self._mixed
        numbers = [1 + known.index(name) if name else 0 for name in names]
        if self._chosen != numbers:
            self._chosen, choice.rows = numbers, torch.tensor(numbers, device=self._lm.device)
        return net

    def _grammar(self, how: Sampling) -> Grammar | None:
        """The constraint of a request; many requests have the same, and building one takes milliseconds."""
        key = (how.json_schema, how.regex, how.choices)
        if not any(key):
            return None
        with self._lock:
            found = self._grammars.get(key)
        if found is None:
            found = Grammar.of(how, self._lm.tokenizer)
            assert found is not None
            with self._lock:
                self._grammars[key] = found
                while len(self._grammars) > REMEMBERED:
                    self._grammars.popitem(last=False)
        return found


def _failed(request: _Request, error: ValueError) -> list[Piece]:
    """The end of every open answer of a request whose numbers went wrong; the others go on."""
    return _ended(request, not_finite(str(error)).problem)


def _ended(request: _Request, problem: str) -> list[Piece]:
    number = request.asked.number
    pieces = [Piece(number, answer, finish="error", problem=problem) for answer in request.open]
    request.open = []
    return pieces


def _written(told: tuple[Tensor, Tensor, Tensor] | None, place: int, token: int) -> Written:
    if told is None:
        return Written(0, token)
    ids, chances = told[1][place].tolist(), told[2][place].tolist()
    return Written(0, token, float(told[0][place]), tuple(zip(ids, chances, strict=True)))
