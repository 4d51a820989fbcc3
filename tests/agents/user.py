"""A user with a home of their own, for whom assistants are set up."""

from __future__ import annotations

from pathlib import Path

from vox.agents import plan, receipts, writing
from vox.agents.agent import Agent
from vox.agents.catalog_more import agents
from vox.agents.changes import OwnFile
from vox.agents.places import Places, Program

PROGRAM = "/opt/vox/bin/vox"


class User:
    """The home is a folder; what is in it can be compared."""

    def __init__(self, folder: Path, program: str = PROGRAM, **environ: str) -> None:
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.receipts_path = str(folder / "agents.json")
        self.places = Places({"HOME": str(self.home), **environ}, is_mac=False)
        self.program = Program(program)

    @property
    def agents(self) -> dict[str, Agent]:
        return agents(self.places, self.program)

    def init(self, name: str, has_mcp: bool = True) -> plan.Plan:
        """Set the assistant up; what was done."""
        known = receipts.load(self.receipts_path)
        found = plan.set_up(self.agents[name], known, has_mcp)
        writing.carry_out(found, known)
        return found

    def remove(self, name: str) -> plan.Plan:
        known = receipts.load(self.receipts_path)
        found = plan.removal(self.agents[name], known)
        writing.carry_out(found, known)
        return found

    def forget(self) -> None:
        """Damage what vox knows of its own changes."""
        Path(self.receipts_path).write_text('{"files": {')

    def shared(self, name: str) -> list[Path]:
        """The files of the assistant's that vox edits."""
        changes = self.agents[name].changes
        return [
            Path(path)
            for path in dict.fromkeys(
                each.path for each in changes if not isinstance(each, OwnFile)
            )
        ]

    def tree(self) -> dict[str, bytes | None]:
        """All that is in the home: files with their content, folders."""
        return {
            str(path.relative_to(self.home)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.home.rglob("*"))
        }


NAMES = tuple(agents(Places({"HOME": "/home/you"}, is_mac=False), Program(PROGRAM)))
EDITED = tuple(
    name
    for name, agent in agents(Places({"HOME": "/home/you"}, is_mac=False), Program(PROGRAM)).items()
    if not all(isinstance(each, OwnFile) for each in agent.changes)
)
"""The assistants of which vox edits a file that others write into too."""
