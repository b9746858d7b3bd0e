"""Steps on a GPU where there is one, and what is said where there is none."""

import json

import numpy as np
import pytest
import torch

import handgrad
from handgrad.cli import main
from handgrad.errors import ConfigError
from handgrad.models.mlp import PARAMETERS
from handgrad.training.checkpoint import read_settings, read_state
from handgrad.training.config import TrainConfig
from handgrad.training.run import Interrupted

SMALL = {"model": "mlp", "steps": 60, "batch_size": 32, "block_size": 3, "n_embd": 8, "n_hidden": 30}
GPU = torch.cuda.is_available()
ON_A_GPU = pytest.mark.skipif(not GPU, reason="needs an NVIDIA GPU, and PyTorch built for CUDA")
WITHOUT = pytest.mark.skipif(GPU, reason="there is a GPU here")


@WITHOUT
def test_without_a_gpu_it_is_refused_before_anything_is_written(some_names, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(some_names), "--device", "cuda", "--out", "run"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(
        f"handgrad: device cuda: PyTorch finds no CUDA GPU on this machine (got PyTorch {torch.__version__}"
    )
    assert said.err.count("\n") == 1
    assert "--device cpu" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_on_the_processor_the_device_may_be_said(some_names, tmp_path, engine):
    said = handgrad.train(some_names, **SMALL, engine=engine, device="cpu", out=tmp_path / "said")
    unsaid = handgrad.train(some_names, **SMALL, engine=engine, out=tmp_path / "unsaid")
    assert said.parameters["W1"].tobytes() == unsaid.parameters["W1"].tobytes()


def begun_on_a_gpu(folder, some_names):
    """A run folder such as one that was stopped on a machine with a GPU."""
    handgrad.train(some_names, **SMALL, engine="torch", out=folder)
    (folder / "state.safetensors").unlink()
    content = json.loads((folder / "config.json").read_text())
    content["training"] |= {"device": "cuda", "engine": "auto"}
    (folder / "config.json").write_text(json.dumps(content))


@pytest.mark.slow
def test_a_run_goes_on_on_another_device_when_told_to(some_names, tmp_path, capsys):
    folder = tmp_path / "run"
    begun_on_a_gpu(folder, some_names)
    if not GPU:
        with pytest.raises(ConfigError, match=r"PyTorch finds no CUDA GPU .* --device cpu"):
            handgrad.train(resume=folder)
    assert main(["train", "--resume", str(folder), "--device", "cpu", "--json"]) == 0
    assert "The run began on cuda; on cpu sums round differently." in capsys.readouterr().err
    assert read_settings(folder).config.device == "cuda"
    model = handgrad.train(resume=folder, device="cpu")
    assert model.steps == SMALL["steps"]
    with pytest.raises(ConfigError, match="keeps its settings"):
        handgrad.train(resume=folder, device="cpu", engine="torch")


@ON_A_GPU
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_gpu_takes_the_same_steps(some_names, tmp_path, optimizer):
    config = TrainConfig(**SMALL, optimizer=optimizer)
    on_gpu = handgrad.train(some_names, config, device="cuda", out=tmp_path / "gpu")
    on_cpu = handgrad.train(some_names, config, out=tmp_path / "cpu")
    for name in set(PARAMETERS) - {"b1"}:  # batch norm takes b1 out again, so its gradient is rounding alone
        ours, theirs = on_gpu.parameters[name], on_cpu.parameters[name]
        assert np.abs(ours - theirs).max() <= 1e-3 * np.abs(theirs).max(), name
    losses = [read_state(folder, read_settings(folder)).losses for folder in (tmp_path / "gpu", tmp_path / "cpu")]
    assert np.abs(losses[0] - losses[1]).max() <= 1e-3 * losses[1].max()


@ON_A_GPU
def test_a_run_on_a_gpu_is_saved_and_gone_on_with(some_names, tmp_path):
    def stopped(report):
        if report.step >= 20:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        handgrad.train(some_names, **SMALL, device="cuda", out=tmp_path / "run", progress=stopped)
    assert handgrad.load(tmp_path / "run").steps >= 20
    assert handgrad.train(resume=tmp_path / "run").steps == SMALL["steps"]


@ON_A_GPU
def test_steps_on_a_gpu_stay_there():
    """The parameters leave it at the end of a call alone, and are on it in between."""
    from handgrad.models import mlp
    from handgrad.training import torch_steps

    devices = set()
    forward = mlp.forward

    def seen(parameters, Xb, Yb, share):
        devices.update(tensor.device.type for tensor in (*parameters.values(), Xb, Yb))
        return forward(parameters, Xb, Yb, share)

    draw = np.random.default_rng(1)
    network = TrainConfig(**SMALL).sizes(27)
    parameters = {name: draw.standard_normal(shape, np.float32) for name, shape in network.shapes.items()}
    batch = np.zeros((4, 3), np.int32), np.zeros(4, np.int32)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mlp, "forward", seen)
        torch_steps.TorchSteps(network, "cuda").sgd_steps(parameters, [batch, batch], [0.1, 0.1])
    assert devices == {"cuda"}
