"""Options and types that several commands share."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from ..errors import BadOption
from ..jobs import OPTIONS, STATES, Option, State, Wanted
from ..quick.arguments import QUIET_FLAGS

if TYPE_CHECKING:
    FloatType = click.ParamType[float]
    IntType = click.ParamType[int]
else:
    FloatType = IntType = click.ParamType  # no generic in click 8.1

F = TypeVar("F", bound=Callable[..., Any])


class OptionType(click.ParamType):  # type: ignore[type-arg]  # no generic in click 8.1
    """A value that is checked as an option of a request is: see `jobs.Option.check`."""

    name = "text"

    def __init__(self, option: Option) -> None:
        self._option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._option.check(value)
        except BadOption as exc:
            is_number = self._option.kind is float
            reason = f"{value!r} is not {self._option.range}" if is_number else exc.message
            self.fail(reason, param, ctx)


class Count(IntType):
    """A whole number that is not too small nor too large."""

    name = "number"

    def __init__(self, least: int = 0, most: int | None = None) -> None:
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        number = int(value) if re.fullmatch(r"\d{1,18}", value, re.ASCII) else -1
        if number < self._least or (self._most is not None and number > self._most):
            limits = f"{self._least} or more"
            if self._most is not None:
                limits = f"{self._least} to {self._most:,}"
            self.fail(f"{value!r} must be a whole number, {limits}", param, ctx)
        return number


class Duration(FloatType):
    """A time span such as 90s, 15m or 1h30m, as seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        from ..durations import seconds

        try:
            span_s = seconds(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)
        if span_s < 0:
            self.fail(f"{value!r} must be 0 or more", param, ctx)
        return span_s


class Moment(FloatType):
    """A time such as 2h (ago), yesterday or 2026-11-29, as seconds since the epoch."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        from ..durations import moment

        try:
            return moment(str(value), time.time())
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class SourceType(click.ParamType):  # type: ignore[type-arg]  # no generic in click 8.1
    """The name of a source, which must be given: a script's empty variable means no source."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            name = OPTIONS["source"].check(value)
        except BadOption as exc:
            self.fail(exc.message, param, ctx)
        return name or self.fail("it has no name", param, ctx)


def source_option(text: str, required: bool = False) -> Callable[[F], F]:
    """The option that says whose jobs are meant."""
    return click.option(
        "--source",
        type=SourceType(),
        metavar="NAME",
        required=required,
        shell_complete=partial(complete, "source"),
        help=text,
    )


SPAN = OptionType(Option("", kind=float, low=0, above=True, is_span=True))


WATCH_HELP = "Show it again whenever it changes, until Ctrl-C."


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def selection(command: F) -> F:
    """The options that say which jobs; the command gets them as a `Wanted`."""

    @click.option("--search", metavar="T", help="Only jobs with T in their text.")
    @click.option(
        "--since",
        type=Moment(),
        metavar="TIME",
        help="Only since then: 2h (ago), yesterday, 2026-11-29.",
    )
    @source_option("Only what NAME sent.")
    @click.option(
        "--state",
        "states",
        multiple=True,
        type=click.Choice(STATES),
        help="Only jobs in this state (repeatable).",
    )
    @functools.wraps(command)
    def with_wanted(
        search: str | None,
        since: float | None,
        source: str | None,
        states: tuple[State, ...],
        **others: Any,
    ) -> Any:
        search, source = _sendable(search), _sendable(source)
        return command(wanted=Wanted(search, states, source, since), **others)

    return cast(F, with_wanted)


def _sendable(text: str | None) -> str | None:
    """An argument without bytes that are no characters: no text of a job has any."""
    return text and text.encode(errors="surrogateescape").decode(errors="replace")


def timeout_option(command: F) -> F:
    text = "Wait at most this long, e.g. 30s; the job goes on (exit code 7)."
    return click.option("--timeout", "timeout_s", type=SPAN, metavar="TIME", help=text)(command)


def strict_option(command: F) -> F:
    text = "Exit code 1 if the voice could not say a sentence."
    return click.option("--strict", is_flag=True, help=text)(command)


def check_waits(ctx: click.Context, is_async: bool, timeout_s: float | None, strict: bool) -> None:
    """Raises UsageError for options that need an end that `--async` does not wait for."""
    for flag, is_given in (("--timeout", timeout_s is not None), ("--strict", strict)):
        if is_async and is_given:
            raise click.UsageError(f"{flag} cannot be used with --async", ctx)


def quiet_option(command: F) -> F:
    text = "Print only errors on standard error."
    return click.option(*QUIET_FLAGS, is_flag=True, help=text)(command)


def request_options(*names: str) -> Callable[[F], F]:
    """Options of a request (see `jobs.OPTIONS`), in this order."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            command = _request_option(name, OPTIONS[name])(command)
        return command

    return decorate


def _request_option(name: str, option: Option) -> Callable[[F], F]:
    if option.kind is bool:
        return click.option(*option.flags, name, is_flag=True, default=None, help=option.help)
    kind: Any = OptionType(option)
    if option.choices:
        kind = click.Choice(option.choices, case_sensitive=False)
    return click.option(
        *option.flags,
        name,
        type=kind,
        metavar=None if option.choices else option.metavar,
        envvar=option.variable,
        shell_complete=partial(complete, name) if name in _COMPLETED else None,
        help=option.help,
    )


_COMPLETED = ("backend", "voice", "lang", "output", "source")


def complete(name: str, ctx: click.Context, param: click.Parameter, incomplete: str) -> Any:
    """What a shell offers for the option of that name."""
    from .completers import COMPLETERS

    return COMPLETERS[name](ctx, param, incomplete)
