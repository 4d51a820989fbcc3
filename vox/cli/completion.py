"""`vox completion SHELL`: the script that makes a shell complete vox's command line."""

from __future__ import annotations

import click

from .output import say


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell. The folder it goes into must exist.

    \b
    bash:  vox completion bash > ~/.local/share/bash-completion/completions/vox
    zsh:   vox completion zsh > "${fpath[1]}/_vox"
    fish:  vox completion fish > ~/.config/fish/completions/vox.fish
    """
    say(script(shell))


def script(shell: str) -> str:
    """Raises KeyError for a shell that click does not know."""
    from click.shell_completion import get_completion_class

    from .root import root

    found = get_completion_class(shell)
    if found is None:
        raise KeyError(shell)

    class Script(found):  # type: ignore[valid-type, misc]
        # Asks bash for its version first, and fails where there is no bash.
        def _check_version(self) -> None:
            pass

    source: str = Script(root, {}, "vox", "_VOX_COMPLETE").source()
    return source.strip()
