"""Folders and files of ours are removed, damaged or made foreign under a running daemon."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from .audit import audit
from .chance import Chance, tries
from .home import ANY_END, SETTINGS, Home, remove, wait_until

Fault = Callable[[Home], None]


def _garbage(folder: str) -> None:
    """Other bytes into each file of a folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                Path(parent, name).write_bytes(os.urandom(200))


def _write(path: str, text: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).write_text(text)


def _file_for_folder(path: str) -> None:
    remove(path)
    _write(path, "not a folder")


def _remove_inside(folder: str | Path, *names: str) -> None:
    for name in names or tuple(os.listdir(folder)):
        remove(Path(folder, name))


FAULTS: dict[str, Fault] = {
    "the PID file is removed": lambda vox: remove(vox.paths.pid_path),
    "the PID file is garbage": lambda vox: _write(vox.paths.pid_path, "\0 garbage\n\n"),
    "the PID file names process 1": lambda vox: _write(vox.paths.pid_path, "1\n0.1.0\n"),
    "the socket is removed": lambda vox: remove(vox.paths.socket_path),
    "the socket is a file": lambda vox: _file_for_folder(vox.paths.socket_path),
    "the lock is removed": lambda vox: remove(vox.paths.lock_path),
    "the queue's lock is removed": lambda vox: remove(vox.paths.consumer_lock_path),
    "the runtime folder is removed": lambda vox: remove(vox.paths.runtime_dir),
    "the log is removed": lambda vox: remove(vox.paths.log_path),
    "the log folder is removed": lambda vox: remove(vox.paths.log_dir),
    "the inbox is removed": lambda vox: remove(vox.inbox),
    "the inbox's folders are removed": lambda vox: _remove_inside(
        vox.inbox, ".work", "done", "failed"
    ),
    "the utterance cache is removed": lambda vox: remove(vox.paths.utterances_dir),
    "the utterance cache is garbage": lambda vox: _garbage(vox.paths.utterances_dir),
    "the utterance cache is a file": lambda vox: _file_for_folder(vox.paths.utterances_dir),
    "the spool's files are removed": lambda vox: _remove_inside(vox.paths.spool_dir),
    "the spool's files are garbage": lambda vox: _garbage(vox.paths.spool_dir),
    "the spool folder is removed": lambda vox: remove(vox.paths.spool_dir),
    "the cache folder is removed": lambda vox: remove(vox.paths.cache_dir),
    "the memory of models is garbage": lambda vox: _write(vox.paths.memory_path, "[{"),
    "the folders of voices and backends are removed": lambda vox: _remove_inside(
        vox.paths.data_dir, "voices", "backends"
    ),
    "the settings are removed": lambda vox: remove(vox.paths.config_path),
    "the settings are garbage": lambda vox: _write(vox.paths.config_path, "= \0["),
    "the runtime folder is open to all": lambda vox: os.chmod(vox.paths.runtime_dir, 0o777),
    "the database is open to all": lambda vox: os.chmod(vox.paths.db_path, 0o644),
}


def strike(vox: Home, name: str) -> None:
    """The fault happens while a job is spoken; after it vox has to work as before."""
    during = vox.post("[say 0.4s]")
    FAULTS[name](vox)
    if "spool" in name or "cache folder" in name:
        during.ends = ANY_END  # its audio may be gone
    if "inbox" in name:
        for asked in vox.books.asked:
            asked.file_name = None  # it is gone
    after = [vox.say("[say 0.1s]")]
    wait_until(vox.client.is_up, "it listens, or listens again")
    after += [vox.post("[say 0.1s]"), vox.post("[say 0.3s]", file=True)]
    for asked in after:
        assert asked.is_accepted, (name, asked.error)
    vox.drain(30.0)
    for asked in after:
        state = vox.job(str(asked.id))["state"]
        assert state == "done", (name, vox.job(str(asked.id)))
    # While they are garbage, a call that finds no daemon is refused.
    Path(vox.paths.config_path).write_text(SETTINGS)


def test_what_goes_or_is_damaged_under_a_daemon_costs_at_most_what_was_in_it(
    vox: Home, chance: Chance, sound: object
) -> None:
    vox.ok("daemon", "start")
    for name in chance.sample(sorted(FAULTS), tries(4, len(FAULTS))):
        strike(vox, name)
        if chance.random() < 0.3:
            vox.drop()
            vox.drain()
    audit(vox)
