"""Talk with a language model in the terminal.

Lines are turns; /help tells the commands, Ctrl-C stops a reply, Ctrl-D leaves. It works from a pipe too.
"""

import contextlib
import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dragoman.core import durable
from dragoman.core.config import build, dump, merge, nearest, parse_word
from dragoman.core.disk import typed
from dragoman.core.doors import Prompt, WritingLM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.show import Show, many
from dragoman.core.types import Message
from dragoman.stages.generate import closable, no_model, shown

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("model",)
SECTIONS = False
_HELP = {
    "/help": "tell these commands",
    "/undo": "take back the last turn",
    "/retry": "answer the last turn again, with another seed",
    "/save FILE": "write the conversation as a line of JSON",
    "/load FILE": "go on with a conversation that was saved",
    "/system TEXT": "tell the model how to answer; without a text, no longer",
    "/set name=value": "change how the next token is drawn; alone, tell it",
    "/quit": "leave, as Ctrl-D does",
}
_TOO_LONG = re.compile(r"context|too long|longer than|too many tokens|this model reads", re.IGNORECASE)
_RESERVE = 64  # tokens of the context kept free for the reply, where it may be that long


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman chat`."""

    model: str = ""
    "The model: a folder, hf:owner/name, or openai:http://host:port/v1#model for an engine."
    system: str = ""
    "What the model is told before the first turn."
    device: str = "auto"
    "Where the model runs: auto, cpu, cuda or mps."
    precision: Literal["auto", "fp32", "bf16", "int8", "int8_dynamic"] = "auto"
    "The numbers it runs in; int8 stores the weights in a byte each, int8_dynamic multiplies in int8 too."
    how: Sampling = field(default_factory=Sampling)
    "How the next token is drawn."


@dataclass
class _Talk:
    """A conversation as it goes."""

    lm: WritingLM
    how: Sampling
    show: Show
    system: str
    templated: bool
    turns: list[Message] = field(default_factory=list)
    ours: set[Path] = field(default_factory=set)


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Open the model and answer until the person leaves; from a pipe, a mistake on the way is exit code 2."""
    if not settings.model:
        raise no_model("chat")
    if settings.how.n > 1 or settings.how.beams > 1:
        raise UserError("a reply is one text, written from left to right", "say n=1 and beams=1")
    from dragoman.models.open import open_lm

    lm = open_lm(settings.model, device=settings.device, precision=settings.precision, raw=False)
    talk = _Talk(lm, settings.how, show, settings.system, templated=lm.chat)
    if lm.note:
        show.say(lm.note)
    if not talk.templated:
        show.say('this model has no chat template: it is shown "User: ... Assistant:", and may not take the hint')
    here = sys.stdin.isatty() and not show.json
    if here:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - editing and history of this chat's lines; nothing is written to disk
        show.say("Lines are turns. /help tells the commands, Ctrl-C stops a reply, Ctrl-D leaves.")
    wrong = False
    while (line := _line(here)) is not None:
        if not line.strip():
            continue
        try:
            if line.startswith("/"):
                if not _command(talk, line):
                    break
            else:
                talk.turns.append(Message("user", line))
                _reply(talk)
        except UserError as error:
            show.say(f"{error.problem}\n  {error.hint}")
            wrong = True
    show.result({"model": settings.model, "messages": [dataclasses.asdict(one) for one in _messages(talk)]})
    return 2 if wrong and not here else 0


def _line(here: bool) -> str | None:
    """The next line; None at the end of the input."""
    while True:
        try:
            if here:
                return input("> ")
            line = sys.stdin.readline()
            return line.rstrip("\r\n") if line else None
        except EOFError:
            print()
            return None
        except KeyboardInterrupt:
            if not here:
                raise
            print("\n(Ctrl-D leaves)")
        except UnicodeDecodeError as error:
            raise UserError(f"standard input is not UTF-8: {error.reason}", "give the lines as UTF-8") from None


def _messages(talk: _Talk) -> list[Message]:
    before = [Message("system", talk.system)] if talk.system else []
    return [*before, *talk.turns]


def _asked(talk: _Talk) -> tuple[Prompt, Sampling]:
    """What the model is shown, and how it answers: its own form of a dialogue, or one that any text model may take."""
    if talk.templated:
        return _messages(talk), talk.how
    names = {"user": "User: ", "assistant": "Assistant: ", "system": ""}
    text = "\n".join(f"{names.get(one.role, '')}{one.content}" for one in _messages(talk))
    how = dataclasses.replace(talk.how, stop=(*talk.how.stop, "\nUser:"))
    return (Message("user", f"{text}\nAssistant:"),), how


def _reply(talk: _Talk) -> None:
    """Let the model answer the last turn; what was written before a Ctrl-C stays. A reply that fails takes it back."""
    said = ""
    try:
        for piece in _pieces(talk):
            said += piece
            if not talk.show.json:
                sys.stdout.write(shown(piece))
                sys.stdout.flush()
    except KeyboardInterrupt:
        if not talk.show.json:
            print("\n(stopped)", end="")
        if not said:
            talk.turns.pop()
    except UserError:
        if not said:
            talk.turns.pop()
        raise
    finally:
        if said:
            talk.turns.append(Message("assistant", said))
    if not talk.show.json:
        print(flush=True)


def _pieces(talk: _Talk) -> Iterator[str]:
    """A reply as it comes, without the space it begins with. Where the model has no room, the oldest turns go."""
    _fit(talk)
    while True:
        prompt, how = _asked(talk)
        begun = False
        try:
            with contextlib.closing(closable(talk.lm.stream(prompt, how))) as stream:
                for piece in stream:
                    text = piece if begun else piece.lstrip()
                    begun = begun or bool(text)
                    if text:
                        yield text
            return
        except UserError as error:  # an engine behind an address says only then that it has no room
            if begun or not _TOO_LONG.search(error.problem) or not _forget(talk):
                raise


def _fit(talk: _Talk) -> None:
    """Let the oldest turns go until a model that runs here has some room left for the reply."""
    longest = talk.lm.longest
    wanted = min(talk.how.max_tokens, _RESERVE, longest // 4)
    while longest and longest - len(talk.lm.ids(_asked(talk)[0])) < wanted and _forget(talk):
        pass


def _forget(talk: _Talk) -> bool:
    """Drop the oldest turn with its reply, and say so; the last turn, which is to be answered, stays."""
    later = next((place for place, one in enumerate(talk.turns[1:], 1) if one.role == "user"), 0)
    if not later:
        return False
    talk.show.say(f"(the model's context is full: it no longer sees {many(later, 'message')} from the beginning)")
    del talk.turns[:later]
    return True


def _command(talk: _Talk, line: str) -> bool:
    """Do what a line that begins with / says; whether the chat goes on."""
    name, _, text = line.strip().partition(" ")
    text = text.strip()
    known = {told.split()[0]: told for told in _HELP}
    if name not in known:
        raise UserError(f"there is no command {name}", nearest(name, known))
    if name in ("/save", "/load") and not text:
        raise UserError(f"{name} needs the name of a file", f"say {name} chat.jsonl")
    match name:
        case "/quit":
            return False
        case "/help":
            talk.show.say("\n".join(f"  {told:<16} {what}" for told, what in _HELP.items()))
        case "/undo":
            talk.show.say("took back: " + _last_turn(talk).content)
        case "/retry":
            _again(talk)
        case "/save":
            _save(talk, typed(text))
        case "/load":
            _load(talk, typed(text))
        case "/system":
            talk.system = text
            talk.show.say("the system message is " + (text or "empty"))
        case "/set":
            _set(talk, text)
    return True


def _last_turn(talk: _Talk) -> Message:
    """Take the last turn and its reply off, and give the turn."""
    places = [place for place, one in enumerate(talk.turns) if one.role == "user"]
    if not places:
        raise UserError("there is no turn yet", "write one first, or /load a conversation")
    turn = talk.turns[places[-1]]
    del talk.turns[places[-1] :]
    return turn


def _again(talk: _Talk) -> None:
    turn = _last_turn(talk)
    if talk.how.temperature:
        talk.how = dataclasses.replace(talk.how, seed=talk.how.seed + 1)
    else:
        talk.show.say("(at temperature 0 the reply is the same again: /set temperature=0.7 lets it vary)")
    talk.turns.append(turn)
    _reply(talk)


def _save(talk: _Talk, path: Path) -> None:
    """One JSON line, as `dragoman generate file=` and training read it; a file of somebody else's is not replaced."""
    if path.exists() and path.resolve() not in talk.ours:
        raise UserError(f"{path} exists already", "give another name: /save chat-2.jsonl")
    messages = [dataclasses.asdict(one) for one in _messages(talk)]
    durable.write(path, (json.dumps({"messages": messages}, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
    talk.ours.add(path.resolve())
    talk.show.say(f"wrote {many(len(messages), 'message')} to {path}")


def _load(talk: _Talk, path: Path) -> None:
    try:
        given = json.loads(path.read_text(encoding="utf-8").split("\n")[0])["messages"]
        messages = [Message(str(one["role"]), str(one["content"])) for one in given]
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "give a file that /save wrote") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{path} holds no conversation", "give a file that /save wrote") from None
    if any(one.role not in ("system", "user", "assistant") for one in messages):
        raise UserError(f"{path} holds no conversation", "give a file that /save wrote")
    talk.system = "\n".join(one.content for one in messages if one.role == "system")
    talk.turns = [one for one in messages if one.role != "system"]
    talk.show.say(f"go on: {many(len(messages), 'message')}")


def _set(talk: _Talk, text: str) -> None:
    if text:
        path, value = parse_word(text)
        talk.how = build(Sampling, merge(dump(talk.how), path, value), "how")
    changed = {name: value for name, value in dump(talk.how).items() if value != dump(Sampling())[name]}
    told = ", ".join(f"{name}={value}" for name, value in changed.items())
    talk.show.say(told or "all settings are the defaults; dragoman chat --help lists them")
