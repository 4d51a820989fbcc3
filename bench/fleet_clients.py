"""Clients of a fleet, many in one process, for `bench.fleet`: each has a session as a daemon has.

    python -m bench.fleet_clients URL LEASE_S

Reads one command a line from standard input, as JSON, and answers each with one line.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from vox.backends.base import Settings, Utterance
from vox.config import LiveConfig
from vox.errors import VoxError
from vox.fleet.server import Server
from vox.fleet.session import Session
from vox.hosts.base import Host
from vox.hosts.launch import subprocess_hosts
from vox.hosts.remote import RemoteHost
from vox.redis_url import parse

BACKEND = "scripted"
EAR, FILES = 0, 1
LOOK_S = 60.0


@dataclass
class Heard:
    """What one client got in a while."""

    audio_s: float = 0.0
    first_s: list[float] = field(default_factory=list)
    """From a wish to its first sound, for each that had sound."""
    waits_s: list[float] = field(default_factory=list)
    """How long others had waited when the time was over."""
    errors: list[str] = field(default_factory=list)


class Client:
    """One daemon's worth: a session, and a thread that speaks."""

    def __init__(self, url: str, name: str, lease_s: float) -> None:
        self.name = name
        self.heard = Heard()
        self.session = Session(Server(parse(url), lambda: None), name, lease_s)
        self.session.start()
        self._random = random.Random(name)
        self._host: RemoteHost | None = None
        self._count = 0

    def say(self, text: str, until: float, since: float | None = None) -> None:
        """Speak one sentence. `since`: when it was wished for, if that was before."""
        began = since or time.monotonic()
        self._count += 1
        try:
            self._take(self._new_host(EAR), Utterance(f"{text} {self._count}"), until, began)
        except VoxError as exc:
            self.heard.errors.append(exc.message)

    def speak(self, text: str, until: float) -> None:
        """One sentence after the other, each asked for when the one before is made."""
        while time.monotonic() < until:
            self.say(text, until)

    def speak_now_and_then(self, text: str, until: float, every_s: float) -> None:
        due = time.monotonic() + self._random.expovariate(1 / every_s)
        while due < until:
            time.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() < until:
                self.say(text, until, due)
            due += self._random.expovariate(1 / every_s)

    def share(self, text: str, until: float) -> None:
        """As `speak`, but the first client always asks for as many as there are workers."""
        if self.name == "client0":
            self.read_aloud(text, until, EAR)
        else:
            self.speak(text, until)

    def read_aloud(self, text: str, until: float, tier: int = FILES) -> None:
        """One long text, as the engine asks for it: as far ahead as there are workers."""
        host = self._new_host(tier)
        texts = [Utterance(f"{text} {number}") for number in range(10_000)]
        try:
            for at, utterance in enumerate(texts):
                if time.monotonic() >= until:
                    break
                host.prefetch(texts[at : at + host.width])
                self._take(host, utterance, until, time.monotonic())
        except VoxError as exc:
            self.heard.errors.append(exc.message)
        finally:
            host.close()

    def _new_host(self, tier: int) -> RemoteHost:
        self._host = _remote(self.session, tier)
        return self._host

    def _take(self, host: RemoteHost, utterance: Utterance, until: float, began: float) -> None:
        has_sound = False
        for chunk in host.synthesize(utterance):
            now = time.monotonic()
            if now > until:
                break
            if not has_sound:
                has_sound = True
                self.heard.first_s.append(now - began)
            self.heard.audio_s += len(chunk.samples) / chunk.sample_rate
        if not has_sound:
            self.heard.waits_s.append(time.monotonic() - began)

    def stop(self) -> None:
        if self._host is not None:
            self._host.cancel()


class Clients:
    """Those of this process."""

    def __init__(self, url: str, lease_s: float) -> None:
        self._url = url
        self._lease_s = lease_s
        self._clients: list[Client] = []

    def have(self, names: list[str]) -> dict[str, Any]:
        """There are sessions of these names, which have looked at the server."""
        for name in names[len(self._clients) :]:
            self._clients.append(Client(self._url, name, self._lease_s))
        for client in self._clients:
            if not client.session.wait_looked(LOOK_S) or client.session.away is not None:
                raise RuntimeError(f"{client.name}: {client.session.away}")
        return {}

    def is_warm(self, workers: int) -> dict[str, Any]:
        """Whether so many workers have their model loaded."""
        known = self._clients[0].session.workers
        return {"is_warm": sum(BACKEND in each.warm for each in known) >= workers}

    def warm(self, count: int, text: str, until: float) -> dict[str, Any]:
        """Ask for so many at once, and drop what is not there by then."""
        session = self._clients[0].session
        hosts = [_remote(session, EAR) for _ in range(count)]
        for host in hosts:
            host.prefetch([Utterance(text)])
        for host in hosts:
            if time.monotonic() < until:
                for _chunk in host.synthesize(Utterance(text)):
                    pass
            host.close()
        return {}

    def go(
        self, mode: str, count: int, text: str, until: float, **options: float
    ) -> dict[str, Any]:
        """The first `count` clients do that until then (`time.monotonic`)."""
        taking_part = self._clients[:count]
        began_cpu_s = time.process_time()
        threads = []
        for client in taking_part:
            client.heard = Heard()
            act: Callable[..., None] = getattr(client, mode)
            threads.append(threading.Thread(target=act, args=(text, until), kwargs=options))
        for thread in threads:
            thread.start()
        time.sleep(max(0.0, until - time.monotonic()))
        used_s = time.process_time() - began_cpu_s
        while any(thread.is_alive() for thread in threads):
            for client in taking_part:
                client.stop()
            time.sleep(0.01)
        return {"cpu_s": used_s, "clients": [asdict(client.heard) for client in taking_part]}

    def rest(self, until: float) -> dict[str, Any]:
        """Do nothing but be there."""
        began_cpu_s = time.process_time()
        time.sleep(max(0.0, until - time.monotonic()))
        return {"cpu_s": time.process_time() - began_cpu_s}

    def first_sounds(self, count: int) -> dict[str, list[float]]:
        """Milliseconds to it, of a warm worker and of a warm host of this process, by turns."""
        home = os.environ["VOX_HOME"]
        config = LiveConfig(os.path.join(home, "none.toml"))
        found: dict[str, list[float]] = {"worker": [], "local": []}
        host = subprocess_hosts(home, config)(BACKEND, Settings(home, home))
        try:
            host.load()
            for number in range(count):
                utterance = Utterance(f"[chunk 0.08] [say 0.4s] {number}")
                found["local"].append(_first_ms(host, utterance))
                found["worker"].append(_first_ms(_remote(self._clients[0].session, EAR), utterance))
        finally:
            host.close()
        return found

    def close(self) -> None:
        for client in self._clients:
            client.session.close()


def _remote(session: Session, tier: int) -> RemoteHost:
    return RemoteHost(BACKEND, None, Settings("", ""), session, tier, 0)


def _first_ms(host: Host | RemoteHost, utterance: Utterance) -> float:
    began, first_s = time.monotonic(), 0.0
    for _chunk in host.synthesize(utterance):
        first_s = first_s or time.monotonic() - began
    return 1000 * first_s


def main() -> None:
    clients = Clients(sys.argv[1], float(sys.argv[2]))
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(clients, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)
    clients.close()
    os._exit(0)  # a thread may wait for the server


if __name__ == "__main__":
    main()
