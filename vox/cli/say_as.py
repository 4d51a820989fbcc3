"""`vox say-as`: how words are said that a voice says wrongly."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import click

from ..config import load
from ..errors import BadInput
from ..languages import normalize
from ..paths import Paths, get_paths
from ..text import say_as_files
from ..text.say_as import SayAs
from ..text.say_as_entry import Entry, entry, on_one_line
from .completers import complete_backend
from .options import F, json_option, request_options
from .output import is_terminal, say, say_json, table, tell
from .text_input import checked, model_name, read_text


def _scope(lang_help: str, backend_help: str) -> Callable[[F], F]:
    def decorate(command: F) -> F:
        lang = click.option("-l", "--lang", metavar="LANG", help=lang_help)
        backend = click.option(
            "-b",
            "--backend",
            metavar="NAME",
            shell_complete=complete_backend,
            help=backend_help,
        )
        return lang(backend(command))

    return decorate


@click.group("say-as")
def say_as() -> None:
    """Respell words that a voice says wrongly.

    A word in lower case matches in any case, one with capitals only as it is written: "US" does not
    match "us". Only whole words match, also before 's; the longest one wins. /.../ is a regular
    expression, /.../i ignores case, and SAID may use its groups: \\1.

    The words are kept in say-as.toml, beside config.toml. To add other files, for example a team's:
    vox config set say_as ~/team.toml
    """


@say_as.command(
    short_help="Speak SAID wherever WORD stands.", context_settings={"ignore_unknown_options": True}
)
@click.argument("word")
@click.argument("said")
@_scope("For this language only, e.g. en.", "For this backend only.")
def add(word: str, said: str, lang: str | None, backend: str | None) -> None:
    """Speak SAID wherever WORD stands, for example: vox say-as add WCAG "W C A G"."""
    if backend:
        from ..backends import registry

        registry.import_string(backend)
    paths = get_paths()
    new = entry(word, said, lang, backend, paths.say_as_path)
    old = say_as_files.add(paths.say_as_path, paths.say_as_lock_path, new)
    before = f" (was: {old.say})" if old is not None and old.say != new.say else ""
    say(f"{_about(new)} is said: {new.say}{before}" if new.say else f"{_about(new)} is not said")


def _about(known: Entry) -> str:
    scope = ", ".join(filter(None, (known.lang, known.backend)))
    return f"{known.word} ({scope})" if scope else known.word


@say_as.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the words, each with its file."""
    known = _known(get_paths())
    for trouble in known.troubles:
        tell(f"vox: {trouble}")
    if as_json:
        say_json([dataclasses.asdict(each) for each in known.entries])
    elif known.entries or not is_terminal(sys.stdout):
        rows = [
            (each.word, each.say, each.lang or "", each.backend or "", each.source)
            for each in known.entries
        ]
        table(("word", "said", "language", "backend", "file"), rows, spare=(4,))
    else:
        say('no words yet; add one: vox say-as add WCAG "W C A G"')


def _complete_word(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    own = say_as_files.load(get_paths().say_as_path).entries
    return [
        word for word in dict.fromkeys(each.word for each in own) if word.startswith(incomplete)
    ]


@say_as.command(context_settings={"ignore_unknown_options": True})
@click.argument("word", shell_complete=_complete_word)
@_scope("Only what is said in this language.", "Only what this backend says.")
def remove(word: str, lang: str | None, backend: str | None) -> None:
    """Stop respelling WORD."""
    paths = get_paths()
    word, lang = on_one_line(word), normalize(lang) if lang else None
    gone = say_as_files.remove(paths.say_as_path, paths.say_as_lock_path, word, lang, backend)
    for each in gone:
        say(f"{_about(each)} removed")
    if gone:
        return
    own = paths.say_as_path
    others = [each for each in _known(paths).entries if each.word == word]
    for each in sorted(others, key=lambda each: each.source != own):
        if each.source == own:
            raise BadInput(f"{word} exists only as {_about(each)}", "see: vox say-as list")
        raise BadInput(f"{_about(each)} stands in {each.source}", "remove it from that file")
    raise BadInput(f"there is no entry for {word!r}", "see: vox say-as list")


@say_as.command()
@click.argument("text", nargs=-1)
@request_options("backend", "voice", "lang", "model", "format")
@json_option
@click.pass_context
def test(ctx: click.Context, /, text: tuple[str, ...], as_json: bool, **wishes: Any) -> None:
    """Print how TEXT would be spoken.

    Each utterance is a line. Nothing is spoken. Without TEXT, it reads standard input.
    """
    from ..client.said import said
    from ..jobs import Request

    given = read_text(ctx, None, list(text))
    if given is None:
        raise click.UsageError("no text to test; pass words or a pipe", ctx)
    wishes = {name: checked(name, value) for name, value in wishes.items()}
    wishes["model"] = model_name(wishes["model"])
    job, utterances = said(get_paths(), Request(text=given, **wishes))
    for note in job["notes"]:
        tell(f"vox: {note}")
    if as_json:
        names = ("backend", "voice", "lang", "model", "format", "notes")
        say_json({**{name: job[name] for name in names}, "utterances": utterances})
    else:
        say("\n".join(utterances))


def _known(paths: Paths) -> SayAs:
    shared = load(paths.config_path)["say_as"]
    return say_as_files.load(paths.say_as_path, shared, paths.config_path)
