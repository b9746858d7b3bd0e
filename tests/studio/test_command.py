"""What `handgrad studio` says where there is nothing to show, and how it ends."""

import signal
import socket
import sys

import pytest

from handgrad.cli import main

REFUSED = {
    "no such file": (["nowhere.py"], "nowhere.py: there is no such file"),
    "a text": (["names.txt"], "this is nothing to look at"),
    "no time": (["a.py", "--timeout", "0"], "a time limit makes no sense"),
    "no port": (["a.py", "--port", "99999"], "the page cannot be served there"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_shown_is_refused_in_a_sentence(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").touch()
    (tmp_path / "names.txt").touch()
    assert main(["studio", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_port_that_is_taken_is_said(tmp_path, capsys):
    (tmp_path / "a.py").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["studio", str(tmp_path / "a.py"), "--port", str(taken.getsockname()[1])]) == 2
    assert "the page cannot be served there (got Address already in use)" in capsys.readouterr().err


def test_without_its_packages_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.py").touch()
    for name in [name for name in sys.modules if name.startswith("handgrad.studio.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["studio", str(tmp_path / "a.py")]) == 2
    assert "pip install 'handgrad[studio]'" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_ends_it_though_a_program_hangs(tmp_path):
    from .conftest import serving

    file = tmp_path / "endless.py"
    file.write_text("import torch\nwhile True: pass\n")
    with serving(file) as studio:
        studio.process.send_signal(signal.SIGINT)
        assert studio.process.wait(10) == 0
