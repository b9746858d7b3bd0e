"""What is exported computes the same, without handgrad: as a Python file for PyTorch, and in ONNX."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import handgrad
import handgrad.data
from handgrad.errors import ConfigError, HandgradError
from handgrad.exporting import onnx_file, torch_file
from handgrad.exporting.weights import state_dict
from handgrad.models.forms import form_of
from handgrad.models.mix import mixture_of
from handgrad.models.trained import Model, TextReference

from ..training.tiny import TINY, tiny

FORMS = {"torch": torch_file, "onnx": onnx_file}
LINES = ["ann", "anna", "bo", "bob", "nab", "o", "ob'n", "bonb on", "aa", "abba", "no", "nana"] * 3


@pytest.fixture(scope="session")
def text(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("text") / "lines.txt"
    path.write_text("".join(f"{line}\n" for line in LINES))
    return path


@pytest.fixture(scope="session")
def model_of(text):
    """A model of each family that has learnt nothing: its initial values, or its counts."""
    corpus = handgrad.data.resolve_corpus(text)
    reference, tokens = TextReference.to(corpus), corpus.tokens

    def make(name: str, **changes) -> Model:
        from handgrad.training.config import TrainConfig

        config = TrainConfig.of("ngram", block_size=3) if name == "ngram" else tiny(name, **changes)
        config = replace(config, block_size=config.block_size or corpus.longest + 1)
        sizes = config.sizes(corpus.vocabulary.size)
        philox = np.random.Generator(np.random.Philox(key=7))
        parameters = {
            key: np.ascontiguousarray(value, np.float32)
            for key, value in sizes.initial(lambda _, shape: philox.standard_normal(shape, np.float32)).items()
        }
        buffers = form_of(name).calibrate(sizes, parameters, tokens)
        return Model(sizes, corpus.vocabulary, parameters, buffers, reference, 0)

    return make


@pytest.fixture(scope="session")
def mixture(model_of):
    return mixture_of([model_of(name) for name in ("gru", "ngram", "mlp")], [0.5, 0.375, 0.125])


@pytest.mark.parametrize("to", FORMS)
@pytest.mark.parametrize("name", [*TINY, "ngram"])
def test_every_family_computes_the_same(model_of, name, to, tmp_path):
    exported = handgrad.export(model_of(name), to, tmp_path / f"names{'.py' if to == 'torch' else '.onnx'}")
    assert exported.difference < 5e-6
    assert exported.of == "lines of the validation split"
    assert all(file.is_file() for file in exported.files)
    assert sorted(tmp_path.iterdir()) == sorted(exported.files)


@pytest.mark.parametrize("to", FORMS)
@pytest.mark.parametrize("kind", ["mixture", "tied"])
def test_mixtures_and_tied_embeddings(mixture, model_of, kind, to, tmp_path):
    model = mixture if kind == "mixture" else model_of("transformer", tied=True)
    exported = handgrad.export(model, to, tmp_path / f"names{'.py' if to == 'torch' else '.onnx'}")
    assert exported.difference < 5e-6


def test_all_probabilities_are_the_same_and_behind_the_end_too(mixture, tmp_path):
    """Not only those of lines that were seen."""
    rng = np.random.default_rng(1)
    tokens = rng.integers(1, mixture.config.vocab_size, (9, 6))
    tokens[:, 0] = 0
    ours = mixture.log_probabilities(tokens[:, 1:])
    for to, form in FORMS.items():
        path = tmp_path / f"names{'.py' if to == 'torch' else '.onnx'}"
        handgrad.export(mixture, to, path)
        theirs = form.log_probabilities(path, tokens)
        np.testing.assert_allclose(theirs[:, -1], ours, atol=5e-6)
        np.testing.assert_allclose(np.exp(theirs).sum(2), 1, atol=1e-5)


@pytest.mark.slow
def test_the_file_runs_without_handgrad(mixture, tmp_path):
    handgrad.export(mixture, "torch", tmp_path / "names.py")
    barred = "import sys; sys.modules['handgrad'] = None; sys.argv[1:] = ['7', 'ob']; import runpy; "
    program = f"{barred}runpy.run_path('names.py', run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = ended.stdout.splitlines()
    assert len(lines) == 7
    assert all(line.startswith("ob") and set(line) <= set(mixture.vocabulary.chars) for line in lines)


def test_lines_are_drawn_as_likely_as_they_are(model_of, tmp_path):
    import torch

    model = model_of("ngram")
    handgrad.export(model, "torch", tmp_path / "names.py")
    exported = torch_file._loaded(tmp_path / "names.py").load()
    torch.manual_seed(3)
    firsts = [line[0] for line in exported.sample(4_000, max_length=1)]
    expected = np.exp(model.log_probabilities(np.zeros((1, 3), int)))[0, 1:]
    seen = np.array([firsts.count(letter) for letter in model.vocabulary.chars]) / len(firsts)
    np.testing.assert_allclose(seen, expected / expected.sum(), atol=0.03)
    assert {line[:2] for line in exported.sample(20, "an")} == {"an"}
    assert max(map(len, exported.sample(50, max_length=2))) == 2


@pytest.mark.parametrize("to", FORMS)
def test_what_computes_something_else_is_not_kept(model_of, to, tmp_path, monkeypatch):
    other = model_of("bigram")
    other.parameters["W"][0, 1] += 0.01
    ours = model_of("bigram")
    monkeypatch.setattr(torch_file, "state_dict", lambda _: state_dict(other))
    monkeypatch.setattr(onnx_file, "_add", lambda graph, _, add=onnx_file._add: add(graph, other))
    with pytest.raises(HandgradError, match="does not compute the same"):
        handgrad.export(ours, to, tmp_path / f"names{'.py' if to == 'torch' else '.onnx'}")
    assert list(tmp_path.iterdir()) == []


def test_without_its_text_lines_are_drawn_to_compare_on(model_of, tmp_path):
    model = model_of("bigram")
    model = replace(model, text=replace(model.text, source=str(tmp_path / "gone.txt")))
    exported = handgrad.export(model, "torch", tmp_path / "names.py")
    assert (exported.lines, exported.of) == (100, "lines drawn from it")


def test_onnx_names_its_letters_and_is_checked_without_onnxruntime(mixture, tmp_path, monkeypatch):
    import onnx

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    handgrad.export(mixture, "onnx", tmp_path / "names.onnx")
    metadata = {each.key: each.value for each in onnx.load(tmp_path / "names.onnx").metadata_props}
    assert json.loads(metadata["letters"]) == mixture.vocabulary.chars


def test_what_cannot_be_written(model_of, tmp_path, monkeypatch):
    model = model_of("bigram")
    (tmp_path / "names.safetensors").touch()
    for to, out, says in (
        ("jax", "names.py", "got jax, expected torch or onnx"),
        ("torch", "names.txt", "ends in .py"),
        ("torch", "nowhere/names.py", "no such folder"),
        ("torch", "names.py", "names.safetensors: there is something here already"),
    ):
        with pytest.raises(ConfigError, match=says):
            handgrad.export(model, to, tmp_path / out)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"onnx is not installed. Install it: pip install 'handgrad\[onnx\]'"):
        handgrad.export(model, "onnx", tmp_path / "names.onnx")


@pytest.mark.slow
def test_the_command(text, tmp_path):
    handgrad.train(text, model="ngram", out=tmp_path / "my-run")
    words = [sys.executable, "-m", "handgrad", "export", "my-run"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "saved    my_run.py and my_run.safetensors\n" in ended.stdout
    assert "lines of the validation split: log-probabilities differ by at most " in ended.stdout
    content = subprocess.run([*words, "--to", "onnx", "--json"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert json.loads(content)["files"] == ["my_run.onnx"]
    again = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "there is something here already" in again.stderr
