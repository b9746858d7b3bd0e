"""Words for what the checker found: no sentence about a gradient is made anywhere else."""

from handgrad.checker.render.explanations import explanations
from handgrad.checker.render.formats import FORMATS, json, row_json
from handgrad.checker.render.sentences import MESSAGES, left_over, sentence, summary, unjudged
from handgrad.checker.render.tables import failure, html, rich, text

__all__ = [
    "FORMATS",
    "MESSAGES",
    "explanations",
    "failure",
    "html",
    "json",
    "left_over",
    "rich",
    "row_json",
    "sentence",
    "summary",
    "text",
    "unjudged",
]
