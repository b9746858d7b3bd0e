"""The backward view in a real browser."""

import base64
import json
import shutil
import signal

import pytest

from .conftest import PROGRAMS, serving

MISTAKE, MENDED = "dbndiff += (2 * bndiff2) * dbndiff2", "dbndiff += (2 * bndiff) * dbndiff2"
slow = pytest.mark.slow


def test_a_wrong_line_is_found_looked_at_and_mended(served, page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served.address)
    page.wait_for_selector(".sum")

    assert "1 line is at fault" in page.inner_text(".verdict .said")
    assert page.inner_text(".chip[aria-current]").split() == ["✕", "dbndiff"]
    assert page.inner_text(".inspector .sentence") == "The wrong variable is used."
    assert page.inner_text(".cm-wrong") == MISTAKE
    assert "dbndiff[0, 31] = 7.630e−4" in page.inner_text(".sum h3")

    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("h2:has-text('dbndiff2')")
    page.keyboard.press("w")
    page.wait_for_selector(".hints")
    for offer in ("Show the rule", "Show the right line"):
        page.wait_for_selector(f"button:has-text('{offer}')").click()
    assert "bndiff2; it should be bndiff" in page.inner_text(".inspector .sentence")
    assert "too much by 2 * bndiff * dbndiff2 * (bndiff - 1)" in page.inner_text(".left-over")
    page.click("button:has-text('Put it into the program')")
    page.click("button:has-text('Save')")
    page.wait_for_selector(".verdict-right")
    assert MENDED in served.file.read_text()
    assert MISTAKE in served.file.with_name("exercise1.py.bak").read_text()
    assert page.problems == []
    assert {url.partition("/?")[0].partition("/events")[0].partition("/ask")[0] for url in asked} == {
        f"http://127.0.0.1:{served.port}"
    }


@slow
def test_each_save_is_judged_wherever_it_comes_from_and_in_every_tab(served, page, browser):
    other = browser.new_page()
    for tab in (page, other):
        tab.goto(served.address)
        tab.wait_for_selector(".verdict-wrong")
    served.file.write_text(served.file.read_text().replace(MISTAKE, MENDED))
    for tab in (page, other):
        tab.wait_for_selector(".verdict-right")
        assert MENDED in tab.inner_text(".cm-content")
    module = served.file.with_name("beside.py")
    module.write_text("factor = 2\n")
    imports = f"from beside import factor\n{served.file.read_text().replace('(2 * bndiff)', '(factor * bndiff)')}"
    served.file.write_text(imports)
    page.wait_for_selector("text=from beside import")
    page.wait_for_selector(".verdict-right")
    page.wait_for_selector(".busy", state="detached")
    module.write_text("factor = 3\n")
    page.wait_for_selector(".verdict-wrong")
    served.file.write_text("this is no Python\n")
    page.wait_for_selector(".verdict-failed")
    page.reload()
    page.wait_for_selector(".verdict-failed")
    served.file.write_text((PROGRAMS / "exercise1.py").read_text())
    page.wait_for_selector(".verdict-wrong")
    served.file.unlink()
    page.wait_for_selector("text=The file is gone")
    other.close()


@slow
def test_what_is_typed_is_not_lost_when_the_file_changes_elsewhere(served, page):
    page.goto(served.address)
    page.wait_for_selector(".cm-wrong")
    page.click(".cm-wrong")
    page.keyboard.press("End")
    page.keyboard.type("  # mine")
    served.file.write_text(served.file.read_text() + "# theirs\n")
    page.wait_for_selector("text=changed elsewhere")
    assert "# mine" in page.inner_text(".cm-wrong")
    page.click("button:has-text('Save')")
    page.wait_for_selector("text=the old file is")
    assert "# mine" in served.file.read_text()
    assert "# theirs" in served.file.with_name("exercise1.py.bak").read_text()


@slow
def test_another_sites_page_gets_nothing(served, page):
    page.route("http://evil.example/*", lambda route: route.fulfill(body="<p>evil</p>", content_type="text/html"))
    page.goto("http://evil.example/")
    ask = """async ([port, token]) => {
      const address = `http://127.0.0.1:${port}`;
      const tries = [
        () => fetch(`${address}/?token=${token}`).then((r) => r.text()),
        () => fetch(`${address}/ask/backward?token=${token}`, {method: "POST", body: "{}"}).then((r) => r.text()),
        () => fetch(`${address}/ask/backward`, {method: "POST", mode: "no-cors", body: "{}"}).then((r) => r.text()),
        () => new Promise((resolve, reject) => {
          const events = new EventSource(`${address}/events?token=${token}`);
          events.addEventListener("backward", (event) => resolve(event.data));
          events.onerror = reject;
        }),
      ];
      return Promise.all(tries.map((attempt) => attempt().catch(() => "")));
    }"""
    assert page.evaluate(ask, [served.port, served.token]) == ["", "", "", ""]


@slow
def test_names_and_texts_are_shown_and_not_run(tmp_path, page):
    file = tmp_path / "<img src=x onerror=alert(1)>.py"
    text = (PROGRAMS / "exercise1.py").read_text()
    file.write_text(
        text.replace('"""The lecture', '"""<script>alert(1)</script><img src=x onerror=alert(2)> The lecture')
    )
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    with serving(file) as studio:
        page.goto(studio.address)
        page.wait_for_selector(".sum")
        assert page.inner_text(".verdict .file") == file.name
        assert page.query_selector("img") is None
    assert page.problems == []


@slow
def test_the_page_says_that_the_server_is_gone_and_finds_it_again(served, page):
    page.goto(served.address)
    page.wait_for_selector(".sum")
    page.context.set_offline(True)
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(10) == 0
    page.wait_for_selector("text=The server is gone")
    page.context.set_offline(False)
    with serving(served.file, "--port", str(served.port)):
        page.wait_for_selector("text=This studio has ended")


@slow
def test_the_cells_of_a_notebook_are_shown_and_saved(tmp_path, page):
    head, _, tail = (PROGRAMS / "exercise1.py").read_text().partition("\ndlogprobs = ")
    cells = [
        {"cell_type": kind, "source": source.splitlines(keepends=True), "metadata": {}}
        for kind, source in (("code", head), ("markdown", "# Backward"), ("code", f"dlogprobs = {tail}"))
    ]
    file = tmp_path / "exercise1.ipynb"
    file.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    with serving(file) as studio:
        page.goto(studio.address)
        page.wait_for_selector(".sum")
        assert [one.inner_text() for one in page.query_selector_all(".cell")] == ["cell 1", "cell 2"]
        assert "cell 2, line" in page.inner_text(".hints .place")
        for offer in ("Show the rule", "Show the right line", "Put it into the program", "Save"):
            page.wait_for_selector(f"button:has-text('{offer}')").click()
        page.wait_for_selector(".verdict-right")
    assert MENDED in "".join(json.loads(file.read_text())["cells"][2]["source"])


@slow
def test_the_page_as_a_file_needs_no_server(tmp_path, page):
    from handgrad.cli import main

    shutil.copy(PROGRAMS / "exercise1.py", tmp_path)
    out = tmp_path / "out.html"
    assert main(["studio", str(tmp_path / "exercise1.py"), "--html", str(out)]) == 0
    page.goto(out.as_uri())
    page.wait_for_selector(".sum")
    assert "1 line is at fault" in page.inner_text(".verdict .said")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("h2:has-text('dbnmeani')")
    page.click("button[role=tab]:has-text('Derivation')")
    assert page.locator(".derived").count() > 20
    assert page.locator(".derived .katex").count() > 20
    assert page.problems == []


@slow
def test_the_page_is_a_widget_of_a_notebook(page):
    import handgrad
    from handgrad.studio.page import ASSETS

    widget = handgrad.studio(PROGRAMS / "exercise1.py")
    page.expose_function("answer", lambda view, question: widget.answers[view](question))
    page.set_content("<main id='cell'></main>")
    page.evaluate(
        """async ([source, style, states]) => {
          document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
          const widget = (await import(source)).default;
          let heard;
          const model = {
            get: () => states,
            on: (event, what) => { if (event === "msg:custom") heard = what; },
            off: () => {},
            send: async ({ id, view, question }) => heard({ id, answer: await answer(view, question) }),
          };
          window.close = widget.render({ model, el: document.getElementById("cell") });
        }""",
        [
            f"data:text/javascript;base64,{base64.b64encode((ASSETS / 'studio.js').read_bytes()).decode()}",
            (ASSETS / "studio.css").read_text(),
            widget.states,
        ],
    )
    page.wait_for_selector(".in-notebook .sum")
    assert "1 line is at fault" in page.inner_text(".verdict .said")
    assert page.query_selector("button:has-text('Save')") is None
    page.keyboard.press("ArrowLeft")  # belongs to the notebook until the widget is clicked
    assert "dbndiff\n" in page.inner_text(".inspector h2") or "dbndiff 32" in page.inner_text(".inspector h2")
    page.evaluate("window.close()")
    assert page.inner_text("#cell") == ""
    assert page.problems == []
