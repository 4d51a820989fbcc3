"""`vox hook`: its help. What an assistant calls is `hooks.hook`, on a shorter way: see `main`."""

from __future__ import annotations

import click

from ..hooks.agents import AGENTS

EPILOG = "\b\nAssistants and their events:\n" + "\n".join(
    f"  {name:9} {' '.join(agent.events)}" for name, agent in AGENTS.items()
)


@click.command(epilog=EPILOG)
@click.argument("event", metavar="AGENT:EVENT")
def hook(event: str) -> None:
    """Speak what a coding assistant reports through a hook.

    The assistant gives its JSON on standard input. Spoken are one line of its last message at the
    end of a turn, a question or a permission that waits for its user, with high priority, and a
    failure. A newer message of the same session replaces an older one that waits or is
    being spoken.

    It returns at once, starts a daemon if none is up, and never fails who calls it: the exit code
    is always 0, and nothing is printed but what the assistant wants to read. VOX_HOOKS=0 silences
    it.

    For an assistant that is not in the list: generic, with the fields text, session_id, cwd and
    name.

    \b
      echo '{"text": "The tests pass.", "name": "Robby"}' | vox hook generic:turn
    """
    from ..hooks.hook import main

    main([event])
