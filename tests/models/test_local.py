"""The door of our own models: text in, text out, in whole characters; scores are sums of what the model says."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Message
from dragoman.models.local import LocalLM
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.store import load_lm
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.chats import CHATML
from tests.nn.tiny_lm import WRITERS, folder_of, tokens, writer

TEXTS = ("the hill", "a tin in the tin", "hello", "all of it, and then some more of the same")


def prompt(text: str) -> list[Message]:
    return [Message("user", text)]


def opened(folder: Path, **settings: Any) -> LocalLM:
    net = load_lm(folder)
    assert isinstance(net, Decoder | EncoderDecoder)
    return LocalLM(net, Tokenizer(folder), **settings)


def plain_net(folder: Path) -> Decoder | EncoderDecoder:
    """The same weights, not laid out for answering."""
    net = load_lm(folder)
    assert isinstance(net, Decoder | EncoderDecoder)
    return net


@pytest.fixture(scope="module", params=["llama", "gpt2", "t5", "bart"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(request.param, tmp_path_factory.mktemp(request.param) / "model")


@pytest.fixture(scope="module")
def lm(folder: Path) -> LocalLM:
    return opened(folder)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> LocalLM:
    return opened(folder_of("llama", tmp_path_factory.mktemp("llama") / "model"))


@pytest.fixture(scope="module")
def stories(shared_data: Path) -> LocalLM:
    return opened(shared_data / "models" / "stories260K")


# --- generate and stream ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        Sampling(max_tokens=20),
        Sampling(max_tokens=30, temperature=1, seed=4),
        Sampling(max_tokens=30, temperature=2, seed=5, stop=("t", "he")),
        Sampling(max_tokens=12, temperature=1, regex="[a-z]{2,6} \N{GRINNING FACE}{1,2}é"),
        Sampling(max_tokens=30, temperature=1, choices=("no", "nothing", "now")),
    ],
    ids=["greedy", "drawn", "stopped", "regex", "choices"],
)
def test_a_stream_is_the_answer_in_pieces(lm: LocalLM, how: Sampling) -> None:
    assert isinstance(lm, LM)
    together = lm.generate([prompt(text) for text in TEXTS], how)
    for text, one in zip(TEXTS, together, strict=True):
        pieces = list(lm.stream(prompt(text), how))
        assert "".join(pieces) == one.text
        assert all(pieces)
        assert one.tokens <= how.max_tokens
        assert one.prompt_tokens == len(lm.ids(prompt(text)))
        if how.stop:
            assert not any(stop in one.text for stop in how.stop)
        if how.regex and one.finish == "stop":
            assert re.fullmatch(how.regex, one.text)
        if how.choices:
            assert one.text in how.choices and one.finish == "stop"


def test_characters_come_whole(stories: LocalLM) -> None:
    """stories260K has no token for an emoji: it is written byte by byte."""
    how = Sampling(regex="\N{GRINNING FACE} ?\N{SNOWMAN}é!", max_tokens=30)
    [said] = stories.generate([prompt("Lily saw")], how)
    assert said.text.replace(" ", "") == "\N{GRINNING FACE}\N{SNOWMAN}é!"
    assert said.finish == "stop"
    assert said.tokens > 8
    pieces = list(stories.stream(prompt("Lily saw"), how))
    assert "".join(pieces) == said.text
    assert not any("\ufffd" in piece for piece in pieces)
    cut = replace(how, max_tokens=2)  # the answer ends inside a character, and says so
    [short] = stories.generate([prompt("Lily saw")], cut)
    assert (short.text, short.finish, short.tokens) == ("\ufffd", "length", 2)
    assert "".join(stories.stream(prompt("Lily saw"), cut)) == "\ufffd"


def test_what_is_written_goes_on_from_the_prompt(stories: LocalLM, shared_data: Path) -> None:
    reference = json.loads((shared_data / "models" / "stories260K" / "reference.json").read_text())
    expected = reference["greedy_ids_from_bos"]
    how = Sampling(max_tokens=len(expected) - 5, logprobs=1)
    [said] = stories.generate([prompt("Once upon a time")], how)
    assert stories.tokenizer.start("Once upon a time") + [token.id for token in said.logprobs] == expected
    assert reference["published_greedy_text"].startswith("Once upon a time" + said.text[:400])
    assert said.text.startswith(", there was")
    [word] = stories.generate([prompt("Once upon")], Sampling(max_tokens=1))
    assert word.text == " a"  # the space before the first word belongs to what goes on


def test_stop_texts_end_right_before_them(stories: LocalLM) -> None:
    [whole] = stories.generate([prompt("Once upon a time")], Sampling(max_tokens=60))
    for stop in ("girl named", "ved to pl", " Lily. S", "e", "she saw a big, red b"):
        how = Sampling(max_tokens=60, stop=(stop, "never said"))
        [said] = stories.generate([prompt("Once upon a time")], how)
        assert said.text == whole.text[: whole.text.index(stop)]
        assert said.finish == "stop"
        assert said.tokens < whole.tokens
        assert "".join(stories.stream(prompt("Once upon a time"), how)) == said.text
    [unstopped] = stories.generate([prompt("Once upon a time")], Sampling(max_tokens=60, stop=(whole.text[-3:] + "#",)))
    assert (unstopped.text, unstopped.finish) == (whole.text, "length")  # what was held back comes in the end


def test_a_stop_text_in_one_row_leaves_the_others(stories: LocalLM) -> None:
    asked = [prompt("Once upon a time"), prompt("The dog"), prompt("Tom and")]
    alone = [stories.generate([one], Sampling(max_tokens=40, stop=(".",)))[0] for one in asked]
    assert stories.generate(asked, Sampling(max_tokens=40, stop=(".",))) == alone
    assert len({one.tokens for one in alone}) > 1


def test_forty_prompts_keep_their_order(stories: LocalLM) -> None:
    words = re.split(
        " ", "one day a big dog and the little cat went to the park to play with all of the pets there now"
    )
    texts = [" ".join(words[place % 7 : place % 7 + 1 + (place * 13) % 15]) for place in range(40)]
    how = Sampling(temperature=1, seed=2, max_tokens=6, top_p=0.95)
    together = stories.generate([prompt(text) for text in texts], how)
    assert together == [stories.generate([prompt(text)], how)[0] for text in texts]
    assert [one.prompt_tokens for one in together] == [len(stories.tokenizer.start(text)) for text in texts]
    two = stories.generate([prompt(text) for text in texts], replace(how, n=2))
    assert two[::2] == together
    assert stories.generate([], how) == []


def test_prompts_of_like_length_share_a_batch_however_long_answers_may_be(
    stories: LocalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[int]] = []
    inner = LocalLM._batch

    def watched(self: LocalLM, rows: Any, how: Sampling) -> list[Completion]:
        batches.append([len(row) for row in rows])
        return inner(self, rows, how)

    monkeypatch.setattr(LocalLM, "_batch", watched)
    texts = ["cat " * (1 + place * 7 % 20) for place in range(33)]
    stories.generate(
        [prompt(text) for text in texts], Sampling(max_tokens=100_000, stop=("e", " ", "a", "o", "t", "s"))
    )
    assert [len(batch) for batch in batches] == [16, 16, 1]
    lengths = [length for batch in batches for length in batch]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize("weights", ["bf16", "int8", "int8_dynamic"])
def test_fewer_bits_tell_the_same_story(weights: str, shared_data: Path, stories: LocalLM) -> None:
    narrow = opened(shared_data / "models" / "stories260K", weights=weights)
    [said] = narrow.generate([prompt("Once upon a time")], Sampling(max_tokens=20))
    [expected] = stories.generate([prompt("Once upon a time")], Sampling(max_tokens=20))
    assert said.text[:10] == expected.text[:10]
    options = [" day", " little girl", " dog and a cat"]
    near, exact = (one.score([prompt("Once upon a")], options) for one in (narrow, stories))
    assert np.allclose(near, exact, rtol=0.05)


def test_beams_give_the_best_first(lm: LocalLM) -> None:
    how = Sampling(beams=4, n=3, max_tokens=8, length_penalty=0)
    found = lm.generate([prompt(text) for text in TEXTS], how)
    assert len(found) == 3 * len(TEXTS)
    assert {one.finish for one in found} <= {"stop", "length"}
    assert found[:3] == lm.generate([prompt(TEXTS[0])], how)
    shown = next(one.text for one in [*found, Completion("?")] if one.text)
    [place] = [place for place, one in enumerate([*found, Completion("?")]) if one.text][:1]
    if place < len(found):
        stopped = lm.generate([prompt(TEXTS[place // 3])], replace(how, stop=(shown[0],)))[place % 3]
        assert (stopped.text, stopped.finish) == ("", "stop")
    with pytest.raises(UserError, match="one answer can be streamed"):
        next(lm.stream(prompt("a"), how))
    with pytest.raises(UserError, match="beam search does not go with"):
        lm.generate([prompt("a")], replace(how, logit_bias={5: 3}))


def test_what_is_told_of_each_token(lm: LocalLM) -> None:
    [said] = lm.generate([prompt("the hill")], Sampling(max_tokens=6, logprobs=4, logit_bias={2: -100}))
    assert len(said.logprobs) == said.tokens == 6
    for token in said.logprobs:
        assert len(token.top) == 4
        assert token.top[0][1] == pytest.approx(token.logprob)
        assert token.top[0][0] == token.text


# --- constraints ------------------------------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 6}, "old": {"type": "integer", "maximum": 99, "minimum": 0}},
    "required": ["name", "old"],
    "additionalProperties": False,
}


def test_a_schema_always_holds(stories: LocalLM) -> None:
    how = Sampling(temperature=1.5, json_schema=json.dumps(SCHEMA), n=6, seed=3, max_tokens=300)
    for said in stories.generate([prompt("Lily"), prompt("Once upon a time there was")], how):
        record = json.loads(said.text)
        assert set(record) == {"name", "old"}
        assert len(record["name"]) <= 6 and 0 <= record["old"] <= 99
        assert said.finish == "stop"


@pytest.mark.parametrize(
    "how",
    [
        Sampling(regex="[A-Z][a-z]{2,5}( and [A-Z][a-z]{2,5})?", temperature=1.3, n=5, max_tokens=60),
        Sampling(regex="(ha){3}!", max_tokens=60),
        Sampling(choices=("yes", "no", "I do not know"), temperature=2, n=8, max_tokens=60),
        Sampling(choices=(" yes", "\N{GRINNING FACE}"), temperature=2, n=8, max_tokens=60, min_tokens=20),
    ],
)
def test_other_shapes_always_hold(stories: LocalLM, llama: LocalLM, how: Sampling) -> None:
    for lm in (stories, llama):
        for said in lm.generate([prompt("Once upon a time"), prompt("the")], how):
            assert said.finish == "stop"
            assert said.text in how.choices if how.choices else re.fullmatch(how.regex, said.text)


# --- score ------------------------------------------------------------------------------------------------------------

OPTIONS = (" the", "é?", " hill in the tin, all of it", "x")


@torch.no_grad()
def total(net: Decoder | EncoderDecoder, head: list[int], tail: list[int], lead: list[int]) -> float:
    """The log-probability of the tail by one forward over everything."""
    if isinstance(net, EncoderDecoder):
        logits = net(torch.tensor([head]), None, torch.tensor([[net.arch.start_id, *lead, *tail[:-1]]]))[0, len(lead) :]
    else:
        logits = net(torch.tensor([[*head, *tail[:-1]]]))[0, len(head) - 1 :]
    return float(logits.double().log_softmax(-1).gather(1, torch.tensor(tail)[:, None]).sum())


def test_scores_are_those_of_whole_forwards(lm: LocalLM, folder: Path) -> None:
    net, words = plain_net(folder), Tokenizer(folder)
    found = lm.score([prompt(text) for text in TEXTS], OPTIONS)
    assert found.shape == (len(TEXTS), len(OPTIONS))
    lead = [words.bos_id] if folder.parent.name.startswith("bart") else []
    for row, text in enumerate(TEXTS):
        head = words.encode([text], 99)[0] if isinstance(net, EncoderDecoder) else words.start(text)
        for column, option in enumerate(OPTIONS):
            tail = words.plain([option])[0]
            expected = total(net, head, tail, [one for one in lead if one is not None])
            assert found[row, column] == pytest.approx(expected, abs=1e-4)
            [[alone]] = lm.score([prompt(text)], [option])
            assert alone == pytest.approx(expected, abs=1e-4)
    counts = np.array([len(words.plain([option])[0]) for option in OPTIONS])
    sizes = np.array([len(option.encode()) for option in OPTIONS])
    assert np.allclose(lm.score([prompt(text) for text in TEXTS], OPTIONS, "token"), found / counts, atol=1e-5)
    assert np.allclose(lm.score([prompt(text) for text in TEXTS], OPTIONS, "byte"), found / sizes, atol=1e-5)
    assert lm.score([], OPTIONS, "token").shape == (0, len(OPTIONS))
    assert lm.score([prompt("a")], [], "byte").shape == (1, 0)


def test_more_options_than_fit_in_a_batch(llama: LocalLM) -> None:
    options = [f" {one}{other}" for one in "abcdef" for other in "ghijkl"]
    together = llama.score([prompt("the hill")], options)
    alone = [llama.score([prompt("the hill")], [option])[0, 0] for option in options]
    assert np.allclose(together[0], alone, atol=1e-4)


def test_an_option_that_merges_with_the_prompt_is_scored_from_its_first_new_token(
    llama: LocalLM, tmp_path: Path
) -> None:
    words = llama.tokenizer
    assert words.start("xt") + words.plain(["ime"])[0] != words.start("xtime")  # "t" and "i" are one token
    assert words.start("xtime")[:-3] == words.start("x")
    merged, apart = llama.score([prompt("xt"), prompt("x")], ["ime", "time"])[[0, 1], [0, 1]]
    assert merged == pytest.approx(apart, abs=1e-5)
    [[space]] = llama.score([prompt("the ")], ["the"])  # a space that was left at the end of the prompt
    [[clean]] = llama.score([prompt("the")], [" the"])
    assert space == pytest.approx(clean, abs=1e-5)


def test_the_reference_of_stories260k(stories: LocalLM, shared_data: Path) -> None:
    reference = json.loads((shared_data / "models" / "stories260K" / "reference.json").read_text())
    option = reference["scored_text"].removeprefix("Once upon a time")
    [[found]] = stories.score([prompt("Once upon a time")], [option])
    assert found == pytest.approx(sum(reference["token_logprobs"][4:]), abs=1e-4)


def test_scores_that_cannot_be(lm: LocalLM, folder: Path) -> None:
    with pytest.raises(UserError, match="adds no token"):
        lm.score([prompt("a")], ["b", ""])
    with pytest.raises(UserError, match="the prompt is empty"):
        lm.score([prompt("")], ["b"])
    with pytest.raises(UserError, match="prompt is empty"):
        lm.score([[]], ["b"])
    if lm.longest < 100:
        with pytest.raises(UserError, match="tokens, and this model"):
            lm.score([prompt("a")], ["b" * 64])
        with pytest.raises(UserError, match="this model reads 64"):
            lm.score([prompt("a" * 64)], ["b"])
    net = plain_net(folder)
    with torch.no_grad():
        inner = net.decoder if isinstance(net, EncoderDecoder) else net
        inner.blocks[1].feed_forward.down.weight[3, 4] = torch.nan
    broken = LocalLM(net, Tokenizer(folder))
    with pytest.raises(UserError, match="not finite"):
        broken.score([prompt("the hill")], [" the"])
    with pytest.raises(UserError, match="no next token can be drawn"):
        broken.generate([prompt("the hill")], Sampling())


# --- prompts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITERS)
def test_prompts_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    lm = LocalLM(writer(name), tokens(name, tmp_path))
    for empty in ([], prompt(""), [Message("system", ""), Message("user", "")]):
        with pytest.raises(UserError, match="the prompt is empty") as caught:
            lm.generate([prompt("a"), empty], Sampling())
        assert "dragoman generate" in caught.value.hint
        with pytest.raises(UserError, match="the prompt is empty"):
            next(lm.stream(empty, Sampling()))
    if lm.longest < 100:
        with pytest.raises(UserError, match="this model reads 64") as caught:
            lm.generate([prompt("a"), prompt("b" * 70)], Sampling())
        assert "shorten" in caught.value.hint
    with pytest.raises(UserError, match="half a character"):
        lm.generate([prompt("a \ud800")], Sampling())


def test_control_tokens_in_a_prompt_are_text(llama: LocalLM) -> None:
    assert 2 not in llama.ids(prompt("a </s> b"))


@pytest.fixture
def chatty(shared_data: Path, tmp_path: Path) -> Path:
    """stories260K with a chat template of its own letters."""
    folder = tmp_path / "chatty"
    shutil.copytree(shared_data / "models" / "stories260K", folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    template = CHATML.replace("<|im_start|>", "## ").replace("<|im_end|>", " ##")
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": template}))
    return folder


def test_a_chat_template_is_used_unless_raw(chatty: Path) -> None:
    talking, raw = opened(chatty), opened(chatty, raw=True)
    said = [Message("system", "Be kind."), Message("user", "Who is Lily?")]
    assert (talking.chat, raw.chat) == (True, False)
    shown = talking.tokenizer.decode(talking.ids(said))
    assert "## user\nWho is Lily? ##" in shown
    assert shown.endswith("## assistant\n")
    assert raw.ids(said) == raw.tokenizer.start("Be kind.\nWho is Lily?")
    how = Sampling(max_tokens=12)
    [one], [other] = talking.generate([said], how), raw.generate([said], how)
    assert one.text != other.text
    assert "".join(talking.stream(said, how)) == one.text
    assert not one.text.startswith(" ")  # an answer begins anew; a text that goes on keeps its space


def test_options_are_answers_where_there_is_a_template(chatty: Path) -> None:
    talking, net = opened(chatty), plain_net(chatty)
    head = talking.ids(prompt("Who?"))
    whole = talking.tokenizer.dialogue([Message("user", "Who?"), Message("assistant", "Lily and Tom")])
    assert whole[: len(head)] == head
    [[found]] = talking.score([prompt("Who?")], ["Lily and Tom"])
    assert found == pytest.approx(total(net, head, whole[len(head) :], []), abs=1e-4)
    begun = [Message("user", "Who?"), Message("assistant", "Lily")]
    [[rest]] = talking.score([begun], [" and Tom"])
    [[first]] = talking.score([prompt("Who?")], ["Lily"])
    assert first + rest == pytest.approx(found, abs=1e-4)
