"""`vox init`: have AI assistants speak through vox, and take that out again."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
from collections.abc import Iterator

import click

from .. import files
from ..agents import plan, receipts, writing
from ..agents.agent import Agent
from ..agents.catalog_more import agents, chosen
from ..agents.places import Places, Program, find_program
from ..agents.plan import FileChange, Plan
from ..agents.receipts import Receipts
from ..errors import NotAvailable, StorageError, VoxError
from ..paths import get_paths
from .output import complain, say, table, tell

LOCK_WAIT_S = 10.0


def complete_agent(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    names = agents(Places(os.environ), Program("vox"))
    return [name for name in names if name.startswith(incomplete)]


@click.command()
@click.argument("names", metavar="[ASSISTANT]...", nargs=-1, shell_complete=complete_agent)
@click.option("--list", "is_list", is_flag=True, help="List the assistants: found, set up or not.")
@click.option("--remove", "is_removal", is_flag=True, help="Take out what vox has written.")
@click.option("--print", "is_print", is_flag=True, help="Print what would be done, and do nothing.")
@click.pass_context
def init(
    ctx: click.Context, names: tuple[str, ...], is_list: bool, is_removal: bool, is_print: bool
) -> int:
    """Set up AI assistants, so that they speak through vox.

    vox then says how a turn ended, what the assistant asks, and what failed; and the assistant can
    use vox itself (MCP). Without ASSISTANT, all that are found on this machine are set up. Nothing
    else in their files is touched, and --remove leaves them as they were.
    """
    if is_list and (is_removal or is_print):
        raise click.UsageError("--list goes with no other option", ctx)
    places = Places(os.environ)
    lacks_mcp = _lack_of_mcp()
    known = agents(places, _program(is_removal or is_list, has_mcp=lacks_mcp is None))
    wanted = chosen(known, names)
    if is_list:
        _list(wanted or list(known.values()), receipts.load(get_paths().agents_path), lacks_mcp)
        return 0
    plans, printed = [], set[str]()
    with _receipts(is_print) as told:
        if not is_removal:
            wanted = wanted or _found(list(known.values()), told, lacks_mcp)
        for agent in wanted or known.values():
            each = plan.removal(agent, told) if is_removal else _set_up(agent, told, lacks_mcp)
            plans.append(each)
            if is_print:
                _print(each, told, places, printed)
            else:
                _do(each, told, places, is_removal)
    _tell_end(plans, is_removal or is_print, lacks_mcp)
    return max((trouble.exit_code for each in plans for trouble in each.troubles), default=0)


def _program(may_lack: bool, has_mcp: bool) -> Program:
    """The vox that assistants are to start. Raises NotAvailable, unless it is not needed."""
    try:
        return Program(find_program(os.environ, sys.argv[0]).path, has_mcp)
    except VoxError:
        if not may_lack:
            raise
        return Program("vox", has_mcp)


def _lack_of_mcp() -> NotAvailable | None:
    """Why `vox mcp` cannot start; None: it can."""
    from ..mcp.package import check_package

    try:
        check_package()
    except NotAvailable as exc:
        return exc
    return None


@contextlib.contextmanager
def _receipts(is_print: bool) -> Iterator[Receipts]:
    """What is known of earlier changes. One process at a time."""
    paths = get_paths()
    if is_print:
        yield receipts.load(paths.agents_path)
        return
    files.make_dir(paths.data_dir)
    with files.locked(paths.agents_lock_path, wait_s=LOCK_WAIT_S) as lock:
        if lock is None:
            raise StorageError("another vox init is at work", "try again in a moment")
        yield receipts.load(paths.agents_path)


def _found(known: list[Agent], told: Receipts, lacks_mcp: VoxError | None) -> list[Agent]:
    """Those that are here or were set up before, and can be. Raises NotAvailable if none is."""
    there = told.set_up()
    found = [
        each
        for each in known
        if each.name in there or plan.is_found(each, told, os.environ)
        if each.speaks or lacks_mcp is None
    ]
    if not found:
        raise NotAvailable("no assistant was found", "name one: vox init claude-code")
    return found


def _set_up(agent: Agent, told: Receipts, lacks_mcp: VoxError | None) -> Plan:
    if lacks_mcp is not None and not agent.speaks:
        return Plan(
            agent, troubles=[NotAvailable(f"has MCP alone; {lacks_mcp.message}", lacks_mcp.hint)]
        )
    return plan.set_up(agent, told, has_mcp=lacks_mcp is None)


# -- what is shown ---------------------------------------------------------------------------


def _list(known: list[Agent], told: Receipts, lacks_mcp: VoxError | None) -> None:
    there = told.set_up()
    rows = []
    for each in known:
        found = "yes" if plan.is_found(each, told, os.environ) else "no"
        now = plan.set_up(each, told, has_mcp=lacks_mcp is None or not each.speaks)
        is_whole = not now.needed and not now.troubles
        state = "yes" if is_whole else "partly" if each.name in there else "no"
        rows.append((each.name, found, state, each.looked_at, each.speaks or "what it says by MCP"))
    table(
        ("assistant", "found", "set up", "checked with", "you hear"),
        rows,
        spare=(3,),
        is_named=False,
    )


def _do(each: Plan, told: Receipts, places: Places, is_removal: bool) -> None:
    was_there = each.agent.name in told.set_up()
    done = writing.carry_out(each, told)
    for trouble in each.troubles:
        complain(f"{each.agent.title}: {trouble.line}")
    if is_removal:
        if done or was_there:
            say(f"{each.agent.title}: {'partly removed' if each.troubles else 'removed'}")
    elif done:
        say(f"{each.agent.title}: {'partly set up' if each.troubles else 'set up'}")
    elif not each.troubles:
        say(f"{each.agent.title}: already set up")
    for change in done:
        say(f"  {_what(change)} {places.shown(change.path)}")
    if done and each.agent.then and not is_removal:
        say(f"  now {each.agent.then}")


def _what(change: FileChange) -> str:
    if change.after is None:
        return "removed"
    return "wrote" if change.before is None else "changed"


def _print(each: Plan, told: Receipts, places: Places, printed: set[str]) -> None:
    """Files that are new as they are, others as a diff. Each file once: several may read it."""
    for trouble in each.troubles:
        complain(f"{each.agent.title}: {trouble.line}")
    for change in each.files:
        change.note(told)
        if not change.is_needed or change.path in printed:
            continue
        printed.add(change.path)
        what = {"wrote": "new"}.get(_what(change), _what(change))
        say(f"==> {places.shown(change.path)} ({each.agent.title}, {what})")
        before, after = ((data or b"").decode() for data in (change.before, change.after))
        if change.before is None:
            say(after)
        elif change.after is not None:
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
            say("\n".join(list(lines)[2:]) + "\n")


def _tell_end(plans: list[Plan], is_over: bool, lacks_mcp: VoxError | None) -> None:
    if is_over:
        if not any(each.needed or each.troubles for each in plans):
            say("nothing to do")
        return
    if lacks_mcp is not None:
        tell(f"vox: MCP is left out: {lacks_mcp.line}, then: vox init")
    if any(each.needed for each in plans):
        say("to undo: vox init --remove")
