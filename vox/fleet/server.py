"""The connection to the Redis server: the only module that imports `redis`.

Each call is bounded in time and is made once: a call that was cut off may have been carried out, so
only its caller knows whether it may be repeated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import VoxError, WorkersAway
from ..redis_url import Address, no_package
from .refusals import meaning

TIMEOUT_S = 3.0
"""For one call. Blocking reads wait for less."""
BLOCK_S = 2.0
"""How long a blocking read waits."""
SEND_S = 60.0
"""For a call that sends a recording over a slow line."""
CONNECT_S = 2.0
_PASSWORD_FILE = "workers_password_file (vox worker: --password-file)"
_RETRIES = "vox keeps trying"
_DOCUMENT = "https://github.com/voxqueue/vox/blob/main/docs/workers.md"
_MAX_CODE = 20
"""Characters of what a Redis server calls an error: NOREPLICAS."""
_SCRIPTS = ("submit", "claim", "append", "reap", "cancel", "look")


class Server:
    """A Redis server. Any thread may use it. All methods raise WorkersAway."""

    def __init__(self, address: Address, secret: Callable[[], str | None]) -> None:
        """`secret` is asked at each connection, so a new password needs no restart.

        Raises BadConfig if the package `redis` is not installed.
        """
        try:
            import redis
            import redis.backoff
            import redis.credentials
            import redis.retry
        except ImportError as exc:
            raise no_package() from exc

        class Credentials(redis.credentials.CredentialProvider):
            def get_credentials(self) -> Any:
                found = secret()
                if address.username:
                    return address.username, found or ""
                return (found,) if found else ()

        self.address = address
        options: dict[str, Any] = {
            "db": address.db,
            "protocol": 2,
            "socket_timeout": TIMEOUT_S,
            "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0),
            "driver_info": None,
            "credential_provider": Credentials(),
        }
        connection: Any
        if address.is_socket:
            connection = redis.UnixDomainSocketConnection
            options["path"] = address.host
        else:
            connection = redis.SSLConnection if address.is_encrypted else redis.Connection
            options.update(host=address.host, port=address.port, socket_connect_timeout=CONNECT_S)
            for name, value in address.tls:
                options[name] = value if name != "ssl_check_hostname" else value == "true"
        self.pool = redis.ConnectionPool(connection_class=connection, **options)
        options["socket_timeout"] = SEND_S
        self._patient_pool = redis.ConnectionPool(connection_class=connection, **options)
        self._patient_client: Any = redis.Redis(connection_pool=self._patient_pool)
        self.client: Any = redis.Redis(connection_pool=self.pool)
        self._scripts = {name: self.client.register_script(_source(name)) for name in _SCRIPTS}

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run one of the scripts (see `scripts/*.lua`)."""
        with self.translated():
            return self._scripts[script](keys=keys, args=args)

    def call(self, command: str, *args: Any, **options: Any) -> Any:
        """Call the client's method of that name."""
        with self.translated():
            return getattr(self.client, command)(*args, **options)

    def put(self, key: str, data: bytes, ttl_ms: int) -> None:
        """Store a large value for that time, with time to send it."""
        with self.translated():
            self._patient_client.set(key, data, px=ttl_ms)

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """What the library raises in the block becomes WorkersAway."""
        try:
            yield
        except WorkersAway:
            raise
        except VoxError as exc:  # the password cannot be read
            raise WorkersAway(exc.message, exc.hint) from exc
        # Something that is not Redis makes the library raise all sorts of things.
        except Exception as exc:
            raise WorkersAway(*self._explained(exc)) from exc

    def _explained(self, exc: Exception) -> tuple[str, str]:
        """What happened, and what to do next. Never what the other side sent, nor a password."""
        from redis import exceptions

        where, words = f"the Redis server {self.address}", str(exc)
        code = words.split(" ", 1)[0].rstrip(":").upper()
        is_refused = isinstance(exc, exceptions.AuthenticationError) or code == "WRONGPASS"
        if about_password := _about_password(words, code, is_refused):
            what, hint = about_password
            return f"{where} {what}", hint
        if refusal := meaning(exc, _DOCUMENT):
            what, hint = refusal
            return f"{where} {what}", hint
        if isinstance(exc, exceptions.TimeoutError):
            return f"{where} does not answer", _RETRIES
        if "DB index" in words:
            return f"{where} has no database {self.address.db}", "check the number in the URL"
        if self.address.tls and isinstance(_cause(exc), FileNotFoundError | PermissionError):
            return f"{where} cannot be used: a file that its URL names cannot be read", "check it"
        if "CERTIFICATE" in words.upper() or "SSL" in words.upper():
            why = "its certificate is not trusted" if "VERIFY" in words.upper() else "TLS fails"
            return f"{where} cannot be used: {why}", f"see TLS in {_DOCUMENT}"
        if isinstance(exc, exceptions.ConnectionError):
            why = _why_unreachable(exc, words)
            return f"{where} cannot be reached: {why}", _RETRIES
        is_code = code.isascii() and code.isalpha() and len(code) < _MAX_CODE
        if isinstance(exc, exceptions.ResponseError):
            named = f" ({code})" if is_code and code != "ERR" else ""
            return f"{where} refuses what vox sends{named}", "vox needs Redis 6.2 or newer"
        return f"{where} does not speak the Redis protocol", "check its address"

    def close(self) -> None:
        """End all connections, also of those threads that wait for an answer."""
        for pool in (self.pool, self._patient_pool):
            with contextlib.suppress(Exception):
                pool.disconnect()


def _about_password(words: str, code: str, is_refused: bool) -> tuple[str, str] | None:
    # "Protocol error: unauthenticated multibulk length": it takes no long command before AUTH.
    if code == "NOAUTH" or words == "Authentication required." or "unauthenticated" in words:
        return "requires a password", f"name a file with it: {_PASSWORD_FILE}"
    if "without any password" in words:
        return "has no password, but one was given", "set requirepass there, or give none"
    if is_refused:
        return "refuses the password", f"check {_PASSWORD_FILE}, and the user in the URL"
    return None


def _cause(exc: Exception) -> BaseException | None:
    return exc.__cause__ or exc.__context__


def _why_unreachable(exc: Exception, words: str) -> str:
    cause = _cause(exc)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    if "max number of clients" in words:
        return "it has too many clients"
    if "protected mode" in words.lower() or words.startswith("DENIED"):
        return "it is in protected mode"
    return "connection closed"


def _source(name: str) -> str:
    folder = Path(__file__).parent / "scripts"
    parts = [(folder / f"{each}.lua").read_text(encoding="utf-8") for each in ("run", name)]
    return "".join(parts)
