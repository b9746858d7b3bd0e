"""The notebook, beside its own code spelled out and its published figures."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from handgrad.data import read_corpus, resolve_corpus
from handgrad.lecture import notebook, published
from handgrad.models.mlp import PARAMETERS

SEED = 2147483647


@pytest.fixture(scope="module")
def lecture(names_txt):
    """The corpus, its splits, and the network and first minibatch of exercises 1 to 3."""
    corpus = read_corpus(names_txt)
    splits = notebook.split_as_in_lecture(corpus)
    net = notebook.network(corpus.vocabulary.size, n_hidden=64)
    return SimpleNamespace(corpus=corpus, splits=splits, net=net, batch=notebook.minibatch(net, splits.train))


@pytest.fixture(scope="module")
def trained(lecture):
    """Exercise 4, its first hundredth."""
    told = []
    net = notebook.network(27, n_hidden=200)
    trained = notebook.exercise_4(
        net, lecture.splits.train, 2_000, lambda report: told.append((report.step, report.losses))
    )
    return SimpleNamespace(result=trained, told=told, net=net)


@pytest.mark.parametrize("n_hidden", [64, 200])
def test_the_initial_values_are_the_lectures(n_hidden):
    g = torch.Generator().manual_seed(SEED)
    expected = {
        "C": torch.randn((27, 10), generator=g),
        "W1": torch.randn((30, n_hidden), generator=g) * (5 / 3) / (30**0.5),
        "b1": torch.randn(n_hidden, generator=g) * 0.1,
        "W2": torch.randn((n_hidden, 27), generator=g) * 0.1,
        "b2": torch.randn(27, generator=g) * 0.1,
    }
    net = notebook.network(27, n_hidden)
    for name, value in expected.items():
        assert torch.equal(net.parameters[name], value), name
    assert torch.equal(net.generator.get_state(), g.get_state())
    assert sum(value.nelement() for value in net.parameters.values()) == net.config.n_parameters


def test_the_values_that_the_lecture_draws_without_a_seed_are_the_same_every_time():
    ours, again = (notebook.network(27, 64).parameters for _ in range(2))
    for name, mean in (("bngain", 1), ("bnbias", 0)):
        assert torch.equal(ours[name], again[name])
        assert ours[name].shape == (1, 64)
        assert abs(ours[name].mean() - mean) < 0.05
        assert abs(ours[name].std() - 0.1) < 0.03


def test_the_corpus_has_the_published_figures(lecture):
    assert lecture.corpus.n_lines == published.LINES == 32_033
    assert lecture.corpus.longest == published.LONGEST == 15
    assert lecture.corpus.vocabulary.size == published.VOCABULARY == 27
    assert lecture.corpus.vocabulary.chars == "abcdefghijklmnopqrstuvwxyz"
    assert tuple(map(len, lecture.splits)) == published.SPLITS == (182_625, 22_655, 22_866)
    assert lecture.net.config.n_parameters == published.PARAMETERS_64 == 4_137
    assert notebook.network(27, 200).config.n_parameters == published.PARAMETERS_200 == 12_297


def by_the_lecture(names_txt) -> tuple[torch.Tensor, torch.Tensor]:
    """The training split of the notebook's cell 4."""
    words = names_txt.read_text().splitlines()
    stoi = {s: i + 1 for i, s in enumerate(sorted(set("".join(words))))} | {".": 0}
    random.Random(42).shuffle(words)
    X, Y = [], []
    for word in words[: int(0.8 * len(words))]:
        context = [0] * 3
        for letter in f"{word}.":
            X.append(context)
            Y.append(stoi[letter])
            context = [*context[1:], stoi[letter]]
    return torch.tensor(X), torch.tensor(Y)


def test_the_minibatches_are_the_lectures(lecture, names_txt):
    Xtr, Ytr = by_the_lecture(names_txt)
    net = notebook.network(27, n_hidden=64)
    g = torch.Generator()
    g.set_state(net.generator.get_state())
    for _ in range(3):
        ix = torch.randint(0, Xtr.shape[0], (32,), generator=g)
        Xb, Yb = notebook.minibatch(net, lecture.splits.train)
        assert torch.equal(Xb, Xtr[ix])
        assert torch.equal(Yb, Ytr[ix])


def test_exercise_1(lecture):
    loss, comparisons = notebook.exercise_1(lecture.net, lecture.batch)
    assert 3.29 < loss < 3.39  # of 300 draws of bngain and bnbias, which have no seed there, all lie in between
    assert [comparison.name for comparison in comparisons if not comparison.approximate] == []
    assert len({comparison.name for comparison in comparisons}) == 26
    by_name = {comparison.name: comparison for comparison in comparisons}
    for name in ("logprobs", "probs", "counts_sum_inv", "counts_sum", "counts", "norm_logits", "logits", "h", "W2"):
        assert by_name[name].exact, name


def test_exercise_1_tells_a_wrong_line(lecture, monkeypatch):
    right = notebook.exercise1.backward

    def wrong(*arguments):
        return {**right(*arguments), "bndiff": 2 * right(*arguments)["bndiff"]}

    monkeypatch.setattr(notebook.exercise1, "backward", wrong)
    _, comparisons = notebook.exercise_1(lecture.net, lecture.batch)
    assert [comparison.name for comparison in comparisons if not comparison.approximate] == ["bndiff"]


def test_exercise_2(lecture):
    result = notebook.exercise_2(lecture.net, lecture.batch)
    assert abs(result.difference) < 1e-6
    assert result.value == pytest.approx(notebook.exercise_1(lecture.net, lecture.batch)[0], abs=1e-6)
    assert result.gradient.approximate
    assert 0 < result.gradient.maxdiff < 2e-8


def test_exercise_3(lecture):
    result = notebook.exercise_3(lecture.net, lecture.batch)
    assert result.difference < 2e-6
    assert result.value > 1
    assert result.gradient.approximate
    assert 0 < result.gradient.maxdiff < 5e-9


def test_exercise_4_learns(lecture, trained):
    losses = trained.result.losses
    assert losses.shape == (2_000,)
    assert 3.4 < losses[0] < 4.0
    assert losses[-500:].mean() < 2.5
    train, val = (notebook.split_loss(trained.result, part) for part in lecture.splits[:2])
    assert train < 2.5
    assert val < 2.5
    assert [comparison.name for comparison in trained.result.gradients] == list(PARAMETERS)
    assert all(comparison.approximate for comparison in trained.result.gradients)
    assert [step for step, _ in trained.told] == [500, 1_000, 1_500, 2_000]
    assert np.array_equal(np.concatenate([newest for _, newest in trained.told]), losses)


@pytest.mark.slow
def test_exercise_4_takes_the_lectures_steps(lecture, names_txt):
    """Its loop spelled out, with autograd in place of the gradients by hand."""
    Xtr, Ytr = by_the_lecture(names_txt)
    net = notebook.network(27, n_hidden=200)
    p = {name: value.clone().requires_grad_() for name, value in net.parameters.items()}
    ours = notebook.exercise_4(net, lecture.splits.train, 20)
    g = notebook.network(27, n_hidden=200).generator
    for i in range(20):
        ix = torch.randint(0, Xtr.shape[0], (32,), generator=g)
        hprebn = p["C"][Xtr[ix]].view(32, -1) @ p["W1"] + p["b1"]
        hpreact = p["bngain"] * (hprebn - hprebn.mean(0, keepdim=True)) / torch.sqrt(
            hprebn.var(0, keepdim=True, unbiased=True) + 1e-5
        ) + p["bnbias"]  # fmt: skip
        loss = F.cross_entropy(torch.tanh(hpreact) @ p["W2"] + p["b2"], Ytr[ix])
        assert ours.losses[i] == pytest.approx(loss.item(), rel=1e-5)
        gradients = torch.autograd.grad(loss, list(p.values()))
        lr = 0.1 if i < 10 else 0.01
        p = {name: (p[name] - lr * d).detach().requires_grad_() for name, d in zip(p, gradients, strict=True)}
    for name in PARAMETERS:
        assert (ours.parameters[name] - p[name]).abs().max() <= 2e-6 * p[name].abs().max(), name
    hprebn = p["C"][Xtr].view(len(Xtr), -1) @ p["W1"] + p["b1"]
    assert torch.allclose(ours.bnmean, hprebn.mean(0, keepdim=True), atol=1e-5)
    assert torch.allclose(ours.bnvar, hprebn.var(0, keepdim=True, unbiased=True), rtol=1e-4)


def test_the_samples_come_from_the_lectures_generator(lecture, trained):
    result, itos = trained.result, {**lecture.corpus.vocabulary.itos, 0: "."}
    p = result.parameters
    g = torch.Generator().manual_seed(SEED + 10)
    names = []
    for _ in range(20):
        out, context = [], [0, 0, 0]
        while True:
            hprebn = p["C"][torch.tensor([context])].view(1, -1) @ p["W1"] + p["b1"]
            hpreact = p["bngain"] * (hprebn - result.bnmean) * (result.bnvar + 1e-5) ** -0.5 + p["bnbias"]
            probs = F.softmax(torch.tanh(hpreact) @ p["W2"] + p["b2"], dim=1)
            ix = torch.multinomial(probs, num_samples=1, generator=g).item()
            context = [*context[1:], ix]
            out.append(ix)
            if ix == 0:
                break
        names.append("".join(itos[i] for i in out))
    assert notebook.sample(result, lecture.corpus.vocabulary.itos) == names
    assert all(name.endswith(".") for name in names)
    assert len(set(names)) > 10


def test_the_lecture_runs_on_the_built_in_names_too():
    corpus = resolve_corpus()
    splits = notebook.split_as_in_lecture(corpus)
    net = notebook.network(corpus.vocabulary.size, n_hidden=64)
    _, comparisons = notebook.exercise_1(net, notebook.minibatch(net, splits.train))
    assert all(comparison.approximate for comparison in comparisons)
    result = notebook.exercise_4(net, splits.train, 3)
    lines = notebook.sample(result, corpus.vocabulary.itos, n=3)
    assert [line[-1] for line in lines] == [".", ".", "."]
