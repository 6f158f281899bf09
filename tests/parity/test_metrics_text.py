"""ROUGE equals rouge-score to 1e-12 on 1,000 pairs, BLEU and chrF equal sacreBLEU to 1e-9; intervals hold the truth."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from dragoman.core.doors import Metric, Row
from dragoman.core.types import Answer
from dragoman.evals.interval import estimate
from dragoman.metrics.bleu import Bleu
from dragoman.metrics.chrf import Chrf
from dragoman.metrics.rouge1 import Rouge1
from dragoman.metrics.rouge2 import Rouge2
from dragoman.metrics.rougel import Rougel
from dragoman.metrics.rougelsum import Rougelsum

SENTENCES = (
    "A man in an orange hat is staring at something.",
    "Two dogs run over the lush, green grass; a third one (brown) sleeps!",
    "The price rose from 1,000.50 to 2,400 - a 140% gain in 3-4 years.",
    "She said: \"It's not what I'd call a well-known fact\", and left.",
    "Ein Mann läuft über saftig-grünes Gras vor einem weißen Zaun.",
    "Children are happily playing on playgrounds.\nTheir parents were talking to relatives.",
    "The U.S.A. team relied on a hopeful, careful adjustment.",
    "日本語のテキストもここにあります。",
)
ODDITIES = ("&amp;lt;", "&quot;x&quot;", "a-\nb", "<skipped>", "[x]{y}", "...", "1.5,", "´", "no", "no", "\t", "--")


def noisy(text: str, source: random.Random) -> str:
    """The text with a few words dropped, doubled, mixed up or strange ones put between."""
    words = text.split(" ")
    for _ in range(source.randint(0, 5)):
        place = source.randrange(len(words) + 1)
        match source.randrange(4):
            case 0 if len(words) > 1:
                words.pop(place % len(words))
            case 1:
                words.insert(place, source.choice(words))
            case 2:
                words.insert(place, source.choice(ODDITIES))
            case _ if source.random() < 0.3:
                source.shuffle(words)
    return " ".join(words)


def rows_of(metric: Metric, answers: list[str], references: list[tuple[str, ...]]) -> Row:
    return np.stack([metric.measure(Answer(said), true) for said, true in zip(answers, references, strict=True)])


def corpora(count: int) -> list[tuple[list[str], list[tuple[str, ...]]]]:
    """Sets of 1 to 8 rows with 1 to 3 references each; some answers are empty, some a few letters long."""
    source, found = random.Random(0), []
    for number in range(count):
        texts = [source.choice(SENTENCES) for _ in range(source.randint(1, 8))]
        many = source.randint(1, 3)
        references = [tuple(noisy(text, source) for _ in range(many)) for text in texts]
        answers = [noisy(text, source) for text in texts]
        if number % 9 == 0:
            answers[0] = ""
        if number % 10 == 0:
            answers = [answer[:7] for answer in answers]
        found.append((answers, references))
    return found


def test_bleu_and_chrf_are_sacrebleu() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    pairs = [
        *((Bleu(tokens, low), sacrebleu.BLEU(tokenize=tokens, lowercase=low, force=True))
          for tokens, low in (("13a", False), ("13a", True), ("none", False), ("char", False))),
        *((Chrf(order, low), sacrebleu.CHRF(word_order=order, lowercase=low))
          for order, low in ((0, False), (2, False), (1, True))),
    ]  # fmt: skip
    for answers, references in corpora(200):
        streams = [list(stream) for stream in zip(*references, strict=True)]
        for ours, theirs in pairs:
            value = theirs.corpus_score(answers, streams).score / 100
            assert abs(ours.combine(rows_of(ours, answers, references)) - value) <= 1e-9
            signature = theirs.get_signature().format(short=False).split("|version")[0]
            assert ours.signature(references) == signature


def test_rouge_is_rouge_score() -> None:
    rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
    source = random.Random(1)
    for stemmer in (False, True):
        theirs = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=stemmer)
        ours = {
            "rouge1": Rouge1(stemmer),
            "rouge2": Rouge2(stemmer),
            "rougeL": Rougel(stemmer),
            "rougeLsum": Rougelsum(stemmer),
        }
        for _ in range(500):
            texts = ["\n".join(source.sample(SENTENCES, source.randint(1, 3))) for _ in range(2)]
            references = tuple(noisy(source.choice(texts), source) for _ in range(source.randint(1, 3)))
            answer = noisy(texts[0], source) if source.random() > 0.02 else ""
            wanted = theirs.score_multi(references, answer)
            for name, metric in ours.items():
                assert abs(metric.measure(Answer(answer), references)[0] - wanted[name].fmeasure) <= 1e-12, name


def test_rouge_is_rouge_score_on_real_summaries(shared_data: Path) -> None:
    rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
    lines = (shared_data / "summarization" / "dialogsum_test.jsonl").read_text().splitlines()
    for line in lines:
        row = json.loads(line)
        answer, *references = (text.replace(". ", ".\n") for text in row["summaries"])
        wanted = rouge_scorer.RougeScorer(["rougeL", "rougeLsum"], use_stemmer=True).score_multi(references, answer)
        for name, metric in (("rougeL", Rougel(True)), ("rougeLsum", Rougelsum(True))):
            assert abs(metric.measure(Answer(answer), tuple(references))[0] - wanted[name].fmeasure) <= 1e-12


@pytest.mark.parametrize("metric", [Bleu(), Chrf(), Rouge1()], ids=lambda metric: type(metric).__name__)
def test_the_interval_of_a_corpus_figure_holds_the_truth(metric: Metric) -> None:
    """Of 200 draws of 100 rows: chance alone leaves these bounds about 3 times in 1,000."""
    source, random_rows = random.Random(2), np.random.default_rng(3)
    words = " ".join(SENTENCES[:4]).split()
    references = [" ".join(source.choices(words, k=source.randint(6, 16))) for _ in range(1500)]
    shares = [source.random() for _ in references]
    answers = [
        " ".join(source.choice(words) if source.random() < share else word for word in text.split())
        for text, share in zip(references, shares, strict=True)
    ]
    rows = rows_of(metric, answers, [(text,) for text in references])
    truth, held = metric.combine(rows), 0
    for seed in range(200):
        found = estimate(metric, rows[random_rows.integers(0, len(rows), 100)], resamples=300, seed=seed)
        held += found.low <= truth <= found.high
    assert 0.90 <= held / 200 <= 0.985
