"""What a task measures, and names that are wrong."""

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.evals.task import check_names, known_names, leading, led_by, make_metrics, make_task, rouge_blind
from dragoman.metrics.f1 import F1

LABELS = ("cat", "dog")


def example(*answers: str, **meta: str) -> Example:
    return Example((Message("user", "who?"),), answers, meta=meta)


def test_every_metric_is_known() -> None:
    names = known_names(LABELS)
    assert set(names) == {
        "accuracy", "ece", "log_loss", "macro_f1", "mcc", "micro_f1", "f1:cat", "f1:dog",
    }  # fmt: skip
    assert "mcc" not in known_names(LABELS, multi_label=True)
    made = make_metrics(names, LABELS)
    assert made["f1:dog"] == F1(LABELS, "dog")
    assert make_metrics(["ece"], LABELS, True)["ece"].multi_label is True


def test_a_wrong_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="no metric or limit named 'macro_f2'") as caught:
        check_names(["p95_ms", "macro_f2"], LABELS)
    assert "did you mean 'macro_f1'" in caught.value.hint
    with pytest.raises(UserError) as caught:
        check_names(["f1:dgo"], LABELS)
    assert "f1:dog" in caught.value.hint
    with pytest.raises(UserError) as caught:
        check_names(["p95"], LABELS)
    assert "p95_ms" in caught.value.hint
    check_names(["forgetting", "memory_mb", "size_mb", "p50_ms", "f1:cat"], LABELS)


def test_what_cannot_be_measured() -> None:
    with pytest.raises(UserError, match="several labels hold"):
        make_metrics(["mcc"], LABELS, multi_label=True)
    with pytest.raises(UserError, match="p95_ms is a limit"):
        make_metrics(["p95_ms"], LABELS)


def test_rows_are_checked() -> None:
    assert len(make_task([example("cat")], LABELS).metrics) == 8
    with pytest.raises(UserError, match="no rows"):
        make_task([], LABELS)
    with pytest.raises(UserError, match="row r7 carries the label 'cow'"):
        make_task([example("cow", id="r7")], LABELS)
    with pytest.raises(UserError, match="row 2 carries 2 labels"):
        make_task([example("cat"), example("cat", "dog")], LABELS)
    with pytest.raises(UserError, match="carries 0 labels"):
        make_task([example()], LABELS)
    assert make_task([example(), example("cat", "dog")], LABELS, multi_label=True).multi_label


@pytest.mark.parametrize("name", ["perplexity", "bits_per_byte"])
def test_what_no_answer_tells_is_no_target(name: str) -> None:
    with pytest.raises(UserError, match="no metric or limit"):
        check_names([name], (), kind="chat")


def test_a_metric_that_sees_nothing_does_not_lead() -> None:
    english, japanese = [example("it rains today")], [example("\u4eca\u65e5\u306f\u96e8\u3067\u3059")]
    assert leading(make_task(english, (), kind="summarize")) == "rougel"
    assert leading(make_task(japanese, (), kind="summarize")) == "chrf"
    assert (led_by("translate", japanese), led_by("answer", japanese)) == ("chrf", "token_f1")
    assert rouge_blind(english) == ""
    assert "chrf" in rouge_blind(japanese)


def test_tags_that_are_no_ends_of_entities_are_counted_by_the_word() -> None:
    assert leading(make_task([example("B-a", "O")], (), kind="tag")) == "entity_f1"
    assert leading(make_task([example("O", "O")], (), kind="tag")) == "entity_f1"
    assert leading(make_task([example("NOUN", "VERB")], (), kind="tag")) == "token_accuracy"
