"""Programs that do not do what they should, each in a process of its own."""

import time

import pytest

from handgrad.studio.programs import Program, ProgramError

HEAD = "import os, sys, time, torch\nx = torch.randn(3, requires_grad=True)\nloss = (x**2).sum()\n"
BAD = {
    "hangs": ("while True: pass\n", "stopped after"),
    "raises": ("raise ValueError('no')\n", "ValueError: no"),
    "is killed": ("os.kill(os.getpid(), 9)\n", "ended without an answer"),
    "closes everything": ("os.closerange(0, 100)\nos.kill(os.getpid(), 9)\n", "ended without an answer"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("line", "said"), BAD.values(), ids=BAD)
def test_a_bad_program_becomes_a_sentence(tmp_path, line, said):
    file = tmp_path / "bad.py"
    file.write_text(HEAD.replace("loss", f"{line}loss"))
    program = Program(file, loss=None, data=None, timeout=1.0)
    try:
        with pytest.raises(ProgramError, match=said):
            program.judged()
    finally:
        program.close()


@pytest.mark.slow
def test_a_program_that_is_closed_answers_no_more(tmp_path):
    file = tmp_path / "square.py"
    file.write_text(f"{HEAD}dx = 2 * x\nprint('said')\n")
    program = Program(file, loss=None, data=None, timeout=10.0)
    assert program.judged()["right"]
    assert program.ask({"what": "detail", "step": 0})["right"]["shape"] == [3]
    with pytest.raises(ProgramError, match="not understood"):
        program.ask({"what": "nothing"})
    started = time.monotonic()
    program.close()
    with pytest.raises(ProgramError):
        program.ask({"what": "overview"})
    assert time.monotonic() - started < 5
