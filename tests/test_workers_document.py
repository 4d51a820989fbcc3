"""What docs/workers.md promises: its server's settings, its unit, its defaults and its messages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.redis_server import RedisServer
from tests.running import CHECKOUT
from vox.config import KEYS

DOCUMENT = (CHECKOUT / "docs" / "workers.md").read_text(encoding="utf-8")
UNIT = "vox-worker@.service"


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    section = DOCUMENT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_redis_takes_the_settings_and_writes_nothing(tmp_path: Path) -> None:
    found = re.search(r"<<'END'\n(.*?)^END$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found is not None
    config = tmp_path / "redis.conf"
    config.write_text(
        "save 3600 1\n" + re.sub("^bind .*$", "bind 127.0.0.1", found[1], flags=re.MULTILINE)
    )
    password = re.search(r"^requirepass (\S+)$", found[1], re.MULTILINE)
    assert password is not None
    server = RedisServer("--include", str(config))
    try:
        client = server.client(password=password[1])
        wanted = {
            "maxmemory": "268435456",
            "maxmemory-policy": "noeviction",
            "save": "",
            "slowlog-log-slower-than": "-1",
        }
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
    finally:
        server.close()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = tmp_path / ".local" / "bin" / "vox"
    program.parent.mkdir(parents=True)
    program.symlink_to("/bin/true")
    shutil.copy(CHECKOUT / "contrib" / UNIT, tmp_path)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", UNIT],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "vox" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_the_settings_have_these_defaults() -> None:
    stated = {name.strip("`"): default.strip("`") for name, default, _ in rows("Settings")}
    defaults = {name: KEYS[name].default for name in stated}
    assert stated == {
        name: "" if value is None else str(value).removesuffix(".0")
        for name, value in defaults.items()
    }


def test_the_messages_are_in_the_code() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "vox").rglob("*.py"))
    for message in re.findall(r"`([^`]+)`", "".join(row[0] for row in rows("Messages"))):
        fixed = re.split(r"\.\.\. |: Connection .*|qwen|NAME", message)
        assert all(part in code for part in fixed), message
