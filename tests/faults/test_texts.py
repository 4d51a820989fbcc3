"""Hostile texts, through every way in: each ends once, with a clear outcome."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from .audit import audit
from .chance import Chance, tries
from .home import ANY_END, SCRIPTED, Asked, Home

ENDS = frozenset({"done", "failed"})

TEXTS: dict[str, str] = {
    "escapes": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[H \x1bP1;2q\x1b\\ 1",
    "C1 controls": "one \x9b31m two \x85 three \x90 four \x9c",
    "all of C0 but NUL": "".join(map(chr, range(1, 32))) + " word \x7f",
    "bidi": "left \u202eright\u202c \u2066isolated\u2069 \u200f\u200e\u061c word",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff",
    "combining marks": "a" + "\u0301" * 5_000,
    "NUL": "before \0 after",
    "only punctuation": "?!.,;:-_'\"()[]{}<>@#$%^&*+=|\\/~`",
    "only dots": "." * 10_000,
    "only brackets": "[" * 3_000 + "]" * 3_000,
    "only spaces": " \t\u00a0\u2003\u3000 " * 100,
    "only newlines": "\n" * 10_000,
    "newlines and a word": "\n" * 10_000 + "word" + "\r\n" * 10_000,
    "one long word": "x" * 20_000,
    "one long line": "word " * 4_000,
    "many sentences": "A. B! C? " * 400,
    "no space, many dots": "a.b.c." * 2_000,
    "astral": "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U00020000 word",
    "emoji alone": "\U0001f600\U0001f389",
    "noncharacters": "\ufffe\uffff\U0010ffff\ufdd0 word",
    "private use": "\ue000\uf8ff\U000f0000",
    "line separators": "one\u2028two\u2029three\x0bfour\x0cfive",
    "mixed scripts": "Hello \u4f60\u597d \u043f\u0440\u0438\u0432\u0435\u0442 "
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "SSML": '<speak><break time="99999s"/><audio src="file:///etc/passwd"/>word</speak>',
    "entities": "&amp; &#0; &#x1F600; &undefined; %s %n %d {0} ${HOME} $(id) `id`",
    "SQL": "'; drop table job; -- \" or 1=1",
    "JSON": '{"text": "\\u0000", "id": "zzzzzz"}\n\n{"a":',
    "a header's look": "---\nbackend: nobody\nspeed: 99\n---\nword",
    "half a header": "---\nvoice: x",
    "an option's look": "--output=/etc/passwd",
    "a dash": "-",
    "numbers": "1e999 -0 0x1p-2 1,000,000,000,000,000,000,000 " + "9" * 3_000,
    "addresses": "https://example.org/" + "a" * 2_000 + " a@b.c file:///etc/passwd",
    "paths": "../../../../etc/passwd C:\\con\\nul /dev/zero",
    "markdown": "# Title\n\n```\ncode\n```\n\n| a | b |\n|---|---|\n" + "> " * 500 + "word",
    "unknown directives": "[nonsense 1] [say] [say -1s] [say nan] [slow x] word",
}  # fmt: skip

BYTES: dict[str, bytes] = {
    "Latin-1": "Gr\u00fc\u00dfe".encode("latin-1"),
    "UTF-16 with a mark": "word".encode("utf-16"),
    "UTF-16 without one": "word".encode("utf-16-le"),
    "UTF-32": "word".encode("utf-32"),
    "UTF-8 with a mark": b"\xef\xbb\xbfword",
    "overlong": b"\xc0\xaf\xe0\x80\xaf word",
    "surrogates in UTF-8": b"\xed\xa0\x80\xed\xb0\x80 word",
    "cut off": "w\u00f6rd \u20ac".encode()[:-1],
    "beyond Unicode": b"\xf4\x90\x80\x80\xf8\x88\x80\x80\x80",
    "random": bytes(range(256)) * 8,
    "a program": b"\x7fELF\x02\x01\x01" + bytes(500),
    "nothing": b"",
}


def clear(asked: Asked, code: int, out: str, err: str) -> None:
    """A call was accepted with an id, or refused with one line that no terminal stumbles over."""
    assert code in (0, 2), (asked.text[:80], code, err)
    if code == 0:
        asked.id, asked.is_accepted = out.strip(), True
        assert len(asked.id) == 6, out
        return
    lines = err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("vox: "), err
    assert lines[0].isprintable(), lines[0]


def through_a_command(vox: Home, data: bytes, how: str) -> None:
    """As an argument, a file or standard input; the audio goes into a file, so nobody waits."""
    asked = vox.ask_as_it_is(data.decode(errors="replace"), ENDS)
    asked.output = vox.outputs / f"{asked.tag}.wav"
    command = [*vox.command, *SCRIPTED, "--async", "-o", str(asked.output)]
    feed = b""
    if how == "argument":
        command += ["--", os.fsdecode(data)]
    elif how == "file":
        path = Path(vox.home, f"{asked.tag}.text")
        path.write_bytes(data)
        command += ["-f", str(path)]
    else:
        feed = data
    done = subprocess.run(
        command, input=feed, env={**os.environ, **vox.environ}, capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    clear(asked, done.returncode, done.stdout.decode(), done.stderr.decode())


def through_the_inbox(vox: Home, data: bytes) -> None:
    """With the usual header or as it is; what does not become a job goes to `failed/`."""
    asked = vox.ask_as_it_is("", ANY_END)
    vox.put(asked, b"---\nbackend: scripted\nspeed: 4\nvolume: 0\n---\n" + data)


def through_the_api(vox: Home, data: bytes) -> None:
    """JSON with the text in it, as far as it can be: bytes that are none go in as they are."""
    asked = vox.ask_as_it_is(data.decode(errors="replace"), ENDS)
    asked.output = vox.outputs / f"{asked.tag}.wav"
    request = {"backend": "scripted", "async": True, "output": str(asked.output)}
    text = json.dumps(data.decode(errors="surrogateescape"), ensure_ascii=True).encode()
    if b"\\udc" in text:
        text = b'"' + data.replace(b"\\", b"").replace(b'"', b"") + b'"'
    body = json.dumps(request).encode()[:-1] + b', "text": ' + text + b"}"
    head = f"POST /speak HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(vox.paths.socket_path)
        connection.sendall(head.encode() + b"\r\nHost: localhost\r\n\r\n" + body)
        with connection.makefile("rb") as stream:
            answer = stream.read()
    status = int(answer.split(None, 2)[1])
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert status in (202, 400, 422), answer
    if status == 202:
        asked.id, asked.is_accepted = told["id"], True


def try_everywhere(vox: Home, chance: Chance, data: bytes) -> None:
    ways = ["command", "inbox", "api"]
    for way in chance.sample(ways, tries(1, 3)):
        if way == "command":
            hows = ["stdin", "file"]
            if b"\0" not in data and 0 < len(data) < 100_000:
                hows.append("argument")
            through_a_command(vox, data, chance.choice(hows))
        elif way == "inbox":
            through_the_inbox(vox, data if len(data) < 2_000 else data[:2_000])
        else:
            through_the_api(vox, data)


def test_hostile_texts_each_end_once_with_a_clear_outcome(
    vox: Home, chance: Chance, sound: object
) -> None:
    vox.ok("daemon", "start")
    for name in chance.sample(sorted(TEXTS), tries(10, len(TEXTS))):
        try_everywhere(vox, chance, TEXTS[name].encode("utf-8", "surrogatepass"))


def test_bytes_that_are_no_text_each_end_once_with_a_clear_outcome(
    vox: Home, chance: Chance, sound: object
) -> None:
    vox.ok("daemon", "start")
    for name in chance.sample(sorted(BYTES), tries(4, len(BYTES))):
        try_everywhere(vox, chance, BYTES[name])


def test_texts_put_together_at_random_each_end_once_with_a_clear_outcome(
    vox: Home, chance: Chance, sound: object
) -> None:
    """Pieces of hostile texts behind each other, cut anywhere, some bytes changed."""
    vox.ok("daemon", "start")
    pieces = [text.encode("utf-8", "surrogatepass")[:300] for text in TEXTS.values()]
    pieces += [*BYTES.values()]
    for _ in range(tries(5, 60)):
        data = bytearray(b" ".join(chance.sample(pieces, chance.randint(1, 4))))
        for _ in range(chance.choice([0, 0, 1, 5])):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        try_everywhere(vox, chance, bytes(data[: chance.randint(1, 3_000)]))


@pytest.mark.timeout(400)
def test_a_megabyte_on_one_line_ends_as_any_text_does(vox: Home, chance: Chance) -> None:
    vox.ok("daemon", "start")
    size = tries(50_000, 1_000_000)
    through_a_command(vox, b"x" * size, "stdin")
    through_the_api(vox, b"word " * (size // 5))
    through_the_inbox(vox, b"x" * 1_000_001)
    # One character more than may be.
    before = len(vox.jobs())
    through_a_command(vox, b"x" * 1_000_001, "stdin")
    assert len(vox.jobs()) == before
    audit(vox, timeout_s=300.0)
