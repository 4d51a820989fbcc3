"""What users see of the workers: one JSON document, whoever looked at the server.

Imports nothing of Redis: it also says that there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import VoxError
from .keys import PROTOCOL

if TYPE_CHECKING:
    from .workers import Announced


def summary(
    server: str | None, workers: Sequence[Announced] = (), trouble: VoxError | None = None
) -> dict[str, Any]:
    """`server`: where it is, without a secret; None: no workers are set.

    `trouble`: why the server cannot be used. Then nothing is known of the workers.
    """
    shown = workers if trouble is None else ()
    ours = [worker for worker in shown if worker.is_ours]
    return {
        "server": server,
        "reachable": server is not None and trouble is None,
        "reason": trouble.line if trouble else None,
        "protocol": PROTOCOL,
        "count": len(ours),
        "busy": sum(worker.busy > 0 for worker in ours),
        "incompatible": len(shown) - len(ours),
        "workers": [worker.to_dict() for worker in shown],
    }
