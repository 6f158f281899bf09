"""Only the rows of the training texts learn, and the net answers as if the whole table did."""

from dataclasses import replace

import torch

from dragoman.train.optim import group_weights, make_optimisers
from dragoman.train.precision import working_copy
from dragoman.train.rows import SeenWords, fold, thin
from dragoman.train.tuning.head import Head
from tests.train.small import HOW, begun, net, steps

IDS = torch.tensor([[1, 5, 9, 2], [1, 60, 61, 2]])


def test_thinning_changes_no_answer() -> None:
    model = net()
    before = model(IDS, None)
    thin(model, [1, 2, 5, 9])
    assert isinstance(model.encoder.embeddings.words, SeenWords)
    assert torch.equal(model(IDS, None), before)
    model.encoder.embeddings.words.train()
    assert torch.allclose(model(IDS[:1], None), before[:1], atol=1e-6)


def test_only_the_seen_rows_learn_and_fold_writes_them_back() -> None:
    model = net()
    table = model.encoder.embeddings.words.weight.detach().clone()
    training = begun(model=model)
    used = {token for ids in training.encoded.ids for token in ids} | {0}
    words = model.encoder.embeddings.words
    assert isinstance(words, SeenWords)
    assert words.rows.shape == (len(used), 16)
    steps(training, 5)
    after = model.eval()(IDS, None)
    fold(model)
    assert isinstance(model.encoder.embeddings.words, torch.nn.Embedding)
    learnt = model.encoder.embeddings.words.weight
    changed = {row for row in range(64) if not torch.equal(learnt[row], table[row])}
    assert changed <= used
    assert changed >= used - {0}  # the row of the padding has no gradient but decay
    assert torch.equal(model(IDS, None), after)


def test_it_is_what_the_whole_table_would_have_learnt() -> None:
    """With no decay, a row that is never read stays as it is in AdamW too."""
    how = replace(HOW, decay=0.0)
    thinned = begun(how=how)
    whole = begun(how=how)
    fold(whole.net)
    whole.paces = whole.tuning.paces(whole.net)
    whole.groups = group_weights(whole.net, whole.paces, 0.0)
    whole.weights = dict(whole.net.named_parameters())
    whole.average = {}
    whole.optimisers = make_optimisers(whole.net, whole.groups, whole.how.rate)
    whole.working = working_copy(whole.net, "fp32", tuple(whole.paces))
    first, second = [], []
    for training, losses in ((thinned, first), (whole, second)):
        torch.manual_seed(0)
        losses += [step.loss for step in steps(training, 8)]
    assert first == second
    fold(thinned.net)
    for name, weight in whole.net.named_parameters():
        assert torch.allclose(dict(thinned.net.named_parameters())[name], weight, atol=1e-7), name


def test_a_frozen_or_mostly_used_table_stays_whole() -> None:
    model = Head().apply(net(), 0)
    thin(model, [1, 2])
    assert isinstance(model.encoder.embeddings.words, torch.nn.Embedding)
    model = net()
    thin(model, range(60))
    assert isinstance(model.encoder.embeddings.words, torch.nn.Embedding)
