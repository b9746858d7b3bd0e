"""Every family: gradients against autograd and central differences, mistakes noticed, letters read one by one."""

from dataclasses import fields, replace
from typing import get_args

import numpy as np
import pytest
import torch

from handgrad.errors import ConfigError
from handgrad.models import bigram
from handgrad.models.family import Family
from handgrad.models.registry import FAMILIES, ModelName, family
from handgrad.training.config import SIZES as SETTINGS
from handgrad.training.config import TrainConfig

from .cases import LINES, SIZES, TOKENS, problem
from .oracles import ORACLES

EXACT, DIFFERENCES, MISTAKEN = 1e-10, 1e-6, 1e-3
TRAINED = [name for name in FAMILIES if not family(name).counted]
EACH = pytest.mark.parametrize("name", TRAINED)
DROPPING = pytest.mark.parametrize("name", [n for n in TRAINED if "dropout" in {f.name for f in fields(family(n))}])


def loss_of(p, parameters):
    return ORACLES[p.config.name](parameters, p.config, p.X, p.Y)


def by_hand(p):
    _, cache = p.config.forward(p.parameters, p.X, p.Y)
    return p.config.backward(p.dloss, cache)


def by_autograd(p, loss=loss_of):
    leaves = {name: value.clone().requires_grad_() for name, value in p.parameters.items()}
    return dict(zip(leaves, torch.autograd.grad(loss(p, leaves), list(leaves.values()), p.dloss), strict=True))


def by_central_differences(p, step=1e-5):
    gradients = {}
    for name, value in p.parameters.items():
        gradients[name] = torch.zeros_like(value)
        for index in range(value.numel()):
            ends = []
            for sign in (-1, 1):
                moved = value.clone()
                moved.view(-1)[index] += sign * step
                ends.append(loss_of(p, {**p.parameters, name: moved}))
            gradients[name].view(-1)[index] = p.dloss * (ends[1] - ends[0]) / (2 * step)
    return gradients


def disagreement(ours, theirs):
    """The largest error of a gradient, relative to its largest entry; for b1, 0 under batch norm, to that of W1."""
    assert list(ours) == list(theirs)
    errors = []
    for name, reference in theirs.items():
        assert (ours[name].shape, ours[name].dtype) == (reference.shape, reference.dtype), name
        vanishes = name == "b1" and "bngain" in theirs
        scale = theirs["W1" if vanishes else name].abs().max()
        errors.append((ours[name] - reference).abs().max() / scale)
    return torch.stack(errors).max().item()


def test_each_family_is_in_the_registry_and_has_an_oracle_and_a_case():
    assert tuple(FAMILIES) == get_args(ModelName)
    assert TRAINED == list(ORACLES) == list(SIZES)
    with pytest.raises(ConfigError, match=r"model is unknown .*got rwkv.* bigram, ngram, bow, mlp"):
        family("rwkv")


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_says_what_it_is(name):
    kind = family(name)
    assert kind.name == name
    assert kind.title
    assert kind.reads in ("contexts", "lines")
    assert issubclass(kind, Family)
    assert {field.name for field in fields(kind)} <= {"vocab_size", *SETTINGS}
    assert TrainConfig.of(name).model == name


@EACH
def test_forward_equals_plain_torch(name):
    p = problem(name)
    loss, _ = p.config.forward(p.parameters, p.X, p.Y)
    assert loss.shape == ()
    assert abs(loss - loss_of(p, p.parameters)) <= 1e-12


@EACH
@pytest.mark.parametrize("seed", [0, 1])
def test_backward_equals_autograd(name, seed):
    p = problem(name, seed)
    assert list(by_hand(p)) == list(p.config.shapes)
    assert disagreement(by_hand(p), by_autograd(p)) <= EXACT


@EACH
def test_backward_equals_central_differences(name):
    p = problem(name)
    assert disagreement(by_hand(p), by_central_differences(p)) <= DIFFERENCES


def test_the_scores_of_a_tied_transformer_are_products_with_its_embeddings():
    p = problem("transformer", tied=True)
    assert p.config.n_parameters == problem("transformer").config.n_parameters - 4 * 7
    loss, _ = p.config.forward(p.parameters, p.X, p.Y)
    assert abs(loss - loss_of(p, p.parameters)) <= 1e-12
    assert list(by_hand(p)) == list(p.config.shapes)
    assert disagreement(by_hand(p), by_autograd(p)) <= EXACT
    assert disagreement(by_hand(p), by_central_differences(p)) <= DIFFERENCES


@EACH
def test_a_gradient_that_is_wrong_is_noticed(name):
    """Of each parameter: left at zero, with the cotangent forgotten, or too large at one place."""
    p = problem(name)
    right, theirs = by_hand(p), by_autograd(p)
    assert disagreement({key: value / p.dloss for key, value in right.items()}, theirs) > MISTAKEN
    for key, value in right.items():
        if key == "b1" and "bngain" in right:
            continue
        assert disagreement({**right, key: torch.zeros_like(value)}, theirs) > MISTAKEN
        largest = (value.abs() == value.abs().max()).to(value.dtype)
        assert disagreement({**right, key: value * (1 + 2e-3 * largest)}, theirs) > MISTAKEN


@EACH
def test_nothing_is_changed_in_place(name):
    p = problem(name)
    before = {key: value.clone() for key, value in p.parameters.items()}
    by_hand(p)
    assert all(torch.equal(p.parameters[key], value) for key, value in before.items())


@EACH
def test_initial_values_are_drawn_in_order_and_nowhere_zero(name):
    config, drawn = problem(name).config, []
    draw = np.random.default_rng(1)

    def normal(key, shape):
        drawn.append((key, shape))
        return draw.standard_normal(shape, np.float32)

    parameters = config.initial(normal)
    assert [(key, sorted(shape)) for key, shape in drawn] == [
        (key, sorted(shape)) for key, shape in config.shapes.items()
    ]
    assert list(parameters) == list(config.shapes)
    for key, value in parameters.items():
        assert (value.shape, value.dtype) == (config.shapes[key], np.float32)
        assert np.all(value != 0)
    assert config.n_parameters == sum(value.size for value in parameters.values())


@EACH
def test_letter_by_letter_the_scores_are_those_of_training(name):
    """The loss over lines read by `step` is that of `forward`, where batch norm has the statistics of the batch."""
    p = problem(name)
    buffers = {}
    if name == "mlp":
        from handgrad.models.mlp import hidden_preactivation

        variance, mean = torch.var_mean(hidden_preactivation(p.parameters, p.X), 0, correction=1, keepdim=True)
        buffers = {"bnmean": mean, "bnvar": variance}
    elif p.config.buffer_shapes:
        buffers = p.config.measured(p.parameters, p.X)
    assert {key: value.shape for key, value in buffers.items()} == p.config.buffer_shapes
    values, total = {**p.parameters, **buffers}, 0.0
    for line in LINES:
        state = p.config.start(values, 1)
        for place, (token, follows) in enumerate(zip([0, *line], [*line, 0], strict=True)):
            scores, state = p.config.step(values, state, torch.tensor([token]), place)
            assert scores.shape == (1, p.config.vocab_size)
            total -= scores.log_softmax(1)[0, follows]
    assert total / len(TOKENS) == pytest.approx(p.config.forward(p.parameters, p.X, p.Y)[0].item(), rel=1e-10)


@pytest.mark.parametrize("name", [name for name in TRAINED if family(name).reads == "lines"])
def test_padding_does_not_matter(name):
    """A batch of lines has the loss of its lines one by one."""
    p = problem(name)
    total = 0.0
    for x, y in zip(p.X, p.Y, strict=True):
        n = int((y >= 0).sum())
        total += n * p.config.forward(p.parameters, x[None, :n], y[None, :n])[0]
    assert total / len(TOKENS) == pytest.approx(p.config.forward(p.parameters, p.X, p.Y)[0].item(), rel=1e-12)


@DROPPING
def test_with_dropout_gradients_are_those_of_central_differences(name):
    """The same masks forward and backward."""
    p = problem(name, dropout=0.4)
    drawn = {}

    def masks(key, like):
        generator = torch.Generator().manual_seed(len(key))
        drawn[key] = (torch.rand(like.shape, generator=generator, dtype=like.dtype) > 0.4) / 0.6
        return drawn[key]

    def loss(parameters):
        return p.config.forward(parameters, p.X, p.Y, masks)[0]

    _, cache = p.config.forward(p.parameters, p.X, p.Y, masks)
    ours = p.config.backward(p.dloss, cache)
    assert all((mask == 0).any() for mask in drawn.values())
    assert loss(p.parameters) != p.config.forward(p.parameters, p.X, p.Y)[0]
    for key, value in p.parameters.items():
        direction = torch.randn(value.shape, generator=torch.Generator().manual_seed(1), dtype=value.dtype)
        ends = [loss({**p.parameters, key: value + sign * 1e-5 * direction}) for sign in (-1, 1)]
        assert (ours[key] * direction).sum().item() == pytest.approx(
            (p.dloss * (ends[1] - ends[0]) / 2e-5).item(), rel=1e-5, abs=1e-9
        ), key


@EACH
def test_sizes_that_make_no_sense_are_refused(name):
    config = problem(name).config
    for field in fields(config):
        for value in (-1, "3", 1 if field.name == "tied" else True):
            with pytest.raises(ConfigError, match=f"{field.name} makes no sense"):
                replace(config, **{field.name: value})


def test_sizes_that_do_not_go_together_are_refused():
    for name in ("transformer", "microgpt"):
        with pytest.raises(ConfigError, match=r"n_head 3 .*got n_embd 4, expected a multiple of 3"):
            replace(problem(name).config, n_head=3)
        with pytest.raises(ConfigError, match="n_head 3"):
            TrainConfig.of(name, n_head=3)
    for block_size in (1, 6):
        with pytest.raises(ConfigError, match="a power of two"):
            TrainConfig.of("wavenet", block_size=block_size)


def test_makemore_has_as_many_parameters():
    """makemore.py counts 27 tokens and 16 places for the names, and prints the number of parameters."""
    of_lines = {"vocab_size": 27, "n_embd": 64}
    assert family("transformer")(**of_lines, block_size=16).n_parameters == 204_544
    assert family("bow")(**of_lines, block_size=16, n_hidden=64).n_parameters == 12_827
    assert family("microgpt")(27).n_parameters == 4_192


def test_counting_is_where_the_gradient_vanishes():
    p = problem("bigram")
    counted = bigram.counted(TOKENS, 7, smoothing=1e-9)
    parameters = {name: torch.from_numpy(value).double() for name, value in counted.items()}
    loss, cache = p.config.forward(parameters, p.X, p.Y)
    assert p.config.backward(p.dloss, cache)["W"].abs().max() <= 1e-6 * by_hand(p)["W"].abs().max()
    assert loss < p.config.forward(p.parameters, p.X, p.Y)[0]
