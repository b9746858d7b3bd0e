"""The run folder: read back as written, whole or not at all, and refused where it is damaged."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import handgrad
from handgrad.data import Vocabulary
from handgrad.errors import RunError
from handgrad.models.trained import TextReference
from handgrad.training import checkpoint, files
from handgrad.training.checkpoint import Settings
from handgrad.training.config import TrainConfig

from ..tiny_model import tiny_model

CONFIG = TrainConfig(steps=10, batch_size=4, block_size=2, n_embd=3, n_hidden=5, lr=0.3, seed=7)
SETTINGS = Settings(CONFIG, Vocabulary(" .abé😀"), TextReference("towns", "/a/towns.txt", "0123"))


@pytest.fixture
def folder(tmp_path) -> Path:
    """A run folder with a state of three steps and a model."""
    folder = tmp_path / "runs" / "one"
    checkpoint.create(folder, SETTINGS)
    state = checkpoint.initial_state(SETTINGS)
    checkpoint.save_state(folder, replace(state, step=3, losses=np.array([3.0, 2.5, 2.0], np.float32)))
    model = tiny_model(SETTINGS.vocabulary.chars)
    checkpoint.save_model(folder, replace(model, text=SETTINGS.text, steps=3))
    return folder


def test_settings_state_and_model_are_read_back(folder):
    assert checkpoint.read_settings(folder) == SETTINGS
    state, first = checkpoint.read_state(folder, SETTINGS), checkpoint.initial_state(SETTINGS)
    assert state.step == 3
    assert state.losses.tolist() == [3.0, 2.5, 2.0]
    assert all(np.array_equal(state.parameters[name], value) for name, value in first.parameters.items())
    model, written = handgrad.load(str(folder)), tiny_model(SETTINGS.vocabulary.chars)
    assert (model.config, model.vocabulary, model.text) == (written.config, written.vocabulary, SETTINGS.text)
    assert model.steps == 3
    assert all(np.array_equal(model.parameters[name], value) for name, value in written.parameters.items())
    assert list(model.buffers) == ["bnmean", "bnvar"]
    assert all(np.array_equal(model.buffers[name], value) for name, value in written.buffers.items())
    assert handgrad.load(folder, corpus="moved.txt").text.source == str(Path("moved.txt").absolute())


def test_config_json_can_be_read_by_people(folder):
    text = (folder / "config.json").read_text(encoding="utf-8")
    content = json.loads(text)
    assert content["format"] == 1
    assert content["training"]["n_hidden"] == 5
    assert "é😀" in text


def test_the_initial_state_is_a_function_of_the_seed():
    first, again = checkpoint.initial_state(SETTINGS), checkpoint.initial_state(SETTINGS)
    other = checkpoint.initial_state(replace(SETTINGS, config=replace(CONFIG, seed=8)))
    assert first.step == 0
    for name, value in first.parameters.items():
        assert value.dtype == np.float32
        assert np.array_equal(value, again.parameters[name])
        assert not np.isclose(value, other.parameters[name]).any()


def test_without_a_state_the_run_starts_from_the_first_step(folder):
    (folder / "state.safetensors").unlink()
    assert checkpoint.read_state(folder, SETTINGS).step == 0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_what_was_there(folder, monkeypatch, call, code):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(RunError, match="cannot be written") as error:
        files.write(folder, "state.safetensors", b"other")
    assert os.strerror(code) in str(error.value)
    assert ("Free some space" in str(error.value)) == (code == errno.ENOSPC)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_cannot_be_made_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(RunError, match="No space left"):
        checkpoint.create(tmp_path / "new" / "runs" / "one", SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(folder, tmp_path):
    before = (folder / "config.json").read_bytes()
    with pytest.raises(RunError, match=r"something here already.*--resume"):
        checkpoint.create(folder, SETTINGS)
    assert (folder / "config.json").read_bytes() == before
    note = tmp_path / "note"
    note.write_text("mine")
    with pytest.raises(RunError, match="something here already"):
        checkpoint.create(note, SETTINGS)
    with pytest.raises(RunError, match="cannot be written"):
        checkpoint.create(note / "run", SETTINGS)
    (tmp_path / "empty").mkdir()
    checkpoint.create(tmp_path / "empty", SETTINGS)


@pytest.mark.parametrize("name", ["state.safetensors", "model.safetensors"])
@pytest.mark.parametrize("share", [0, 0.01, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(folder, name, share):
    path = folder / name
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(RunError, match=f"{name} is damaged.*backup, or train anew"):
        checkpoint.read_state(folder, SETTINGS) if name.startswith("state") else handgrad.load(folder)


def test_parameters_of_other_sizes_are_refused(folder):
    other = replace(SETTINGS, config=replace(CONFIG, n_hidden=6))
    with pytest.raises(RunError, match=r"state.safetensors is damaged .*no W1 of shape \(6, 6\)"):
        checkpoint.read_state(folder, other)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_parameters_and_buffers_that_are_not_finite_are_refused(folder, number):
    model = handgrad.load(folder)
    for kind, name in (("parameters", "W1"), ("buffers", "bnvar")):
        arrays = getattr(model, kind)
        wrong = {**arrays, name: np.full_like(arrays[name], number)}
        checkpoint.save_model(folder, replace(model, **{kind: wrong}))
        with pytest.raises(RunError, match=rf"model\.safetensors is damaged .*a number of {name} is not finite"):
            handgrad.load(folder)
    state = checkpoint.initial_state(SETTINGS)
    state.parameters["C"][0, 0] = number
    checkpoint.save_state(folder, state)
    with pytest.raises(RunError, match=r"state\.safetensors is damaged .*a number of C is not finite"):
        checkpoint.read_state(folder, SETTINGS)


def test_more_steps_than_the_run_has_are_refused(folder):
    tensors = load_file(folder / "state.safetensors")
    tensors["legs"][0, 1] = 2
    save_file(tensors, folder / "state.safetensors")
    with pytest.raises(RunError, match=r"state.safetensors is damaged .*3 losses at step 3"):
        checkpoint.read_state(folder, SETTINGS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("legs", np.zeros((0, 4))), ("legs", np.array([[1.0, 10.0, 0.0, 0.1]])), ("legs", np.zeros(4)),
        ("legs", np.array([[0.0, np.nan, 0.0, 0.1]])), ("validations", np.array([[2.0, 2.5], [1.0, 2.25]])),
        ("validations", np.zeros(2)), ("best.C", np.zeros((1, 1), np.float32)), ("losses", np.zeros(3)),
    ],
)  # fmt: skip
def test_what_a_state_cannot_hold_is_refused(folder, name, value):
    tensors = load_file(folder / "state.safetensors")
    save_file({**tensors, name: value}, folder / "state.safetensors")
    with pytest.raises(RunError, match=r"state.safetensors is damaged"):
        checkpoint.read_state(folder, SETTINGS)


def without(key):
    return lambda content: {name: value for name, value in content.items() if name != key}


DAMAGE = {
    "no format": without("format"),
    "no settings": without("training"),
    "no vocabulary": without("vocabulary"),
    "no text": without("text"),
    "a list": lambda content: [content],
    "a size of another type": lambda content: {**content, "training": {**content["training"], "n_embd": "3"}},
    "vocabulary out of order": lambda content: {**content, "vocabulary": "ba"},
    "format of another type": lambda content: {**content, "format": "1"},
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_config_is_refused(folder, damage):
    path = folder / "config.json"
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(RunError, match=r"config\.json is damaged"):
        checkpoint.read_settings(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"null"], ids=repr)
def test_a_config_that_is_no_json_is_refused(folder, content):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=r"config\.json is damaged"):
        checkpoint.read_settings(folder)


def test_a_later_version_is_refused_and_a_setting_of_the_future_is_not(folder):
    path = folder / "config.json"
    content = json.loads(path.read_text())
    content["training"]["momentum"] = 0.9
    path.write_text(json.dumps(content))
    assert checkpoint.read_settings(folder).config == CONFIG
    path.write_text(json.dumps({**content, "format": 2}))
    with pytest.raises(RunError, match=r"later version of handgrad .*got format 2, expected format 1.*Upgrade"):
        checkpoint.read_settings(folder)


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(RunError, match="nowhere: no such run folder"):
        handgrad.load(tmp_path / "nowhere")
    (folder / "model.safetensors").unlink()
    with pytest.raises(RunError, match=r"no model yet.*--resume"):
        handgrad.load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(RunError, match=r"config\.json is missing"):
        handgrad.load(folder)


def test_leftovers_are_removed_and_nothing_else(folder):
    before = set(folder.iterdir())
    (folder / ".state.safetensors.4711.tmp").write_bytes(b"half")
    (folder / ".config.json.12.tmp").write_bytes(b"")
    files.clean(folder)
    assert set(folder.iterdir()) == before
