"""`%derive` and `%%derive` in a real kernel, over the lecture's cells as they are."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

SETUP = """\
import torch
import torch.nn.functional as F
g = torch.Generator().manual_seed(1)
X, Y = torch.randn(8, 4, generator=g), torch.randint(3, (8,), generator=g)
W = torch.randn(4, 3, generator=g, requires_grad=True)
"""
DRAW = "[hash(state.numpy().tobytes()) for state in (g.get_state(), torch.get_rng_state())]"
CELLS = {
    "extension": "%load_ext handgrad",
    "too early": "%derive",
    "setup": SETUP,
    "forward": "z = X @ W\nh = torch.tanh(z)\nloss = (h**2).sum()",
    "before": DRAW,
    "lines": "%derive",
    "without": "%derive --no-quotes --check",
    "why": "%derive --in z --explain",
    "part": "%derive --in z --out h",
    "closed": "%derive --form closed --in z",
    "again": DRAW,
    "cell": "%%derive\nm = torch.rand(3, generator=g)\nq = h * m\nr = q.exp()",
    "after": DRAW,
    "value": "tuple(r.shape), torch.equal(q, h * m)",
    "cell with a loss": "%%derive --no-quotes --write\na = X @ W\nloss = a.pow(3).mean()\nn = 7",
    "once more": DRAW,
    "the last pass": "%derive --no-quotes",
    "an earlier one by name": "%derive --of h --no-quotes",
    "a training loop": "for i in range(3):\n    loss = (X[i] @ W).exp().sum()\n    loss.backward()",
    "the loop's": "%derive",
    "draws": "%%derive\nu = F.dropout(X @ W)\nloss = u.sum()",
    "no such name": "%derive --of nothing",
    "no such option": "%derive --forms lines",
    "raises": "%%derive\n1 / 0",
    "awaits": "%%derive\nimport asyncio\nawait asyncio.sleep(0)",
}
MAY_FAIL = {"no such option", "raises", "awaits"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> dict[str, list]:
    """The outputs of each cell of a notebook that a kernel has run, and what it wants in the next one."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    for name, cell in zip(CELLS, cells, strict=True):
        cell.metadata["tags"] = ["raises-exception"] * (name in MAY_FAIL)
    client = Client(nbformat.v4.new_notebook(cells=cells), timeout=120, kernel_name="python3")
    client.execute(cwd=str(tmp_path_factory.mktemp("notebook")))
    return {name: cell.outputs for name, cell in zip(CELLS, cells, strict=True)} | {"next": client.next_inputs}


class Client(NotebookClient):
    """Keeps what cells are to be made below."""

    next_inputs: list = []  # noqa: RUF012 - one client runs

    async def _async_poll_for_reply(self, *args, **kwargs):
        reply = await super()._async_poll_for_reply(*args, **kwargs)
        payload = reply["content"].get("payload", []) if reply else []
        self.next_inputs.extend(p["text"] for p in payload if p["source"] == "set_next_input")
        return reply


def text(outputs: list) -> str:
    return "".join(o.get("text") or o.get("data", {}).get("text/plain") or o.get("evalue", "") for o in outputs)


def lines(outputs: list) -> list[str]:
    """The lines, without the empty one and the remark below them."""
    shown = text(outputs).splitlines()
    assert shown[-2:-1] == [""]
    assert re.match(r"# (the gradient equals|all \d+ gradients equal) autograd's in float64", shown[-1])
    return shown[:-2]


def test_the_last_forward_pass(shown):
    assert lines(shown["lines"]) == [
        "dh = 2 * h            # loss = (h**2).sum()",
        "dz = (1 - h**2) * dh  # h = torch.tanh(z)",
        "dW = X.T @ dz         # z = X @ W",
    ]
    assert lines(shown["without"]) == ["dh = 2 * h", "dz = (1 - h**2) * dh", "dW = X.T @ dz"]
    assert lines(shown["part"]) == ["dz = (1 - h**2) * dh  # h = torch.tanh(z)"]
    assert len(lines(shown["closed"])) == 1
    assert lines(shown["the last pass"]) == ["da = 3 * a**2 / a.numel()", "dW = X.T @ da"]
    assert lines(shown["an earlier one by name"]) == ["dz = (1 - h**2) * dh", "dW = X.T @ dz"]
    assert "X[i]" in text(shown["the loop's"])


def test_it_is_a_page(shown):
    (page,) = (o.data["text/html"] for o in shown["without"] if "text/html" in o.get("data", {}))
    assert page.count("<tr>") == 4
    assert "<th style='text-align:left'>gradient</th>" in page
    assert "dz" in page
    (page,) = (o.data["text/html"] for o in shown["lines"] if "text/html" in o.get("data", {}))
    assert "<table>" not in page


def test_the_derivation_is_rendered(shown):
    (data,) = (o.data for o in shown["why"] if "text/markdown" in o.get("data", {}))
    assert "$$\n" in data["text/markdown"]
    assert "✓ as autograd" in data["text/plain"]
    assert "dzᵢⱼ" in data["text/plain"]
    assert "z is used in line 2: h = torch.tanh(z)" in data["text/plain"]


def test_a_cell_is_run_and_derived(shown):
    assert lines(shown["cell"])[0].split("  #")[0] == "dq = r * dr"
    assert text(shown["value"]) == "((8, 3), True)"


def test_the_lines_go_into_the_next_cell(shown):
    assert shown["next"] == ["\n".join(lines(shown["cell with a loss"]))]
    assert lines(shown["cell with a loss"]) == lines(shown["the last pass"])


def test_deriving_draws_no_random_numbers(shown):
    assert text(shown["before"]) == text(shown["again"])
    drawn, after = text(shown["after"]), text(shown["once more"])
    assert drawn == after
    assert drawn != text(shown["before"])


def test_mistakes_in_use_are_one_line(shown):
    assert text(shown["too early"]).startswith("handgrad: no cell that was run computes a loss. Run the cell with ")
    assert "\nmask = F.dropout(" in text(shown["draws"])
    assert text(shown["no such name"]) == "handgrad: nothing is called 'nothing' here.\n"
    assert "unrecognized arguments: --forms" in text(shown["no such option"])
    assert "%%derive runs no 'await' outside of a function" in text(shown["awaits"])


def test_an_exception_is_the_users_own(shown):
    (error,) = (o for o in shown["raises"] if o.output_type == "error")
    assert error.ename == "ZeroDivisionError"
    assert "handgrad" not in "".join(error.traceback)
    assert "handgrad" not in text(shown["raises"])
