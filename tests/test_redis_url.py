"""The URL of the workers' server, and that no message about it tells a password."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vox.errors import BadConfig
from vox.redis_url import PASSWORD_VARIABLE, Address, is_exposed, parse, password


@pytest.mark.parametrize(
    ("url", "host", "port", "db", "username", "shown"),
    [
        ("redis://gpu", "gpu", 6379, 0, None, "gpu:6379"),
        (" redis://gpu:1/ ", "gpu", 1, 0, None, "gpu:1"),
        ("redis://anna@gpu:6380/3", "gpu", 6380, 3, "anna", "gpu:6380"),
        ("REDIS://a%40b@GPU", "gpu", 6379, 0, "a@b", "gpu:6379"),
        ("redis://[::1]:6380/1", "::1", 6380, 1, None, "[::1]:6380"),
        ("redis://[fe80::1%25eth0]", "fe80::1%25eth0", 6379, 0, None, "[fe80::1%25eth0]:6379"),
        ("unix:///run/redis/s.sock", "/run/redis/s.sock", 6379, 0, None, "/run/redis/s.sock"),
        ("UNIX://anna@/run/a%20b", "/run/a b", 6379, 0, "anna", "/run/a b"),
    ],
)
def test_what_a_url_says(
    url: str, host: str, port: int, db: int, username: str | None, shown: str
) -> None:
    address = parse(url)
    assert (address.host, address.port, address.db) == (host, port, db)
    assert (address.username, str(address)) == (username, shown)
    assert address.is_socket == host.startswith("/")
    assert not address.is_encrypted
    assert address.url == url.strip()


def test_a_url_of_tls_names_its_files() -> None:
    address = parse("rediss://gpu?ssl_ca_certs=/a%20b/ca.crt&ssl_check_hostname=false")
    assert address.is_encrypted
    assert address.tls == (("ssl_ca_certs", "/a b/ca.crt"), ("ssl_check_hostname", "false"))


BAD = {
    "": "must be redis://",
    "gpu": "must be redis://",
    "gpu:6379": "must be redis://",
    "http://gpu": "must be redis://",
    "redis://": "must be redis://",
    "redis://:6379": "must be redis://",
    "redis://gpu:0": "must be redis://",
    "redis://gpu:65536": "must be redis://",
    "redis://gpu:port": "must be redis://",
    "redis://[::1": "must be redis://",
    "redis://gpu/x": "where DB is a number",
    "redis://gpu/-1": "where DB is a number",
    "redis://gpu/²": "where DB is a number",
    "redis://gpu#x": "must be redis://",
    "redis://gpu?db=1": "rediss:// may have",
    "redis://gpu?ssl_ca_certs=/x": "rediss:// may have",
    "rediss://gpu?ssl_cert_reqs=none": "rediss:// may have",
    "rediss://gpu?ssl_check_hostname=no": "ssl_check_hostname must be true or false",
    "unix://": "must be unix:///PATH",
    "unix:///": "must be unix:///PATH",
    "unix://run/s": "must be unix:///PATH",
}


@pytest.mark.parametrize("url", BAD)
def test_a_bad_url_is_told_in_one_line(url: str) -> None:
    with pytest.raises(ValueError, match=re.escape(BAD[url])) as error:
        parse(url)
    assert "\n" not in str(error.value)


def message_of(url: str) -> str | None:
    try:
        parse(url)
    except ValueError as exc:
        return str(exc)
    return None


def known() -> set[str | None]:
    """All messages that there are: they do not depend on what was given."""
    with_password = ("redis://:x@h", "redis://a:b@h", "redis://h/a@b")
    return {message_of(url) for url in (*BAD, *with_password)}


MESSAGES = known()
AROUND = st.sampled_from(
    [
        "redis://:{}@gpu", "redis://anna:{}@gpu:6379/0", "rediss://:{}@gpu?ssl_ca_certs=/x",
        "unix://:{}@/run/s",
    ]
)  # fmt: skip


@given(around=AROUND, secret=st.text(min_size=1))
def test_a_url_with_a_password_is_refused_and_no_message_repeats_it(
    around: str, secret: str
) -> None:
    assert message_of(around.format(secret)) in MESSAGES - {None}


@given(st.text() | st.builds("redis://{}".format, st.text()))
def test_no_message_repeats_what_was_given(url: str) -> None:
    assert message_of(url) in MESSAGES | {None}


def test_the_password_is_the_first_line_of_its_file_or_a_variable(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("s3cret word \nmore\n")
    environ = {PASSWORD_VARIABLE: "other"}
    assert password(str(path), environ) == "s3cret word"
    assert password(None, environ) == password("", environ) == "other"
    assert password(None, {}) is None
    assert password(None, {PASSWORD_VARIABLE: ""}) is None
    path.write_bytes("\ufeffs3cret word\r\n".encode())
    assert password(str(path), environ) == "s3cret word"


def test_a_password_file_that_has_none_or_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"s\xe9cret\n")
    (tmp_path / "empty").touch()
    (tmp_path / "later").write_text("\ns3cret\n")
    os.mkfifo(tmp_path / "pipe")
    bad = {"gone": "No such file", "": "is no file", "latin": "not UTF-8", "pipe": "is no file",
           "empty": "has no password", "later": "has no password"}  # fmt: skip
    for name, why in bad.items():
        with pytest.raises(BadConfig) as error:
            password(str(tmp_path / name))
        assert why in error.value.line
        assert "cret" not in error.value.line


def test_a_password_file_is_exposed_if_others_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.touch(0o600)
    assert not is_exposed(str(path))
    path.chmod(0o640)
    assert is_exposed(str(path))
    assert not is_exposed(None) and not is_exposed(str(tmp_path / "gone"))


def test_an_address_tells_no_user() -> None:
    assert "anna" not in str(Address("redis://anna@gpu", "gpu", username="anna"))
