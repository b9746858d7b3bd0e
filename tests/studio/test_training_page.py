"""The training view in a real browser."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import handgrad

from .conftest import serving

SYLLABLES = ("ba", "de", "lo", "mi", "nu", "sa")
SETTINGS = {"model": "transformer", "block_size": 0, "n_embd": 8, "n_layer": 2, "n_head": 2, "batch_size": 8}


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("text") / "tiny.txt"
    path.write_text("".join(f"{a}{b}{end}\n" for a in SYLLABLES for b in SYLLABLES for end in ("", "n", "s")))
    return path


@pytest.fixture(scope="module")
def run(text: Path) -> Path:
    handgrad.train(text, **SETTINGS, steps=60, engine="torch", keep="last", out=text.parent / "run", progress=False)
    return text.parent / "run"


@contextlib.contextmanager
def training(text: Path, folder: Path) -> Iterator[subprocess.Popen]:
    """A run that goes on until it is ended, saved every second."""
    settings = ["--model", "mlp", "--n-hidden", "4", "--batch-size", "8", "--steps", "100M", "--keep", "last"]
    command = [sys.executable, "-m", "handgrad", "train", text, *settings, "--checkpoint-every", "1s", "--out", folder]
    process = subprocess.Popen(
        [*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "NUMBA_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        wait(lambda: (folder / "state.safetensors").is_file())
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def wait(there: Callable[[], object], seconds: float = 60) -> object:
    ends = time.monotonic() + seconds
    while not (found := there()):
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.1)
    return found


def steps_of(page) -> int:
    return int(re.sub(r"\D", "", re.search(r"step ([\d,]+)", page.inner_text(".facts-status"))[1]))


@pytest.mark.slow
def test_a_finished_run_is_looked_at(run, page):
    with serving(run) as studio:
        page.goto(studio.address)
        page.wait_for_selector(".plot canvas")
        assert page.inner_text(".facts-status") == "finished after 60 steps"
        assert page.get_attribute(".plot", "aria-label").startswith("Loss curves: run falls from 2.")

        page.wait_for_selector(".layers tbody tr")
        assert "GELU 1" in page.inner_text(".layers table")
        assert page.locator(".updates li").count() > 20
        assert page.locator(".letters text").count() == 12
        assert page.locator(".head canvas").count() == 2

        page.wait_for_selector(".samples-column:nth-child(2) li")
        page.keyboard.press("ArrowLeft")
        page.wait_for_selector(".scrubber-said:has-text('before the first step')")
        page.wait_for_selector(".samples-column.here:has-text('start')")
        page.keyboard.press("End")
        assert page.problems == []


@pytest.mark.slow
def test_what_comes_next_is_typed_tempered_and_drawn(run, page):
    with serving(run) as studio:
        page.goto(studio.address)
        page.fill(".prompt-text >> nth=0", "ba")
        page.wait_for_selector(".line span:nth-child(2)")
        page.locator(".prompt input[type=range]").fill("0")
        page.wait_for_selector(".chances li:first-child .chance-said:has-text('100 %')")
        page.wait_for_selector(".chances li:nth-child(2).never")

        page.fill(".prompt-text >> nth=0", "bax")
        page.wait_for_selector(".prompt .note")
        assert "'x'" in page.inner_text(".prompt .note")

        page.fill(".prompt-text >> nth=0", "")
        page.locator(".prompt input[type=range]").fill("1")
        page.click("button:has-text('Draw a line')")
        page.wait_for_selector(".line-end, .line-full")
        assert page.locator(".line span").count() > 1
        assert [one for one in page.problems if "422" not in one] == []


@pytest.mark.slow
def test_a_stretch_of_a_curve_is_looked_at_closer(run, page):
    with serving(run) as studio:
        page.goto(studio.address)
        box = page.locator(".plot .u-over").bounding_box()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] * 0.5, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=4)
        with page.expect_request(
            lambda request: "ask/training" in request.url and '"first":' in request.post_data
        ) as asked:
            page.mouse.up()
        question = asked.value.post_data_json
        assert question["first"] == pytest.approx(30, abs=2)
        assert question["last"] == pytest.approx(45, abs=2)
        page.click("button:has-text('Whole run')")
        with page.expect_request(lambda request: '"log":true' in (request.post_data or "")):
            page.check(".check input")
        assert page.problems == []


@pytest.mark.slow
def test_a_run_is_watched_while_it_goes_on_and_when_it_is_deleted(text, run, tmp_path, page):
    live = tmp_path / "live"
    with training(text, live) as process, serving(live, str(run)) as studio:
        page.goto(studio.address)
        page.wait_for_selector(".facts-training")
        first, curve = steps_of(page), page.wait_for_selector(".plot").get_attribute("aria-label")
        wait(lambda: steps_of(page) > first)
        wait(lambda: page.get_attribute(".plot", "aria-label") != curve)
        wait(lambda: page.locator(".samples-column").count() > 2)
        page.wait_for_selector(".layers tbody tr")

        page.reload()
        page.wait_for_selector(".facts-training")
        process.send_signal(signal.SIGKILL)
        process.wait()
        shutil.rmtree(live)
        page.wait_for_selector(".facts-gone")
        assert "What was read before is still shown." in page.inner_text(".training > .note")
        assert page.locator(".plot canvas").count() == 1
        assert page.problems == []


@pytest.mark.slow
def test_a_broken_run_is_named_beside_one_that_is_whole(run, tmp_path, page):
    broken = tmp_path / "broken <b>run"
    shutil.copytree(run, broken)
    (broken / "state.safetensors").write_bytes(b"\x08" + bytes(7) + b"<script>")
    with serving(broken, str(run)) as studio:
        page.goto(studio.address)
        page.wait_for_selector(".facts-damaged")
        assert "state.safetensors is damaged" in page.inner_text(".training > .note")
        assert "broken <b>run" in page.inner_text(".runs")
        page.click(".run-name:has-text('run') >> nth=1")
        page.wait_for_selector(".facts-finished")
        page.wait_for_selector(".samples-column li")
        assert page.problems == []


@pytest.mark.slow
def test_a_counted_model_says_what_it_does_not_have(text, tmp_path, page):
    handgrad.train(text, model="ngram", out=tmp_path / "counted", progress=False)
    with serving(tmp_path / "counted") as studio:
        page.goto(studio.address)
        page.wait_for_selector(".chances li")
        page.wait_for_selector(".layers .note")
        for part in (".layers", ".letters", ".attention"):
            page.wait_for_selector(f"{part} .note")
        assert "has no curve" in page.inner_text(".curves")
        assert page.problems == []


@pytest.mark.slow
def test_ctrl_c_is_quiet_while_questions_wait(run, page):
    command = [sys.executable, "-m", "handgrad", "studio", str(run), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    page.goto(re.search(r"http\S+", process.stdout.readline())[0])
    page.wait_for_selector(".samples-column")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (0, "")


@pytest.mark.slow
def test_a_run_is_sent_as_a_file(run, tmp_path, page):
    command = [sys.executable, "-m", "handgrad", "studio", str(run), "--html", str(tmp_path / "run.html")]
    subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL)
    page.goto((tmp_path / "run.html").as_uri())
    page.wait_for_selector(".layers tbody tr")
    page.wait_for_selector(".head canvas")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".scrubber-said:has-text('before the first step')")
    page.wait_for_selector(".samples-column.here li")
    page.check(".check input")
    assert page.locator(".note").count() == 0
    assert page.locator(".prompt input").count() == 0
    assert page.problems == []


@pytest.mark.parametrize("words", [["nowhere"], ["a.py", "b.py"], ["."]])
def test_what_cannot_be_shown_is_refused(tmp_path, words, run):
    shutil.copytree(run, tmp_path / "one")
    found = subprocess.run(
        [sys.executable, "-m", "handgrad", "studio", "--no-browser", *words],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
