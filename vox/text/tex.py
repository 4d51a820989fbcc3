"""Formulas in TeX between dollar signs, as they stand in Markdown: their letters and signs."""

from __future__ import annotations

import re
from typing import Final

BLOCK: Final = re.compile(r"\$\$(?=[^$])([^$]{1,2000})\$\$|\\\[((?:[^\\]|\\(?!\])){1,2000})\\\]")
INLINE: Final = re.compile(
    r"(?<![\w$\\])\$(?=[^\s$])([^$\n]{1,300})(?<=\S)\$(?![\w$])|\\\(((?:[^\\\n]|\\(?!\))){1,300})\\\)"
)
"""Not what "$5 or $6" and "$HOME/$USER" are."""
_EVIDENCE: Final = re.compile(r"[\\^_={}+<>|]|\A[A-Za-z](?:'|\d)?\Z|\A[A-Za-z]+\([^()]*\)\Z")
_SIGNS: Final = dict(
    pair.split(":")
    for pair in (
        "times:× cdot:× div:÷ pm:± le:≤ leq:≤ ge:≥ geq:≥ ne:≠ neq:≠ approx:≈ equiv:≡ infty:∞ sqrt:√"
        " sum:∑ prod:∏ int:∫ partial:∂ nabla:∇ to:→ rightarrow:→ Rightarrow:⇒ implies:⇒ iff:⇔"
        " in:∈ notin:∉ forall:∀ exists:∃ cup:∪ cap:∩ subset:⊂ subseteq:⊆ emptyset:∅"
        " ldots:… dots:… cdots:… circ:° degree:°"
    ).split()
)
_FORMS: Final = frozenset(
    "left right big Big bigl bigr displaystyle limits quad qquad text textbf mathrm mathbf mathit"
    " mathbb mathcal operatorname boxed".split()
)
"""Commands that only say how something looks."""
_FRACTION: Final = re.compile(r"\\[dt]?frac\s*\{([^{}]{0,200})\}\s*\{([^{}]{0,200})\}")
_ENVIRONMENT: Final = re.compile(r"\\(?:begin|end)\{[^{}]{0,40}\}")
_COMMAND: Final = re.compile(r"\\([A-Za-z]+)")
_POWER: Final = re.compile(r"\^(?:\{([23])\}|([23])(?!\d))")
_POWERS: Final = {"2": "²", "3": "³"}


def is_formula(source: str) -> bool:
    """Whether what stands between dollar signs is one; "from $5 to 6$" is none."""
    return _EVIDENCE.search(source) is not None


def plain(source: str) -> str:
    """A formula without TeX's markup: its signs as characters, its commands as words."""
    text = _ENVIRONMENT.sub(" ", source)
    text = _FRACTION.sub(r"\1/\2", _FRACTION.sub(r"\1/\2", text))
    text = _POWER.sub(lambda power: _POWERS[power.group(1) or power.group(2)], text)
    text = _COMMAND.sub(lambda command: f" {_said(command.group(1))} ", text)
    text = re.sub(r"\\\\|\\[,;:! ]|[&_]", " ", text)
    return " ".join(re.sub(r"[{}\\]", "", text).split())


def _said(command: str) -> str:
    return "" if command in _FORMS else _SIGNS.get(command, command)
