"""`vox completion SHELL`: the script that makes a shell complete vox's command line, and where it
goes."""

from __future__ import annotations

import os
import sys

import click

from ..errors import BadInput
from ..files import cannot_write
from .output import is_terminal, say, tell

SHELLS = ("bash", "zsh", "fish")
_MARK = "_VOX_COMPLETE"
"""What every script of ours has in it."""
_BEGIN, _END = "# >>> vox completion >>>", "# <<< vox completion <<<"
_LOADED_FIRST = "$zsh_eval_context[-1] == loadautofunc"
_LOADED = "$funcstack[1] == _vox"
"""How click's script for zsh finds out that it is called as a function, and how it does so at every
call: by its own test, the second completion of each shell finds nothing."""
_BASH_COMPLETION = (
    "/usr/share/bash-completion/bash_completion",
    "/usr/local/share/bash-completion/bash_completion",
    "/opt/homebrew/share/bash-completion/bash_completion",
)
"""The package that looks for scripts in the user's folder."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--install", is_flag=True, help="Write the script where the shell looks for it.")
@click.option("--uninstall", is_flag=True, help="Remove it again.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_context
def completion(
    ctx: click.Context, shell: str | None, install: bool, uninstall: bool, yes: bool
) -> None:
    """Print or install the completion script of a shell.

    With --install or --uninstall, SHELL is the one in the variable SHELL unless it is given. zsh
    needs lines in .zshrc as well: --install asks before it adds them.
    """
    if install and uninstall:
        raise click.UsageError("--install and --uninstall exclude each other", ctx)
    if not install and not uninstall:
        if shell is None:
            raise click.UsageError(f"name a shell: {', '.join(SHELLS)}", ctx)
        say(script(shell))
        return
    shell = shell or os.path.basename(os.environ.get("SHELL", ""))
    if shell not in SHELLS:
        raise BadInput(f"no completion for the shell {shell!r}", f"use: {', '.join(SHELLS)}")
    if install:
        _install(shell, yes)
    else:
        _uninstall(shell)


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

    source: str = Script(root, {}, "vox", _MARK).source()
    return source.strip().replace(_LOADED_FIRST, _LOADED)


# -- files -----------------------------------------------------------------------------------


def script_path(shell: str) -> str:
    """Where the shell, or its completion package, looks for the user's script."""
    home = os.path.expanduser("~")
    data_dir = os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    if shell == "bash":
        own = os.environ.get("BASH_COMPLETION_USER_DIR")
        return os.path.join(own or os.path.join(data_dir, "bash-completion"), "completions", "vox")
    if shell == "zsh":
        return os.path.join(data_dir, "zsh", "site-functions", "_vox")
    config_dir = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return os.path.join(config_dir, "fish", "completions", "vox.fish")


def _zshrc() -> str:
    return os.path.join(os.environ.get("ZDOTDIR") or os.path.expanduser("~"), ".zshrc")


def _install(shell: str, is_agreed: bool) -> None:
    path, text = script_path(shell), script(shell) + "\n"
    before = _read(path)
    if before is not None and _MARK not in before:
        raise BadInput(f"{path} is not a file of vox's", "move it away and try again")
    if before != text:
        _write(path, text)
    say(f"{path} is {'up to date' if before == text else 'written'}")
    if shell == "bash" and not any(map(os.path.exists, _BASH_COMPLETION)):
        tell(f"vox: without the package bash-completion, add to ~/.bashrc: source {path}")
    if shell == "zsh":
        _set_up_zsh(os.path.dirname(path), is_agreed)
    say(f"a new {shell} completes vox; to undo: vox completion --uninstall {shell}")


def _set_up_zsh(folder: str, is_agreed: bool) -> None:
    """Have zsh look into the folder, if its user agrees."""
    path = _zshrc()
    before = _read(path) or ""
    if _BEGIN in before:
        say(f"{path} has its lines already")
        return
    lines = f"fpath=('{folder}' $fpath)\nautoload -Uz compinit && compinit"
    if not is_agreed and is_terminal(sys.stdin) and is_terminal(sys.stderr):
        tell(f"zsh needs these lines: {lines}")
        is_agreed = click.confirm(f"Add them to {path}?", default=True, err=True)
    if not is_agreed:
        say(f"add to {path}, or use --yes:\n{lines}")
        return
    gap = "\n" if before and not before.endswith("\n") else ""
    _write(path, f"{before}{gap}{_BEGIN}\n{lines}\n{_END}\n")
    say(f"{path} has the lines that zsh needs")


def _uninstall(shell: str) -> None:
    path = script_path(shell)
    text = _read(path)
    if text is None:
        say(f"{path} does not exist")
    elif _MARK not in text:
        raise BadInput(f"{path} is not a file of vox's", "remove it yourself")
    else:
        try:
            os.remove(path)
        except OSError as exc:
            raise cannot_write(path, exc) from exc
        say(f"{path} is removed")
    if shell == "zsh" and _BEGIN in (before := _read(_zshrc()) or ""):
        head, _, rest = before.partition(_BEGIN)
        _write(_zshrc(), head + rest.partition(_END)[2].removeprefix("\n"))
        say(f"the lines in {_zshrc()} are removed")


def _read(path: str) -> str | None:
    """None: there is no such file. Raises BadInput."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise BadInput(f"cannot read {path}: {exc.strerror}", "fix its permissions") from exc


def _write(path: str, text: str) -> None:
    """Raises StorageError. A link stays one: dotfiles are often kept elsewhere."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except OSError as exc:
        raise cannot_write(path, exc) from exc
