"""The line that shows how far a download is."""

from __future__ import annotations


def transfer(
    what: str, done: int, total: int, elapsed_s: float, before: int = 0
) -> tuple[str, float]:
    """How far a download is: its line ("x: 12 of 88 MB, 20 s to go") and the fraction done.

    `before`: how many of the `done` bytes were there when the `elapsed_s` seconds began.
    """
    text = f"downloading {what}: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
    if before < done < total and elapsed_s > 1.0:
        text += f", {elapsed_s * (total - done) / (done - before):.0f} s to go"
    return text, done / total
