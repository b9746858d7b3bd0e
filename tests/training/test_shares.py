"""Minibatches in shares, one a process: that they make up the whole, and that mistakes in their sums are seen.

The processes are threads here; tests/parallel has real ones.
"""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import handgrad
from handgrad import ctrl_c
from handgrad.cli import _one_ctrl_c
from handgrad.data import resolve_corpus, split
from handgrad.errors import ConfigError
from handgrad.models.trained import TextReference
from handgrad.training.backend import batches_of
from handgrad.training.config import TrainConfig
from handgrad.training.processes import ALONE, Alone, are_many, require_alone
from handgrad.training.shares import share_of
from handgrad.training.state import Settings, initial_state
from handgrad.training.torch_steps import TorchSteps

CORPUS = resolve_corpus()
TRAIN = split(CORPUS).train
STEPS = range(3)
SIZES = {
    "mlp": {"n_embd": 3, "n_hidden": 5, "block_size": 2},
    "wavenet": {"n_embd": 3, "n_hidden": 5, "block_size": 4},
    "gru": {"n_embd": 3, "n_hidden": 5, "dropout": 0.3},
    "transformer": {"n_embd": 4, "n_head": 2, "n_layer": 1, "block_size": 16, "dropout": 0.3},
}


@given(st.integers(1, 9), st.integers(0, 40))
def test_shares_make_up_the_whole_and_are_alike(many, n):
    shares = [range(n)[share_of(rank, many, n)] for rank in range(many)]
    assert [number for share in shares for number in share] == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


class Thread(Alone):
    """One of several processes, which are threads."""

    def __init__(self, rank, many, given, barrier):
        self.rank, self.many, self.given, self.barrier = rank, many, given, barrier

    def share(self, n):
        return share_of(self.rank, self.many, n)

    def total(self, x):
        self.given[self.rank] = x
        self.barrier.wait(20)
        total = sum(self.given[1:], self.given[0])
        self.barrier.wait(20)
        return total

    def summed(self, loss, gradients):
        return self.total(loss), {name: self.total(gradient) for name, gradient in gradients.items()}


def stepped(name, processes):
    config = TrainConfig.of(name, **SIZES[name], steps=9, batch_size=4, optimizer="sgd", lr=0.1, engine="torch")
    settings = Settings(config, CORPUS.vocabulary, TextReference.to(CORPUS))
    parameters = {key: value.astype(np.float64) for key, value in initial_state(settings).parameters.items()}
    batches = batches_of(settings, TRAIN, STEPS, processes)
    return TorchSteps(settings.model, seed=3, processes=processes).sgd_steps(parameters, batches, [0.1] * len(STEPS))


def difference_between_one_and(many, name):
    given, barrier = [None] * many, threading.Barrier(many)
    with ThreadPoolExecutor(many) as pool:
        every = list(pool.map(lambda rank: stepped(name, Thread(rank, many, given, barrier)), range(many)))
    alone, losses = stepped(name, ALONE)
    ours = [np.abs(of[key] - value).max() for of, _ in every for key, value in alone.items()]
    return max(*ours, *(np.abs(of - losses).max() for _, of in every))


@pytest.mark.parametrize("name", SIZES)
def test_three_processes_do_what_one_does(name):
    """Of four examples one has two, so that batch norm meets a share of a single row."""
    assert difference_between_one_and(3, name) < 1e-14


def here(x):
    return x


@pytest.mark.parametrize("name", ["mlp", "wavenet"])
def test_sums_that_batch_norms_backward_forgets_are_seen(monkeypatch, name):
    right = handgrad.ops.batchnorm_backward
    monkeypatch.setattr(handgrad.ops, "batchnorm_backward", lambda dy, cache: right(dy, cache._replace(total=here)))
    assert difference_between_one_and(2, name) > 1e-6


def test_sums_that_batch_norms_forward_forgets_are_seen(monkeypatch):
    right = handgrad.ops.batchnorm_forward
    monkeypatch.setattr(handgrad.ops, "batchnorm_forward", lambda *args, n, total: right(*args))  # noqa: ARG005
    assert difference_between_one_and(2, "mlp") > 1e-6


def test_means_of_means_are_seen_where_shares_differ_in_targets(monkeypatch):
    monkeypatch.setattr("handgrad.training.shares.Batch.here", 1)
    monkeypatch.setattr("handgrad.training.shares.Batch.of_all", 2)
    assert difference_between_one_and(2, "gru") > 1e-6


def test_batch_norm_of_shares_is_sound_far_from_zero():
    """A difference of two sums of squares would be all rounding here."""
    x = 1e4 + torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
    one, zero = torch.ones(1, 3), torch.zeros(1, 3)
    given, barrier = [None] * 2, threading.Barrier(2)

    def normalised(rank):
        rows = x[share_of(rank, 2, 8)]
        return handgrad.ops.batchnorm_forward(rows, one, zero, n=8, total=Thread(rank, 2, given, barrier).total)[0]

    with ThreadPoolExecutor(2) as pool:
        ours = torch.cat(list(pool.map(normalised, range(2))))
    exact = handgrad.ops.batchnorm_forward(x.double(), one.double(), zero.double())[0]
    assert (ours - exact).abs().max() < 3e-3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"engine": "compiled"}, "engine: 4 processes cannot share that .*expected torch"),
        ({"model": "ngram", "steps": 0}, "model: 4 processes cannot .*got ngram"),
        ({"runs": 2}, r"runs: .*Train each seed on its own"),
        ({"batch_size": 3}, r"batch_size: .*\(got 3, expected at least 4, one for each\)"),
    ],
)
def test_what_several_processes_cannot_share_is_refused(settings, said):
    from handgrad.training.joined import Joined

    with pytest.raises(ConfigError, match=said):
        Joined(0, 4, None).settled(TrainConfig.of(**{"model": "mlp", **settings}))
    assert Joined(0, 4, None).settled(TrainConfig(batch_size=4)).engine == "torch"


def test_a_mixture_is_for_one_process(monkeypatch):
    from handgrad.training.joined import Joined

    require_alone(True, "--model")
    monkeypatch.setattr("handgrad.training.processes._here", Joined(0, 4, None))
    require_alone(False, "--model")
    with pytest.raises(ConfigError, match=r"--model: 4 processes share .* this is a mixture of several"):
        require_alone(True, "--model")


def test_ctrl_c_waits_for_the_end_of_the_steps_that_others_take_too(monkeypatch):
    monkeypatch.setattr(ctrl_c, "pressed", False)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with _one_ctrl_c():
            with ctrl_c.held_back():
                os.kill(os.getpid(), signal.SIGINT)
            assert ctrl_c.pressed
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_address_that_leads_nowhere_is_one_sentence(monkeypatch):
    from handgrad.training.joined import Joined

    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "nowhere.invalid", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert are_many()
    with pytest.raises(ConfigError, match=r"process 1 cannot join the 2 .*got nowhere.invalid:1: .*torchrun"):
        Joined.from_environment()


@pytest.mark.parametrize(("rank", "many"), [("2", "2"), ("0", "banana"), ("one", "2"), ("0", "0")])
def test_numbers_that_make_no_sense_are_one_sentence(monkeypatch, rank, many):
    from handgrad.training.joined import Joined

    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", many)
    assert are_many()
    with pytest.raises(ConfigError, match=rf"RANK and WORLD_SIZE: .*got '{rank}' and '{many}'.*torchrun"):
        Joined.from_environment()


@pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "4"}, {"RANK": "0", "WORLD_SIZE": "1"}])
def test_one_process_is_alone(monkeypatch, environment):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert not are_many()
