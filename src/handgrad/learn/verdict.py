"""What came of checking an answer, as plain data that travels between processes."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One gradient in the lecture's table; `maxdiff` is None where there is nothing to subtract."""

    gradient: str
    shape: str
    verdict: str
    exact: bool = False
    approximate: bool = False
    maxdiff: float | None = None


@dataclass(frozen=True)
class Finding:
    """A line at fault: what kind of mistake it is, what the checker says of it, and its repair where it knows one."""

    line: int | None
    text: str
    gradient: str
    kind: str
    message: str
    fix: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What came of checking an answer.

    Args:
        status: "right"; "unwritten", "unfinished", "wrong" or "long"; or, where the file cannot be judged as it is,
            "gone", "syntax", "changed", "forbidden", "error" or "timeout".
        message: a sentence on it.
        line: of the file, where the message is about one.
        rows: the lecture's table.
        findings: the lines at fault.
    """

    status: str
    message: str = ""
    line: int | None = None
    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Verdict":
        """The verdict that `dataclasses.asdict` took apart."""
        rows, findings = ([kind(**one) for one in content[key]] for kind, key in ((Row, "rows"), (Finding, "findings")))
        return cls(**content | {"rows": rows, "findings": findings})

    @property
    def solved(self) -> bool:
        """Whether the exercise is passed."""
        return self.status == "right"
