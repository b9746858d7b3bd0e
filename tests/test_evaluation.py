"""Losses, likelihoods and calibrated statistics against PyTorch over everything at once, and against products."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import handgrad
from handgrad.data import Dataset, corpus_from_lines, read_corpus, split
from handgrad.engine.models import contexts as form
from handgrad.errors import CorpusError
from handgrad.evaluation import log_likelihood, mean_loss
from handgrad.models import mlp

from .tiny_model import tiny_model

WORDS = ["".join(letters) for n in (1, 2, 3) for letters in itertools.product("abc", repeat=n)]
MODEL = tiny_model()
DATASET = Dataset(corpus_from_lines(WORDS, vocabulary=MODEL.vocabulary).tokens)


@pytest.fixture
def words_txt(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("".join(f"{word}\n" for word in WORDS))
    return path


@pytest.fixture(params=[1, 3, 7, 10_000])
def examples_a_block(request, monkeypatch):
    """How many examples pass through the model at once."""
    monkeypatch.setattr(form, "CONTEXTS_AT_ONCE", request.param)
    return request.param


def everything(dataset: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    positions = np.arange(len(dataset))
    return torch.from_numpy(dataset.contexts(positions, 2)), torch.from_numpy(dataset.targets(positions))


def in_float64() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value).double() for name, value in MODEL.parameters.items()}


@pytest.mark.usefixtures("examples_a_block")
@pytest.mark.parametrize("limit", [None, 50, 10_000], ids=str)
def test_calibration_equals_mean_and_variance_over_everything(limit):
    bnmean, bnvar = form.calibrate(MODEL.config, MODEL.parameters, DATASET.tokens, limit).values()
    hprebn = mlp.hidden_preactivation(in_float64(), everything(DATASET)[0][:limit])
    variance, mean = torch.var_mean(hprebn, 0, correction=1, keepdim=True)
    for ours, theirs in ((bnmean, mean), (bnvar, variance)):
        assert ours.dtype == np.float32
        assert ours.shape == (1, 5)
        assert np.abs(ours - theirs.numpy()).max() <= 1e-6 * theirs.abs().max()
    assert hprebn.std(0).min() > 0.1


def test_no_digits_cancel_where_the_mean_is_great(monkeypatch):
    monkeypatch.setattr(form, "CONTEXTS_AT_ONCE", 12)
    shifted = {**MODEL.parameters, "b1": MODEL.parameters["b1"] + np.float32(1000)}
    _, bnvar = form.calibrate(MODEL.config, shifted, DATASET.tokens).values()
    tensors = {name: torch.from_numpy(value) for name, value in shifted.items()}
    theirs = mlp.hidden_preactivation(tensors, everything(DATASET)[0]).double().var(0, correction=1)
    assert np.abs(bnvar - theirs.numpy()).max() <= 1e-6 * theirs.max()


@pytest.mark.usefixtures("examples_a_block")
def test_mean_loss_equals_cross_entropy_over_everything():
    X, Y = everything(DATASET)
    statistics = (torch.from_numpy(value).double() for value in MODEL.buffers.values())
    theirs = F.cross_entropy(mlp.logits(in_float64(), *statistics, X), Y).item()
    assert mean_loss(MODEL, DATASET) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("line", ["", "a", "cab", "abcabcabcabc"])
def test_the_likelihood_of_a_line_is_the_product_over_its_letters(line):
    tokens = [0, 0, *MODEL.vocabulary.encode(line).tolist(), 0]
    product = 1.0
    for i in range(2, len(tokens)):
        product *= math.exp(MODEL.log_probabilities(np.array([tokens[i - 2 : i]]))[0, tokens[i]])
    assert log_likelihood(MODEL, line) == pytest.approx(math.log(product), rel=1e-5)


def test_the_likelihoods_of_all_lines_add_up_to_one():
    """All lines of up to three letters, and all beginnings of four letters of the longer ones."""
    likelihood = sum(math.exp(log_likelihood(MODEL, line)) for line in ["", *WORDS])
    for letters in itertools.product(range(1, 4), repeat=4):
        tokens = [0, 0, *letters]
        contexts = np.array([tokens[i - 2 : i] for i in range(2, 6)])
        likelihood += math.exp(MODEL.log_probabilities(contexts)[np.arange(4), letters].sum())
    assert likelihood == pytest.approx(1, abs=1e-5)


def test_evaluate_measures_each_split_of_the_training_text(words_txt):
    losses = handgrad.evaluate(tiny_model(text=words_txt))
    assert losses == {
        name: pytest.approx(mean_loss(MODEL, part), rel=1e-12)
        for name, part in split(read_corpus(words_txt))._asdict().items()
    }
    assert len(set(losses.values())) == 3


def test_evaluate_measures_another_text(tmp_path):
    path = tmp_path / "others.txt"
    path.write_text("ab\ncc\n")
    likelihood = log_likelihood(MODEL, "ab") + log_likelihood(MODEL, "cc")
    assert handgrad.evaluate(MODEL, text=path) == {"others": pytest.approx(-likelihood / 6, rel=1e-5)}


def test_letters_the_model_has_not_seen_are_named(tmp_path):
    path = tmp_path / "others.txt"
    path.write_text("ab\nxa\n")
    with pytest.raises(CorpusError, match="'x', first on line 2"):
        handgrad.evaluate(MODEL, text=path)
    with pytest.raises(CorpusError, match="'x'"):
        log_likelihood(MODEL, "xa")
