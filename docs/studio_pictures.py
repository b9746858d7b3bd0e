"""Make the pictures of the studio: python docs/studio_pictures.py (needs playwright and a Chromium)."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
PROGRAM = HERE.parent / "tests" / "studio" / "programs" / "exercise1.py"


def main() -> None:
    """The wrong line of the lecture's exercise 1, and in dark colours the derivation of its gradients."""
    process = subprocess.Popen(
        [sys.executable, "-m", "handgrad", "studio", str(PROGRAM), "--no-browser"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http\S+", process.stdout.readline())
        assert found is not None
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            take(browser, found[0], "light", None, HERE / "studio.png")
            take(browser, found[0], "dark", "Derivation", HERE / "studio_derivation.png")
            browser.close()
    finally:
        process.terminate()


def take(browser: Browser, address: str, colours: str, view: str | None, path: Path) -> None:
    """One picture of the page once all of it is there."""
    page = browser.new_page(viewport={"width": 1280, "height": 880}, color_scheme=colours)
    page.goto(address)
    page.wait_for_selector(".sum")
    page.wait_for_selector("button[role=tab]:has-text('Derivation')")
    if view is not None:
        page.click(f"button[role=tab]:has-text('{view}')")
        page.wait_for_selector(".katex")
    page.wait_for_timeout(500)
    page.screenshot(path=path)


if __name__ == "__main__":
    main()
