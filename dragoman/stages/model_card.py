"""Gathers what a model card says from the records of a project's runs, under names that mean something elsewhere."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dragoman.core.errors import UserError
from dragoman.core.runs import Run, all_runs, find
from dragoman.report.model_card import CardFacts
from dragoman.stages.assistants import CARD, MODEL
from dragoman.stages.record import data_card

__all__ = ["HUB_NAME", "card_facts", "pathless", "public_base"]

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
BUILTIN = {"minilm": "sentence-transformers/all-MiniLM-L6-v2"}
_KINDS = (
    ("ForSequenceClassification", "SEQ_CLS", "text-classification", "AutoModelForSequenceClassification"),
    ("ForTokenClassification", "TOKEN_CLS", "token-classification", "AutoModelForTokenClassification"),
    ("ForQuestionAnswering", "QUESTION_ANS", "question-answering", "AutoModelForQuestionAnswering"),
    ("ForCausalLM", "CAUSAL_LM", "text-generation", "AutoModelForCausalLM"),
    ("LMHeadModel", "CAUSAL_LM", "text-generation", "AutoModelForCausalLM"),
    ("ForConditionalGeneration", "SEQ_2_SEQ_LM", "text2text-generation", "AutoModelForSeq2SeqLM"),
    ("ForMaskedLM", "", "fill-mask", "AutoModelForMaskedLM"),
)
"how a class of transformers ends, PEFT's name of its task, the hub's, and the class that opens it"
TASKS = {"summarize": "summarization", "translate": "translation"}
"what the hub calls the tasks of a model that reads and writes"
_PART = r"""[^\s"'`<>|,;(){}\[\]=]"""  # what a path is made of inside a text
_PLACE = re.compile(
    rf"(?<![\w./\\~])(?:(?:file://|~)?/(?:(?![/\\]){_PART})+[/\\]|~[/\\]|\.{{1,2}}[\\/]|[A-Za-z]:[\\/]|\\\\){_PART}*"
)
_FILE = re.compile(
    r"(?<![\w./\\:@~-])(?:[\w.-]+[/\\])+[\w.-]+\.(?:jsonl?|csv|tsv|parquet|conll|txt|gz|toml|md|jinja|safetensors|gguf|bin)\b"
)
"a path from the root, the home or the folder one stands in; and one to a file of a known ending"


def card_facts(made: Run, folder: Path, place: str, licence: str) -> CardFacts:
    """What is known of the model in a folder of a run, from the run, its verdict and its data.

    Raises UserError where the folder says nothing of the kind of its model.
    """
    results = made.results
    project = results.get("project") or {}
    scope = dict(project.get("scope") or {})
    card = _read(made.folder / MODEL / CARD)
    judged_on, record = _record(made)
    base = public_base(str(results.get("base") or made.settings.get("model") or ""))
    data, data_name = _data(project, made)
    pipeline, opens = _kind(folder, made)
    task = str(scope.get("task", ""))
    if card.get("instruction"):
        scope["instruction"] = card["instruction"]
    facts = CardFacts(
        title=pathless(str(scope.get("name") or made.id)),
        place=place,
        run=made.id,
        version=str(made.record.get("version", "")),
        pipeline=TASKS.get(task, pipeline) if opens == "AutoModelForSeq2SeqLM" else pipeline,
        library="peft" if (folder / "adapter_config.json").exists() else "transformers",
        license=licence,
        base=base,
        base_said=base or _unnamed(made),
        data=data,
        data_name=data_name,
        tags=tuple(tag for tag in (task, made.verb) if tag),
        scope=_public(scope),
        record=_public(record),
        judged_on=judged_on,
        facts=_known(made, card),
    )
    return replace(facts, usage=_usage(facts, opens, made))


def public_base(spec: str) -> str:
    """A model's name on the hub, owner/name; empty for a folder, whose path is nobody's business."""
    scheme, _, name = spec.partition(":")
    if scheme == "builtin":
        return BUILTIN.get(name, "")
    name = name.partition("@")[0]
    return name if scheme == "hf" and HUB_NAME.fullmatch(name) else ""


def pathless(text: str) -> str:
    """A text of anybody's with the last name of each path in it: where a file lies is nobody's business.

    What the hub or the net calls something (hf:owner/name, https://...) stays.
    """
    for shape in (_PLACE, _FILE):
        text = shape.sub(_last_name, text)
    return text


def _last_name(found: re.Match[str]) -> str:
    path = found[0].rstrip(".:!?")
    name: str = re.split(r"[\\/]", path.rstrip("\\/"))[-1]
    return name + found[0][len(path) :]


def _public(value: Any) -> Any:
    """A record of any depth whose texts name no path."""
    if isinstance(value, Mapping):
        return {name: _public(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_public(one) for one in value]
    return pathless(value) if isinstance(value, str) else value


def _record(made: Run) -> tuple[str, Mapping[str, Any]]:
    """On which rows it was measured last, and the record of that: a verdict, else a validation, else its training."""
    trained = made.results.get("record")
    if isinstance(trained, Mapping):
        return "held-out text", trained
    about = [one for one in all_runs(made.folder.parent) if one.finished and one.results.get("rung_run") == made.id]
    own = {name: made.results.get(name) for name in ("forgetting", "parity", "cut")} | {"data": _data_card(made)}
    places = {"run": "sealed test", "judge": "sealed test", "tune": "sealed test", "evaluate": "validation rows"}
    for verb, rows in places.items():
        found = [
            one for one in about if one.verb == verb and (verb != "evaluate" or "validation" in one.record["inputs"])
        ]
        if found:
            last = found[-1].results
            test = last.get("test") or {"openings": last.get("openings"), "rows": last.get("rows")}
            return rows, {**own, **last, "test": test, "data": own["data"] or last.get("data")}
    return "", own


def _data_card(made: Run) -> dict[str, Any] | None:
    """The data card of the rows it learnt from; None where their run is gone."""
    entry = made.record["inputs"].get("parts")
    if not entry:
        return None
    try:
        prepared = find(made.folder.parent, str(entry["path"]), ("prepare",))
    except UserError:
        return None
    return data_card(prepared) if prepared.finished else None


def _data(project: Mapping[str, Any], made: Run) -> tuple[tuple[str, ...], str]:
    """The data sets on the hub, and every set by a name: of a file, its own name without where it lies."""
    named = (project.get("data") or {}).get("source") or made.settings.get("source") or ""
    specs = [named] if isinstance(named, str) else list(named)
    hub, names = [], []
    for spec in (str(one).strip() for one in specs):
        scheme, _, rest = spec.partition(":")
        if scheme == "hf":
            names.append(rest.partition("#")[0].partition(":")[0])
            hub.append(names[-1])
        elif spec:
            names.append(rest if scheme == "builtin" else Path(spec).name)
    return tuple(dict.fromkeys(hub)), ", ".join(dict.fromkeys(names))


def _kind(folder: Path, made: Run) -> tuple[str, str]:
    """The hub's name of a model's task and the class of transformers that opens it, as its own files say."""
    named = str(next(iter(_read(folder / "config.json").get("architectures") or ()), ""))
    peft = str(_read(folder / "adapter_config.json").get("task_type") or "")
    for ending, task_type, tag, opens in _KINDS:
        if (named and named.endswith(ending)) or (peft and peft == task_type):
            return tag, opens
    raise UserError(
        f"{made.id} holds a model of no kind that is published", "push a trained one; they are listed by: dragoman runs"
    )


def _unnamed(made: Run) -> str:
    """A base without a public name, by the checksum that the run was made with; empty where it had none."""
    if not made.results.get("base"):
        return ""
    sums = [one["path"] for name, one in made.record["inputs"].items() if name not in ("parts", "corpus")]
    return f"a model that has no name on the hub, SHA-256 {sums[0][:12]}" if sums else ""


def _known(made: Run, card: Mapping[str, Any]) -> dict[str, Any]:
    results = made.results
    told = {
        "tuning": card.get("tuning"),
        "weights that learnt": _share(results.get("learnt"), results.get("weights")),
        "most tokens of a text": card.get("max_length"),
        "training steps": results.get("steps"),
        "several labels at once": "yes" if card.get("multi_label") else None,
    }
    return {name: value for name, value in told.items() if value}


def _share(some: Any, whole: Any) -> str:
    return f"{some:,} of {whole:,}" if isinstance(some, int) and isinstance(whole, int) else ""


def _usage(facts: CardFacts, opens: str, made: Run) -> tuple[tuple[str, str], ...]:
    """How a stranger uses it, and how it is served where it was made."""
    if facts.library == "peft":
        base = facts.base or "the folder of the model that it was trained from"
        code = f"from peft import PeftModel\nfrom transformers import {opens}\n\n"
        code += f'base = {opens}.from_pretrained("{base}")\nmodel = PeftModel.from_pretrained(base, "{facts.place}")'
    elif opens in ("AutoModelForSeq2SeqLM", "AutoModelForQuestionAnswering"):  # transformers 5 has no pipeline for them
        code = f"from transformers import AutoTokenizer, {opens}\n\n"
        code += f'tokenizer = AutoTokenizer.from_pretrained("{facts.place}")\n'
        code += f'model = {opens}.from_pretrained("{facts.place}")'
    else:
        code = f'from transformers import pipeline\n\nask = pipeline("{facts.pipeline}", model="{facts.place}")\n'
        code += 'ask("a text")'
    rung = "parts" in made.record["inputs"]
    labels = made.results.get("project", {}).get("scope", {}).get("task", "classify") == "classify"
    own = f"dragoman serve {made.id}" if labels else f'dragoman ask {made.id} "..."'
    here = own if rung else f'dragoman generate hf:{facts.place} "..."'
    return (("python", code), ("sh", here))


def _read(file: Path) -> dict[str, Any]:
    """A JSON file of a published folder; nothing where it is not there."""
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
