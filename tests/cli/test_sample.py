"""`handgrad sample`: the same seed draws the same lines, and wishes are kept."""

import json
import subprocess
from collections import Counter

import pytest

from handgrad.sampling import TRIES_A_LINE

from .command import ENVIRONMENT, SMALL, command


def draw(handgrad, folder, *words: object) -> list[str]:
    ended = handgrad("sample", "run", *words, folder=folder)
    assert (ended.code, ended.err) == (0, "")
    return ended.out.splitlines()


@pytest.mark.slow
def test_the_same_seed_draws_the_same_lines(handgrad, work):
    first, again, other = (draw(handgrad, work, "-n", 9, "--seed", seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert len(first) == len(other) == 9


@pytest.mark.slow
def test_without_a_seed_each_call_draws_others(handgrad, work):
    assert draw(handgrad, work) != draw(handgrad, work)


def test_for_a_program(handgrad, work):
    content = json.loads("\n".join(draw(handgrad, work, "-n", 4, "--json")))
    assert draw(handgrad, work, "-n", 4, "--seed", content["seed"]) == content["lines"]


def test_twenty_lines_without_being_asked(handgrad, work):
    assert len(draw(handgrad, work)) == 20


def test_prefix_and_length(handgrad, work):
    lines = draw(handgrad, work, "-n", 200, "--prefix", "em", "--max-length", 6, "--seed", 1)
    assert {line[:2] for line in lines} == {"em"}
    assert max(map(len, lines)) == 6


@pytest.mark.slow
def test_unique_keeps_the_first_of_each(handgrad, work):
    wishes = ("--max-length", 1, "--seed", 1)
    lines = draw(handgrad, work, "-n", 300, *wishes)
    assert max(Counter(lines).values()) > 1
    assert draw(handgrad, work, "-n", 5, *wishes, "--unique") == list(dict.fromkeys(lines))[:5]


@pytest.mark.slow
def test_new_only_leaves_out_the_training_text(handgrad, learnt):
    folder, _ = learnt
    wishes = ("-n", 200, "--max-length", 3, "--seed", 1)
    assert {"a", "b", "ab"} < set(draw(handgrad, folder, *wishes))
    new = draw(handgrad, folder, *wishes, "--new-only")
    assert len(new) == 200
    assert not {"a", "b", "ab"} & set(new)


@pytest.mark.slow
def test_fewer_lines_than_wished_for(handgrad, learnt):
    """Of at most three letters a and b there are fourteen lines, and three of them are known."""
    folder, _ = learnt
    wishes = ("-n", 200, "--max-length", 3, "--new-only", "--unique")
    ended = handgrad("sample", "run", *wishes, folder=folder)
    found = ended.out.splitlines()
    assert ended.code == 0
    assert 1 < len(set(found)) == len(found) <= 11
    assert ended.err.startswith(f"handgrad: only {len(found)} such lines among {200 * TRIES_A_LINE:,} drawn; ")


def test_temperature(handgrad, work):
    cold_lines, hot_lines = (draw(handgrad, work, "-n", 300, "--seed", 1, "--temperature", t) for t in ("0.01", "100"))
    assert len(set(cold_lines)) < len(set(hot_lines))
    letters = Counter("".join(hot_lines))
    assert min(letters.values()) > sum(letters.values()) / len(letters) / 2


@pytest.mark.slow
def test_the_likeliest_line(handgrad, work):
    assert len(set(draw(handgrad, work, "-n", 5, "--temperature", 0))) == 1
    first = Counter(line[0] for line in draw(handgrad, work, "-n", 300, "--top-k", 2))
    assert len(first) == 2


@pytest.mark.slow
def test_likelihoods_stand_in_a_column_and_are_those_of_evaluate(handgrad, work):
    wishes = ("-n", 6, "--seed", 2, "--temperature", 1.5)
    lines, shown = draw(handgrad, work, *wishes), draw(handgrad, work, *wishes, "--with-likelihood")
    content = json.loads("\n".join(draw(handgrad, work, *wishes, "--with-likelihood", "--json")))
    measured = handgrad(
        "evaluate", "run", "--json", *(word for line in lines for word in ("--line", line)), folder=work
    )
    expected = json.loads(measured.out)["log_likelihood"]
    assert content["lines"] == lines
    assert content["log_likelihood"] == pytest.approx([expected[line] for line in lines], rel=1e-5)
    width = max(map(len, lines))
    rows = zip(lines, content["nats_a_character"], strict=True)
    assert shown == [f"{line:<{width}}  {value:8.4f}" for line, value in rows]
    assert content["nats_a_character"][0] == content["log_likelihood"][0] / (len(lines[0]) + 1)


@pytest.mark.slow
def test_wide_letters_take_two_columns(handgrad, tmp_path):
    from rich.cells import cell_len

    (tmp_path / "words.txt").write_text("a東b\n京京\nab\n" * 10)
    handgrad("train", "words.txt", "--out", "run", *SMALL, folder=tmp_path)
    shown = draw(handgrad, tmp_path, "-n", 30, "--max-length", 6, "--with-likelihood")
    assert len({cell_len(row) for row in shown}) == 1
    assert len({len(row) for row in shown}) > 1


@pytest.mark.slow
def test_the_newest_run_where_none_is_named(handgrad, work):
    (work / "runs").mkdir()
    (work / "run").rename(work / "runs" / "one")
    for words in (("sample", "--seed", 1), ("evaluate", "--line", "emma")):
        named, unnamed = handgrad(words[0], "runs/one", *words[1:], folder=work), handgrad(*words, folder=work)
        assert (unnamed.code, unnamed.out) == (0, named.out)
        assert unnamed.err == "the newest run: runs/one\n"


@pytest.mark.slow
def test_a_reader_who_has_had_enough(work):
    words = command("sample", "run", "-n", 20_000)
    sample = subprocess.Popen(words, cwd=work, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = sample.stdout.readline()
    sample.stdout.close()
    err = sample.stderr.read()
    sample.stderr.close()
    assert (sample.wait(), err) == (0, b"")
    assert first.strip()


@pytest.mark.slow
def test_lines_go_to_a_terminal_with_the_seed_that_draws_them_again(handgrad, work):
    pexpect = pytest.importorskip("pexpect")
    script, *words = command("sample", "run", "-n", "2")
    terminal = pexpect.spawn(script, words, cwd=work, env=ENVIRONMENT, timeout=60)
    terminal.expect(r"^([^\r]+)\r\n([^\r]+)\r\n\(--seed (\d+) draws these again\)")
    first, second, seed = (group.decode() for group in terminal.match.groups())
    terminal.expect(pexpect.EOF)
    assert draw(handgrad, work, "-n", 2, "--seed", seed) == [first, second]
