"""`--preset microgpt` takes the steps of microgpt.py: its losses, beside those of its mathematics written once more."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import handgrad
from handgrad.data import read_corpus
from handgrad.data.python_random import PythonRandom
from handgrad.training.checkpoint import read_settings, read_state
from handgrad.training.config import PRESETS

PRINTED = [3.3660, 3.4243, 3.1778, 3.0664, 3.2209, 2.9452, 3.2894, 3.3245, 2.8990, 3.2229]
"""The first losses that microgpt.py prints with the lecture's names.txt as its input.txt."""


def script_losses(lines: list[str], steps: int, width: int = 16, heads: int = 4, places: int = 16) -> list[float]:
    """The losses of microgpt.py, in float64 and by autograd; random numbers in its order."""
    script = random.Random(42)
    script.shuffle(lines)
    letters = sorted({letter for line in lines for letter in line})
    boundary = len(letters)

    def matrix(rows: int, columns: int) -> Tensor:
        drawn = [[script.gauss(0, 0.08) for _ in range(columns)] for _ in range(rows)]
        return torch.tensor(drawn, dtype=torch.float64, requires_grad=True)

    tokens_in, places_in, scores = matrix(boundary + 1, width), matrix(places, width), matrix(boundary + 1, width)
    query, key, value, mix = (matrix(width, width) for _ in range(4))
    wide, narrow = matrix(4 * width, width), matrix(width, 4 * width)
    parameters = [tokens_in, places_in, scores, query, key, value, mix, wide, narrow]
    adam = torch.optim.Adam(parameters, lr=0.01, betas=(0.85, 0.99), eps=1e-8)

    def norm(x: Tensor) -> Tensor:
        return x / (x.square().mean(1, keepdim=True) + 1e-5).sqrt()

    losses = []
    for step in range(steps):
        tokens = [boundary, *map(letters.index, lines[step % len(lines)]), boundary]
        n = min(places, len(tokens) - 1)
        x = norm(tokens_in[tokens[:n]] + places_in[:n])
        of_heads = [(norm(x) @ w.T).view(n, heads, -1).transpose(0, 1) for w in (query, key, value)]
        attended = torch.nn.functional.scaled_dot_product_attention(*of_heads, is_causal=True)
        x = x + attended.transpose(0, 1).reshape(n, width) @ mix.T
        x = x + (norm(x) @ wide.T).relu() @ narrow.T
        loss = torch.nn.functional.cross_entropy(x @ scores.T, torch.tensor(tokens[1 : n + 1]))
        adam.param_groups[0]["lr"] = 0.01 * (1 - step / steps)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return losses


def our_losses(text, folder, **settings) -> np.ndarray:
    handgrad.train(text, replace(PRESETS["microgpt"], **settings), out=folder)
    return read_state(folder, read_settings(folder)).losses


def test_the_losses_are_those_of_the_script(some_names, tmp_path):
    theirs = script_losses(list(read_corpus(some_names).lines()), steps=30)
    assert our_losses(some_names, tmp_path / "run", steps=30) == pytest.approx(theirs, abs=1e-4)
    assert our_losses(some_names, tmp_path / "other", steps=30, seed=41) != pytest.approx(theirs, abs=0.1)
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()[1:]
    assert [float(row.split(",")[1]) for row in rows] == pytest.approx(theirs, abs=1e-4)


def test_the_losses_are_those_that_the_script_prints(names_txt, tmp_path):
    """The rate falls with the steps, so those of a shorter run differ more from step to step."""
    handgrad_losses = []

    def stop(report):
        handgrad_losses.extend(report.losses)
        if report.step >= len(PRINTED):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        handgrad.train(names_txt, PRESETS["microgpt"], out=tmp_path / "run", progress=stop)
    assert handgrad_losses[: len(PRINTED)] == pytest.approx(PRINTED, abs=1e-4)


def test_what_is_held_out_is_held_out_by_the_scripts_order(some_names, tmp_path):
    model = handgrad.train(some_names, replace(PRESETS["microgpt"], steps=3), out=tmp_path / "run")
    corpus = read_corpus(some_names)
    lines = list(corpus.lines())
    order = PythonRandom(42, len(lines)).order
    kept, held_out = order[:160], order[180:]
    assert model.text.shuffle_seed == 42
    parts = handgrad.load(tmp_path / "run").text.split(corpus)
    for part, numbers in ((parts.train, kept), (parts.test, held_out)):
        assert np.array_equal(part.tokens, np.concatenate([[*corpus.vocabulary.encode(lines[n]), 0] for n in numbers]))
    assert handgrad.evaluate(model) == handgrad.evaluate(handgrad.load(tmp_path / "run"))
    assert handgrad.evaluate(replace(model, text=replace(model.text, shuffle_seed=None))) != handgrad.evaluate(model)
