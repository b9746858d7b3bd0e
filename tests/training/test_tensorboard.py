"""What is written for TensorBoard, read back by TensorBoard's own reader."""

import subprocess
import sys

import pytest

from handgrad.errors import ConfigError
from handgrad.training.tensorboard import Scalars

READ = """
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
seen = EventAccumulator(sys.argv[1])
seen.Reload()
tags = seen.Tags()
print({tag: [(each.step, round(each.value, 4)) for each in seen.Scalars(tag)] for tag in sorted(tags["scalars"])})
print([(each.step, each.tensor_proto.string_val[0].decode()) for each in seen.Tensors("samples")])
print(*{"torch", "tensorflow"} & sys.modules.keys())
"""


def test_losses_and_samples(tmp_path):
    with Scalars(tmp_path) as scalars:
        scalars.losses(10, train=3.0, val=3.25, lr=0.5)
        scalars.losses(20, train=2.0, lr=0.25)
        scalars.losses(30, train=9.0, lr=0.25)
        scalars.samples(20, ["emma", "*zoé*"])
    with Scalars(tmp_path, step=20) as resumed:
        resumed.losses(30, train=1.5, val=1.75, lr=0.125)
    shown = subprocess.run([sys.executable, "-c", READ, tmp_path], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == [
        "{'learning_rate': [(10, 0.5), (20, 0.25), (30, 0.125)], "
        "'loss/train': [(10, 3.0), (20, 2.0), (30, 1.5)], 'loss/validation': [(10, 3.25), (30, 1.75)]}",
        "[(20, '    emma\\n    *zoé*')]",
        "",
    ]


def test_where_it_is_not_installed(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(
        ConfigError, match=r"the package tensorboard is not installed. Install it: pip install 'handgrad"
    ):
        Scalars(tmp_path)
