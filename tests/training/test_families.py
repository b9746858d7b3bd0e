"""Training of every family: by hand as by autograd, interrupted or not, several seeds, and what is refused."""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

import handgrad
from handgrad.data import read_corpus, split
from handgrad.errors import ConfigError
from handgrad.models.registry import FAMILIES, family
from handgrad.models.trained import TextReference
from handgrad.training.backend import require_room, take
from handgrad.training.checkpoint import Settings, initial_state, read_settings, read_state
from handgrad.training.config import TrainConfig
from handgrad.training.run import Interrupted
from handgrad.training.schedule import Schedule, examples_of

from ..models.oracles import ORACLES
from .tiny import TINY, tiny

RESULTS = ("state.safetensors", "model.safetensors", "history.csv", "samples.txt")
EACH = pytest.mark.parametrize("name", TINY)


def settings_of(config: TrainConfig, path) -> Settings:
    corpus = read_corpus(path)
    if config.block_size == 0:
        config = replace(config, block_size=corpus.longest + 1)
    return Settings(config, corpus.vocabulary, TextReference.to(corpus))


@pytest.mark.one_in(4)
@EACH
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_steps_by_hand_equal_those_of_autograd_and_torchs_optimisers(some_names, name, optimizer):
    dropless = {"dropout": 0.0} if "dropout" in family(name).recipe else {}
    rate = {"lr": 0.1 if optimizer == "sgd" else 0.01, "weight_decay": 0.2 * (optimizer == "adam")}
    settings = settings_of(tiny(name, optimizer=optimizer, **rate, **dropless), some_names)
    config, network = settings.config, settings.model
    train, start = split(read_corpus(some_names)).train, initial_state(settings)
    ours, _, losses = take(start, settings, train, config.steps)

    leaves = {key: torch.from_numpy(value.copy()).requires_grad_() for key, value in start.parameters.items()}
    decayed = [value for key, value in leaves.items() if network.decays(key)]
    spared = [value for key, value in leaves.items() if not network.decays(key)]
    if optimizer == "sgd":
        theirs = torch.optim.SGD(leaves.values(), lr=config.lr)
    else:
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": spared, "weight_decay": 0.0}]
        theirs = torch.optim.AdamW([g for g in groups if g["params"]], betas=(network.beta1, 0.99), eps=1e-8)
    lines = network.reads == "lines"
    chosen = examples_of(config, range(config.steps), train.n_lines if lines else len(train))
    for step, numbers in enumerate(chosen):
        X, Y = train.lines(numbers) if lines else (train.contexts(numbers, network.block_size), train.targets(numbers))
        loss = ORACLES[name](leaves, network, torch.from_numpy(X), torch.from_numpy(Y))
        for group in theirs.param_groups:
            group["lr"] = Schedule.planned(config).rate(step)
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        assert losses[step] == pytest.approx(loss.item(), rel=2e-4)
    for key, value in leaves.items():
        if key == "b1" and "bngain" in leaves:
            continue  # batch norm takes b1 out again: its gradient is rounding alone
        mine, reference, before = (np.copy(x) for x in (ours[key], value.detach().numpy(), start.parameters[key]))
        if key.startswith("bqkv"):  # nor does it matter to softmax what is added to all keys of a line
            for array in (mine, reference, before):
                array.reshape(3, -1)[1] = 0
        assert np.abs(mine - reference).max() <= 2e-2 * np.abs(reference - before).max(), key


@pytest.mark.slow
@pytest.mark.one_in(9)
@EACH
def test_a_run_of_each_family_is_saved_gone_on_with_and_used(some_names, tmp_path, name):
    """Stopped by Ctrl-C and gone on with it ends in the same bits; the folder names its family."""

    def stop(report):
        if report.step >= 10:
            raise KeyboardInterrupt

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    model = handgrad.train(some_names, tiny(name), out=whole)
    with pytest.raises(Interrupted):
        handgrad.train(some_names, tiny(name), out=cut, progress=stop, checkpoint_every=3)
    assert 10 <= read_state(cut, read_settings(cut)).step < 30
    handgrad.train(resume=cut)
    assert [file for file in RESULTS if (cut / file).read_bytes() != (whole / file).read_bytes()] == []
    assert json.loads((whole / "config.json").read_text())["training"]["model"] == name

    loaded = handgrad.load(whole)
    assert loaded.config == model.config == read_settings(whole).model
    assert type(loaded.config) is family(name)
    assert {key: value.shape for key, value in loaded.parameters.items()} == loaded.config.shapes
    assert {key: value.shape for key, value in loaded.buffers.items()} == loaded.config.buffer_shapes
    assert (whole / "samples.txt").read_text().splitlines() == handgrad.sample(loaded, 20, seed=5)
    assert set(handgrad.evaluate(loaded)) == {"train", "val", "test"}


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", sorted(TINY))
def test_a_compiled_run_is_saved_gone_on_with_and_ends_as_that_of_torch(some_names, tmp_path, name):
    def stop(report):
        if report.step >= 10:
            raise KeyboardInterrupt

    config, whole, cut = tiny(name, engine="auto"), tmp_path / "whole", tmp_path / "cut"
    assert config.chosen_engine == "compiled"
    model = handgrad.train(some_names, config, out=whole)
    with pytest.raises(Interrupted):
        handgrad.train(some_names, config, out=cut, progress=stop, checkpoint_every=3)
    assert 10 <= read_state(cut, read_settings(cut)).step < 30
    handgrad.train(resume=cut)
    assert [file for file in RESULTS if (cut / file).read_bytes() != (whole / file).read_bytes()] == []
    other = handgrad.train(some_names, tiny(name), out=tmp_path / "torch")
    for split_name, loss in handgrad.evaluate(other).items():
        assert handgrad.evaluate(model)[split_name] == pytest.approx(loss, rel=1e-3)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["gru", "wavenet"])
def test_several_seeds_are_each_the_same_as_alone(some_names, tmp_path, name, monkeypatch):
    alone = handgrad.train(some_names, tiny(name, seed=6, steps=10), out=tmp_path / "alone")
    for threads in "12":
        monkeypatch.setenv("HANDGRAD_THREADS", threads)
        handgrad.train(some_names, tiny(name, runs=2, steps=10), out=tmp_path / threads)
        again = handgrad.load(tmp_path / threads / "seed-6")
        for key, value in {**alone.parameters, **alone.buffers}.items():
            assert value.tobytes() == {**again.parameters, **again.buffers}[key].tobytes(), key


@pytest.mark.one_in(9)
@EACH
def test_each_family_learns(some_names, tmp_path, name):
    """After some steps it writes its text better than at first, and than guessing."""
    config = tiny(name, steps=60, batch_size=16, lr=0.5 if name == "bigram" else 0.02)
    seen = []
    model = handgrad.train(some_names, config, out=tmp_path / "run", progress=lambda report: seen.extend(report.losses))
    assert np.mean(seen[-20:]) < np.mean(seen[:5])
    assert handgrad.evaluate(model)["train"] < np.log(model.config.vocab_size)


@pytest.mark.slow
def test_a_folder_without_a_family_is_that_of_an_mlp(some_names, tmp_path):
    """As run folders were before there was more than one."""
    config = tiny("mlp", engine="auto", split="lines", keep="last")
    model = handgrad.train(some_names, config, out=tmp_path / "run")
    leave_out(tmp_path / "run", "model", "n_layer", "n_head", "dropout", "split", "keep")
    loaded = handgrad.load(tmp_path / "run")
    assert loaded.config == model.config
    assert handgrad.train(resume=tmp_path / "run").parameters["W1"].tobytes() == model.parameters["W1"].tobytes()


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["mlp", "gru"])
def test_a_folder_that_does_not_say_how_examples_are_drawn_goes_on_as_it_began(some_names, tmp_path, name):
    """With replacement and without warm-up, as all runs were before there was a choice."""

    def stop(report):
        if report.step >= 10:
            raise KeyboardInterrupt

    old = tiny(name, engine="auto", minibatches="replacement", warmup=0.0, split="lines", keep="last")
    handgrad.train(some_names, old, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        handgrad.train(some_names, old, out=tmp_path / "cut", progress=stop, checkpoint_every=3)
    leave_out(tmp_path / "cut", "minibatches", "warmup", "random", "split", "keep")
    handgrad.train(resume=tmp_path / "cut")
    for file in RESULTS:
        assert (tmp_path / "cut" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def leave_out(folder, *settings: str) -> None:
    """Make a run folder one of before there were these settings."""
    content = json.loads((folder / "config.json").read_text())
    for name in settings:
        del content["training"][name]
    for name in ("n_lines", "shuffle_seed", "distinct"):
        del content["text"][name]
    (folder / "config.json").write_text(json.dumps(content))


def test_a_block_size_of_0_is_what_the_text_needs(some_names, tmp_path):
    model = handgrad.train(some_names, tiny("microgpt"), out=tmp_path / "run")
    assert model.config.block_size == read_corpus(some_names).longest + 1
    with pytest.raises(ConfigError, match="block_size makes no sense"):
        TrainConfig.of("wavenet", block_size=0)


TOO_LONG = [
    ("transformer", {"block_size": 64}, "lines of at most 63 characters .*got a line of 10,000.*at least 10,001"),
    ("transformer", {"batch_size": 1}, r"too much memory .*the longest of 10,000.*shorter lines, or a smaller transfo"),
    ("bow", {"batch_size": 64}, r"too much memory .*64 lines, the longest of 10,000 characters.*at most 23 lines"),
    ("gru", {"engine": "torch"}, r"too much memory .*32 lines, the longest of 10,000 characters.*at most 12 lines"),
    ("lstm", {"n_hidden": 3_000}, r"too much memory .*shorter lines, or a smaller lstm.*The mlp takes lines"),
]


@pytest.mark.parametrize(("name", "changes", "message"), TOO_LONG)
def test_lines_that_are_too_long_are_refused_before_anything_is_written(long_lines, tmp_path, name, changes, message):
    with pytest.raises(ConfigError, match=message):
        handgrad.train(long_lines, TrainConfig.of(name, steps=1, **changes), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gru", "lstm", "rnn"])
def test_lines_of_ten_thousand_characters_are_trained_on(long_lines, tmp_path, name):
    """Few at a time where all are so long; as many as ever where few are."""
    model = handgrad.train(long_lines, TrainConfig.of(name, steps=2, batch_size=2, n_hidden=8), out=tmp_path / "run")
    assert handgrad.evaluate(model)["train"] < 4
    mixed = tmp_path / "mixed.txt"
    mixed.write_text(long_lines.read_text() + "ab\n" * 90)
    corpus = read_corpus(mixed)
    for config, fits in ((TrainConfig.of(name), True), (TrainConfig.of(name, batch_size=600), False)):
        settings = Settings(config, corpus.vocabulary, TextReference.to(corpus))
        with nullcontext() if fits else pytest.raises(ConfigError, match="too much memory"):
            require_room(settings, corpus.starts)


@pytest.fixture(scope="module")
def long_lines(tmp_path_factory):
    """Ten lines of ten thousand characters."""
    letters = np.random.default_rng(1).integers(ord("a"), ord("z") + 1, (10, 10_000), np.uint8)
    path = tmp_path_factory.mktemp("text") / "long.txt"
    path.write_bytes(b"".join(line.tobytes() + b"\n" for line in letters))
    return path


def test_every_family_that_is_trained_is_tested_here():
    assert list(TINY) == [name for name in FAMILIES if not family(name).counted]


def test_what_is_counted_takes_no_steps():
    for setting in ({"steps": 5}, {"runs": 2}):
        with pytest.raises(ConfigError, match="the ngram is counted, not trained"):
            TrainConfig.of("ngram", **setting)
    for setting in ({"engine": "torch"}, {"device": "cuda"}):
        with pytest.raises(ConfigError, match="the ngram takes no steps"):
            TrainConfig.of("ngram", **setting)


def test_settings_that_a_family_lacks_are_refused():
    for name, setting in (("mlp", "n_layer"), ("bigram", "n_embd"), ("gru", "block_size"), ("wavenet", "dropout")):
        with pytest.raises(ConfigError, match=f"the {name} has no {setting}"):
            TrainConfig.of(name, **{setting: 0.5 if setting == "dropout" else 7})
    for share in (-0.1, 1, 1.5, float("nan"), "0.1", True):
        with pytest.raises(ConfigError, match="dropout makes no sense"):
            TrainConfig.of("gru", dropout=share)
    with pytest.raises(ConfigError, match="at least 2"):
        TrainConfig.of("wavenet", batch_size=1)
    assert TrainConfig.of("bow", batch_size=1).chosen_engine == "compiled"
    assert TrainConfig().chosen_engine == "compiled"
