"""How a log's lines look, of the daemon and of a worker."""

from __future__ import annotations

import logging

from .printable import printable


class LineFormatter(logging.Formatter):
    """One line for each message, whatever is in it, and nothing that a terminal obeys."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.replace("\n", "\\n")
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def set_level(level: str) -> None:
    """Log from this level on: debug, info, warning or error; the libraries less."""
    logging.getLogger().setLevel(getattr(logging, level.upper(), logging.INFO))
    # They log every task and every poll, and the job table knows all of that.
    for noisy in ("huey", "watchdog", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Its warnings are about what a peer sent: one without the token could fill the log with them.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
