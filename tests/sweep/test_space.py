"""What may be tried: read from TOML, proposed within its bounds, and what is said of a mistake."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad.cli import main
from handgrad.errors import ConfigError, RunError
from handgrad.models.registry import FAMILIES
from handgrad.sweep.on_ray import Software
from handgrad.sweep.search import Maker, propose
from handgrad.sweep.space import SEARCHED, Choices, Range, Space, default_space, models_of, read, read_space
from handgrad.training.config import TrainConfig
from handgrad.training.run import Text, read_text

SPACE = """
lr = {from = 0.001, to = 0.02, log = true}
batch_size = [16, 32]
[gru]
n_hidden = {from = 64, to = 250, step = 64}
dropout = 0.1
[mlp]
epochs = {from = 1, to = 8}
"""


def test_a_file_is_read(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    shared = {"lr": Range(0.001, 0.02, log=True), "batch_size": Choices((16, 32))}
    gru = {**shared, "n_hidden": Range(64, 192, step=64), "dropout": Choices((0.1,))}
    assert read_space(path).families == {"gru": gru, "mlp": {**shared, "epochs": Range(1.0, 8.0)}}
    assert read_space(path, ["rnn"]).families == {"rnn": shared}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_default_space_is_read_as_it_is_written(name):
    space = default_space([name])
    assert read(space.content, "sweep.json") == space


MISTAKES = {
    "lrr = 0.1\n[gru]": ("space.toml, lrr: there is no such setting to try", "Did you mean lr?"),
    "[gruu]\nlr = 0.1": ("space.toml, gruu: there is no such setting to try", "Did you mean gru?"),
    "lr = 0.1": ("no family is named", "--models gru,mlp"),
    "[gru]\nn_layer = 2": ("the gru has no n_layer",),
    "[mlp]\nn_head = 3": ("space.toml, [mlp] n_head: the mlp has no n_head", "--models."),
    "[transformer]\nn_embd = 30\nn_head = 4": ("space.toml, [transformer]: n_head 4 heads cannot share", "None of"),
    "[transformer]\nn_embd = {from = 9, to = 15, step = 2}": ("cannot share the features",),
    "[gru]\nlr = -1": ("space.toml, [gru] lr: lr makes no sense", "got -1"),
    "[gru]\nlr = 'fast'": ("lr makes no sense", "got fast"),
    "[gru]\nlr = []": ("there is nothing to choose from",),
    "[gru]\nlr = {from = 1}": ("this is no range", "got the keys from", "{from = …, to = …}"),
    "[gru]\nlr = {from = 0.2, to = 0.1}": ("this range is empty", "from 0.2 to 0.1"),
    "[gru]\nlr = {from = 0, to = 0.1, log = true}": ("begins above 0",),
    "[gru]\nn_hidden = {from = 8.5, to = 16}": ("n_hidden is a whole number",),
    "[gru]\nn_hidden = {from = 8, to = 16, step = 0}": ("a step makes no sense here",),
    "[gru]\nlr = {from = nan, to = 0.1}": ("this is no range",),
    "[gru]\ndropout = {from = 0, to = 1.0}": ("dropout makes no sense", "got 1.0"),
    "[gru]\nepochs = 0": ("epochs make no sense",),
    "[gru]\nseed = 3": ("there is no such setting to try",),
    "[gru": ("space.toml: this is no TOML",),
}


@pytest.mark.parametrize("content", MISTAKES)
def test_a_mistake_in_a_file(tmp_path, content):
    path = tmp_path / "space.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_space(path)
    assert [fragment for fragment in MISTAKES[content] if fragment not in str(caught.value)] == []


def test_families_that_there_are_not():
    assert models_of("mlp, gru,mlp") == ["mlp", "gru"]
    for words in ("", "mlp,gruu"):
        with pytest.raises(ConfigError, match=r"--models: (no family is named|model is unknown .*Did you mean gru)"):
            models_of(words)


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Text:
    path = tmp_path_factory.mktemp("text") / "towns.txt"
    path.write_text("\n".join(f"new {a}{b}town" for a in "abcdefghijkl" for b in "xyzw"))
    return read_text(path, TrainConfig())


@given(
    low=st.integers(1, 50), width=st.integers(0, 50), step=st.integers(1, 9), rate=st.floats(1e-6, 1.0),
    times=st.floats(1.0, 100.0), log=st.booleans(), seed=st.integers(0, 2**32),
)  # fmt: skip
def test_what_is_proposed_is_within_its_bounds(text, low, width, step, rate, times, log, seed):
    hidden, lr = Range(low, low + width - width % step, step=step), Range(rate, rate * times, log=log)
    space = Space({"gru": {"n_hidden": hidden, "lr": lr, "batch_size": Choices((2, 3))}})
    trials = propose(space, Maker(text, 0.001, seed), [], round_=1, size=3, number=8)
    many = min(3, 2 * len(range(hidden.low, hidden.high + 1, step)) if times == 1 else 3)
    assert [trial.number for trial in trials] == [8, 9, 10][:many]
    assert len({trial.config for trial in trials}) == many
    for trial in trials:
        config = trial.config
        assert config.n_hidden in range(low, low + width + 1, step)
        assert rate <= config.lr <= rate * times
        assert config.batch_size in (2, 3)
        assert (config.seed, config.runs) == (seed, 1)
        assert trial.config == Maker(text, 0.001, seed).of_point(trial.point)


def test_sizes_that_do_not_go_together_are_not_tried(text):
    space = read({"transformer": {"n_embd": {"from": 8, "to": 12}, "n_head": [4, 5], "n_layer": 1}}, "")
    trials = propose(space, Maker(text, 0.001, 1), [], round_=1, size=6, number=0)
    assert {trial.config.n_embd % trial.config.n_head for trial in trials} == {0}


def test_all_that_can_be_searched_is_a_setting():
    assert set(SEARCHED) < set(TrainConfig.__dataclass_fields__)


def test_machines_with_other_software_are_refused():
    here = Software.here()
    here.require(here, "node-1")
    with pytest.raises(RunError, match=r"node-1: this machine of the cluster has another numba \(got 0\.1, expected"):
        here.require(here._replace(numba="0.1"), "node-1")


@pytest.mark.parametrize("words", ["sweep", "train --model gru --runs 2 --steps 5 --address 127.0.0.1:1"])
def test_without_the_extra_there_is_one_sentence(capsys, monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in ("ray", "optuna") else name)
    assert main(words.split()) == 2
    said = "handgrad: this needs ray and optuna. Install what is lacking: pip install 'handgrad[cluster]'.\n"
    assert capsys.readouterr().err == said
    assert not list(Path().iterdir())


REFUSED = {
    "sweep --time 1s": ("--time: the time is too short for a round of trials", "--budget"),
    "sweep --models gruu": ("model is unknown", "Did you mean gru?"),
    "sweep --round 1": ("round makes no sense",),
    "sweep --trials 0": ("--trials makes no sense (got 0",),
    "sweep --seeds 0": ("--seeds makes no sense (got 0",),
    "sweep --budget banana": ("--budget: time makes no sense",),
    "sweep --resume nowhere": ("nowhere: there is no such folder", "'handgrad sweep FILE' makes"),
    "sweep --resume nowhere --budget 3s --round 4": ("--budget --round: a sweep that goes on keeps",),
    "sweep --resume nowhere --models gru": ("a sweep that goes on keeps what it was asked for",),
    "sweep --address nowhere": ("--address nowhere: this cluster cannot be reached", "no HOST:PORT"),
    "train --model gru --steps 5 --address x:1": ("a cluster trains several seeds", "--runs 8"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_words_that_make_no_sense(capsys, monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert [fragment for fragment in REFUSED[words] if fragment not in said] == []
    assert said.count("\n") == 1
    assert not list(Path().iterdir())


def test_help_loads_nothing_slow(monkeypatch):
    for name in ("ray", "optuna"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SystemExit, match="0"):
        main(["sweep", "--help"])
    assert {"ray", "optuna"}.isdisjoint(sys.modules)
