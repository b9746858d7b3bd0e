"""A studio that is served, and a browser to look at it; without a Chromium these tests are skipped."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass(frozen=True)
class Served:
    """A running 'handgrad studio', its address and the file that it shows."""

    address: str
    file: Path
    process: subprocess.Popen

    @property
    def port(self) -> int:
        return int(re.search(r":(\d+)/", self.address)[1])

    @property
    def token(self) -> str:
        return self.address.partition("token=")[2]


@contextlib.contextmanager
def serving(file: Path, *options: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "handgrad", "studio", str(file), *options, "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        line = process.stdout.readline()
        yield Served(re.search(r"http\S+", line)[0], file, process)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The lecture's exercise 1 with a mistake in one line."""
    file = tmp_path / "exercise1.py"
    shutil.copy(PROGRAMS / "exercise1.py", file)
    with serving(file) as studio:
        yield studio


@pytest.fixture(scope="module")  # its event loop would be in the way of other tests
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    with playwright.sync_playwright() as one:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = one.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(30_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.problems = problems
    yield page
    page.close()
