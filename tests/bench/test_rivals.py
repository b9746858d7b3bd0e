"""Each rival computes what the engine does, whatever the sizes."""

import pytest

from handgrad.bench import feedforward_rivals, gpt_rivals, line_rivals
from handgrad.bench.measure import COMPARED_STEPS, TOLERANCE_OF_ADAM, operations, require_agreement
from handgrad.bench.rivals import LOOP_EXAMPLES, RIVALS, UnavailableError, draw, engine, notebook_loop, torch_compiled
from handgrad.bench.shapes import LECTURE, SHAPES, Shape, usual

SIZES = [LECTURE, Shape(2, 5, 1, 3), Shape(7, 11, 4, 2), Shape(100, 64, 8, 24)]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("name", list(RIVALS)[1:])
def test_it_computes_what_the_engine_does(name, shape, monkeypatch):
    if "JAX" in name:
        pytest.importorskip("jax")
    # what is compiled is the same function, and every run of the command compares it again
    monkeypatch.setattr("torch.compile", lambda **_: lambda function: function)
    monkeypatch.setattr("shutil.which", lambda compiler: compiler)
    problem = draw(shape, COMPARED_STEPS)
    start = {parameter: value.copy() for parameter, value in problem.parameters.items()}
    steps = RIVALS[name](problem)
    for _ in range(2):
        require_agreement(start, engine(problem)(COMPARED_STEPS), steps(COMPARED_STEPS))


@pytest.mark.one_in(8)
@pytest.mark.parametrize("model", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("name", list(line_rivals.RIVALS)[1:])
def test_it_computes_what_the_engine_does_with_lines(name, model):
    if "JAX" in name:
        pytest.importorskip("jax")
    problem = line_rivals.draw(Shape(5, 16, n_embd=9, model=model), COMPARED_STEPS)
    if (name, model) == ("PyTorch autograd, its own layer", "gru"):
        with pytest.raises(UnavailableError, match="computes something else"):
            line_rivals.RIVALS[name](problem)
        return
    steps, expected = line_rivals.RIVALS[name](problem), line_rivals.engine(problem)(COMPARED_STEPS)
    for _ in range(2):
        require_agreement(problem.parameters, expected, steps(COMPARED_STEPS), TOLERANCE_OF_ADAM)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["bigram", "bow", "wavenet"])
@pytest.mark.parametrize("name", list(feedforward_rivals.RIVALS)[1:])
def test_it_computes_what_the_engine_does_feeding_forward(name, model, monkeypatch):
    if "JAX" in name:
        pytest.importorskip("jax")
    monkeypatch.setattr("torch.compile", lambda function, **_: function)
    monkeypatch.setattr("shutil.which", lambda compiler: compiler)
    problem = feedforward_rivals.draw(Shape(20, 9, 4, 6, model=model), COMPARED_STEPS)
    steps, expected = (feedforward_rivals.RIVALS[rival](problem) for rival in (name, "engine"))
    require_agreement(problem.parameters, expected(COMPARED_STEPS), steps(COMPARED_STEPS), TOLERANCE_OF_ADAM)


@pytest.mark.one_in(8)
@pytest.mark.parametrize("model", ["transformer", "microgpt"])
@pytest.mark.parametrize("name", list(gpt_rivals.RIVALS)[1:])
def test_it_computes_what_the_engine_does_with_attention(name, model, monkeypatch):
    if "JAX" in name:
        pytest.importorskip("jax")
    monkeypatch.setattr("torch.compile", lambda function, **_: function)
    monkeypatch.setattr("shutil.which", lambda compiler: compiler)
    shape = Shape(5, n_embd=24, n_layer=2, n_head=3, model=model)
    problem = gpt_rivals.draw(shape, COMPARED_STEPS, seed=2)  # where no unit of ReLU is 0 but for rounding
    steps, expected = (gpt_rivals.RIVALS[rival](problem) for rival in (name, "engine"))
    for _ in range(2):
        require_agreement(problem.parameters, expected(COMPARED_STEPS), steps(COMPARED_STEPS), TOLERANCE_OF_ADAM)


def test_the_floor_of_attention_counts_the_matrices_for_each_beginning():
    problem = gpt_rivals.draw(Shape(1, n_embd=8, n_head=2, model="microgpt"), 200)
    tokens = sum(len(problem.dataset.lines(numbers)[1][0]) for numbers in problem.numbers)
    matrices = 12 * 8 * 8 + 8 * 27
    assert operations(Shape(1, n_embd=8, n_head=2, model="microgpt")) == round(6 * tokens * matrices / 200)


def test_the_floor_counts_each_beginning_once():
    one_line = Shape(1, 8, n_embd=4, model="rnn")
    problem = line_rivals.draw(one_line, 200)
    lengths = [len(problem.dataset.lines(numbers)[1][0]) for numbers in problem.numbers]
    letters = [len(set(problem.dataset.lines(numbers)[1][0].tolist())) for numbers in problem.numbers]
    expected = 6 * (sum(lengths) * (8 * 8 + 8 * 27) + sum(letters) * 4 * 8) / 200
    assert operations(one_line) == round(expected)
    assert operations(Shape(100, 8, n_embd=4, model="rnn")) < 80 * operations(one_line)


def test_shapes_of_lines_are_named_by_their_model():
    assert str(usual("lstm")) == "lstm, batch 32, hidden 64, embedding 64"
    assert str(usual("transformer")) == "transformer, batch 32, embedding 64, blocks 4, heads 4"
    assert str(usual("microgpt")) == "microgpt, batch 1, embedding 16, blocks 1, heads 4"
    assert usual("mlp") == LECTURE


def test_the_python_loop_is_spared_large_batches():
    notebook_loop(draw(Shape(LOOP_EXAMPLES), 1))
    with pytest.raises(UnavailableError, match="left out above 128 examples"):
        notebook_loop(draw(Shape(LOOP_EXAMPLES + 1), 1))


def test_without_a_compiler_it_says_so(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UnavailableError, match=r"no C\+\+ compiler: torch.compile looks for no-such-compiler"):
        torch_compiled(draw(LECTURE, 1))


def test_shapes_are_named_by_what_is_not_as_in_the_lecture():
    assert [str(shape) for shape in SHAPES[:2]] == ["batch 32, hidden 200", "batch 256, hidden 64"]
    assert str(Shape(7, 11, 4, 2)) == "batch 7, hidden 11, context 4, embedding 2"
    assert len({str(shape) for shape in SHAPES}) == len(SHAPES) == 7
