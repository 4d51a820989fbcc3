"""What is to be done to the files of an assistant: found out without a change to any.

Reads files. `writing` carries out what is found here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import BadInput, VoxError
from .agent import Agent
from .changes import Change, NotOurs, OwnFile, Shared
from .jsonc import Damaged
from .receipts import Receipt, Receipts, digest, hunk, undo

SIZE_MAX = 5_000_000
"""Bytes of a file of settings."""


@dataclass(slots=True)
class FileChange:
    """One file, as it is and as it is to be; None: it does not exist."""

    path: str
    before: bytes | None
    after: bytes | None
    receipt: Receipt | None
    """What is to be kept of it; None: nothing of vox's is left in it."""
    is_program: bool = False

    @property
    def is_needed(self) -> bool:
        return self.before != self.after

    def note(self, receipts: Receipts) -> None:
        """Put down what is to be kept of it."""
        if self.receipt is None:
            receipts.files.pop(self.path, None)
        else:
            receipts.files[self.path] = self.receipt


@dataclass(slots=True)
class Plan:
    """All that is to be done for one assistant."""

    agent: Agent
    files: list[FileChange] = field(default_factory=list)
    troubles: list[VoxError] = field(default_factory=list)
    """What cannot be done, and why."""

    @property
    def needed(self) -> list[FileChange]:
        return [each for each in self.files if each.is_needed]


def is_found(agent: Agent, receipts: Receipts, environ: Mapping[str, str]) -> bool:
    """Whether the assistant is on this machine. What vox made for it does not count."""
    ours = {*receipts.files, *receipts.folders}
    return any(
        os.path.exists(each) and each not in ours
        if os.path.isabs(each)
        else shutil.which(each, path=environ.get("PATH")) is not None
        for each in agent.found_by
    )


def set_up(agent: Agent, receipts: Receipts, has_mcp: bool = True) -> Plan:
    """How the assistant is set up. If a file of it is damaged, nothing is done for it at all."""
    plan = Plan(agent)
    own, shared = _by_file(each for each in agent.changes if has_mcp or not each.is_mcp)
    try:
        for path, change in own.items():
            _add_own(plan, path, change, receipts)
        for path, changes in shared.items():
            _add_shared(plan, path, changes, receipts)
    except VoxError as exc:
        plan.files.clear()
        plan.troubles.append(exc)
    return plan


def removal(agent: Agent, receipts: Receipts) -> Plan:
    """How all that is vox's is taken out again. What is damaged is left; the rest is done."""
    plan = Plan(agent)
    own, shared = _by_file(agent.changes)
    kept = [path for path, each in receipts.files.items() if agent.name in each.agents]
    for path in dict.fromkeys([*own, *shared, *kept]):
        try:
            if path in shared:
                _cut_shared(plan, path, shared[path], receipts)
            elif path in own or receipts.files[path].is_own:
                _cut_own(plan, path, own.get(path), receipts)
            else:
                _cut_shared(plan, path, [], receipts)
        except VoxError as exc:
            plan.troubles.append(exc)
    return plan


def _by_file(changes: Iterable[Change]) -> tuple[dict[str, OwnFile], dict[str, list[Shared]]]:
    own: dict[str, OwnFile] = {}
    shared: dict[str, list[Shared]] = {}
    for change in changes:
        if isinstance(change, OwnFile):
            own[change.path] = change
        else:
            shared.setdefault(change.path, []).append(change)
    return own, shared


def read(path: str) -> bytes | None:
    """The file's content; None: there is none. Raises BadInput."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BadInput(f"{path} is not a file", "move it away and try again")
        with open(path, "rb") as file:
            data = file.read(SIZE_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise BadInput(f"cannot read {path}: {exc.strerror}", "fix its permissions") from exc
    if len(data) > SIZE_MAX:
        raise BadInput(f"{path} is larger than {SIZE_MAX // 1_000_000} MB", "make it smaller")
    return data


def _text(path: str, data: bytes) -> str:
    """Raises BadInput."""
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise BadInput(f"{path} is not UTF-8", "save it as UTF-8 and try again") from exc


# -- files of vox's own ------------------------------------------------------------------------


def _add_own(plan: Plan, path: str, change: OwnFile, receipts: Receipts) -> None:
    before, after = read(path), change.text.encode()
    known = receipts.files.get(path)
    is_edited = before is not None and before != after
    if is_edited and (known is None or digest(before or b"") != known.after):
        why = "was edited" if known else "is not of vox"
        plan.troubles.append(
            BadInput(f"{path} {why}, so it is left as it is", "move it away and try again")
        )
        return
    names = [*(known.agents if known else []), plan.agent.name]
    receipt = Receipt(list(dict.fromkeys(names)), None, digest(after), None, is_own=True)
    plan.files.append(FileChange(path, before, after, receipt, change.is_program))


def _cut_own(plan: Plan, path: str, change: OwnFile | None, receipts: Receipts) -> None:
    before = read(path)
    known = receipts.files.get(path)
    if before is None and known is None:
        return
    others = [name for name in known.agents if name != plan.agent.name] if known else []
    if known and others:
        receipt = Receipt(others, None, known.after, None, is_own=True)
        plan.files.append(FileChange(path, before, before, receipt))
        return
    ours = {known.after if known else "", digest(change.text.encode()) if change else ""}
    if before is not None and digest(before) not in ours:
        if known:
            plan.troubles.append(
                BadInput(f"{path} was edited, so it is left as it is", "remove it yourself")
            )
        return
    plan.files.append(FileChange(path, before, None, None))


# -- files of others ---------------------------------------------------------------------------


def _add_shared(plan: Plan, path: str, changes: list[Shared], receipts: Receipts) -> None:
    before = read(path)
    text = start = _text(path, before or b"")
    hunks, made = [], []
    for change in changes:
        try:
            added, new = change.add(text)
        except NotOurs as exc:
            plan.troubles.append(
                BadInput(f"{path} {exc}, so it is left as it is", "remove it and try again")
            )
            continue
        except Damaged as exc:
            raise BadInput(f"{path} {exc}", "fix it and try again") from exc
        if added != text:
            hunks.append(hunk(text, added))
        made += new
        text = added
    if not hunks and before is None:
        return
    after = text.encode() if hunks else before
    known = receipts.files.get(path)
    receipt = Receipt([plan.agent.name], digest(before) if before is not None else None, "", None)
    if known and before is not None:
        receipt.before, receipt.made = known.before, known.made
        if digest(before) == known.after and known.hunks is not None:
            receipt.hunks = [*known.hunks, *hunks]
        elif not _is_ours(changes, start, known.made):  # somebody took all of it out
            receipt.before, receipt.made, receipt.hunks = digest(before), [], hunks
    elif hunks and not _is_ours(changes, start, []):
        receipt.hunks = hunks
    receipt.made = [*receipt.made, *(keys for keys in made if keys not in receipt.made)]
    receipt.after = digest(after or b"")
    if known and not hunks:
        receipt = known
    plan.files.append(FileChange(path, before, after, receipt))


def _is_ours(changes: list[Shared], text: str, made: list[list[str]]) -> bool:
    """Whether something of vox's is in the text."""
    with contextlib.suppress(Damaged):
        return any(change.cut(text, made) != text for change in changes)
    return False


def _cut_shared(plan: Plan, path: str, changes: list[Shared], receipts: Receipts) -> None:
    before = read(path)
    known = receipts.files.get(path)
    if before is None:
        if known:
            plan.files.append(FileChange(path, None, None, None))
        return
    text = _text(path, before)
    if known and known.hunks is not None and digest(before) == known.after:
        after: bytes | None = undo(text, known.hunks).encode()
        if known.before is None:
            after = None
        elif digest(after or b"") != known.before:
            raise BadInput(f"{path} cannot be restored", "remove the entries of vox yourself")
        plan.files.append(FileChange(path, before, after, None))
        return
    if not known and not text.strip("\ufeff \t\r\n"):
        return
    made = known.made if known else []
    cut = text
    for change in reversed(changes):
        try:
            cut = change.cut(cut, made)
        except Damaged as exc:
            if known or "/vox" in text:
                raise BadInput(f"{path} {exc}", "fix it and try again") from exc
            return
    is_left = "".join(cut.split()).lstrip("\ufeff") not in ("", "{}")
    is_gone = known is not None and known.before is None and not is_left
    if known or cut != text:
        plan.files.append(FileChange(path, before, None if is_gone else cut.encode(), None))
