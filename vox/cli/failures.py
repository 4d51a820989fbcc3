"""What the user sees of an error that is not a VoxError: one line, and where to read more.

And of one whose cause is a variable: which one.
"""

from __future__ import annotations

import difflib
import errno
import time
import traceback

import click

from ..errors import VoxError
from ..files import make_dir
from ..paths import get_paths
from ..printable import printable
from .output import complain


def report(exc: Exception) -> int:
    """Print the error's one line; returns the exit code."""
    if isinstance(exc, click.exceptions.NoArgsIsHelpError):
        click.echo(exc.format_message(), err=True)
        return exc.exit_code
    if isinstance(exc, click.UsageError):
        complain(usage_line(exc))
        return exc.exit_code
    if isinstance(exc, click.ClickException):
        complain(exc.format_message())
        return exc.exit_code
    if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
        complain(f"{exc.filename or 'the output'}: {exc.strerror}; free disk space and try again")
        return 1
    if isinstance(exc, LookupError) and (older := _older_daemon()):  # an answer lacks a field
        complain(older.line)
        return older.exit_code
    summary = " ".join(f"{type(exc).__name__}: {exc}".split())[:300]
    log_path = keep_traceback(exc)
    where = f"the details are in {log_path}" if log_path else "run `vox doctor`"
    complain(f"unexpected error: {summary}; {where}")
    return 1


def _older_daemon() -> VoxError | None:
    from ..client.remote import Remote, older_daemon

    paths = get_paths()
    return older_daemon(paths) if Remote(paths).is_up() else None


_NEAR = 0.75
"""How much an option is like what was typed to be meant by it (`difflib`)."""
_OPTION_CHARS = 40
"""What is longer is no option, but a text."""


def usage_line(exc: click.UsageError) -> str:
    """click's usage error on one line, in the form of our own errors."""
    if isinstance(exc, click.BadParameter) and exc.ctx and exc.param and exc.param.envvar:
        source = exc.ctx.get_parameter_source(exc.param.name or "")
        if source is click.core.ParameterSource.ENVIRONMENT:
            exc.param_hint = str(exc.param.envvar)
    command = exc.ctx.command_path if exc.ctx else "vox"
    if isinstance(exc, click.NoSuchOption):
        return _no_such_option(exc, command)
    message = " ".join(exc.format_message().split()).rstrip(".")
    if len(message) > 1 and message[1].islower():
        message = message[0].lower() + message[1:]
    if "unexpected extra argument" in message and command != "vox":
        return f"{message}; see: {command} --help (to speak it: vox -- {command[4:]} ...)"
    return f"{message}; see: {command} --help"


def _no_such_option(exc: click.NoSuchOption, command: str) -> str:
    name = exc.option_name
    is_text = command == "vox" and len(name) > _OPTION_CHARS
    message = (
        f"no such option '{name[:_OPTION_CHARS]} ...'" if is_text else f"no such option {name!r}"
    )
    if command == "vox":
        from .habits import FLAGS

        if name in FLAGS:
            return f"{message}; use: {FLAGS[name]}"
    near = difflib.get_close_matches(name, exc.possibilities or (), n=1, cutoff=_NEAR)
    if near:
        return f"{message}; did you mean {near[0]}?"
    also = " (text that begins with a dash: vox -- -text)" if command == "vox" else ""
    return f"{message}; see: {command} --help{also}"


_WISHES = {
    "unknown-backend": "backend",
    "unknown-voice": "voice",
    "unknown-language": "lang",
    "unknown-model": "model",
}


def blame_variable(ctx: click.Context, exc: VoxError) -> None:
    """Name the variable in the error if the wrong name comes from one: nobody looks there."""
    wish = _WISHES.get(exc.code, "")
    param = next((param for param in ctx.command.params if param.name == wish), None)
    source = ctx.get_parameter_source(wish)
    if param and param.envvar and source is click.core.ParameterSource.ENVIRONMENT:
        exc.message = f"{param.envvar}: {exc.message}"


def keep_traceback(exc: Exception) -> str | None:
    """Append the traceback to the log; returns the log's path, None if that cannot be written."""
    try:
        paths = get_paths()
        make_dir(paths.log_dir)
        with open(paths.log_path, "a", encoding="utf-8", errors="backslashreplace") as log:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S")
            log.write(f"{stamp} command line: unexpected error\n")
            log.write(printable("".join(traceback.format_exception(exc))))
    except Exception:
        return None
    return paths.log_path
