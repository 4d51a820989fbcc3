"""`vox worker`: synthesize for other machines."""

from __future__ import annotations

import importlib.util
import platform
import re
from collections.abc import Callable
from typing import TypeVar

import click

from ..errors import BadOption
from ..paths import get_paths
from ..redis_url import Address, no_package, parse

T = TypeVar("T")


def _checked(check: Callable[[str], T]) -> Callable[..., T | None]:
    """The value as `check` gives it; its ValueError is what is wrong with it."""

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> T | None:
        try:
            return None if value is None else check(value)
        except ValueError as exc:
            raise click.BadParameter(str(exc), ctx, param) from exc

    return callback


def _device(value: str) -> str:
    from ..config import device
    from ..install.accelerator import absent

    if why := absent(device(value)):
        raise ValueError(f"there is no {value}: {why}")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"\w[\w.-]{0,59}", value, re.ASCII):
        raise ValueError("must be of at most 60 letters, digits and -._")
    return value


@click.command()
@click.argument("url", metavar="URL", callback=_checked(parse))
@click.option("--backends", metavar="NAME,...", help="Serve only these.  [default: all installed]")
@click.option(
    "--name",
    metavar="NAME",
    callback=_checked(_name),
    help="Its name.  [default: the host name, and the device]",
)
@click.option(
    "--device",
    metavar="DEVICE",
    callback=_checked(_device),
    help="Where its models run: auto, cpu, cuda, cuda:N or mps.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 32),
    default=1,
    show_default=True,
    help="Utterances made at once. Each needs the memory of a model.",
)
@click.option("--password-file", type=click.Path(), help="File with the server's password.")
def worker(
    url: Address,
    backends: str | None,
    name: str | None,
    device: str | None,
    concurrency: int,
    password_file: str | None,
) -> None:
    """Synthesize for other machines. All of them connect to the same Redis server.

    URL is redis://[USER@]HOST[:PORT][/DB], or rediss:// for TLS. The password comes from
    --password-file or VOX_WORKERS_PASSWORD. Run one worker for each GPU. Ctrl-C, SIGTERM or SIGHUP
    stops it after its utterance; a second one stops it at once, and another worker makes the
    utterance. See docs/workers.md.
    """
    from ..backends import registry

    names = tuple(each.strip() for each in (backends or "").split(",") if each.strip())
    if backends is not None and not names:
        raise BadOption("--backends names none", "name some, or omit it to serve all")
    for each in names:
        registry.import_string(each)
    if password_file == "":
        raise BadOption("--password-file names no file", "name one, or omit it")
    machine = platform.node() or "unnamed"
    default = f"{machine}-{device.replace(':', '')}" if device else machine
    if importlib.util.find_spec("redis") is None:
        raise no_package()
    from ..worker.main import serve
    from ..worker.worker import Options

    options = Options(name or default, machine, names, device, concurrency)
    serve(url, options, get_paths(), password_file)
