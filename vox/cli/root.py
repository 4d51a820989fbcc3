"""The command `vox` itself: text to speak, or the name of a command.

`vox history` is a command, `vox -- history` speaks the word. Options may stand before or after the
text. Commands are imported only when they run.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..errors import VoxError
from ..jobs import OPTIONS
from ..quick.arguments import ASYNC_FLAGS
from .commands import COMMANDS
from .options import (
    check_waits,
    complete,
    json_option,
    quiet_option,
    request_options,
    strict_option,
    timeout_option,
)

if TYPE_CHECKING:
    from ..jobs import Request
    from .speaking import CallOptions

EPILOG = """\b
Examples:
  vox "The build is finished."
  make 2>&1 | tail -1 | vox
  vox -o notes.mp3 -f notes.txt
  vox --async "Tell me later."       prints the job's id
  vox -- history                     speaks the word
"""


class Root(click.Group):
    """A group that speaks its arguments unless the first of them names a command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module_name, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(
            importlib.import_module(f"{__package__}.{module_name}"), attribute
        )
        return command

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[OPTIONS] [TEXT...]")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...", prefix="       ")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The lines of the table, so that `vox --help` imports no command either.
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if self._names_command(ctx, args):
            rest = super().parse_args(ctx, args)
            self._refuse_options(ctx, args)
            return rest
        ctx.allow_interspersed_args = True
        is_escaped = ctx.resilient_parsing or "--" in args
        given = list(args)
        try:
            rest = click.Command.parse_args(self, ctx, args)
        except click.UsageError:
            if not is_escaped:  # `vox logs -n 20`: another command's options
                self._heed_habits(ctx, given[:1])
            raise
        if not is_escaped:
            self._heed_habits(ctx, ctx.args)
        return rest

    def _heed_habits(self, ctx: click.Context, words: list[str]) -> None:
        """Refuse words that mean a command or a file where they are typed, else note it."""
        if not words or not (_is_name(words[0]) or os.path.isfile(words[0])):
            return
        from .habits import meant
        from .output import is_terminal, tell

        found = meant(self, words, any(param.name in OPTIONS for param in self._given(ctx)))
        if found is None:
            return
        if is_terminal(sys.stdin) and is_terminal(sys.stderr):
            raise found.error
        if not ctx.params.get("quiet"):
            tell(found.note)

    def _given(self, ctx: click.Context) -> list[click.Parameter]:
        """The options that are on the command line."""
        source = click.core.ParameterSource.COMMANDLINE
        return [
            param for param in self.params if ctx.get_parameter_source(param.name or "") is source
        ]

    def _names_command(self, ctx: click.Context, args: list[str]) -> bool:
        if not any(arg in COMMANDS for arg in args):
            return False
        _, rest, _ = self.make_parser(ctx).parse_args(list(args))
        before = len(args) - len(rest)
        is_escaped = before > 0 and args[before - 1] == "--"
        return bool(rest) and rest[0] in COMMANDS and not is_escaped

    def _refuse_options(self, ctx: click.Context, args: list[str]) -> None:
        """`vox --json history` would ignore the option silently."""
        if ctx.resilient_parsing:
            return
        given = self._given(ctx)
        if given:
            name = next(arg for arg in args if arg in COMMANDS)
            raise click.UsageError(
                f"{max(given[0].opts, key=len)} goes after the command: vox {name} ..."
                f" (to speak the word: vox -- {name})",
                ctx,
            )


def _is_name(word: str) -> bool:
    """Whether a command, or a job, could be called so."""
    return word[:1] == "@" or (word.islower() and word.replace("-", "").replace("_", "").isalpha())


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from .. import __version__
        from .output import say

        say(f"vox {__version__}")
        ctx.exit()


@click.command(
    cls=Root,
    invoke_without_command=True,
    subcommand_metavar="",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="FILE",
    shell_complete=partial(complete, "file"),
    help="Read the text from FILE (- is standard input).",
)
@request_options(*OPTIONS)
@click.option(*ASYNC_FLAGS, "is_async", is_flag=True, help="Print the job's id and return at once.")
@click.option(
    "--stream",
    "is_stream",
    is_flag=True,
    help="Speak the text while it is being written: some-llm | vox --stream",
)
@click.option(
    "--here", is_flag=True, help="Speak on this machine, not on the laptop (see: vox remote)."
)
@timeout_option
@strict_option
@json_option
@quiet_option
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the version.",
)
@click.pass_context
def root(ctx: click.Context, /, **options: Any) -> int:
    """Speak TEXT, or the text of a file or of standard input."""
    if ctx.invoked_subcommand is not None:
        return 0
    return _speak(ctx, **options)


def _speak(
    ctx: click.Context,
    files: tuple[str, ...],
    is_async: bool,
    is_stream: bool,
    timeout_s: float | None,
    strict: bool,
    as_json: bool,
    quiet: bool,
    here: bool,
    **wishes: Any,
) -> int:
    from ..jobs import Request
    from ..quick.sender import sender
    from .speaking import CallOptions
    from .text_input import checked, model_name, names_folder, output_path

    check_waits(ctx, is_async, timeout_s, strict)
    if is_stream and ctx.args not in ([], ["-"]):
        raise click.UsageError("--stream goes with a pipe or -f FILE, not with words", ctx)
    options = CallOptions(is_async, timeout_s, as_json, quiet, strict, here=here)
    output = wishes.pop("output")
    is_for_each = len(files) > 1 or names_folder(output)
    if is_stream and is_for_each:
        raise click.UsageError("--stream goes with one text, not with several files", ctx)
    wishes = {name: checked(name, value) for name, value in wishes.items()}
    wishes["model"] = model_name(wishes["model"])
    wishes["source"] = wishes["source"] or sender()
    try:
        if is_for_each:
            from .outputs import each_to_its_file

            return each_to_its_file(ctx, files, output, wishes, options)
        text = "" if is_stream else _text(ctx, files)
        if text is None:
            return 2
        speak = _speaker(files, is_stream)
        if output == "-":
            from .outputs import to_standard_output

            request = Request(text=text, **wishes)

            def write(path: str, options: CallOptions) -> int:
                request.output = path
                return speak(request, options)

            return to_standard_output(ctx, options, write, lambda: request.id)
        return speak(Request(text=text, output=output_path(output), **wishes), options)
    except VoxError as exc:
        from .failures import blame_variable

        blame_variable(ctx, exc)
        raise


def _speaker(files: tuple[str, ...], is_stream: bool) -> Callable[[Request, CallOptions], int]:
    """What makes the job, follows it and returns its exit code."""
    if not is_stream:
        from .speaking import speak

        return speak
    from .streaming import speak_stream

    return lambda request, options: speak_stream(request, files[0] if files else None, options)


def _text(ctx: click.Context, files: tuple[str, ...]) -> str | None:
    """The text to speak; None if there is none, and the help is shown."""
    from .text_input import read_text

    text = read_text(ctx, files[0] if files else None, ctx.args)
    if text is None:
        click.echo(ctx.get_help(), file=sys.stderr)
    return text
