"""Moves that are asked for in the table."""

from __future__ import annotations

from pathlib import Path

from vox.queue.store import Store


def test_a_move_that_is_asked_for_while_another_is_made_is_not_lost(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "vox.db"))
    for steps in (2, -1):
        store.moves.ask(steps)
    being_made = store.moves.asked
    store.moves.ask(3)
    store.moves.done(being_made)
    assert (being_made, store.moves.asked) == (1, 3)
    store.moves.done(3)
    assert store.moves.asked == 0
    store.close()
