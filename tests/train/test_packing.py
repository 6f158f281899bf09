"""Rows hold every token of an epoch once, cut anywhere, in an order that the number of a row alone decides."""

from collections import Counter

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.shards import Documents
from dragoman.train.packing import BLOCK, Rows, Stream, Texts

LENGTHS = (5, 1, 40, 0, 17, 3, 100, 2)
BEGIN, END = 900, 901


def documents(name: str = "texts", lengths: tuple[int, ...] = LENGTHS, first: int = 0) -> Documents:
    """Documents in which every token is another."""
    made, token = [], first
    for length in lengths:
        made.append(list(range(token, token + length)))
        token += length
    return Documents.of(name, made, list(lengths))


def whole(stream: Stream) -> list[int]:
    """The stream by its definition."""
    found, begin = [], 0
    for end in stream.documents.ends:
        found += [*stream.before, *stream.documents.read(begin, int(end)).tolist(), *stream.after]
        begin = int(end)
    return found


@pytest.mark.parametrize(
    ("before", "after"), [((), ()), ((BEGIN,), ()), ((BEGIN,), (END,)), ((BEGIN, 902), (END, 903))]
)
def test_any_part_of_a_stream(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    stream = Stream(documents(), before, after)
    expected = whole(stream)
    assert stream.length == len(expected) == sum(LENGTHS) + len(LENGTHS) * (len(before) + len(after))
    for start in range(0, stream.length, 3):
        for stop in range(start + 1, stream.length + 1, 7):
            ids, numbers = stream.read(start, stop)
            assert ids.tolist() == expected[start:stop]
            assert len(numbers) == stop - start
            assert all(stream.borders[number] <= start + place for place, number in enumerate(numbers))
            assert all(start + place < stream.borders[number + 1] for place, number in enumerate(numbers))


def test_what_follows_a_token_is_the_next_of_its_document_or_the_end() -> None:
    stream = Stream(documents(), before=(BEGIN,), end=END)
    ids, numbers, following = stream.line(0, stream.length)
    for place in range(stream.length):
        last = place + 1 == stream.length or numbers[place + 1] != numbers[place]
        assert following[place] == (END if last else ids[place + 1])
    tail, borders, after = stream.line(stream.length - 2, 6)  # over the end into the beginning
    assert tail.tolist() == [*ids[-2:], *ids[:4]]
    assert borders[2] != borders[1]
    assert after.tolist() == [*following[-2:], *following[:4]]


@pytest.mark.parametrize("length", [4, 16, 64, 1000])
@pytest.mark.parametrize("epoch", [0, 3])
def test_no_token_is_wasted_and_none_is_seen_twice_in_an_epoch(length: int, epoch: int) -> None:
    stream = Stream(documents(), before=(BEGIN,), end=END)
    rows = Rows((stream,), (1.0,), length, seed=5)
    lines = [rows.line(number) for number in range(epoch * rows.count, (epoch + 1) * rows.count)]
    assert Counter(token for line in lines for token in line.ids) == Counter(whole(stream))
    said = Counter(int(token) for line in lines for token in line.following)
    assert said == Counter(dict.fromkeys(range(sum(LENGTHS)), 1) | {END: len(LENGTHS)})
    assert sum(len(line.ids) < length for line in lines) <= 1


def test_epochs_cut_elsewhere_and_come_in_another_order() -> None:
    rows = Rows((Stream(documents(lengths=(500,))),), (1.0,), 16, seed=1)
    starts = [[rows.line(e * rows.count + n).name for n in range(rows.count)] for e in range(2)]
    places = [{int(name.rpartition(":")[2]) % 16 for name in names} for names in starts]
    assert places[0] != places[1]
    assert starts[0] == [rows.line(n).name for n in range(rows.count)]
    assert starts[0] != [
        line.name for line in (Rows(rows.streams, (1.0,), 16, seed=2).line(n) for n in range(rows.count))
    ]


def test_measuring_reads_in_order() -> None:
    streams = (Stream(documents("a", (50,))), Stream(documents("b", (30, 3), first=50)))
    rows = Rows(streams, (0.5, 0.5), 16, seed=0, ordered=True)
    tokens = [token for number in range(rows.count) for token in rows.line(number).ids.tolist()]
    assert tokens == list(range(83))
    with pytest.raises(IndexError):
        rows.line(rows.count)


def test_sources_have_their_shares() -> None:
    streams = (Stream(documents("a", (500,))), Stream(documents("b", (90,), first=500)), Stream(documents("c", (40,))))
    rows = Rows(streams, (0.7, 0.2996, 0.0004), 8, seed=3)
    counts = Counter(rows.line(number).name.partition(":")[0] for number in range(2 * BLOCK))
    assert counts == {"a": 1400 - 0, "b": 598, "c": 2} or counts == {"a": 1398, "b": 600, "c": 2}
    first = [rows.line(number).name for number in range(40)]
    assert len({name[0] for name in first}) > 1  # mixed, not one after another
    of_b = [n for n in range(600) if rows.line(n).name.startswith("b:0:")]
    seen = Counter(token for number in of_b for token in rows.line(number).ids.tolist())
    assert seen == Counter(range(500, 590))  # a small source, too, is read whole before it is read again


def test_the_digest_tells_everything_apart() -> None:
    texts = documents()
    base = Rows((Stream(texts, (BEGIN,), end=END),), (1.0,), 16, 0)
    others = [
        Rows((Stream(texts, (BEGIN,), end=-100),), (1.0,), 16, 0),
        Rows((Stream(texts, (), end=END),), (1.0,), 16, 0),
        Rows((Stream(documents(lengths=(5, 1, 41)), (BEGIN,), end=END),), (1.0,), 16, 0),
        Rows(base.streams, (1.0,), 17, 0),
    ]
    assert len({one.digest() for one in [base, *others]}) == 5
    assert base.digest() == Rows((Stream(documents(), (BEGIN,), end=END),), (1.0,), 16, 9).digest()
    assert base.words() == ()
    with pytest.raises(UserError, match="1,001 sources"):
        Texts((texts,) * 1001, (1 / 1001,) * 1001)
    assert base.steps_an_epoch(3) == -(-base.count // 3)
    assert Texts((texts, texts), (0.5, 0.5)).bytes == 2 * texts.bytes == 2 * int(np.sum(texts.sizes))
