"""`docs/assistants.md` shows the table of the code."""

from __future__ import annotations

import os
import re

from tests.running import CHECKOUT
from vox.agents.agent import Agent
from vox.agents.catalog_more import agents
from vox.agents.changes import OwnFile
from vox.agents.places import Places, Program

DOCUMENT = CHECKOUT / "docs" / "assistants.md"
HOME = Places({"HOME": "/home/you"}, is_mac=False)
HEAD = "|---|---|---|---|---|---|\n"


def row(agent: Agent) -> str:
    own = [each.path for each in agent.changes if isinstance(each, OwnFile)]
    edited = [each.path for each in agent.changes if not isinstance(each, OwnFile)]
    names = "".join(f" (`{alias}`)" for alias in agent.aliases[:1])
    cells = (
        f"`{agent.name}`{names}", agent.title, agent.speaks or "what it says by MCP",
        files(own), files(edited), agent.looked_at,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def files(paths: list[str]) -> str:
    return ", ".join(f"`{HOME.shown(path)}`" for path in dict.fromkeys(paths))


def test_the_table_of_assistants_is_that_of_the_code() -> None:
    rows = "".join(row(agent) for agent in agents(HOME, Program("/vox")).values())
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(HEAD)
    after = rest[rest.index("\n\n") if rest.startswith("|") else 0 :].lstrip("\n")
    wanted = f"{before}{HEAD}{rows}\n{after}"
    if os.environ.get("VOX_TEST_GOLDEN") == "write":
        DOCUMENT.write_text(wanted, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == wanted


def test_the_variables_that_move_files_are_named() -> None:
    code = "".join(
        (CHECKOUT / "vox" / "agents" / name).read_text(encoding="utf-8")
        for name in ("catalog.py", "catalog_more.py", "places.py")
    )
    used = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', code))
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", DOCUMENT.read_text(encoding="utf-8")))
    assert used == named - {"VOX_HOOKS"}
