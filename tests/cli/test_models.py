"""`handgrad train --model`: each family with its own defaults, and the other commands on what it leaves."""

import json
import re

import pytest

from handgrad.models.registry import FAMILIES
from handgrad.training.config import TrainConfig

from .command import refused

SHORT = ("--steps", "6", "--batch-size", "4")


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_a_family_is_trained_shown_and_used(handgrad, work, name):
    ended = handgrad("train", "names.txt", "--model", name, "--out", name, *SHORT, folder=work)
    assert ended.code == 0, ended.err
    assert re.search(rf"model +{name}, [\d,]+ parameters: .*n_embd 64", ended.out)
    saved = json.loads((work / name / "config.json").read_text())["training"]
    recipe = TrainConfig.of(name)
    assert (saved["model"], saved["lr"], saved["dropout"]) == (name, recipe.lr, recipe.dropout)
    sampled = handgrad("sample", name, "-n", "5", "--seed", "1", "--prefix", "ma", "--new-only", folder=work)
    assert (sampled.code, len(sampled.out.splitlines())) == (0, 5)
    measured = handgrad("evaluate", name, "--line", "emma", "--json", folder=work)
    assert list(json.loads(measured.out)["log_likelihood"]) == ["emma"]
    again = handgrad("train", "--resume", name, folder=work)
    assert again.out[again.out.index("loss ") :] == ended.out[ended.out.index("loss ") :]


@pytest.mark.slow
def test_what_is_counted_shows_no_steps(handgrad, work):
    ended = handgrad("train", "names.txt", "--model", "ngram", "--out", "counted", folder=work)
    assert ended.code == 0, ended.err
    assert re.search(r"model +ngram, counted: block_size 5\n", ended.out)
    assert "steps" not in ended.out
    assert "loss.png" not in ended.out
    assert handgrad("sample", "counted", "-n", "3", folder=work).code == 0


def test_help_shows_the_defaults_of_the_family(handgrad, work):
    ended = handgrad("train", "--model", "microgpt", "--help", folder=work)
    assert ended.code == 0
    assert all(name in ended.out for name in FAMILIES)
    assert re.search(r"--steps INT[^-]*default: 1000", ended.out, re.DOTALL)
    assert re.search(r"--model.*default: microgpt", ended.out, re.DOTALL)


REFUSED = {
    "--model rwkv": ("--model", "'rwkv'", "transformer", "train --help"),
    "--model gru --n-layer 2": ("the gru has no n_layer", "n_embd, n_hidden, dropout"),
    "--model bigram --block-size 3": ("the bigram has no block_size",),
    "--model transformer --n-head 5": ("n_head 5 heads cannot share the features", "n_embd 64", "a multiple of 5"),
    "--model wavenet --block-size 6": ("block_size", "6", "a power of two"),
    "--model gru --preset microgpt": ("--preset microgpt is one of the microgpt", "Leave out one of the two"),
    "--preset microgpt --runs 2": ("runs: Python's random numbers split the text another way", "each seed on its own"),
    "--model mix": ("--model", "got 'mix'", "expected one of bigram, ngram"),
    "--model mlp --preset microgpt": ("--preset microgpt is one of the microgpt", "got mlp"),
    "--model gru --preset lecture": ("--preset lecture is one of the mlp", "Leave out one of the two"),
    "--model transformer --block-size 4": ("lines of at most 3 characters", "a block_size of at least"),
    "--model ngram --steps 10": ("steps: the ngram is counted, not trained",),
    "--model mlp --dropout 0.5": ("the mlp has no dropout", "--model, such as transformer"),
    "--block-size 3": ("the gru has no block_size", "--model, such as mlp"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_does_not_go_together_is_refused(handgrad, work, words):
    refused(handgrad, "train", "names.txt", *words.split(), folder=work, says=REFUSED[words])
