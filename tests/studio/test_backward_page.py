"""The backward view in a real browser."""


def test_a_wrong_line_is_found_looked_at_and_mended(served, page):
    page.goto(served.address)
    page.wait_for_selector(".sum")

    assert "1 line is at fault" in page.inner_text(".verdict .said")
    assert page.inner_text(".chip[aria-current]").split() == ["✕", "dbndiff"]
    assert page.inner_text(".inspector .sentence") == "the wrong variable is used: bndiff in place of bndiff2."
    assert page.inner_text(".cm-wrong") == "dbndiff += (2 * bndiff2) * dbndiff2"
    assert "too much by 2 * bndiff * dbndiff2 * (bndiff - 1)" in page.inner_text(".left-over")

    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("h2:has-text('dbndiff2')")
    page.keyboard.press("w")
    page.wait_for_selector("h2:has-text('dbndiff ')")

    page.click(".cm-wrong")
    page.keyboard.press("End")
    page.keyboard.press("Shift+Home")
    page.keyboard.type("dbndiff += (2 * bndiff) * dbndiff2")
    page.keyboard.press("Control+s")
    page.wait_for_selector(".verdict-right")
    assert "(2 * bndiff) * dbndiff2" in served.file.read_text()
    assert "(2 * bndiff2) * dbndiff2" in served.file.with_name("exercise1.py.bak").read_text()
    assert page.problems == []
