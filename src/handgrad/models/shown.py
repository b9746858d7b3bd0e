"""A trained model as it is shown to people: in three lines, or in a notebook with its loss curves and samples."""

import base64
import html as html_format
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from handgrad.models.mix import Mix

if TYPE_CHECKING:
    from handgrad.models.family import Family
    from handgrad.models.trained import Model

SAMPLES = 10


def facts(model: "Model") -> tuple[str, str, str]:
    """The network, the text and the run of a model, a line each."""
    text, lines = model.text, "" if model.text.n_lines is None else f"{model.text.n_lines:,} lines, "
    steps = f"after {model.steps:,} steps" if model.steps else "of no steps of its own"
    return (
        f"Model: {described(model.config)}",
        f"  trained on {text.name}: {lines}{len(model.vocabulary.chars):,} letters",
        f"  {steps}, {'in no run folder' if model.run is None else f'run folder {model.run}'}",
    )


def described(network: "Family") -> str:
    """A network in a few words: its family, how many parameters it has, and its sizes."""
    if isinstance(network, Mix):
        parts = (f"{weight:.2f} {part.name}" for weight, part in zip(network.weights, network.parts, strict=True))
        return f"mix of {', '.join(parts)}; {network.n_parameters:,} parameters"
    sizes = ", ".join(f"{f.name} {getattr(network, f.name)}" for f in fields(network) if f.name != "vocab_size")
    knows = "counted" if network.counted else f"{network.n_parameters:,} parameters"
    return f"{network.name}, {knows}{': ' * bool(sizes)}{sizes}"


def html(model: "Model") -> str:
    """What a notebook shows of a model."""
    from handgrad.sampling import sample

    lines = "<br>".join(map(html_format.escape, sample(model, SAMPLES, seed=1)))
    told = "<br>".join(html_format.escape(fact) for fact in facts(model))
    curve = _picture(model.run / "loss.png") if model.run is not None else ""
    return (
        f"<div><div>{told}</div><div style='display:flex;gap:2em;align-items:center'>{curve}"
        f"<div><b>{SAMPLES} samples</b><br>{lines}</div></div></div>"
    )


def _picture(path: Path) -> str:
    try:
        content = base64.b64encode(path.read_bytes()).decode()
    except OSError:
        return ""
    return f"<img alt='loss curves' style='max-width:32em' src='data:image/png;base64,{content}'>"
