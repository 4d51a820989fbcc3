"""`vox worker`: what it says when it cannot begin."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.running import Vox
from vox.redis_url import PASSWORD_VARIABLE

BAD = {
    "http://gpu": "invalid value for 'URL': must be redis://HOST[:PORT][/DB]",
    "redis://:s3cret@gpu": "invalid value for 'URL': must not hold a password: put it into a file",
    "redis://gpu --backends qwen,qwne": "no backend is called 'qwne'; known backends: ",
    "redis://gpu --device gpu": "'--device': must be auto, cpu, cuda, cuda:N or mps",
    "redis://gpu --concurrency 0": "'--concurrency'",
    "redis://gpu --password-file gone": "--password-file: there is no file gone",
    "redis://gpu --password-file .": "cannot be read: Is a directory",
    "rediss://gpu?ssl_check_hostname=no": "ssl_check_hostname must be true or false",
}


@pytest.mark.parametrize("options", BAD)
def test_a_bad_option_is_one_line_that_tells_no_password(
    vox: Vox, options: str, tmp_path: Path
) -> None:
    result = vox("worker", *options.split(), cwd=tmp_path)
    assert result.code == (4 if "qwne" in options else 2)
    *_usage, line = result.err.splitlines()
    assert BAD[options] in line
    assert "Traceback" not in result.err and "s3cret" not in result.err
    assert result.out == ""


def test_its_help_names_its_options(vox: Vox) -> None:
    text = vox.ok("worker", "--help")
    for option in ("--backends", "--name", "--device", "--concurrency", "--password-file"):
        assert option in text
    assert PASSWORD_VARIABLE in text
    assert os.environ.get("HOME", "/") not in text
