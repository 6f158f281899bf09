"""Let a language model write: one prompt as it comes to its mind, or a file of prompts.

The prompt is a word, `file=`, or standard input. `--raw` lets the model go on with the text itself; otherwise a model
with a chat template is talked to.
"""

import contextlib
import json
import signal
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dragoman.core.doors import LM, Prompt, WritingLM
from dragoman.core.errors import Stopped, UserError, empty_prompt
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.show import Show, line_of, visible
from dragoman.core.sizing import show_seconds
from dragoman.core.types import Message

__all__ = ["PLACES", "SECTIONS", "Settings", "closable", "given", "no_model", "run", "shown"]

PLACES = ("model", "prompt")
SECTIONS = False
_AT_ONCE = 64  # prompts of a file that are answered before their lines are printed


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman generate`."""

    model: str = ""
    "The model: a folder, hf:owner/name, or openai:http://host:port/v1#model for an engine."
    prompt: str = ""
    "What it is asked, or what it goes on from; empty reads standard input."
    raw: bool = False
    "Go on with the text itself, without the model's chat template."
    system: str = ""
    "What the model is told before the prompt."
    adapter: tuple[str, ...] = ()
    "LoRA adapters in PEFT's format over the model: folders, with commas between. Each answers, under its name."
    file: str = ""
    "A file of prompts: one a line, or .jsonl with `prompt` or `messages`; one JSON line each comes back."
    device: str = "auto"
    "Where the model runs: auto, cpu, cuda or mps."
    precision: Literal["auto", "fp32", "bf16", "int8", "int8_dynamic"] = "auto"
    "The numbers it runs in; int8 stores the weights in a byte each, int8_dynamic multiplies in int8 too."
    how: Sampling = field(default_factory=Sampling)
    "How the next token is drawn."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Open the model, let it write, print what it wrote."""
    if not settings.model:
        raise no_model("generate")
    if settings.file and settings.prompt:
        raise UserError("a prompt and a file of prompts are two things", "give one: prompt=... or file=...")
    if settings.raw and settings.system:
        raise UserError("a text that is gone on from has no system message", "leave out system=... or raw=true")
    if settings.adapter and settings.file:
        raise UserError("adapters are compared on one prompt, not on a file of them", "give it as prompt=...")
    rows = _from_file(Path(settings.file), settings) if settings.file else [("", _prompt(_asked(settings), settings))]
    prompts = [prompt for _, prompt in rows]
    if settings.adapter:
        return _compared(prompts[0], settings, show)
    from dragoman.models.open import open_lm

    lm = open_lm(settings.model, device=settings.device, precision=settings.precision, raw=settings.raw)
    if lm.note:
        show.say(lm.note)
    how = settings.how
    if settings.file:
        _check(lm, rows)
        _lines(lm, prompts, settings)
    elif how.n == 1 and how.beams == 1 and not how.logprobs and not show.json:
        _stream(lm, prompts[0], how, show)
    else:
        _whole(lm, prompts[0], settings, show)
    return 0


def no_model(verb: str) -> UserError:
    """The mistake of naming no model."""
    return UserError("no model is named", f"name one: dragoman {verb} MODEL, a folder or hf:owner/name")


def shown(text: str) -> str:
    """A model's text as it is printed: into a file as it was written, on a terminal without what steers it."""
    return visible(text) if sys.stdout.isatty() else text


def given(text: str) -> str:
    """The text that was given, or standard input up to its end; it may say nothing."""
    if text:
        return text
    try:
        return sys.stdin.read().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"standard input is not UTF-8: {error.reason}", "give the text as UTF-8") from None


def _asked(settings: Settings) -> str:
    text = given(settings.prompt)
    if not text.strip():
        raise empty_prompt()
    return text


def _prompt(text: str, settings: Settings) -> Prompt:
    before = [Message("system", settings.system)] if settings.system else []
    return (*before, Message("user", text))


def _from_file(path: Path, settings: Settings) -> list[tuple[str, Prompt]]:
    """The prompts of a file, each with the place it stands at."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}", "name a file of prompts: file=prompts.txt"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error.reason} at byte {error.start}", "save it as UTF-8") from None
    read = _row if path.suffix in (".jsonl", ".ndjson") else None
    places = [(f"{path}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    prompts = [
        (place, read(line, place, settings) if read else _prompt(line.rstrip("\r"), settings)) for place, line in places
    ]
    if not prompts:
        raise UserError(f"{path} holds no prompt", "write one a line")
    return prompts


def _row(line: str, where: str, settings: Settings) -> Prompt:
    """The prompt in a JSON line: a text under `prompt`, or a dialogue under `messages` (or `prompt`)."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UserError(f"{where} is no JSON: {said}", 'write {"prompt": "..."} on each line') from None
    given = row.get("prompt", row.get("messages")) if isinstance(row, dict) else row
    if isinstance(given, str) and given.strip():
        return _prompt(given, settings)
    good = isinstance(given, list) and given and all(_is_message(one) for one in given)
    if not isinstance(given, list) or not good:
        raise UserError(f"{where} holds no prompt", 'write {"prompt": "..."} on each line')
    before = [Message("system", settings.system)] if settings.system else []
    return (*before, *(Message(one["role"], one["content"]) for one in given))


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("role", "content"))


def _check(lm: WritingLM, rows: Sequence[tuple[str, Prompt]]) -> None:
    """Raise UserError with the place of the first prompt that cannot be answered, before anything is written."""
    for place, prompt in rows:
        try:
            lm.check(prompt)
        except UserError as error:
            raise UserError(f"{place}: {error.problem}", error.hint) from None


def _stream(lm: LM, prompt: Prompt, how: Sampling, show: Show) -> None:
    """Print each piece as it is written."""
    begun, first, pieces, last = time.monotonic(), 0.0, 0, "\n"
    try:
        with contextlib.closing(closable(lm.stream(prompt, how))) as stream:
            for piece in stream:
                first = first or time.monotonic() - begun
                pieces, last = pieces + 1, piece or last
                sys.stdout.write(shown(piece))
                sys.stdout.flush()
    except KeyboardInterrupt:
        print(flush=True)
        raise Stopped(signal.SIGINT, "stopped by Ctrl-C") from None
    if not last.endswith("\n") or not pieces:
        print(flush=True)
    if sys.stderr.isatty():
        spent = time.monotonic() - begun
        rate = (pieces - 1) / (spent - first) if pieces > 1 and spent > first else 0.0
        # A piece is a token, but where a token holds a part of a character.
        show.say(f"{pieces} tokens in {show_seconds(spent)}, the first after {first:.2f} s, then {rate:.1f} tokens/s")


def closable(stream: Iterator[str]) -> Generator[str, None, None]:
    """A stream that can be closed, which frees the model or the connection it comes from."""
    return stream if isinstance(stream, Generator) else (piece for piece in stream)


def _whole(lm: LM, prompt: Prompt, settings: Settings, show: Show) -> None:
    """Print all answers when they are done."""
    begun = time.monotonic()
    try:
        found = lm.generate([prompt], settings.how)
    except KeyboardInterrupt:
        raise Stopped(signal.SIGINT, "stopped by Ctrl-C") from None
    if not show.json:
        for number, one in enumerate(found, 1):
            mark = f"[{number}] " if len(found) > 1 else ""
            print(mark + shown(one.text), flush=True)
            for token in one.logprobs:
                others = "  ".join(f"{text!r} {value:.3f}" for text, value in token.top)
                print(f"  {token.text!r:<16} {token.logprob:8.3f}   {others}")
    show.result(_told(prompt, found, settings.model) | {"seconds": round(time.monotonic() - begun, 3)})


def _compared(prompt: Prompt, settings: Settings, show: Show) -> int:
    """Print what the model says to one prompt with each adapter beside it; all stand over one base in memory."""
    from dragoman.models.open import open_adapted

    begun = time.monotonic()
    names = [one for given in settings.adapter for one in ([given] if Path(given).is_dir() else given.split(","))]
    folders = [Path(name) for name in names]
    lm = open_adapted(settings.model, folders, settings.device, settings.precision, settings.raw)
    lm.of().check(prompt)
    try:
        found = lm.generate([prompt] * len(names), settings.how, [str(folder) for folder in folders])
    except KeyboardInterrupt:
        raise Stopped(signal.SIGINT, "stopped by Ctrl-C") from None
    n = settings.how.n
    told: list[dict[str, Any]] = []
    for row, name in enumerate(names):
        answers = found[row * n : row * n + n]
        for one in () if show.json else answers:
            print(f"[{visible(name)}] {shown(one.text)}", flush=True)
        told += [{**one, "adapter": name} for one in _told(prompt, answers, settings.model)["completions"]]
    result = {**_told(prompt, (), settings.model), "completions": told}
    show.result(result | {"seconds": round(time.monotonic() - begun, 3)})
    return 0


def _lines(lm: LM, prompts: Sequence[Prompt], settings: Settings) -> None:
    """One JSON line for each prompt of a file, in its order."""
    n = settings.how.n
    for start in range(0, len(prompts), _AT_ONCE):
        part = prompts[start : start + _AT_ONCE]
        try:
            found = lm.generate(part, settings.how)
        except KeyboardInterrupt:
            raise Stopped(signal.SIGINT, f"stopped by Ctrl-C after {start} of {len(prompts)} prompts") from None
        for row, prompt in enumerate(part):
            line = _told(prompt, found[row * n : row * n + n], settings.model)
            print(line_of(line), flush=True)


def _told(prompt: Prompt, found: Sequence[Completion], model: str) -> dict[str, Any]:
    """A prompt with what was written for it, as JSON."""
    answers = [
        {
            "text": one.text,
            "tokens": one.tokens,
            "finish": one.finish,
            "logprobs": [
                {"token": token.text, "id": token.id, "logprob": token.logprob, "top": [list(top) for top in token.top]}
                for token in one.logprobs
            ],
        }
        for one in found
    ]
    said = [{"role": message.role, "content": message.content} for message in prompt]
    asked = {"prompt": prompt[0].content} if len(prompt) == 1 else {"messages": said}
    return {**asked, "completions": answers, "model": model}
