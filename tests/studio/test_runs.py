"""Runs as the studio reads them: losses, checkpoints, and what is asked of these, without a browser."""

import asyncio
import contextlib
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import handgrad
from handgrad.errors import HandgradError, RunError
from handgrad.studio.curves import Losses, drawn, losses_of
from handgrad.studio.layers import layers
from handgrad.studio.runs import WatchedRun
from handgrad.studio.snapshots import Snapshots
from handgrad.studio.trained import answer
from handgrad.studio.views.training import TrainingView
from handgrad.training import checkpoint as folders
from handgrad.training.config import TrainConfig

from ..training.tiny import TINY

SYLLABLES = ("ba", "de", "lo", "mi", "nu", "sa")


def write_text(folder: Path) -> Path:
    path = folder / "tiny.txt"
    lines = [a + b + end for a in SYLLABLES for b in SYLLABLES for end in ("", "n", "s")]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def train(folder: Path, family: str, **changes) -> Path:
    config = TrainConfig.of(family, **{"steps": 12, "batch_size": 8, "engine": "torch", **TINY[family], **changes})
    handgrad.train(write_text(folder), config, out=folder / family, progress=False)
    return folder / family


def watched(run: Path, copies: Path) -> WatchedRun:
    found = WatchedRun("0", run, run.name, None, copies)
    found.look()
    return found


@pytest.fixture(scope="module")
def mlp(tmp_path_factory) -> Path:
    return train(tmp_path_factory.mktemp("mlp"), "mlp", steps=40, optimizer="sgd", lr=0.1, warmup=0.0, keep="last")


def test_the_losses_of_every_step_come_from_the_state_and_means_from_the_table(mlp, tmp_path):
    exact = losses_of(mlp)
    assert exact.steps.tolist() == list(range(1, 41))

    shutil.copy(mlp / "history.csv", tmp_path)
    table = losses_of(tmp_path)
    assert table.steps[-1] == 40
    assert table.losses.mean() == pytest.approx(exact.losses.mean(), rel=0.05)
    assert table.val_steps.tolist() == exact.val_steps.tolist()
    assert np.allclose(table.val_losses, exact.val_losses, atol=1e-6)


@pytest.mark.parametrize("log", [False, True])
def test_no_peak_is_lost_in_a_window(log):
    values = np.full(10_000, 2.0)
    values[7_321], values[5_000] = 9.0, 0.5
    shown = drawn(Losses(np.arange(1.0, 10_001), values), 1, 10_000, points=50, log=log)
    assert len(shown["steps"]) <= 50
    assert (max(shown["high"]), min(shown["low"])) == (9.0, 0.5)

    closer = drawn(Losses(np.arange(1.0, 10_001), values), 7_320, 7_323, points=50, log=log)
    assert closer["loss"] == [2.0, 2.0, 9.0, 2.0]
    assert not closer["means"]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("step,loss\n1,2\n", "val_loss"),
        ("step,loss,log10_loss,lr,val_loss\n1,x,0,1,\n", "could not convert"),
        ("step,loss,log10_loss,lr,val_loss\n2,2,0,1,\n1,2,0,1,\n", "do not rise"),
        ("step,loss,log10_loss,lr,val_loss\n1,2\n", "column"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, table, why):
    (tmp_path / "history.csv").write_text(table)
    with pytest.raises(RunError, match=f"(?s)history.csv is damaged.*{why}"):
        losses_of(tmp_path)


@pytest.mark.parametrize("table", ["", "step,loss,log10_loss,lr,val_loss\n"])
def test_a_run_that_has_only_begun_has_no_losses(tmp_path, table):
    assert losses_of(tmp_path).last == 0
    if table:
        (tmp_path / "history.csv").write_text(table)
        assert losses_of(tmp_path).last == 0


@pytest.mark.slow
def test_a_million_rows_are_read_and_drawn_in_two_seconds(tmp_path):
    steps = np.arange(1, 1_000_001)
    rows = "".join(f"{step},2.123456,0.327000,0.001,{'2.2' if step % 1000 == 0 else ''}\n" for step in steps)
    (tmp_path / "history.csv").write_text(f"step,loss,log10_loss,lr,val_loss\n{rows}")
    begun = time.process_time()
    shown = drawn(losses_of(tmp_path), 1, 1_000_000, points=400)
    assert time.process_time() - begun < 2
    assert (len(shown["steps"]), len(shown["val_steps"])) == (400, 1_000)


def test_the_copies_of_checkpoints_stay_few_and_lie_closer_at_the_beginning(mlp, tmp_path):
    snapshots = Snapshots(tmp_path)
    for step in range(1, 101):
        snapshots.take(mlp, step, 1)
    steps = [one.step for one in snapshots.checkpoints(trained=True)]
    assert steps[0] == 0
    assert steps[-1] == 100
    assert len(steps) <= 17
    assert max(np.diff(steps)) <= 40
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in snapshots.states.values()}


def test_what_a_run_is_and_that_it_goes(mlp, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(mlp, run)
    seen = watched(run, tmp_path / "copies")
    told = seen.to_json()
    assert (told["status"], told["model"], told["steps"], told["last"]) == ("finished", "mlp", 40, 40)
    assert [one["step"] for one in told["checkpoints"]] == [0, 40]
    assert not seen.look()

    (run / "config.json").write_text("{")
    assert seen.look()
    assert seen.to_json()["status"] == "damaged"
    assert "config.json is damaged" in seen.to_json()["said"]

    shutil.rmtree(run)
    assert seen.look()
    told = seen.to_json()
    assert told["status"] == "gone"
    assert told["said"].endswith("What was read before is still shown.")
    assert (told["model"], len(told["checkpoints"])) == ("mlp", 2)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("family", TINY)
def test_each_family_answers_all_questions_at_each_checkpoint(tmp_path, family):
    seen = watched(train(tmp_path, family), tmp_path / "copies")
    assert [one.step for one in seen.checkpoints] in ([0, 12], [0, *seen.snapshots.states, 12])
    for one in seen.checkpoints:
        assert len(answer({"what": "samples"}, one, seen.checkpoints)["lines"]) == 20
        following = answer({"what": "next", "prompt": "ba"}, one, seen.checkpoints)
        chances = following["letters"]
        longest = folders.read_settings(one.folder).model.longest
        assert following["room"] == (longest and longest - 3)
        assert sum(letter["probability"] for letter in chances) == pytest.approx(1, abs=1e-5)
        assert len(answer({"what": "letters"}, one, seen.checkpoints)["x"]) == 12

        found = answer({"what": "layers"}, one, seen.checkpoints)
        network = folders.read_settings(one.folder).model
        assert [row["name"] for row in found["parameters"]] == list(network.shapes)
        assert all(row["gradient"] is None or row["gradient"] > 0 for row in found["parameters"])
        assert all(layer["gradient"]["deviation"] > 0 for layer in found["layers"])
        assert len({layer["title"] for layer in found["layers"]}) == len(found["layers"])
        assert one.which == "model" or sum(row["ratio"] is not None for row in found["parameters"]) > 0

        attention = answer({"what": "attention", "line": "banus"}, one, seen.checkpoints)
        assert ("weights" in attention) == hasattr(network, "n_head")


def test_layers_are_what_pytorch_makes_of_the_same_minibatch(mlp, tmp_path):
    from handgrad.studio.trained import splits_of
    from handgrad.training.backend import batches_of

    one = watched(mlp, tmp_path).checkpoints[0]
    found = {layer["title"]: layer for layer in layers(one)["layers"]}
    settings = folders.read_settings(one.folder)
    ((X, Y, *_),) = batches_of(settings, splits_of(settings.text).train, range(1))
    p = {name: torch.tensor(value) for name, value in folders.initial_state(settings).parameters.items()}
    hprebn = p["C"][X].flatten(1) @ p["W1"] + p["b1"]
    var, mean = torch.var_mean(hprebn, 0, keepdim=True)
    h = torch.tanh((hprebn - mean) * (var + 1e-5).rsqrt() * p["bngain"] + p["bnbias"]).requires_grad_()
    torch.nn.functional.cross_entropy(h @ p["W2"] + p["b2"], torch.tensor(Y)).backward()
    assert found["tanh"]["activation"]["deviation"] == pytest.approx(float(h.detach().std(correction=0)), rel=1e-4)
    assert found["tanh"]["gradient"]["deviation"] == pytest.approx(float(h.grad.std(correction=0)), rel=1e-4)


def test_the_update_of_gradient_descent_is_the_rate_times_the_gradient(mlp, tmp_path):
    one = watched(mlp, tmp_path).checkpoints[0]
    of_each = {row["name"]: row for row in layers(one)["parameters"]}
    assert of_each.pop("b1")["ratio"] is None  # which batch norm takes away again
    for row in of_each.values():
        assert row["ratio"] == pytest.approx(math.log10(0.1 * row["gradient"] / row["value"]), abs=1e-3)


def test_updates_are_followed_through_the_checkpoints(mlp, tmp_path):
    there = watched(mlp, tmp_path).checkpoints
    found = answer({"what": "updates"}, there[0], there)
    assert found["steps"] == [0, 40]
    assert list(found["ratios"]) == ["C", "W1", "W2"]
    for one, at in zip(there, range(2), strict=True):
        of_each = {row["name"]: row["ratio"] for row in layers(one)["parameters"]}
        assert all(found["ratios"][name][at] == of_each[name] for name in found["ratios"])


def test_units_that_are_always_saturated_are_counted(mlp, tmp_path):
    from safetensors.numpy import load_file, save_file

    run = tmp_path / "run"
    shutil.copytree(mlp, run)
    tensors = load_file(run / "state.safetensors")
    tensors["bnbias"][0, :3] = 50.0
    save_file(tensors, run / "state.safetensors")
    found = layers(watched(run, tmp_path / "copies").checkpoints[-1])
    tanh = next(layer for layer in found["layers"] if layer["operation"] == "tanh")
    assert tanh["dead"] == 3
    assert tanh["saturated"] >= 3 / 7


def test_watching_the_operations_leaves_them_as_they_were(mlp, tmp_path):
    before = {name: getattr(handgrad.ops, name) for name in handgrad.ops.__all__}
    layers(watched(mlp, tmp_path).checkpoints[0])
    assert before == {name: getattr(handgrad.ops, name) for name in handgrad.ops.__all__}


def test_without_its_text_a_run_shows_what_needs_none(tmp_path):
    from handgrad.studio.trained import TextGoneError

    run = train(tmp_path, "mlp")
    seen = watched(run, tmp_path / "copies")
    (tmp_path / "tiny.txt").unlink()
    *_, last = seen.checkpoints
    assert len(answer({"what": "samples"}, last)["lines"]) == 20
    with pytest.raises(TextGoneError, match=r"tiny\.txt"):
        answer({"what": "layers"}, last)


def test_temperature_and_top_k_change_what_is_drawn_not_what_is_thought(mlp, tmp_path):
    one = watched(mlp, tmp_path).checkpoints[-1]
    plain, cold, few = (
        answer({"what": "next", "prompt": "b", **more}, one)["letters"]
        for more in ({}, {"temperature": 0}, {"top_k": 2})
    )
    assert [letter["share"] for letter in cold][:2] == [1, 0]
    assert sum(letter["share"] > 0 for letter in few) == 2
    for changed in (cold, few):
        assert {(letter["letter"], letter["probability"]) for letter in changed} == {
            (letter["letter"], letter["probability"]) for letter in plain
        }


@contextlib.contextmanager
def seen(*runs: Path) -> Iterator[TrainingView]:
    view = TrainingView(runs)
    view.look()
    try:
        yield view
    finally:
        view.close()


def asked(view: TrainingView, question: dict):
    return asyncio.run(view.ask(question))


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"what": "curves", "runs": ["7"]},
        {"what": "curves", "runs": ["../.."]},
        {"what": "layers", "run": "/etc", "checkpoint": "state-40"},
        {"what": "layers", "run": "0"},
    ],
)
def test_a_question_about_nothing_is_refused(mlp, question):
    with seen(mlp) as view, pytest.raises(HandgradError):
        asked(view, question)


def test_curves_of_several_runs_are_answered_together(mlp, tmp_path):
    other = train(tmp_path, "bigram")
    with seen(mlp, other) as view:
        found = asked(view, {"what": "curves", "runs": ["0", "1"], "points": "x", "first": None, "log": 1})
        assert [len(found[number]["steps"]) for number in ("0", "1")] == [40, 12]
        assert asked(view, {"what": "samples", "run": "0", "checkpoint": "state-9"})["without"]


@pytest.mark.slow
def test_the_seeds_of_a_run_are_runs_of_their_own(tmp_path):
    run = train(tmp_path, "mlp", runs=2)
    with seen(run) as view:
        assert [one.name for one in view.runs.values()] == ["mlp", "mlp/seed-1", "mlp/seed-2"]
        assert [one.parent for one in view.runs.values()] == [None, "0", "0"]
        (mixed,) = view.runs["0"].checkpoints
        assert "Choose one of its parts" in answer({"what": "layers"}, mixed)["without"]


def test_a_model_is_shown_in_a_notebook_and_its_run_is_watched(mlp, tmp_path, monkeypatch):
    pytest.importorskip("anywidget")
    run = tmp_path / "run"
    shutil.copytree(mlp, run)
    shown, told = handgrad.studio(handgrad.load(run)), []
    monkeypatch.setattr(shown, "send", told.append)
    try:
        assert shown.states["training"]["runs"][0]["steps"] == 40
        for number, question in enumerate(({"what": "curves", "runs": ["0"]}, {"what": "nonsense"})):
            shown._asked(None, {"id": number, "view": "training", "question": question}, None)
        assert len(told[0]["answer"]["0"]["steps"]) == 40
        assert "not understood" in told[1]["error"]

        shutil.rmtree(run)
        ends = time.monotonic() + 20
        while shown.states["training"]["runs"][0]["status"] != "gone":
            assert time.monotonic() < ends
            time.sleep(0.05)
    finally:
        shown.close()


def test_what_is_no_run_is_refused_in_a_notebook(tmp_path):
    pytest.importorskip("anywidget")
    with pytest.raises(RunError, match="no such file or run"):
        handgrad.studio(tmp_path)
