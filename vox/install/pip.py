"""Fills a backend's environment with pip, shows its progress and explains its failures.

Knows pip but no backend: the caller passes lines of a requirements file, and a name for messages.
pip's own configuration (index, mirror, proxy, certificates) applies, because only pip itself asks
the index.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

from ..backends.base import Progress, install_hint
from ..backends.kit.progress import transfer
from ..backends.kit.venv import python_in, site_packages_in
from ..bootstrap import environ_for
from ..errors import BackendNotInstalled, StorageError
from .fetch import stopped_at_exit
from .locks import Lock, project_of

# pip reports bytes to programs from this version on (`--progress-bar raw`).
_PIP_NEEDED = (24, 1)
_PROBE_TIMEOUT_S = 5
_RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_DOWNLOADING = re.compile(r"\s*Downloading (?:\S*/)?([^\s/]+)")
_NO_SPACE = re.compile(r"No space left on device|Errno 28|Disk quota exceeded")
_OFFLINE = re.compile(
    r"problem confirming the ssl|NewConnectionError|Failed to establish|ConnectTimeout|ReadTimeout"
    r"|connection error|NameResolution|Temporary failure in name|ProxyError|Read timed out"
)


class Pip:
    """The pip of one environment, on behalf of one backend.

    `temp_dir` is for what it unpacks. `cache_dir` keeps downloads until they are installed, so that
    an interrupted installation does not fetch them again; a cache that the user named wins over it.
    """

    def __init__(
        self, name: str, venv_dir: str, temp_dir: str, cache_dir: str, progress: Progress
    ) -> None:
        self.name = name
        self.venv_dir = venv_dir
        self.temp_dir = temp_dir
        self.cache_dir = cache_dir
        self.progress = progress

    def make_venv(self, command: list[str]) -> None:
        """Make the environment unless a working one is there. Raises BackendNotInstalled."""
        if self._works():
            return
        self.progress("making the environment", None)
        status, lines = self._run(command)
        if status == 0:
            return
        self._raise_if_full(lines)
        if any("ensurepip" in line for line in lines):
            package = f"python3.{sys.version_info.minor}-venv"
            raise BackendNotInstalled(
                f"{self.name} cannot be installed: this Python cannot make environments",
                f"run: sudo apt-get install {package} && vox backends install {self.name}",
            )
        raise BackendNotInstalled(
            f"{self.name} cannot be installed: no environment was made: {_last(lines)}",
            install_hint(self.name),
        )

    def _works(self) -> bool:
        try:
            status, _ = self._run([python_in(self.venv_dir), "-c", "import pip"])
        except OSError:
            return False
        return status == 0

    def probe(self, requirement: str) -> None:
        """Ask pip's index for one package. Raises BackendNotInstalled if it is not found.

        Without a network pip retries for minutes; this fails within seconds.
        """
        project = project_of(requirement)
        # Without -vv pip hides connection errors behind "no matching distribution".
        quick = ["-vv", "--retries", "0", "--timeout", str(_PROBE_TIMEOUT_S)]
        status, lines = self._pip([*quick, "index", "versions", project])
        if status == 0:
            return
        offline = any(_OFFLINE.search(line) for line in lines)
        index = self.index_url()
        what = f"no connection to {index}" if offline else f"{index} does not have {project}"
        hint = "connect, then run" if offline else "check pip's index, then run"
        raise BackendNotInstalled(
            f"{self.name} was not installed: {what}", f"{hint}: vox backends install {self.name}"
        )

    def index_url(self) -> str:
        """The index that pip is configured to use."""
        explicit = os.environ.get("PIP_INDEX_URL")
        if explicit:
            return _without_password(explicit)
        for key in ("install.index-url", "global.index-url"):
            status, lines = self._pip(["config", "get", key])
            if status == 0 and lines:
                return _without_password(lines[-1].strip())
        return "https://pypi.org/simple"

    def install(self, lines: Sequence[str], lock: Lock | None) -> None:
        """Install what the lock names, then what it leaves of the lines of a requirements file.

        What an earlier run installed is kept. Raises BackendNotInstalled, StorageError.
        """
        if self._version() < _PIP_NEEDED:
            self.progress("updating pip", None)
            self._pip(["install", "--quiet", "--upgrade", "pip"])
        self._remove_half_unpacked()
        if lock is not None:
            # All checksums are there, so pip checks them; the packages' own wishes do not count.
            self._install_file(lock.path, "--no-deps")
            lines = lock.left_to_pip(lines)
        if lines:
            path = os.path.join(self.venv_dir, "requirements.txt")
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            self._install_file(path)

    def _install_file(self, path: str, *options: str) -> None:
        self.progress("resolving packages", None)
        bar = "raw" if self._version() >= _PIP_NEEDED else "off"
        self._checked(
            ["install", "--progress-bar", bar, "--retries", "3", *options, "--requirement", path]
        )

    def check_import(self, package: str) -> None:
        """Raise BackendNotInstalled if the package cannot be imported."""
        self.progress(f"importing {package}", None)
        status, lines = self._run([python_in(self.venv_dir), "-c", f"import {package}"])
        if status != 0:
            raise BackendNotInstalled(
                f"{self.name} was not installed: {package} cannot be imported: {_last(lines)}",
                f"run: vox backends remove {self.name} && vox backends install {self.name}",
            )

    def _remove_half_unpacked(self) -> None:
        """Remove what a killed pip was unpacking: the next pip would count it as installed.

        pip writes INSTALLER last.
        """
        site_packages = glob.escape(site_packages_in(self.venv_dir) or "")
        for folder in glob.glob(os.path.join(site_packages, "*.dist-info")):
            if not os.path.exists(os.path.join(folder, "INSTALLER")):
                shutil.rmtree(folder, ignore_errors=True)

    def _version(self) -> tuple[int, ...]:
        """The environment's version of pip, read from a file name: running pip takes a second."""
        pattern = os.path.join(
            glob.escape(site_packages_in(self.venv_dir) or ""), "pip-*.dist-info"
        )
        found = re.search(r"pip-(\d+)\.(\d+)", " ".join(glob.glob(pattern)))
        return tuple(int(part) for part in found.groups()) if found else (0,)

    def _checked(self, args: list[str]) -> None:
        status, lines = self._pip(args, _Follower(self.progress))
        if status == 0:
            return
        self._raise_if_full(lines)
        raise BackendNotInstalled(
            f"{self.name} was not installed: {_last(lines)}", f"to go on, {install_hint(self.name)}"
        )

    def _raise_if_full(self, lines: list[str]) -> None:
        if any(_NO_SPACE.search(line) for line in lines):
            raise StorageError(
                f"the disk is full: {self.name} was not installed",
                f"free disk space, then {install_hint(self.name)} (it goes on where it stopped)",
            )

    def _pip(self, args: list[str], follow: _Follower | None = None) -> tuple[int, list[str]]:
        command = [python_in(self.venv_dir), "-m", "pip", "--disable-pip-version-check"]
        return self._run([*command, "--no-input", *args], follow)

    def _run(self, command: list[str], follow: _Follower | None = None) -> tuple[int, list[str]]:
        environ = environ_for(python_in(self.venv_dir))
        for unwanted in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"):
            environ.pop(unwanted, None)
        # Large wheels are unpacked on the disk that was checked for space; /tmp may be small.
        environ["TMPDIR"] = self.temp_dir
        environ.setdefault("PIP_CACHE_DIR", self.cache_dir)
        process = subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        with process, stopped_at_exit(process):
            lines = [
                line.rstrip() for line in process.stdout if follow is None or not follow.take(line)
            ]
        return process.returncode, lines


class _Follower:
    """Turns pip's output into progress: which file, how much of it, how long to go."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._file = ""
        self._began_at = 0.0
        self._shown_at = 0.0

    def take(self, line: str) -> bool:
        """Report the line as progress; True if it holds nothing else."""
        bytes_line = _RAW_PROGRESS.match(line)
        if bytes_line:
            self._show(int(bytes_line[1]), int(bytes_line[2]))
            return True
        downloading = _DOWNLOADING.match(line)
        if downloading:
            # The project alone: a wheel name is longer than a terminal.
            self._file = downloading[1].split("-", 1)[0]
            self._began_at = time.monotonic()
        elif line.startswith("Installing collected packages:"):
            self._progress(f"installing {line.count(',') + 1} packages", None)
        return False

    def _show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not total or (done < total and now - self._shown_at < 0.2):
            return
        self._shown_at = now
        self._progress(*transfer(self._file, done, total, now - self._began_at))


def _last(lines: list[str]) -> str:
    errors = [line for line in lines if line.startswith(("ERROR", "error"))]
    found = (errors or [line for line in lines if line.strip()] or ["pip printed nothing"])[-1]
    return found.removeprefix("ERROR: ")


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def usable_lines(lines: Sequence[str], progress: Progress) -> list[str]:
    """The lines without extra indexes that do not answer: those only offer smaller builds."""
    usable = []
    for line in lines:
        if not line.startswith("--extra-index-url") or _answers(url := _url_in(line)):
            usable.append(line)
        else:
            progress(f"{url} is unreachable; installing the larger builds", None)
    return usable


def _url_in(line: str) -> str:
    return line.removeprefix("--extra-index-url").strip(" =")


def _answers(url: str) -> bool:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=_PROBE_TIMEOUT_S):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
