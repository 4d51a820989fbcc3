"""What a Redis server answers instead of doing what it is told: what it means, and what helps.

A pure function of the library's exception, so it imports no Redis. Never quotes the server: its
errors may repeat what it was sent.
"""

from __future__ import annotations

import re

_NEEDS = "vox needs Redis 6.2 or newer, one server with all commands: see {document}"
_CLUSTER = ("is part of a cluster", "vox needs a single server")
_MEANINGS = {
    "LOADING": ("is loading its data", "vox keeps trying"),
    "BUSY": ("is busy with somebody's script", "vox keeps trying"),
    "OOM": ("is full", "raise its maxmemory"),
    "MISCONF": ("cannot save to its disk, so it takes nothing", 'free space, or turn off: save ""'),
    "READONLY": ("is a read-only replica", "name its primary instead"),
    "MASTERDOWN": ("is a replica that has lost its primary", "name the primary instead"),
    "NOREPLICAS": ("has fewer replicas than it requires", "see its min-replicas-to-write"),
    "NOPERM": ("denies its user what vox needs", "see {document}"),
    **dict.fromkeys(("CROSSSLOT", "CLUSTERDOWN", "MOVED", "ASK", "TRYAGAIN"), _CLUSTER),
}
"""By the code that the error begins with."""
_CODES = {
    "BusyLoadingError": "LOADING",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "MasterDownError": "MASTERDOWN",
    "NoPermissionError": "NOPERM",
    "ClusterCrossSlotError": "CROSSSLOT",
    "ClusterDownError": "CLUSTERDOWN",
    "MovedError": "MOVED",
    "AskError": "ASK",
    "TryAgainError": "TRYAGAIN",
}
"""The library takes these codes off."""
_CODE = re.compile(r"(?:^|: ?-)([A-Z]{3,20}) ")
"""Where a script met the error, Redis before 7 has it after where in the script that was."""
_DENIED = ("can't run this command", "ACL failure in script")
"""What a user may not do in a script: Redis, then Valkey."""
_COMMAND = re.compile(r"(?:run the|nknown command) ['`]([A-Za-z]{2,20})\b")


def meaning(error: Exception, document: str) -> tuple[str, str] | None:
    """What is said after "the server", and what to do next. None: it says nothing of the kind.

    `document`: where more is said.
    """
    words = str(error)
    told = [*(_CODES.get(each.__name__) for each in type(error).__mro__), *_CODE.findall(words)]
    code = next((each for each in told if each in _MEANINGS), "")
    if any(each in words for each in _DENIED):
        code = "NOPERM"
    if code in _MEANINGS:
        what, hint = _MEANINGS[code]
    elif "nknown command" in words or "Unknown Redis command" in words:
        what, hint = "lacks a command that vox needs", _NEEDS
    else:
        return None
    named = _COMMAND.search(words)
    return what + (f": {named[1].lower()}" if named else ""), hint.format(document=document)
