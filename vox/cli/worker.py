"""`vox worker`: synthesize for other machines."""

from __future__ import annotations

import importlib.util
import platform
import re

import click

from ..errors import BadOption
from ..paths import get_paths
from ..redis_url import Address, no_package, parse


class _Url(click.ParamType[Address]):
    name = "url"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        try:
            return value if isinstance(value, Address) else parse(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class _Device(click.ParamType[str]):
    name = "device"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from ..config import device
        from ..install.accelerator import absent

        try:
            found = device(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)
        if why := absent(found):
            self.fail(f"there is no {found}: {why}", param, ctx)
        return found


class _Name(click.ParamType[str]):
    name = "name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        if not re.fullmatch(r"\w[\w.-]{0,59}", str(value), re.ASCII):
            self.fail("must be of at most 60 letters, digits and -._", param, ctx)
        return str(value)


@click.command()
@click.argument("url", type=_Url(), metavar="URL")
@click.option("--backends", metavar="NAME,...", help="Serve only these.  [default: all installed]")
@click.option("--name", type=_Name(), help="Its name.  [default: the host name, and the device]")
@click.option(
    "--device", type=_Device(), help="Where its models run: auto, cpu, cuda, cuda:N or mps."
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
    """Synthesize for other machines, which connect to the same Redis server.

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
