"""Whether a derived backward pass is right: compared with autograd, or central differences, at other sizes."""

from handgrad.derive.verify.comparison import Check, Draw, Verification, verify
from handgrad.derive.verify.references import Reference, reference_at, references

__all__ = ["Check", "Draw", "Reference", "Verification", "reference_at", "references", "verify"]
