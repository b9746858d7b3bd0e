"""Losses, likelihoods and calibrated statistics against PyTorch over everything at once, and against products."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import handgrad
from handgrad import evaluation
from handgrad.data import Dataset, corpus_from_lines, read_corpus, split
from handgrad.engine.models import contexts as form
from handgrad.errors import ConfigError, CorpusError, RunError
from handgrad.evaluation import letter_by_letter, log_likelihood, log_likelihoods, mean_loss
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
    places = letter_by_letter(MODEL, line)
    assert [place.letter for place in places] == [*line, None]
    assert math.fsum(place.log_probability for place in places) == pytest.approx(math.log(product), rel=1e-5)


def test_a_long_text_is_measured_in_pieces(monkeypatch):
    whole = mean_loss(MODEL, DATASET)
    monkeypatch.setattr(evaluation, "AT_ONCE", 20)
    assert mean_loss(MODEL, DATASET) == pytest.approx(whole, rel=1e-12)


def test_lines_are_read_together_as_they_are_alone():
    lines = ["cab", "", "a", "cab", "abcabc"]
    together = log_likelihoods(MODEL, lines)
    assert together == [likelihood for line in lines for likelihood in log_likelihoods(MODEL, [line])]
    assert together == pytest.approx([log_likelihood(MODEL, line) for line in lines], rel=1e-6)
    assert log_likelihoods(MODEL, []) == []


def test_the_likeliest_others_are_named_at_each_place():
    for place, context in zip(letter_by_letter(MODEL, "ab"), [[0, 0], [0, 1], [1, 2]], strict=True):
        logprobs = dict(zip([None, *"abc"], MODEL.log_probabilities(np.array([context]))[0].tolist(), strict=True))
        assert place.log_probability == pytest.approx(logprobs.pop(place.letter), rel=1e-6)
        expected = sorted(logprobs.items(), key=lambda pair: -pair[1])
        assert [letter for letter, _ in place.others] == [letter for letter, _ in expected]
    assert len(letter_by_letter(MODEL, "ab", others=1)[0].others) == 1


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


def test_a_path_stands_for_its_model(tmp_path, words_txt):
    sizes = {"model": "mlp", "steps": 2, "batch_size": 4, "n_hidden": 4, "n_embd": 2, "block_size": 2}
    model, run = handgrad.train(words_txt, out=tmp_path / "run", **sizes), tmp_path / "run"
    for path in (run, str(run)):
        assert handgrad.evaluate(path) == handgrad.evaluate(model)
        assert handgrad.sample(path, 5, seed=1) == handgrad.sample(model, 5, seed=1)
        assert handgrad.log_likelihoods(path, ["ab", "c"]) == handgrad.log_likelihoods(model, ["ab", "c"])
    with pytest.raises(RunError, match=r"folder of runs, not a run.*newest first: .*/run\.$"):
        handgrad.sample(tmp_path)


WRONG = {
    "no model": lambda: handgrad.sample(7),
    "no model to measure": lambda: handgrad.evaluate(None),
    "no text": lambda: handgrad.evaluate(MODEL, ["emma"]),
    "lines in one": lambda: handgrad.log_likelihoods(MODEL, "ab"),
    "no lines": lambda: handgrad.log_likelihoods(MODEL, 7),
    "no line": lambda: handgrad.log_likelihoods(MODEL, ["ab", b"ab"]),
    "no config": lambda: handgrad.sample(MODEL, 3, {"seed": 1}),
    "no setting": lambda: handgrad.sample(MODEL, 3, temprature=1),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=list(WRONG))
def test_a_wrong_type_is_said_in_a_sentence(call):
    with pytest.raises(ConfigError, match=r"\(got .*, expected .*\)\.$"):
        call()
