"""What every test shares: one thread for torch, and the corpora that are not part of the project."""

import os
from collections import Counter
from pathlib import Path

import pytest
import torch

import handgrad

torch.set_num_threads(1)

DATA_FOLDERS = [Path(os.environ.get("HANDGRAD_DATA", "")), Path(__file__).parents[2] / "shared" / "data"]


@pytest.fixture(scope="session", autouse=True)
def compiled_engine(tmp_path_factory):
    """Compile the engine before any test: the processes that tests start find it in the cache."""
    folder = tmp_path_factory.mktemp("compiled") / "run"
    model = handgrad.train(model="mlp", steps=2, batch_size=4, n_hidden=4, n_embd=4, block_size=2, out=folder)
    handgrad.sample(model, 5_000)


@pytest.fixture(scope="session")
def names_txt() -> Path:
    """The lecture's names.txt, which is not shipped; the test is skipped where it is not at hand."""
    for folder in DATA_FOLDERS:
        if (folder / "names.txt").is_file():
            return folder / "names.txt"
    pytest.skip("needs the lecture's names.txt: run 'handgrad data fetch names' or set HANDGRAD_DATA to its folder")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark as slow what the tests marked `one_in` leave out of the quick lane."""
    seen = Counter()
    for item in items:
        if marker := item.get_closest_marker("one_in"):
            if seen[item.function] % marker.args[0]:
                item.add_marker("slow")
            seen[item.function] += 1
