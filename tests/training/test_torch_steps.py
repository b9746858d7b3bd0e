"""Training by hand beside training by autograd, and the same steps cut into pieces."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.data import Dataset, resolve_corpus, split
from handgrad.errors import DivergedError
from handgrad.models.mlp import PARAMETERS
from handgrad.models.threads import one_thread
from handgrad.models.trained import TextReference
from handgrad.training.checkpoint import Settings, State, initial_state
from handgrad.training.config import TrainConfig
from handgrad.training.loop import advance
from handgrad.training.schedule import Schedule, examples_of
from handgrad.training.torch_steps import TorchSteps

from ..oracle import plain_loss

CORPUS = resolve_corpus()
TRAIN = split(CORPUS).train
SHORT = TrainConfig(steps=20, batch_size=5, block_size=2, n_embd=3, n_hidden=7, seed=3, optimizer="sgd", engine="torch")


def of_run(config: TrainConfig) -> Settings:
    return Settings(config, CORPUS.vocabulary, TextReference.to(CORPUS))


def beginning(config: TrainConfig) -> State:
    return initial_state(of_run(config))


def by_autograd(config: TrainConfig, train: Dataset) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The run of `config` with PyTorch's gradients and optimiser."""
    parameters = {
        name: torch.from_numpy(value.copy()).requires_grad_() for name, value in beginning(config).parameters.items()
    }
    adam, sgd = config.optimizer == "adam", torch.optim.SGD(parameters.values(), lr=config.lr)
    betas_and_decay = {"betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": config.weight_decay}
    optimiser = torch.optim.AdamW(parameters.values(), lr=config.lr, **betas_and_decay) if adam else sgd
    positions = examples_of(config, range(config.steps), len(train))
    losses = []
    for step in range(config.steps):
        Xb = torch.from_numpy(train.contexts(positions[step], config.block_size))
        Yb = torch.from_numpy(train.targets(positions[step]))
        optimiser.param_groups[0]["lr"] = Schedule.planned(config).rate(step)
        loss = plain_loss(parameters, Xb, Yb)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return {name: value.detach().numpy() for name, value in parameters.items()}, np.array(losses)


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_200_steps_by_hand_equal_200_by_autograd(engine):
    """To rounding in float32: within 5e-6 of a parameter's largest entry, a hundredth of the way it has come."""
    sizes = {"steps": 200, "batch_size": 32, "block_size": 5, "n_embd": 16, "n_hidden": 50}
    config = TrainConfig(**sizes, optimizer="sgd", lr=0.2, engine=engine)
    ours = advance(beginning(config), of_run(config), TRAIN, stop=200)
    theirs, losses = by_autograd(config, TRAIN)
    assert ours.step == 200
    for name in PARAMETERS:
        error = np.abs(ours.parameters[name] - theirs[name]).max()
        assert ours.parameters[name].dtype == np.float32
        assert error <= 5e-6 * np.abs(theirs[name]).max(), name
        if name != "b1":  # batch norm takes b1 out again, so it stays
            assert 100 * error < np.abs(theirs[name] - beginning(config).parameters[name]).max(), name
    assert np.abs(ours.losses - losses).max() <= 5e-6 * losses.max()


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_100_steps_of_adam_by_hand_equal_100_of_torchs_adamw(engine):
    """Adam divides by the gradient's size, so rounding grows where a gradient is next to nothing: `b1` is left out."""
    sizes = {"steps": 100, "batch_size": 32, "block_size": 3, "n_embd": 8, "n_hidden": 30}
    config = TrainConfig(**sizes, optimizer="adam", lr=0.006, weight_decay=0.15, engine=engine)
    ours = advance(beginning(config), of_run(config), TRAIN, stop=100)
    theirs, losses = by_autograd(config, TRAIN)
    for name in set(PARAMETERS) - {"b1"}:
        error = np.abs(ours.parameters[name] - theirs[name]).max()
        assert error <= 2e-4 * np.abs(theirs[name]).max(), name
        assert 100 * error < np.abs(theirs[name] - beginning(config).parameters[name]).max(), name
    assert np.abs(ours.losses - losses).max() <= 1e-4 * losses.max()
    assert int(ours.moments["steps"]) == 100


def test_a_step_goes_down_the_gradient_by_the_rate():
    rates = [0.3, 0.0, 0.02]
    start, take = beginning(SHORT).parameters, TorchSteps(of_run(SHORT).model).sgd_steps
    positions = examples_of(SHORT, range(3), len(TRAIN))
    contexts, targets = TRAIN.contexts(positions, 2), TRAIN.targets(positions)
    for step, rate in enumerate(rates):
        now = {name: torch.from_numpy(value).clone().requires_grad_() for name, value in start.items()}
        loss = plain_loss(now, torch.from_numpy(contexts[step]), torch.from_numpy(targets[step]))
        gradients = torch.autograd.grad(loss, list(now.values()))
        after, losses = take(start, [(contexts[step], targets[step])], [rate])
        for name, gradient in zip(now, gradients, strict=True):
            expected = start[name] - rate * gradient.numpy()
            assert np.abs(after[name] - expected).max() <= 1e-6 * np.abs(expected).max()
        assert losses == pytest.approx([loss.item()], rel=1e-6)
    together, _ = take(start, zip(contexts, targets, strict=True), rates)
    one_by_one = start
    for step, rate in enumerate(rates):
        one_by_one, _ = take(one_by_one, [(contexts[step], targets[step])], [rate])
    assert all(np.array_equal(together[name], one_by_one[name]) for name in PARAMETERS)


@given(st.sets(st.integers(1, SHORT.steps - 1)))
@settings(derandomize=True, deadline=None, max_examples=15)
def test_steps_cut_into_any_pieces_end_in_the_same_bits(cuts):
    whole = advance(beginning(SHORT), of_run(SHORT), TRAIN, SHORT.steps)
    state = beginning(SHORT)
    for _, stop in pairwise([0, *sorted(cuts), SHORT.steps]):
        state = advance(state, of_run(SHORT), TRAIN, stop)
    assert state.step == whole.step
    assert state.losses.tobytes() == whole.losses.tobytes()
    assert all(state.parameters[name].tobytes() == whole.parameters[name].tobytes() for name in PARAMETERS)


def test_the_seed_decides_the_run():
    configs = SHORT, SHORT, replace(SHORT, seed=4)
    same, again, other = (advance(beginning(config), of_run(config), TRAIN, 5).parameters["W1"] for config in configs)
    assert np.array_equal(same, again)
    assert not np.isclose(same, other).any()


def test_the_state_given_is_left_as_it_was():
    state = beginning(SHORT)
    before = {name: value.copy() for name, value in state.parameters.items()}
    advance(state, of_run(SHORT), TRAIN, 5)
    assert state.step == 0
    assert all(np.array_equal(state.parameters[name], value) for name, value in before.items())


def test_a_loss_that_is_no_number_is_refused_with_its_step():
    config = replace(SHORT, lr=1e30)
    with pytest.raises(DivergedError, match=r"step 1: .*after 3\.\d+ at the first.* rate 1e\+30 is likely too high"):
        advance(beginning(config), of_run(config), TRAIN, SHORT.steps)


def test_a_parameter_that_overflows_after_the_last_loss_is_refused():
    config = replace(SHORT, steps=1)
    state = beginning(config)
    absent = np.setdiff1d(np.arange(27), TRAIN.contexts(examples_of(SHORT, range(1), len(TRAIN)), 2))[0]
    state.parameters["C"][absent] = np.inf
    with pytest.raises(DivergedError, match=r"step 1: a parameter is no longer .*\(got inf, after 3\.\d+"):
        advance(state, of_run(config), TRAIN, 1)


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
