"""A script that prints its losses, timed as it is."""

from pathlib import Path

import pytest

from handgrad.bench.measure import Measurement
from handgrad.bench.rivals import UnavailableError
from handgrad.bench.script import STEPS, Script
from handgrad.bench.shapes import usual

PROGRAM = """
import sys, time
from pathlib import Path

assert __name__ == "__main__" and sys.argv == [{path!r}]
assert len(open("input.txt").read().split()) > 20_000
print("num docs: 5, one step after the other")
time.sleep(0.2)
for step, loss in enumerate({losses}):
    time.sleep(0.01)
    print(f"step {{step+1:4d}} / 1000 | loss {{loss:.4f}}", end={end!r})
    {then}
Path({path!r}).with_name("end").touch()
"""


@pytest.fixture(scope="module")
def losses() -> list[float]:
    return [*map(float, Script(Path("any"), "perf_counter")._our_losses()), 1.0]


def script(folder: Path, losses: list[float], end="\n", then="") -> Path:
    path = folder / "microgpt.py"
    path.write_text(PROGRAM.format(path=str(path), losses=losses, end=end, then=then))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("end", ["\n", "\r"], ids=repr)
def test_the_first_steps_are_timed_but_for_the_start(losses, tmp_path, end):
    turn = Script(script(tmp_path, losses, end), "perf_counter").turn()
    assert 0.01 <= turn() < 0.1
    assert not (tmp_path / "end").exists()


def test_other_losses_are_not_timed(losses, tmp_path):
    wrong = [*losses[:7], losses[7] + 3e-4, *losses[8:]]
    with pytest.raises(UnavailableError, match=rf"at step 8 is {wrong[7]:.4f}, not {losses[7]:.4f}"):
        Script(script(tmp_path, wrong), "perf_counter").turn()


@pytest.mark.parametrize(("then", "said"), [("break", "loss$"), ("1 / 0", "loss: ZeroDivisionError: division by zero")])
def test_a_script_that_ends_before_is_not_timed(losses, tmp_path, then, said):
    with pytest.raises(UnavailableError, match=f"prints no {STEPS} lines with step and {said}"):
        Script(script(tmp_path, losses, then=then), "perf_counter").turn()


@pytest.mark.slow
def test_it_stands_beside_microgpt_at_its_usual_sizes(losses, tmp_path):
    for model, names in (("microgpt", ["engine", "microgpt.py itself"]), ("gru", ["engine"])):
        measurement = Measurement(usual(model), "perf_counter", script(tmp_path, losses))
        rivals = {"engine": lambda problem: lambda _: problem.parameters}
        measurement.run(1, rivals=rivals)
        assert list(measurement.done[0].times_us) == names
