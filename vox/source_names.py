"""Names of who sends what is spoken: of a git repository, and what a name may be.

On the way to the first sound: a few looks at folders, and no subprocess.
"""

from __future__ import annotations

import os

LONGEST = 100
"""Most characters of a source's name."""
MOST_STEPS = 64
"""Of folders that are looked at on the way up."""


def as_source(name: str) -> str:
    """One line of printable characters that is not too long; it may be empty."""
    return "".join(char for char in name if char.isprintable()).strip()[:LONGEST]


def repository_name(folder: str) -> str:
    """The name of the folder at the root of the git repository, "" if it is in none.

    `folder`: an absolute path. What cannot be read counts as not there.
    """
    for _ in range(MOST_STEPS):
        # A file in a worktree or a submodule, whose own folder's name is the one that users know.
        if os.path.lexists(os.path.join(folder, ".git")):
            return os.path.basename(folder)
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    return ""
