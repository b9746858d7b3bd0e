"""A model as it is shown: three lines, and a page for a notebook."""

import re

import handgrad
from handgrad.models.mix import mixture_of

from ..tiny_model import tiny_model


def test_a_model_is_shown_in_three_lines(tmp_path):
    model = handgrad.train(model="gru", steps=3, batch_size=2, n_hidden=4, n_embd=2, out=tmp_path / "run")
    assert repr(model).splitlines() == [
        "Model: gru, 277 parameters: n_embd 2, n_hidden 4, dropout 0.1",
        "  trained on ssa_names_2018: 32,257 lines, 26 letters",
        f"  after 3 steps, run folder {tmp_path / 'run'}",
    ]
    assert repr(handgrad.load(tmp_path / "run")) == repr(model)


def test_a_mixture_names_its_parts():
    both = mixture_of([tiny_model(), tiny_model(seed=2)], [0.25, 0.75])
    assert repr(both).startswith("Model: mix of 0.25 mlp, 0.75 mlp; ")
    assert repr(both).endswith("of no steps of its own, in no run folder")


def test_a_notebook_shows_curves_and_samples(tmp_path):
    model = handgrad.train(model="gru", steps=3, batch_size=2, n_hidden=4, n_embd=2, out=tmp_path / "run")
    page = model._repr_html_()
    assert "data:image/png;base64,iVBOR" in page
    for line in handgrad.sample(model, 10, seed=1):
        assert line in page
    (tmp_path / "run" / "loss.png").unlink()
    assert "<img" not in handgrad.load(tmp_path / "run")._repr_html_()


def test_nothing_of_a_text_is_read_as_html():
    page = tiny_model("&<>")._repr_html_()
    assert not re.search(r"<[^/bdi]", page)
