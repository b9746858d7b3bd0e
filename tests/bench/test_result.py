"""What `handgrad bench --from` reads is shown, or refused in one line, whatever happened to the file."""

import copy
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handgrad.bench.result import read_result
from handgrad.cli import main
from handgrad.errors import ConfigError


def quartiles(median: float) -> dict[str, float]:
    return {"median": median, "q1": median * 0.9, "q3": median * 1.1}


def row(name: str, us: float) -> dict:
    return {"name": name, "us": quartiles(us), "times_engine": quartiles(us / 30), "times_floor": quartiles(us / 20)}


RESULT = {
    "machine": {"machine": "x86_64", "cpu": "skylake", "cores": 2, "system": "Linux", "python": "3.11.7"},
    "method": {"rounds": 15, "threads": 1, "clock": "process_time"},
    "shapes": [
        {
            "shape": {"batch_size": 32, "n_hidden": 200, "block_size": 3, "n_embd": 10, "model": "mlp"},
            "title": "batch 32, hidden 200",
            "rounds": 15,
            "floor_us": quartiles(20.0),
            "rows": [row("engine", 30.0), row("PyTorch autograd", 600.0)],
            "not_measured": {"JAX jit + scan": "jax is not installed; pip install jax"},
        }
    ],
}
CONTENT = json.dumps(RESULT, indent=1).encode()
STRANGE = [None, True, 7, -1, 0, 1e308, 1e-300, 10**30, "", "text", "[/bold] $\\foo$ \x07", [], {}, [[]], {"a": 1}]


def places(value, path=()):
    """The path of everything inside a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(path, new) -> dict:
    """The result with something else at a path; nothing where `new` is `KeyError`."""
    result = copy.deepcopy(RESULT)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    if new is KeyError:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return result


PATHS = list(places(RESULT))


@st.composite
def damaged(draw) -> bytes:
    """The file cut, with some bytes changed, or with something else at some place."""
    how = draw(st.sampled_from(["cut", "bytes", "change", "change", "nest"]))
    if how == "cut":
        return CONTENT[: draw(st.integers(0, len(CONTENT)))]
    if how == "bytes":
        content = bytearray(CONTENT)
        for _ in range(draw(st.integers(1, 5))):
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
        return bytes(content)
    if how == "nest":
        levels = draw(st.sampled_from([10, 900, 100_000]))
        return draw(st.sampled_from([b"[" * levels, b'{"shapes":' * levels, b"[" * levels + b"]" * levels]))
    new = draw(st.one_of(st.sampled_from([KeyError, *STRANGE]), st.floats(), st.text(max_size=5)))
    return json.dumps(changed(draw(st.sampled_from(PATHS)), new)).encode()


def shown_or_refused(words: list[str], path, content: bytes, capsys) -> None:
    path.write_bytes(content)
    code = main(["bench", "--from", str(path), *words])
    out, err = capsys.readouterr()
    if code == 0:
        assert out
        assert not err
    else:
        assert code == 2
        assert not out
        assert err.startswith(f"handgrad: {path}: this is not what 'handgrad bench --json' prints (got ")
        assert err.count("\n") == 1


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=damaged(), words=st.sampled_from([[], ["--markdown"], ["--json"]]))
def test_whatever_happened_to_the_file(content, words, tmp_path, capsys):
    shown_or_refused(words, tmp_path / "bench.json", content, capsys)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph")
def test_whatever_is_drawn(tmp_path, capsys):
    for path in random.Random(1).sample(PATHS, 12):
        for new in STRANGE:
            content = json.dumps(changed(path, new)).encode()
            shown_or_refused(["--png", str(tmp_path / "bench.png")], tmp_path / "bench.json", content, capsys)


SAYS = [
    (
        ("shapes", 0, "rows", 1, "us", "median"),
        KeyError,
        "shapes[0].rows[1].us: Object missing required field `median`",
    ),
    (("shapes", 0, "rows", 1, "us", "median"), "fast", "shapes[0].rows[1].us.median: Expected `float`, got `str`"),
    (("shapes", 0, "rows", 1, "us", "q1"), 900.0, "shapes[0].rows[1].us: Expected `q1` <= `median` <= `q3`"),
    (("shapes", 0, "rows", 0, "name"), "motor", "shapes[0].rows: Expected `engine` and each other name once"),
    (("shapes", 0, "rows"), [], "shapes[0].rows: Expected `array` of length >= 1"),
    (("shapes", 0, "shape", "n_hidden"), 0, "n_hidden makes no sense"),
    (("method",), KeyError, "Object missing required field `method`"),
]


@pytest.mark.parametrize(("path", "new", "says"), SAYS, ids=[says for _, _, says in SAYS])
def test_it_says_what_is_wrong_and_where(path, new, says, tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(changed(path, new)))
    with pytest.raises(ConfigError) as refused:
        read_result(tmp_path / "bench.json")
    assert f"(got {says}" in str(refused.value)


def test_what_is_sound_is_read_as_it_is(tmp_path):
    (tmp_path / "bench.json").write_bytes(CONTENT)
    assert read_result(tmp_path / "bench.json") == RESULT
