"""`handgrad evaluate`: its figures agree with those of training, and with each other."""

import json
import math
import re

import pytest


def measure(handgrad, folder, *words: str) -> dict:
    ended = handgrad("evaluate", "run", *words, "--json", folder=folder)
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


@pytest.mark.slow
def test_the_splits_are_those_of_training(handgrad, trained, work):
    content = measure(handgrad, work)
    shown = handgrad("evaluate", "run", folder=work).out
    losses = trained[1].out[trained[1].out.index("loss ") :].partition("\n\n")[0]
    for remark in ("Guessing", "The n-gram"):
        losses = losses.partition(remark)[0].rstrip()
    assert shown == f"{losses}\n"
    figures = dict(re.findall(r"^(train|validation|test) +(\S+)", shown, re.MULTILINE))
    assert [f"{loss:.4f}" for loss in content["loss"].values()] == list(figures.values())
    assert content["perplexity"] == {split: math.exp(loss) for split, loss in content["loss"].items()}


@pytest.mark.slow
def test_a_text_is_as_likely_as_its_lines_together(handgrad, work):
    lines = ["emma", "ava", "zz", "a"]
    (work / "more.txt").write_text("\n".join(lines))
    content = measure(handgrad, work, "--text", "more.txt", *(word for line in lines for word in ("--line", line)))
    assert list(content["loss"]) == ["more"]
    assert list(content["log_likelihood"]) == lines
    characters = sum(len(line) + 1 for line in lines)
    assert content["loss"]["more"] * characters == pytest.approx(-sum(content["log_likelihood"].values()), rel=1e-6)


def test_a_line_and_a_file_of_that_line(handgrad, work):
    (work / "emma.txt").write_text("emma\n")
    likelihood = measure(handgrad, work, "--line", "emma")["log_likelihood"]["emma"]
    assert likelihood == pytest.approx(-measure(handgrad, work, "--text", "emma.txt")["loss"]["emma"] * 5, rel=1e-6)
    shown = handgrad("evaluate", "run", "--line", "emma", folder=work).out
    assert re.search(rf"^emma +{likelihood:.4f} +{likelihood / 5:.4f}$", shown, re.MULTILINE)
    assert "train" not in shown


@pytest.mark.slow
def test_a_line_letter_by_letter(handgrad, work):
    content = measure(handgrad, work, "--line", "ava", "--line", "")
    letters = content["letters"]["ava"]
    assert [place["letter"] for place in letters] == ["a", "v", "a", None]
    assert sum(place["log_probability"] for place in letters) == pytest.approx(content["log_likelihood"]["ava"])
    for place in [*letters, *content["letters"][""]]:
        others = [other["log_probability"] for other in place["others"]]
        assert len(others) == 3
        assert others == sorted(others, reverse=True)
        assert place["letter"] not in [other["letter"] for other in place["others"]]
    shown = handgrad("evaluate", "run", "--line", "ava", folder=work).out
    rows = [row.split() for row in shown.partition("likeliest others")[2].splitlines() if row.strip()]
    assert [row[0] for row in rows] == ["a", "v", "a", "end"]
    assert [row[2] for row in rows] == [f"{place['log_probability']:.4f}" for place in letters]
    assert "end" in rows[1]


@pytest.mark.slow
def test_likelihoods_of_all_short_lines_leave_room_for_the_long_ones(handgrad, work):
    letters = json.loads((work / "run" / "config.json").read_text())["vocabulary"]
    lines = ["", *letters, *(a + b for a in letters for b in letters[:3])]
    content = measure(handgrad, work, *(word for line in lines for word in ("--line", line)))
    total = math.fsum(math.exp(value) for value in content["log_likelihood"].values())
    assert 0 < total < 1
