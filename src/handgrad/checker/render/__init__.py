"""Words for what the checker found: no sentence about a gradient is made anywhere else."""

from handgrad.checker.render.explanations import explanations
from handgrad.checker.render.formats import FORMATS, hazard_json, json, row_json
from handgrad.checker.render.sentences import MESSAGES, left_over, sentence, summary, unjudged
from handgrad.checker.render.tables import failure, html, rich, text

__all__ = [
    "FORMATS",
    "MESSAGES",
    "explanations",
    "failure",
    "hazard_json",
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
