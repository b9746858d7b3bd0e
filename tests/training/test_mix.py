"""Mixing runs: weights against the best of a grid, and run folders that need no others."""

import errno
import itertools
import json
import os
import shutil

import numpy as np
import pytest

import handgrad
from handgrad.data import read_corpus, split
from handgrad.data.python_random import PythonRandom
from handgrad.errors import ConfigError, RunError
from handgrad.evaluation import mean_loss
from handgrad.models.mix import mixture_of, parts_of
from handgrad.training import checkpoint, mix
from handgrad.training.mix import mix_runs, useful_weights_of, weights_of

LSTM = {
    "model": "lstm", "steps": 400, "batch_size": 16, "n_embd": 8, "n_hidden": 12, "lr": 0.006, "warmup": 0.0,
    "minibatches": "replacement", "keep": "last",
}  # fmt: skip
SETTINGS = {
    "lstm": LSTM,
    "wider": {**LSTM, "n_hidden": 20, "seed": 2},
    "ngram": {"model": "ngram"},
    "hardly": {"model": "mlp", "steps": 20, "batch_size": 64, "block_size": 3, "n_embd": 6, "n_hidden": 24},
}


@pytest.fixture(scope="module")
def runs(some_names, tmp_path_factory):
    """A folder with these runs, and the `mixture` of the first three; not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    for name, settings in SETTINGS.items():
        handgrad.train(some_names, out=folder / name, **settings)
    handgrad.mix([folder / name for name in ("lstm", "wider", "ngram")], out=folder / "mixture")
    return folder


def likelihood(weights, logprobs):
    return np.log(np.asarray(weights) @ np.exp(logprobs)).mean()


def some_logprobs(n_models, n_tokens, seed):
    """Of models each of which is good at some tokens."""
    draw = np.random.default_rng(seed)
    return np.log(draw.beta(0.7, 1.5, (n_models, n_tokens))).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_two_weights_are_the_best_of_a_fine_grid(seed):
    logprobs = some_logprobs(2, 300, seed) + np.float32([[0.0], [0.4]])
    grid = np.linspace(0, 1, 10_001)
    found = [likelihood((first, 1 - first), logprobs) for first in grid]
    weights = weights_of(logprobs)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert weights[0] == pytest.approx(grid[np.argmax(found)], abs=2e-4)
    assert 0.05 < weights[0] < 0.95
    assert likelihood(weights, logprobs) >= max(found) - 1e-9


@pytest.mark.parametrize("seed", range(2))
def test_three_weights_are_the_best_of_a_grid(seed):
    logprobs = some_logprobs(3, 200, seed)
    ends = np.arange(0, 201)
    grid = np.array([(a, b, 200 - a - b) for a, b in itertools.product(ends, ends) if a + b <= 200]) / 200
    best = grid[np.argmax(np.log(grid @ np.exp(logprobs)).mean(1))]
    weights = weights_of(logprobs)
    assert np.abs(weights - best).max() <= 1 / 200
    assert likelihood(weights, logprobs) >= likelihood(best, logprobs) - 1e-9


def test_no_step_makes_the_tokens_less_likely(monkeypatch):
    """Stopped earlier, it ends with less; from equal weights on."""
    logprobs = some_logprobs(3, 100, 5) - np.float32([[0], [1], [3]])
    found = [likelihood([1 / 3] * 3, logprobs)]
    for still in (1.0, 0.03, 0.01, 1e-3, 1e-4, 1e-5, 1e-6):
        monkeypatch.setattr(mix, "STILL", still)
        found.append(likelihood(weights_of(logprobs), logprobs))
    assert all(before < after for before, after in itertools.pairwise(found[:6]))
    assert found == sorted(found)


def test_probabilities_beyond_what_numbers_hold_make_no_nan():
    logprobs = np.float32([[-2000, -1, -3000], [-2001, -2000, -1]])
    weights = weights_of(logprobs)
    expected = 1 / (1 + np.exp(-1.0))  # of the first token; of each of the others one model knows all
    assert weights.sum() == pytest.approx(1)
    assert weights[0] == pytest.approx((expected_share(weights, expected) + 1) / 3, abs=1e-5)


def expected_share(weights, share):
    """The first model's of the first token, once its probabilities are `share` and 1 − `share`."""
    return weights[0] * share / (weights[0] * share + weights[1] * (1 - share))


def test_a_model_that_others_make_useless_gets_no_weight():
    logprobs = some_logprobs(3, 300, 1)
    logprobs[1] = logprobs[[0, 2]].min(0) - 0.1
    weights = useful_weights_of(logprobs)
    assert weights[1] == 0
    assert np.array_equal(weights[[0, 2]], weights_of(logprobs[[0, 2]]))


def test_the_mixture_is_better_than_each_run_and_says_so(runs, some_names, tmp_path):
    mixed = mix_runs([runs / "lstm", runs / "ngram"], tmp_path / "mixture", None)
    splits = split(read_corpus(some_names))
    assert [part.run for part in mixed.parts] == [str(runs / "lstm"), str(runs / "ngram")]
    for loss, name in zip(mixed.losses, ("lstm", "ngram"), strict=True):
        assert loss == pytest.approx(mean_loss(handgrad.load(runs / name), splits.val), abs=1e-6)
    assert mixed.outcome.losses["val"] < min(mixed.losses) - 0.01
    assert mixed.outcome.losses == handgrad.evaluate(handgrad.load(tmp_path / "mixture"))
    weights = mixed.outcome.model.config.weights
    assert min(weights) > 0.05
    for moved in (0.02, -0.02):
        other = mixture_of(parts_of(mixed.outcome.model), [weights[0] + moved, weights[1] - moved])
        assert mean_loss(other, splits.val) > mixed.outcome.losses["val"]
    assert len(mixed.outcome.samples) == 20


def test_it_needs_the_runs_no_more(runs, tmp_path):
    for name in ("lstm", "ngram"):
        shutil.copytree(runs / name, tmp_path / name)
    model = handgrad.mix([tmp_path / "lstm", tmp_path / "ngram"], out=tmp_path / "mixture")
    shutil.rmtree(tmp_path / "lstm")
    shutil.rmtree(tmp_path / "ngram")
    loaded = handgrad.load(tmp_path / "mixture")
    assert (loaded.config, loaded.vocabulary, loaded.text, loaded.steps) == (
        model.config, model.vocabulary, model.text, 0,
    )  # fmt: skip
    for ours, theirs in ((loaded.parameters, model.parameters), (loaded.buffers, model.buffers)):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[key], theirs[key]) for key in ours)
    lines = (tmp_path / "mixture" / "samples.txt").read_text().splitlines()
    assert handgrad.sample(loaded, 20, seed=1) == lines
    assert {path.name for path in (tmp_path / "mixture").iterdir()} == {
        "config.json", "model.safetensors", "samples.txt", "results.json",
    }  # fmt: skip


def test_its_config_names_the_runs_and_their_settings(runs):
    content = json.loads((runs / "mixture" / "config.json").read_text())
    assert [part["run"] for part in content["mixture"]] == [str(runs / name) for name in ("lstm", "wider", "ngram")]
    assert [part["steps"] for part in content["mixture"]] == [400, 400, 0]
    of_lstm = json.loads((runs / "lstm" / "config.json").read_text())
    assert content["mixture"][0]["training"] == of_lstm["training"]
    assert (content["text"], content["vocabulary"]) == (of_lstm["text"], of_lstm["vocabulary"])
    assert "training" not in content


def test_a_mixture_stands_for_the_runs_in_it(runs, tmp_path):
    at_once = handgrad.load(runs / "mixture")
    two = handgrad.mix([runs / "lstm", runs / "wider"], out=tmp_path / "two")
    assert len(two.config.parts) == 2
    again = handgrad.mix([tmp_path / "two", runs / "ngram"], out=tmp_path / "three")
    assert again.config == at_once.config
    content = json.loads((tmp_path / "three" / "config.json").read_text())
    assert content["mixture"] == json.loads((runs / "mixture" / "config.json").read_text())["mixture"]


def test_a_run_without_weight_is_named_and_left_out(runs, tmp_path):
    mixed = mix_runs([runs / "hardly", runs / "wider", runs / "ngram"], tmp_path / "mixture", None)
    assert mixed.parts[0].weight == 0
    assert [part.name for part in mixed.outcome.model.config.parts] == ["lstm", "ngram"]
    assert handgrad.load(tmp_path / "mixture").config == mixed.outcome.model.config
    of_two = mix_runs([runs / "wider", runs / "ngram"], tmp_path / "two", None)
    assert of_two.outcome.losses == mixed.outcome.losses


@pytest.mark.slow
def test_several_seeds_and_unfinished_runs_give_what_load_gives(some_names, runs, tmp_path):
    several = handgrad.train(some_names, out=tmp_path / "several", runs=2, **{**LSTM, "steps": 40})
    mixed = handgrad.mix([tmp_path / "several", runs / "ngram"], out=tmp_path / "mixture")
    first = parts_of(mixed)[0]
    assert all(np.array_equal(first.parameters[key], several.parameters[key]) for key in several.parameters)


def test_the_text_may_have_moved(runs, some_names, tmp_path):
    moved = tmp_path / "moved.txt"
    moved.write_bytes(some_names.read_bytes())
    model = handgrad.mix([runs / "wider", runs / "ngram"], out=tmp_path / "mixture", corpus=moved)
    assert model.text.source == str(moved)
    assert handgrad.evaluate(handgrad.load(tmp_path / "mixture")).keys() == {"train", "val", "test"}


def test_runs_of_other_texts_are_refused(runs, some_names, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text(some_names.read_text() + "zoe\n")
    handgrad.train(other, model="ngram", out=tmp_path / "other")
    with pytest.raises(ConfigError, match=r"not of the same text .got names, sha256 \w+…, and other, \w+…") as error:
        handgrad.mix([runs / "wider", tmp_path / "other"], out=tmp_path / "mixture")
    assert str(error.value).startswith(f"{runs / 'wider'} and {tmp_path / 'other'}: ")
    assert not (tmp_path / "mixture").exists()


def test_runs_that_hold_out_other_lines_are_refused(runs, some_names, tmp_path):
    python = {"random": "python", "split": "lines", "seed": 42}
    handgrad.train(some_names, model="ngram", out=tmp_path / "ngram", **python)
    with pytest.raises(ConfigError, match=r"these runs do not hold out the same lines.*with the same --split"):
        handgrad.mix([runs / "ngram", tmp_path / "ngram"], out=tmp_path / "mixture")
    handgrad.train(some_names, out=tmp_path / "lstm", **{**LSTM, **python, "steps": 40})
    mixed = mix_runs([tmp_path / "ngram", tmp_path / "lstm"], tmp_path / "mixture", None)
    order = PythonRandom(42, 200).order
    held_out = split(read_corpus(some_names), order).val
    assert mixed.outcome.losses["val"] == mean_loss(mixed.outcome.model, held_out)
    assert handgrad.evaluate(handgrad.load(tmp_path / "mixture")) == mixed.outcome.losses


def test_a_text_that_was_split_another_way_is_read_that_way(some_names, tmp_path):
    for name, steps in (("one", 300), ("two", 60)):
        settings = {**LSTM, "steps": steps, "random": "python", "split": "lines", "seed": 42}
        handgrad.train(some_names, out=tmp_path / name, **settings)
    mixed = mix_runs([tmp_path / "one", tmp_path / "two"], tmp_path / "mixture", None)
    assert mixed.outcome.losses == handgrad.evaluate(handgrad.load(tmp_path / "mixture"))
    assert mixed.losses[0] == pytest.approx(handgrad.evaluate(handgrad.load(tmp_path / "one"))["val"], abs=1e-6)


def test_the_name_of_the_text_does_not_matter(some_names, runs, tmp_path):
    renamed = tmp_path / "renamed.txt"
    renamed.write_bytes(some_names.read_bytes())
    handgrad.train(renamed, out=tmp_path / "counted", model="ngram")
    assert len(handgrad.mix([runs / "lstm", tmp_path / "counted"], out=tmp_path / "mixture").config.parts) == 2


def test_a_run_whose_model_overflows_is_refused(runs, tmp_path):
    shutil.copytree(runs / "lstm", tmp_path / "huge")
    model = handgrad.load(tmp_path / "huge")
    model.parameters["Why"][:] = 3e38
    checkpoint.save_model(tmp_path / "huge", model)
    with pytest.raises(RunError, match=r"huge: this run gives no finite probabilities\. Leave it out"):
        handgrad.mix([runs / "ngram", tmp_path / "huge"], out=tmp_path / "mixture")
    assert not (tmp_path / "mixture").exists()


def test_what_cannot_be_mixed_is_refused(runs, tmp_path):
    for few in ([], [runs / "wider"]):
        with pytest.raises(ConfigError, match=rf"two runs at least \(got {len(few)}\)"):
            handgrad.mix(few, out=tmp_path / "mixture")
    with pytest.raises(RunError, match="nowhere: no such run folder"):
        handgrad.mix([runs / "wider", tmp_path / "nowhere"], out=tmp_path / "mixture")
    with pytest.raises(RunError, match="something here already"):
        handgrad.mix([runs / "wider", runs / "ngram"], out=runs / "lstm")
    with pytest.raises(RunError, match=r"a mixture of runs, which takes no steps.*'handgrad mix'"):
        handgrad.train(resume=runs / "mixture")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", [1, 2, 3])
def test_a_disk_that_becomes_full_leaves_nothing(runs, tmp_path, monkeypatch, file):
    """At each of the files: of a new folder nothing is left, and an empty one is empty."""
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "new" / "mixture", tmp_path / "empty"):
        flushed, files_before = itertools.count(1), sorted(tmp_path.rglob("*"))

        def full(_, flushed=flushed):
            if next(flushed) == 2 * file - 1:  # each file is flushed, and then its folder
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(RunError, match="cannot be written"):
                handgrad.mix([runs / "wider", runs / "ngram"], out=folder)
        assert sorted(tmp_path.rglob("*")) == files_before


def edited(content, number=0, **changes):
    """Changes of a part; None takes a key out."""
    part = content["mixture"][number] | changes
    content["mixture"][number] = {key: value for key, value in part.items() if value is not None}


DAMAGES = {
    "no parts": lambda content: content.update(mixture=[]),
    "a number": lambda content: content.update(mixture=7),
    "parts that are none": lambda content: content.update(mixture=[1, 2, 3]),
    "a part too few": lambda content: content["mixture"].pop(),
    "no weight": lambda content: edited(content, weight=None),
    "a weight in words": lambda content: edited(content, weight="half"),
    "a weight of 0": lambda content: edited(content, weight=0.0),
    "a weight that is no number": lambda content: edited(content, weight=float("nan")),
    "weights beyond 1": lambda content: edited(content, weight=0.999),
    "no settings": lambda content: edited(content, training=None),
    "settings of none": lambda content: edited(content, training={"model": "mix"}),
    "settings that make no sense": lambda content: edited(content, training={"model": "lstm", "n_hidden": -1}),
    "no run": lambda content: edited(content, run=None),
    "a run that is a number": lambda content: edited(content, run=7),
    "steps below 0": lambda content: edited(content, steps=-1),
    "no letters": lambda content: content.pop("vocabulary"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_config_is_refused(runs, tmp_path, damage):
    shutil.copytree(runs / "mixture", tmp_path / "mixture")
    path = tmp_path / "mixture" / "config.json"
    content = json.loads(path.read_text())
    DAMAGES[damage](content)
    path.write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"mixture: config.json is damaged"):
        handgrad.load(tmp_path / "mixture")


def test_a_damaged_model_is_refused(runs, tmp_path):
    shutil.copytree(runs / "mixture", tmp_path / "mixture")
    path = tmp_path / "mixture" / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=r"mixture: model.safetensors is damaged"):
        handgrad.load(tmp_path / "mixture")
    edited_config = tmp_path / "mixture" / "config.json"
    edited_config.write_text(edited_config.read_text().replace('"n_hidden": 20', '"n_hidden": 21'))
    path.write_bytes(whole)
    with pytest.raises(RunError, match=r"model.safetensors is damaged .*no 2.Wxh of shape \(8, 84\)"):
        handgrad.load(tmp_path / "mixture")
    path.unlink()
    with pytest.raises(RunError, match=r"mixture: model.safetensors is damaged"):
        handgrad.load(tmp_path / "mixture")


def test_read_settings_are_those_of_a_run(runs):
    assert isinstance(checkpoint.read_config(runs / "mixture"), checkpoint.Mixture)
    assert checkpoint.read_config(runs / "wider") == checkpoint.read_settings(runs / "wider")
