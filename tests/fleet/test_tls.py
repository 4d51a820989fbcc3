"""An encrypted connection: to a server whose certificate is trusted, and to no other."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_server import RedisServer, free_port
from vox.errors import WorkersAway
from vox.fleet.server import Server
from vox.redis_url import parse

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With an authority of its own (ca), a server's certificate, a client's, and a stranger."""
    made = tmp_path_factory.mktemp("certificates")

    def openssl(*args: str) -> None:
        subprocess.run(["openssl", *args], cwd=made, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for name in ("ca", "stranger"):
        may_sign = ["-addext", "keyUsage=critical,keyCertSign"]
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "2"]
        openssl("req", "-x509", *key, *files, "-subj", f"/CN={name}", *may_sign)
    for name in ("server", "client"):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.csr"]
        openssl("req", *key, *files, "-subj", f"/CN={name}")
        (made / "ext").write_text("subjectAltName=DNS:localhost\n")
        signed = ["-in", f"{name}.csr", "-out", f"{name}.crt", "-days", "2", "-extfile", "ext"]
        openssl("x509", "-req", *signed, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial")
    return made


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """Of a server that wants a client's certificate, too."""
    tls_port = free_port()
    server = RedisServer(
        *("--tls-port", str(tls_port), "--tls-ca-cert-file", str(folder / "ca.crt")),
        *("--tls-cert-file", str(folder / "server.crt")),
        *("--tls-key-file", str(folder / "server.key")),
    )
    yield tls_port
    server.close()


def why_not(url: str) -> str:
    """What is wrong with it; "" if nothing is."""
    server = Server(parse(url), lambda: None)
    try:
        server.call("ping")
    except WorkersAway as exc:
        return exc.line
    finally:
        server.close()
    return ""


def test_a_server_is_used_if_its_certificate_is_trusted(folder: Path, port: int) -> None:
    mine = f"ssl_certfile={folder}/client.crt&ssl_keyfile={folder}/client.key"
    trusting = f"rediss://localhost:{port}?{mine}&ssl_ca_certs={folder}"
    assert why_not(f"{trusting}/ca.crt") == ""
    untrusted = f"the Redis server localhost:{port} cannot be used: its certificate is not trusted"
    assert why_not(f"{trusting}/stranger.crt").startswith(untrusted)
    assert why_not(f"rediss://localhost:{port}?{mine}").startswith(untrusted)


def test_the_name_of_the_server_is_checked_unless_the_url_says_otherwise(
    folder: Path, port: int
) -> None:
    files = f"ssl_certfile={folder}/client.crt&ssl_keyfile={folder}/client.key"
    url = f"rediss://127.0.0.1:{port}?{files}&ssl_ca_certs={folder}/ca.crt"
    assert "is not trusted" in why_not(url)
    assert "is not trusted" in why_not(f"{url}&ssl_check_hostname=true")
    assert why_not(f"{url}&ssl_check_hostname=false") == ""


def test_other_troubles_with_tls_are_one_line(folder: Path, port: int) -> None:
    trusting = f"rediss://localhost:{port}?ssl_ca_certs={folder}/ca.crt"
    assert "TLS fails" in why_not(trusting)  # the server wants a certificate
    assert "cannot be reached" in why_not(f"redis://localhost:{port}")
    assert "cannot be read" in why_not(f"rediss://localhost:{port}?ssl_ca_certs={folder}/gone")
    (folder / "empty").touch()
    assert "cannot be used" in why_not(f"rediss://localhost:{port}?ssl_ca_certs={folder}/empty")
