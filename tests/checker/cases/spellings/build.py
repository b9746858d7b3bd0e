"""Ways to say a program otherwise."""

import re
import textwrap

from ..schema import Spelling, changed, program


def spelling(id: str, base: str, *replacements: tuple[str, str], in_context: tuple[str, ...] = ()) -> Spelling:
    """The program `base` with each (old, new) replaced."""
    return Spelling(f"{base}/{id}", changed(base, *replacements), in_context=in_context)


def renamed(id: str, base: str, prefix: str, **names: str) -> Spelling:
    """The program `base` with other forward names; the gradient of `new` is called `prefix` + `new`."""
    source = program(base)
    for old, new in names.items():
        source = re.sub(rf"\bd{old}\b", prefix + new, re.sub(rf"\b{old}\b", new, source))
    return Spelling(f"{base}/{id}", source)


def every_gradient_with(id: str, base: str, prefix: str) -> Spelling:
    """The program `base` with `prefix` in place of the d of every gradient that it writes."""
    forward, backward = program(base).split("# backward\n")
    names = set(re.findall(r"\bd(\w+)(?:\[.*\])? [-+*/]?= ", backward))
    pattern = rf"(?<!\.)\bd({'|'.join(sorted(names))})\b"
    return Spelling(f"{base}/{id}", forward + "# backward\n" + re.sub(pattern, rf"{prefix}\1", backward))


def without_autograd(base: str) -> Spelling:
    """The program `base` with its backward pass under `torch.no_grad()`."""
    forward, backward = program(base).split("# backward\n")
    return Spelling(f"{base}/no-grad", f"{forward}with torch.no_grad():\n{textwrap.indent(backward, '    ')}")


def in_double(base: str) -> Spelling:
    """The program `base` with float64 as the default."""
    return Spelling(
        f"{base}/double",
        re.sub(r"^import torch\n", "import torch\ntorch.set_default_dtype(torch.float64)\n", program(base), flags=re.M),
    )
