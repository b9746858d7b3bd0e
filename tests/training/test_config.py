"""What can be set, and what is refused."""

import dataclasses

import pytest

from handgrad.errors import ConfigError
from handgrad.limits import MAX_LINE
from handgrad.models.mlp import MLP
from handgrad.training.config import MAX_PLACES, PRESETS, TrainConfig
from handgrad.training.loop import Every

BAD = {
    "steps": [0, -1, 1.5, 10**9, None],
    "batch_size": [0, 1, -3, 10**7, 2.0],
    "block_size": [0, 10_000, "3"],
    "n_embd": [0, 10**6],
    "n_hidden": [0, True],
    "lr": [0, -0.1, float("nan"), float("inf"), 1e39, "0.1", True],
    "weight_decay": [-0.1, float("nan"), float("inf"), "0.1", True],
    "warmup": [-0.1, 1, float("nan"), "0.1", True],
    "optimizer": ["lion", None],
    "minibatches": ["epoch", None],
    "random": ["numpy", 1],
    "engine": ["jax", 1],
    "device": ["gpu", 0],
    "runs": [0, 1001, 1.0],
    "seed": [-1, 2**63, 1.0],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_setting_that_makes_no_sense_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} ") as error:
        TrainConfig(**{name: value})
    assert error.value.got == value or value != value
    assert error.value.expected


def test_a_batch_of_one_is_refused_with_the_reason():
    with pytest.raises(ConfigError, match="batch norm nothing to take a variance of"):
        TrainConfig(batch_size=1)


def test_seeds_follow_one_another_and_all_can_be_seeds():
    assert list(TrainConfig(seed=7, runs=3).seeds) == [7, 8, 9]
    assert TrainConfig(seed=2**63 - 3, runs=3).seeds[-1] == 2**63 - 1
    with pytest.raises(ConfigError, match="seed makes no sense"):
        TrainConfig(seed=2**63 - 2, runs=3)


def test_pythons_random_numbers_are_of_one_run():
    assert TrainConfig(random="python", split="lines", seed=3).seeds == range(3, 4)
    with pytest.raises(ConfigError, match=r"split the text another way for each seed .*each seed on its own"):
        TrainConfig(random="python", split="lines", runs=2)


def test_the_engine_follows_the_device_unless_it_is_said():
    assert [TrainConfig(device=device).chosen_engine for device in ("cpu", "cuda")] == ["compiled", "torch"]
    assert [TrainConfig(engine=engine).chosen_engine for engine in ("compiled", "torch")] == ["compiled", "torch"]
    with pytest.raises(ConfigError, match=r"compiled engine does not run on a GPU .*expected engine torch"):
        TrainConfig(engine="compiled", device="cuda")


def test_the_model_has_the_sizes_of_the_run():
    config = TrainConfig(block_size=4, n_embd=5, n_hidden=6)
    assert config.sizes(7) == MLP(vocab_size=7, block_size=4, n_embd=5, n_hidden=6)


def test_the_longest_line_that_can_be_read_can_be_trained_on():
    assert TrainConfig.of("microgpt", block_size=MAX_LINE + 1).block_size == MAX_PLACES
    with pytest.raises(ConfigError, match="block_size makes no sense"):
        TrainConfig.of("microgpt", block_size=MAX_PLACES + 1)


def test_the_lectures_preset():
    assert dataclasses.asdict(PRESETS["lecture"]) == {
        "model": "mlp", "n_layer": 1, "n_head": 4, "dropout": 0.0, "tied": False,
        "steps": 200_000, "batch_size": 32, "block_size": 3, "n_embd": 10, "n_hidden": 200, "optimizer": "sgd",
        "lr": 0.1, "warmup": 0.0, "weight_decay": 0.0, "minibatches": "replacement", "random": "philox",
        "split": "lines", "keep": "last",
        "seed": 2147483647, "runs": 1, "engine": "auto", "device": "cpu",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "every"),
    [("1000", Every(steps=1000)), (7, Every(steps=7)), ("30s", Every(seconds=30)), (" 0.5s ", Every(seconds=0.5))],
    ids=repr,
)
def test_how_often_to_save(text, every):
    assert Every.parse(text) == every


NO_TIMES = ["0", "-5", 0, "0s", "-1s", "nans", "infs", "s", "", "ten", "10x", "1e-3"]


@pytest.mark.parametrize("text", NO_TIMES, ids=repr)
def test_how_often_to_save_is_refused(text):
    with pytest.raises(ConfigError, match=r"checkpoint_every .*steps such as 1000, or seconds such as 30s"):
        Every.parse(text)


def test_when_it_is_time_to_save():
    assert [Every(steps=10).due(steps, seconds=1e9) for steps in (9, 10, 11)] == [False, True, True]
    assert [Every(seconds=2).due(10**9, seconds) for seconds in (1.9, 2, 3)] == [False, True, True]
