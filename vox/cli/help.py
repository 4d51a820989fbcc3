"""`vox help [COMMAND]`: what `vox COMMAND --help` prints."""

from __future__ import annotations

import click

from ..errors import BadInput
from .output import say


@click.command("help", context_settings={"ignore_unknown_options": True})
@click.argument("words", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def help_(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of vox, or of a command.

    `vox help history show` prints what `vox history show --help` does.
    """
    shown = ctx.find_root()
    for word in words:
        group = shown.command
        found = group.get_command(shown, word) if isinstance(group, click.Group) else None
        if found is None:
            raise _no_command(ctx.find_root(), shown.command_path, list(words), word)
        shown = found.make_context(word, [], parent=shown, resilient_parsing=True)
    say(shown.get_help())


def _no_command(root: click.Context, path: str, words: list[str], word: str) -> BadInput:
    from .habits import meant

    if path == "vox" and isinstance(root.command, click.Group):
        found = meant(root.command, [word])
        if found is not None:
            return found.error
    return BadInput(
        f"{path} has no command {word!r}",
        f"see: {path} --help (to speak it: vox -- help {' '.join(words)})",
    )
