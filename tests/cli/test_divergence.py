"""A learning rate that is far too high stops the training, and what was good stays."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import handgrad as library
from handgrad.training.checkpoint import read_settings, read_state

from .command import SMALL, assert_refused

SAYS = ("no longer a finite number", "is likely too high", "try --lr")


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("every", ["10s", "1"])
def test_it_stops_at_once(handgrad, work, every):
    flags = (*SMALL, "--lr", "1e30", "--checkpoint-every", every)
    assert_refused(handgrad("train", "names.txt", "--out", "wild", *flags, "--json", folder=work), "step 1: ", *SAYS)
    assert not (work / "wild").exists()
    assert handgrad("train", "names.txt", "--out", "wild", *SMALL, folder=work).code == 0


@pytest.mark.slow
def test_the_last_good_checkpoint_stays(handgrad, work):
    """A run of 20 good steps goes on with a rate that no run survives."""
    tensors = load_file(work / "run" / "state.safetensors")
    tensors["legs"] = np.vstack([tensors["legs"], [20, 60, 0, 1e30]])
    save_file(tensors, work / "run" / "state.safetensors")
    before = (work / "run" / "model.safetensors").read_bytes()
    for _ in range(2):
        ended = handgrad("train", "--resume", "run", "--checkpoint-every", "1", "--json", folder=work)
        assert_refused(ended, "the loss is no longer a finite number", "at the first step")
        assert (work / "run" / "model.safetensors").read_bytes() == before
    state, model = read_state(work / "run", read_settings(work / "run")), library.load(work / "run")
    assert model.steps == 20 <= state.step
    assert all(np.isfinite(array).all() for array in (*state.parameters.values(), *model.parameters.values()))
    assert np.isfinite([*model.buffers.values()]).all()


@pytest.mark.slow
def test_a_loss_that_is_huge_but_finite_is_shown(handgrad, work):
    ended = handgrad("train", "names.txt", "--out", "wild", *SMALL, "--optimizer", "sgd", "--lr", "1e6", folder=work)
    assert (ended.code, ended.err.count("\n")) == (0, 1)
    measured = handgrad("evaluate", "wild", "--json", folder=work)
    content = json.loads(measured.out, parse_constant=pytest.fail)
    assert min(content["loss"].values()) > 710
    assert set(content["perplexity"].values()) == {np.exp(709.0)}
