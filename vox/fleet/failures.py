"""What a worker reports of a request that failed, and whether another worker may do better."""

from __future__ import annotations

from typing import Any

from ..errors import (
    BadInput,
    HostCrashed,
    HostError,
    HostTimeout,
    JobFailed,
    NotAvailable,
    SynthesisFailed,
    VoxError,
    WorkerLost,
    WorkersAway,
    from_dict,
)

MAX_MESSAGE = 1900
"""The characters of a message that are kept: a line is cut at its end, where the name stands."""
OF_THE_UTTERANCE = (SynthesisFailed, HostCrashed, HostTimeout, BadInput)
"""Faults of the utterance, which no other host can avoid. Their messages may quote the text."""
_KINDS = (HostError, NotAvailable, BadInput)
"""What a host may raise; everything else is the worker's own failure."""


def error_of(worker: str, data: dict[str, Any]) -> VoxError:
    """The error, with the worker's name; a WorkerLost that it caused if the worker is at fault.

    `data`: see `VoxError.to_dict`; its words have been checked.
    """
    told = from_dict(data)
    is_known = isinstance(told, _KINDS) and not isinstance(told, WorkerLost | WorkersAway)
    kind = type(told) if is_known else JobFailed
    message = f"{told.message[:MAX_MESSAGE]} (on the worker {worker})"
    # Its hosts are not those of the daemon here.
    hint = told.hint.replace("vox daemon logs", "that worker's log").replace("run: ", "run there: ")
    error = kind(message, hint)
    if isinstance(error, OF_THE_UTTERANCE):
        return error
    lost = WorkerLost(error.message, error.hint)
    lost.__cause__ = error
    return lost
