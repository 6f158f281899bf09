"""A prompt read in chunks, or found again, goes on as one read whole."""

import pytest
import torch

from dragoman.nn.decoder import Decoder
from dragoman.nn.rolling import Prompt, Rolling
from tests.nets import DECODERS, close, decoder, some

CPU = torch.device("cpu")


def read(net: Decoder, rolling: Rolling, prompt: Prompt) -> tuple[torch.Tensor, int]:
    """The logits behind a prompt, and in how many chunks it was read."""
    for steps in range(1, 100):
        logits = rolling.read(net, prompt)
        if logits is not None:
            return logits[0], steps
    raise AssertionError


@pytest.mark.parametrize("name", DECODERS)
def test_chunks_are_the_whole_and_what_was_read_is_not_read_again(name: str) -> None:
    net = decoder(name)
    rolling = Rolling(net.arch, torch.float32, CPU, chunk=8, kept=64)
    ids = some(1, 21)
    with torch.inference_mode():
        whole = net(ids)[0]
    first, steps = read(net, rolling, rolling.open(ids[0].tolist()))
    assert steps == 3
    assert close(first, whole[-1], 2e-5)
    again = rolling.open(ids[0].tolist())
    assert again.reused == 16
    second, steps = read(net, rolling, again)
    assert steps == 1
    assert torch.equal(first, second)
    assert rolling.open(ids[0, :16].tolist()).reused == 8  # the last token is always read: its logits are not kept


def test_a_row_goes_on_behind_its_prompt_while_others_come_and_go() -> None:
    net = decoder("alibi")
    rolling = Rolling(net.arch, torch.float32, CPU, chunk=8, kept=0)
    texts = [some(1, 9, seed) for seed in range(3)]
    with torch.inference_mode():
        whole = [net(text)[0] for text in texts]
    for text in texts[:2]:
        prompt = rolling.open(text[0, :5].tolist())
        read(net, rolling, prompt)
        rolling.join(prompt, 8)
    found = rolling.write(net, torch.stack([text[0, 5] for text in texts[:2]]))
    assert close(found[1], whole[1][5], 2e-5)
    rolling.leave(0)
    prompt = rolling.open(texts[2][0, :7].tolist())
    read(net, rolling, prompt)
    assert rolling.join(prompt, 8) == 1
    found = rolling.write(net, torch.stack([texts[1][0, 6], texts[2][0, 7]]))
    assert close(found[0], whole[1][6], 2e-5)
    assert close(found[1], whole[2][7], 2e-5)
