"""A question is answered from documents over HTTP as it is by the assistant itself, with what it stands on."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from dragoman.app.assistant import Assistant
from dragoman.app.steps.write import Write
from dragoman.core.doors import Prompt
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.show import Show
from dragoman.models.fake import FakeLM
from dragoman.serve.context import Context, Record
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.served import Catalogue, Lineage, Served
from dragoman.serve.worker import Worker
from dragoman.stages.index import Settings, run
from dragoman.stages.serving import Opening, open_served
from tests.serve.conftest import Running, launched
from tests.serve.writing import writing_context

PAGE = "# Wheels\n\nA wheel has five bolts. Tighten them crosswise.\n\n# Oil\n\nThe engine takes four litres.\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("ask")
    (home / "car.md").write_text(PAGE)
    run(Settings(documents=str(home / "car.md"), index=str(home / "car.sqlite")), (), Show(json=True))
    context = writing_context(home / "tiny", journal=home / "journal.sqlite")
    (served,) = open_served(str(home / "car.sqlite"), Opening(), Limits(), Meters("x"), ["tiny"])
    context.catalogue.put(served)
    running = launched(context)
    yield running
    running.stop()


def ask(server: Running, path: str = "/v1/ask", **body: object) -> httpx.Response:
    return httpx.post(server.url + path, json={"model": "car", **body}, timeout=30, trust_env=False)


def test_an_answer_comes_with_what_it_stands_on(server: Running) -> None:
    given = ask(server, question="How many bolts has a wheel?")
    value = given.json()
    assert given.status_code == 200
    assert "five bolts" in value["answer"]
    assert not value["refused"]
    assert value["id"].startswith("ask-")
    cited = {one["number"] for one in value["citations"]}
    passage = next(one for one in value["passages"] if one["number"] in cited)
    assert passage["source"].endswith("car.md")
    spans = [one for one in value["citations"] if one["number"] == passage["number"] and one["end"]]
    assert any("five bolts" in passage["text"][one["start"] : one["end"]] for one in spans)
    assert value["lineage"]["base"] == "builtin:minilm"


def test_what_the_documents_do_not_say_is_refused(server: Running) -> None:
    value = ask(server, question="Who won the opera festival of 1803?").json()
    assert value["refused"]
    assert "dragoman_refusals_total 1.0" in server.get("/metrics").text


def test_a_stream_ends_with_the_whole_answer(server: Running) -> None:
    given = ask(server, question="How many litres does the engine take?", stream=True)
    events = [line.removeprefix("data: ") for line in given.text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    assert json.loads(events[0])["delta"] == json.loads(events[-2])["answer"]


def test_a_chat_client_asks_documents_too(server: Running) -> None:
    messages = [{"role": "user", "content": "How many bolts has a wheel?"}]
    given = ask(server, "/v1/chat/completions", messages=messages)
    assert "five bolts" in given.json()["choices"][0]["message"]["content"]
    assert ask(server, "/v1/chat/completions", messages=messages, temperature=0.7).status_code == 400
    streamed = ask(server, "/v1/chat/completions", messages=messages, stream=True)
    assert "five bolts" in streamed.text
    assert streamed.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "question"),
        ({"question": " "}, "question"),
        ({"question": "x", "k": 9}, "k"),
        ({"question": "x", "messages": [{"role": "x"}]}, "messages[0].role"),
        ({"question": "x", "model": "tiny"}, "model"),
    ],
)
def test_what_is_wrong_is_named(server: Running, body: dict[str, object], param: str) -> None:
    given = ask(server, **body)
    assert given.status_code == 400
    assert given.json()["error"]["param"] == param


def test_the_journal_has_it(server: Running, tmp_path: Path) -> None:
    from dragoman.serve.journal_read import read

    value = ask(server, question="How many bolts has a wheel?").json()
    kept = {one.entry.id: one.entry for one in read(server.app.state.context.journal.path)}
    entry = kept[value["id"].replace("ask-", "req-")]
    assert entry.answer == value["answer"]
    assert entry.route == "/v1/ask"


class Counting(FakeLM):
    """Reads words, and of each prompt three more than the dialogue has."""

    def ids(self, prompt: Prompt) -> list[int]:
        return [0] * sum(len(message.content.split()) for message in prompt)

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        found = super().generate(prompts, how)
        return [replace(one, prompt_tokens=len(self.ids(it)) + 3) for one, it in zip(found, prompts, strict=True)]


def test_what_an_assistant_reads_is_paid_for_before_and_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds, meters = Limits(), Meters("x")
    assistant = Assistant(Counting(), (Write(),))
    worker = Worker(assistant, bounds, meters)
    served = Served("car", "ask", Lineage(), assistant=assistant, worker=worker, written=Write().how)
    context = Context(Catalogue([served]), bounds, meters)
    paid: list[tuple[str, int]] = []
    keep = Context.reserve

    def reserve(self: Context, record: Record, tokens: int) -> None:
        paid.append(("before", tokens))
        keep(self, record, tokens)

    monkeypatch.setattr(Context, "reserve", reserve)
    monkeypatch.setattr(Context, "charge", lambda self, record, tokens: paid.append(("behind", tokens)))
    server = launched(context)
    try:
        assert ask(server, question="how many bolts").status_code == 200
        given = ask(server, "/v1/chat/completions", messages=[{"role": "user", "content": "two words"}])
    finally:
        server.stop()
    assert paid == [("before", 3), ("behind", 6), ("before", 2), ("behind", 6)]
    assert given.json()["usage"]["prompt_tokens"] == 5
