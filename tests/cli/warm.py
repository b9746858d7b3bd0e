"""Runs the installed command again and again, each time in a process forked from this one, which has imported torch.

Reads a request a line (JSON: script, words, folder, out, err) and answers each with the exit code. The command is the
real one, with its own folder, files and streams; what is saved are the seconds in which torch comes and goes.
"""

import json
import os
import runpy
import signal
import sys
from importlib import import_module

for name in ("torch", "matplotlib.figure", "matplotlib.backends.backend_agg", "safetensors.numpy", "rich.progress",
             "handgrad.models.mlp", "handgrad.cli.train", "handgrad.cli.sample", "handgrad.cli.evaluate",
             "handgrad.training.runs", "handgrad.training.train", "handgrad.training.plot",
             "handgrad.cli.check", "handgrad.checker.faces.mend", "rich.table", "handgrad.cli.derive",
             "handgrad.forward.deriving", "handgrad.derive.lines", "handgrad.derive.verify", "handgrad.derive.closed",
             "handgrad.derive.shortest"):  # fmt: skip
    import_module(name)

PATIENCE_S = 60


def become_the_command(script: str, words: list[str], folder: str, out: str, err: str) -> None:
    """End this process with the command's exit code, and what it said in `out` and `err`."""
    os.chdir(folder)
    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
        os.dup2(os.open(path, flags), descriptor)
    signal.alarm(PATIENCE_S)
    sys.argv = [script, *words]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


for line in sys.stdin:
    child = os.fork()
    if not child:
        become_the_command(**json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os._exit(0)
