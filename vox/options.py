"""Each option of a request, described once.

The command line, the API's schema, the inbox's header, the table's columns and the checks are
derived from `OPTIONS`; `jobs` makes fields of a request and of a job of them. The first thing that
a warm call reads, so it imports neither dataclasses nor typing.
"""

from __future__ import annotations

from .source_names import LONGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as declared
    from typing import Any

    from .errors import BadOption
else:

    def declared(**_how):
        """Type checkers take what is declared so for a dataclass; `jobs` makes one of it."""
        return lambda found: found


_INFINITY, _NAN = float("inf"), float("nan")

PRIORITIES = {"high": 10, "normal": 0, "low": -10}


def _bad(message: str, key: str) -> BadOption:
    from .errors import BadOption

    return BadOption(message, field=key)


@declared()
class Option:
    """All that is known of one option, whichever way a request comes in."""

    help: str
    """Its line in `vox --help`."""
    schema_help: str | None = None
    """What the API's schema says of it; None: the same as `help`."""
    short: str | None = None
    """Its short flag, e.g. "-v"; the long one is its key."""
    metavar: str = "TEXT"
    key: str = ""
    """Its name in JSON, in the inbox's header and, with - for _, as a flag; "": the field's."""
    envvar: bool = False
    """Whether the variable VOX_KEY sets it too, for one call."""
    kind: type[str] | type[float] | type[bool] = str
    """Text, a number or a flag; there are no other kinds."""
    low: float = -_INFINITY
    high: float = _INFINITY
    above: bool = False
    """Whether `low` itself is excluded."""
    allowed: str = ""
    """What a number may be, in words; "": what its limits say."""
    is_span: bool = False
    """Whether a number of seconds may also be a time span such as "30m"."""
    choices: tuple[str, ...] = ()
    max_length: int = 1_000
    """Most characters of a text."""
    is_name: bool = False
    """Whether a text must be one line of printable characters."""
    for_adapter: bool = True
    """Whether the adapter gets it with each utterance."""

    if not TYPE_CHECKING:

        def __init__(self, help, **more):  # noqa: A002 - as it is called above
            unknown = more.keys() - Option.__annotations__.keys()
            if unknown:
                raise TypeError(f"an option has no {', '.join(unknown)}")
            self.help = help
            self.__dict__.update(more)

        def __set_name__(self, owner, name):
            self.key = self.key or name

    def changed(self, **changes: Any) -> Option:
        """The same but for these."""
        return Option(**{**vars(self), **changes})

    @property
    def flags(self) -> list[str]:
        """What sets it on the command line, the short one first."""
        long = f"--{self.key.replace('_', '-')}"
        return [self.short, long] if self.short else [long]

    @property
    def variable(self) -> str | None:
        """The environment variable that sets it too, if there is one."""
        return f"VOX_{self.key.upper()}" if self.envvar else None

    def check(self, value: Any) -> Any:
        """The value as the job keeps it. Raises BadOption.

        None stays None, but a flag that is not given is False.
        """
        if self.kind is bool:
            return self._flag(value)
        if value is None:
            return None
        if self.kind is float:
            return self._number(value)
        if len(value) > self.max_length:
            raise _bad(
                f"{self.key} has {len(value):,} characters; {self.max_length:,} are the limit",
                self.key,
            )
        if self.is_name:
            value = value.strip()
            if not value.isprintable():
                raise self.refusal(value, "one line of printable characters")
        if not self.choices:
            return value
        if str(value).lower() not in self.choices:
            *others, last = self.choices
            raise self.refusal(value, f"{', '.join(others)} or {last}")
        return str(value).lower()

    def _flag(self, value: Any) -> bool:
        if value is None or isinstance(value, bool):
            return bool(value)
        from .checks import boolean  # for the inbox, which has texts

        try:
            return boolean(value)
        except ValueError:
            raise self.refusal(value, "true or false") from None

    def _number(self, value: Any) -> float:
        try:
            number = _NAN if isinstance(value, bool) else self._as_number(value)
        except (TypeError, ValueError, OverflowError):
            number = _NAN
        good = abs(number) < _INFINITY and self.low <= number <= self.high
        if not good or (self.above and number == self.low):
            raise self.refusal(value)
        return number

    def _as_number(self, value: Any) -> float:
        is_number = not isinstance(value, str) or not value.strip()[-1:].isalpha()
        if not self.is_span or is_number:
            return float(value)
        from .durations import seconds  # imports `re` and `datetime`

        return seconds(value)

    @property
    def range(self) -> str:
        """The numbers that it may be, in words."""
        if self.allowed:
            return self.allowed
        if self.above:
            most = f", at most {self.high:.10g}" if self.high < _INFINITY else ""
            span = ", or a time span such as 30s or 5m" if self.is_span else ""
            return f"a number above {self.low:g}{most}{span}"
        return f"a number from {self.low:g} to {self.high:.10g}"

    def refusal(self, value: Any, allowed: str = "") -> BadOption:
        """The error that says what the option must be."""
        return _bad(f"{self.key} {value!r} must be {allowed or self.range}", self.key)


def option(text: str, **more: Any) -> Any:
    """The description of one field of a request; None leaves it to the defaults."""
    return Option(text, **more)


@declared(slots=True, kw_only=True, init=False, repr=False, eq=False)
class SpeechOptions:
    """Who speaks, and how: a job has these from its request, and keeps them as columns.

    With each utterance the adapter gets those that are for it.
    """

    backend: str | None = option(
        "Speak with this backend (see: vox backends).",
        schema_help="See `GET /backends`.",
        short="-b",
        metavar="NAME",
        envvar=True,
        for_adapter=False,
    )
    voice: str | None = option(
        "Voice or clone (see: vox voices).",
        schema_help="See `GET /voices`.",
        short="-v",
        metavar="NAME",
        envvar=True,
    )
    lang: str | None = option(
        "Language, e.g. en or de-AT.",
        schema_help="BCP 47, e.g. `en` or `de-AT`.",
        short="-l",
        metavar="LANG",
        envvar=True,
        max_length=100,
    )
    model: str | None = option(
        "Model of the backend: a name, path or repository.",
        short="-m",
        metavar="MODEL",
        envvar=True,
        for_adapter=False,
    )
    speed: float | None = option(
        "Speaking rate, 0.25 to 6.", metavar="X", envvar=True, kind=float, low=0.25, high=6.0
    )
    volume: float | None = option(
        "Loudness, 0 to 5.",
        metavar="X",
        envvar=True,
        kind=float,
        low=0.0,
        high=5.0,
        for_adapter=False,
    )
    style: str | None = option(
        "How to speak, in words, for backends that can.",
        schema_help="How to speak, for backends that support it.",
        max_length=10_000,
    )
    gender: str | None = option("Choose a voice by gender.", choices=("female", "male"))
    fresh: bool | None = option(
        "Synthesize it anew, without the utterance cache.",
        schema_help="Synthesize it anew instead of playing what the utterance cache has.",
        kind=bool,
        for_adapter=False,
    )
    private: bool | None = option(
        "Keep neither text nor audio once it has ended.",
        schema_help="Once it has ended neither its text nor its audio is kept, in no log and no "
        "cache either. A file that it was read from, or written to, stays.",
        kind=bool,
    )
    format: str | None = option(
        "Read the text as Markdown or plain text; auto decides.",
        schema_help="How the text is read: `auto` decides for each paragraph.",
        choices=("auto", "plain", "markdown"),
        envvar=True,
        for_adapter=False,
    )
    keep_alive: float | None = option(
        "How long the model stays loaded afterwards: 30m, 0 or -1 (forever).",
        schema_help="How long the model stays loaded after it was last used: seconds or a time "
        "span such as `30m`; 0: it is unloaded at once, below 0: never. It holds until another "
        "request for the model says otherwise.",
        metavar="TIME",
        kind=float,
        allowed="a time span such as 30m or 1h30m, seconds, 0 (unload it at once) or -1 (forever)",
        is_span=True,
        for_adapter=False,
    )


@declared(slots=True, kw_only=True, init=False, repr=False, eq=False)
class RequestOptions(SpeechOptions):
    """What else may be said of a request."""

    output: str | None = option(
        "Write .wav .flac .ogg .opus .mp3 .m4a .aac instead of playing; - is standard output, "
        "DIR/ has a file for each -f.",
        schema_help="Absolute path of an audio file (.wav .flac .ogg .opus .mp3 .m4a .aac) to "
        "write instead of playing.",
        short="-o",
        metavar="FILE",
        max_length=4_096,
    )
    priority: str | None = option("Place in the queue.", choices=tuple(PRIORITIES))
    interrupt: bool | None = option(
        "Speak it now; what is being spoken goes on afterwards from its sentence.",
        schema_help="Speak it now. What is being spoken stops and goes on afterwards, from the "
        "beginning of its sentence. Excludes `priority` and what is written to a file.",
        kind=bool,
    )
    expires_s: float | None = option(
        "Drop it if it still waits after this time: 30s, 5m.",
        schema_help="Seconds, or a time span such as `5m`, after which it is no longer worth "
        "speaking.",
        key="expires",
        metavar="TIME",
        kind=float,
        low=0,
        high=1e8,
        above=True,
        is_span=True,
    )
    replace: str | None = option(
        "Replace what waits or is spoken under the same key.",
        schema_help="Cancels live jobs with the same key.",
        metavar="KEY",
    )
    source: str | None = option(
        "Name of who sends it (else: the git repository or program).",
        schema_help="Who sends it; `api` if it is left out. `GET /jobs?source=` finds the jobs.",
        metavar="NAME",
        envvar=True,
        max_length=LONGEST,
        is_name=True,
    )


OPTIONS: dict[str, Option] = {
    name: value
    for described in (SpeechOptions, RequestOptions)
    for name, value in vars(described).items()
    if isinstance(value, Option)
}
"""The options by the names of their fields."""
