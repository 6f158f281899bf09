"""What transformers' own generate writes from the same folder: greedy, and by beams for every way to weigh length."""

from collections.abc import Iterator

import pytest
import torch

from dragoman.core.sampling import Sampling
from dragoman.nn.beam import search
from dragoman.nn.decode import Decoding
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from tests.published import TWO_STACKS, Pair, make_pair, quietly

pytest.importorskip("transformers")

NAMES = ("gpt2", "llama", "mistral window", "qwen3", "gemma3_text", *TWO_STACKS)
DICE = torch.Generator().manual_seed(11)
SOURCES = [torch.randint(3, 99, (size,), generator=DICE).tolist() for size in (3, 12, 7, 20, 1, 9, 15, 5, 30, 11)]


@pytest.fixture(scope="module", params=NAMES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with quietly(request.param):
        yield make_pair(request.param, "amplified", tmp_path_factory.mktemp("theirs"))


def theirs(pair: Pair, prompt: list[int], ends: list[int], **settings: object) -> list[list[int]]:
    """What generate returns, without prompt, start and padding."""
    net = pair.theirs
    for name in ("forced_bos_token_id", "forced_eos_token_id", "no_repeat_ngram_size"):
        setattr(net.generation_config, name, None)
    given = torch.tensor([prompt])
    found = net.generate(
        given,
        attention_mask=torch.ones_like(given),
        do_sample=False,
        eos_token_id=ends,
        pad_token_id=0,
        **settings,
    )
    cut = 1 if pair.name in TWO_STACKS else len(prompt)
    return [_until(row[cut:], ends) for row in found.tolist()]


def _until(ids: list[int], ends: list[int]) -> list[int]:
    stops = [place for place, token in enumerate(ids) if token in ends]
    return ids[: stops[0] + 1] if stops else ids


def test_greedy_in_one_batch_is_generate_one_by_one(pair: Pair) -> None:
    ends = [2, 40]
    assert isinstance(pair.ours, Decoder | EncoderDecoder)
    how = Sampling(max_tokens=14)
    decoding = Decoding(pair.ours, SOURCES, how, eos_ids=frozenset(ends), pad_id=0)
    rows: list[list[int]] = [[] for _ in SOURCES]
    while written := decoding.step():
        for one in written:
            rows[one.row].append(one.id)
    assert rows == [theirs(pair, prompt, ends, max_new_tokens=14, num_beams=1)[0] for prompt in SOURCES]


@pytest.mark.parametrize("pair", ["t5", "bart", "gpt2"], indirect=True)
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, -1.0])
def test_beams_are_those_of_generate(pair: Pair, power: float) -> None:
    assert isinstance(pair.ours, Decoder | EncoderDecoder)
    ends = _likely_ends(pair.ours)
    how = Sampling(max_tokens=12, beams=4, length_penalty=power)
    settings = {
        "num_beams": 4,
        "num_return_sequences": 4,
        "length_penalty": power,
        "max_new_tokens": 12,
        "early_stopping": False,
    }
    lengths = set()
    for prompt in SOURCES:
        ours = [ids for ids, _ in search(pair.ours, prompt, how, frozenset(ends), 0)]
        expected = theirs(pair, prompt, ends, **settings)
        assert ours == expected
        lengths |= {len(ids) for ids in ours}
    assert len(lengths) > 1


def _likely_ends(net: Decoder | EncoderDecoder) -> list[int]:
    """Tokens that this random model's beams do write at their fourth, sixth and eighth step."""
    free = [search(net, prompt, Sampling(max_tokens=12, beams=4), frozenset(), 0)[0][0] for prompt in SOURCES[:6]]
    return sorted({ids[step] for ids, step in zip(free, (3, 5, 7) * 2, strict=True)})
