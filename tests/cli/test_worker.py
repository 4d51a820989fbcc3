"""`vox worker`: what it says when it cannot begin."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from tests.running import Vox
from vox.redis_url import PASSWORD_VARIABLE

BAD = {
    "http://gpu": "invalid value for 'URL': must be redis://HOST[:PORT][/DB]",
    "redis://:s3cret@gpu": "invalid value for 'URL': must not hold a password: put it into a file",
    "redis://gpu --backends qwen,qwne": "no backend is called 'qwne'; known backends: ",
    "redis://gpu --device gpu": "'--device': must be auto, cpu, cuda, cuda:N or mps",
    "redis://gpu --device cuda:99": "'--device': there is no cuda:99: ",
    "redis://gpu --concurrency 0": "'--concurrency'",
    "redis://gpu --concurrency 33": "'--concurrency'",
    "redis://gpu --backends ,": "--backends names none",
    "redis://gpu --name a/b": "'--name': must be of at most 60 letters, digits and -._",
    "redis://gpu --name ''": "'--name': must be of",
    "redis://gpu --password-file gone": "file gone cannot be read: No such file",
    "redis://gpu --password-file .": "the password file . is no file",
    "redis://gpu --password-file empty": "the password file empty has no password",
    "redis://gpu --password-file ''": "--password-file names no file",
    "rediss://gpu?ssl_check_hostname=no": "ssl_check_hostname must be true or false",
}


@pytest.mark.parametrize("options", BAD)
def test_a_bad_option_is_one_line_that_tells_no_password(
    vox: Vox, options: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").touch(0o600)
    result = vox("worker", *shlex.split(options), cwd=tmp_path)
    assert result.code == (4 if "qwne" in options else 2)
    *_usage, line = result.err.splitlines()
    assert BAD[options] in line
    assert "Traceback" not in result.err and "s3cret" not in result.err
    assert result.out == ""


SETTINGS = {
    'lease_s = "x"': "config.toml: lease_s = 'x' must be a number",
    "lease_s": "config.toml is not valid TOML",
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_bad_settings_are_one_line(vox: Vox, settings: str) -> None:
    (vox.home / "config.toml").write_text(settings)
    result = vox("worker", "redis://gpu")
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert SETTINGS[settings] in line


def test_without_the_package_it_says_how_to_install_it(vox: Vox, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['redis'] = None")
    path = os.pathsep.join([str(tmp_path), vox.environ["PYTHONPATH"]])
    result = vox("worker", "redis://gpu", env={"PYTHONPATH": path})
    assert result.code == 2
    assert result.err.startswith("vox: the package redis is not installed; install it: ")


def test_its_help_names_its_options(vox: Vox) -> None:
    text = vox.ok("worker", "--help")
    for option in ("--backends", "--name", "--device", "--concurrency", "--password-file"):
        assert option in text
    assert PASSWORD_VARIABLE in text
    assert os.environ.get("HOME", "/") not in text
