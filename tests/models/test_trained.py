"""What a trained model tells its users."""

import itertools

import numpy as np
import pytest
import torch

from handgrad.data import corpus_from_lines, read_corpus, resolve_corpus
from handgrad.errors import CorpusError
from handgrad.models import mlp
from handgrad.models.trained import TextReference

from ..tiny_model import tiny_model

EVERY_CONTEXT = np.array(list(itertools.product(range(4), repeat=2)), np.uint8)


def test_probabilities_of_the_next_token_add_up_to_one():
    log_probabilities = tiny_model().log_probabilities(EVERY_CONTEXT)
    assert log_probabilities.shape == (16, 4)
    assert log_probabilities.dtype == np.float32
    assert np.allclose(np.exp(log_probabilities).sum(1), 1, atol=1e-6)


def test_probabilities_are_the_softmax_of_the_logits():
    model = tiny_model()
    parameters = {name: torch.from_numpy(value).double() for name, value in model.parameters.items()}
    statistics = (torch.from_numpy(value).double() for value in model.buffers.values())
    logits = mlp.logits(parameters, *statistics, torch.from_numpy(EVERY_CONTEXT).long())
    theirs = torch.softmax(logits, 1).numpy()
    assert np.abs(np.exp(model.log_probabilities(EVERY_CONTEXT)) - theirs).max() <= 1e-6
    assert theirs.std() > 0.05


def test_a_text_is_found_again(tmp_path):
    path = tmp_path / "towns.txt"
    path.write_text("ulm\nbonn\n")
    for corpus in (read_corpus(path), resolve_corpus()):
        again = TextReference.to(corpus).read()
        assert (again.name, again.source, again.sha256) == (corpus.name, corpus.source, corpus.sha256)
        assert np.array_equal(again.tokens, corpus.tokens)


def test_a_text_that_is_gone_or_changed_is_refused(tmp_path):
    path = tmp_path / "towns.txt"
    path.write_text("ulm\nbonn\n")
    reference = TextReference.to(read_corpus(path))
    path.write_text("ulm\nbonn\nbern\n")
    with pytest.raises(CorpusError, match="not the text the model was trained on") as error:
        reference.read()
    assert str(path) in str(error.value)
    path.unlink()
    with pytest.raises(CorpusError, match="there is no such file"):
        reference.read()


def test_a_text_that_never_was_a_file_is_refused():
    with pytest.raises(CorpusError, match="there is no such file"):
        TextReference.to(corpus_from_lines(["ulm"])).read()
