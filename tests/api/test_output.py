"""Where a request over TCP may write files: nowhere, or in one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.conftest import RunningDaemon, Start
from vox.api.security import check_output
from vox.errors import BadOutput


def test_over_tcp_nothing_is_written_until_a_folder_is_set(daemon: RunningDaemon) -> None:
    existing = daemon.home / "existing.wav"
    existing.write_text("mine")
    body = {"text": "Hello", "output": str(existing), "async": True}
    answer = daemon.tcp.post("/speak", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-output")
    assert "http_output_dir" in answer.json()["hint"]
    assert existing.read_text() == "mine"
    assert daemon.http.post("/speak", json=body).status_code == 202


def test_over_tcp_files_are_written_in_the_folder_that_is_set(start: Start, home: Path) -> None:
    folder = home / "spoken"
    folder.mkdir()
    daemon = start(http_output_dir=str(folder))
    answer = daemon.tcp.post("/speak", json={"text": "Hello", "output": str(folder / "x.wav")})
    assert (answer.status_code, answer.json()["state"]) == (200, "done")
    assert (folder / "x.wav").read_bytes().startswith(b"RIFF")
    answer = daemon.tcp.post("/speak", json={"text": "Hello", "output": str(home / "x.wav")})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-output")


def test_a_replay_over_tcp_writes_no_file_either(daemon: RunningDaemon) -> None:
    daemon.ended(daemon.speak("Hello.")["id"])
    body = {"output": str(daemon.home / "x.wav")}
    answer = daemon.tcp.post("/jobs/@1/replay", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-output")
    answer = daemon.http.post("/jobs/@1/replay", json=body)
    assert answer.status_code == 202
    assert daemon.ended(answer.json()["id"])["state"] == "done"
    assert (daemon.home / "x.wav").read_bytes().startswith(b"RIFF")


@pytest.mark.parametrize(
    "output",
    ["{0}/../x.wav", "{0}", "{0}/", "{0}/.", "{0}/..", "{0}x/x.wav", "{0}/out/x.wav",
     "{0}/link.wav", "{0}/dangling.wav", "/etc/x.wav", "{0}/in/../../x.wav", "/x.wav"],
)  # fmt: skip
def test_no_path_leads_out_of_the_folder(tmp_path: Path, output: str) -> None:
    folder = tmp_path / "spoken"
    (folder / "in").mkdir(parents=True)
    (tmp_path / "spokenx").mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "link.wav").symlink_to(tmp_path / "victim.wav")
    (tmp_path / "victim.wav").touch()
    (folder / "dangling.wav").symlink_to(tmp_path / "new.wav")
    with pytest.raises(BadOutput, match="not a file below"):
        check_output(output.format(folder), str(folder))


def test_links_that_stay_inside_are_resolved(tmp_path: Path) -> None:
    folder, name = tmp_path / "spoken", tmp_path / "name"
    (folder / "in").mkdir(parents=True)
    (folder / "also").symlink_to("in")
    name.symlink_to(folder)
    for output in (folder / "also" / "x.wav", name / "in" / "x.wav"):
        assert check_output(str(output), str(name)) == str(folder / "in" / "x.wav")
