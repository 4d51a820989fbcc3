"""`vox help [COMMAND]`: what `vox COMMAND --help` prints."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..errors import BadInput
from .output import say


def _complete_command(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    shown, unknown = _command(ctx.find_root(), ctx.params.get("words") or ())
    if unknown is not None or not isinstance(shown.command, click.Group):
        return []
    names = shown.command.list_commands(shown)
    return [name for name in names if name.startswith(incomplete)]


@click.command("help", context_settings={"ignore_unknown_options": True})
@click.argument("words", metavar="[COMMAND]...", nargs=-1, shell_complete=_complete_command)
@click.pass_context
def help_(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of vox, or of a command.

    `vox help history show` prints what `vox history show --help` does.
    """
    root = ctx.find_root()
    shown, unknown = _command(root, words)
    if unknown is not None:
        raise _no_command(root, shown.command_path, words, unknown)
    say(shown.get_help())


def _command(root: click.Context, words: Sequence[str]) -> tuple[click.Context, str | None]:
    """The command that the words name, and the first of them that names none."""
    shown = root
    for word in words:
        group = shown.command
        found = group.get_command(shown, word) if isinstance(group, click.Group) else None
        if found is None:
            return shown, word
        shown = found.make_context(word, [], parent=shown, resilient_parsing=True)
    return shown, None


def _no_command(root: click.Context, path: str, words: Sequence[str], word: str) -> BadInput:
    from .habits import meant

    if path == "vox" and isinstance(root.command, click.Group):
        found = meant(root.command, [word])
        if found is not None:
            return found.error
    return BadInput(
        f"{path} has no command {word!r}",
        f"see: {path} --help (to speak it: vox -- help {' '.join(words)})",
    )
