"""`handgrad export`."""

import json as json_format
import shlex
from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape

from handgrad.cli.console import console, working
from handgrad.cli.parse import call
from handgrad.cli.runs_at_hand import Run, open_run
from handgrad.exporting import Target


def export(
    run: Run = None,
    *,
    to: Target = "torch",
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: RUN.py or RUN.onnx)")
    ] = None,
    corpus: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
    json: bool = False,
) -> None:
    """Write a trained model for use without handgrad: as a Python file for PyTorch, or in ONNX.

    The Python file is short and readable: a torch.nn.Module and what draws lines from it; its weights are in a
    .safetensors beside it. Run it, and it prints new lines. An ONNX file gives the log-probability of each next token.
    Either has to compute the same as the model on lines of the validation split, or nothing is written.

    examples:
      handgrad export
      handgrad export runs/names && python names.py 5
      handgrad export runs/names --to onnx --out names.onnx

    Args:
        run: The run folder that 'handgrad train' or 'handgrad mix' made.
        to: 'torch' for a Python file, 'onnx' for an ONNX file.
        out: The file to write.
        corpus: Where the training text is now, if it has moved; the file is compared with the model on its lines.
        json: Print what was written as JSON.
    """
    from handgrad.exporting import default_file
    from handgrad.exporting import export as exported

    folder, model = open_run("export", run, corpus)
    with working("writing the file, comparing what it computes"):
        found = exported(model, to, out or default_file(folder, to))
    if json:
        content = {**found._asdict(), "files": [str(file) for file in found.files]}
        print(json_format.dumps(content, ensure_ascii=False, indent=2))
        return
    show = console().print
    show(f"[bold]saved[/]    {' and '.join(escape(str(file)) for file in found.files)}", soft_wrap=True)
    same = f"log-probabilities differ by at most {found.difference:.2g}"
    show(f"[bold]checked[/]  on {found.lines:,} {found.of}: {same}", soft_wrap=True)
    if to == "torch":
        show(f"[bold]next[/]     python {escape(shlex.quote(str(found.files[0])))}", soft_wrap=True)


def main(words: list[str]) -> None:
    """Parse and run the command."""
    call(export, "handgrad export", words)
