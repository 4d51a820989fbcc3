"""A table is put into TOML and taken out again: what is not ours keeps every byte."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vox.agents import toml_tables
from vox.agents.jsonc import Damaged

TABLE = ("mcp_servers", "vox")
OURS = {"command": "/opt/it's/vox", "args": ["mcp"]}

HEAD = (
    'model = "x"  # the best\n',
    "notify = [\n  'say',\n  '[a]',\n]\n",
    'prompt = """\n[mcp_servers.vox]\ncommand = "no"\n"""\n',
    "\n",
    "# [mcp_servers.vox]\n",
)
TABLES = (
    '[mcp_servers.files]\ncommand = "npx"\nargs = [\n  "-y",\n]\n',
    "[mcp_servers.vox2]\ncommand = 'x'\n",
    '["mcp_servers"."a b"]\nurl = "http://x"\n',
    "# of mine\n[profiles.work]\nmodel = 'y' # [\n",
    "[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ncommand = '[ -x y ]'\n",
    '[tools]\ntext = """\n[mcp_servers.vox]\n"""\n',
    "\n\n",
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    head = "".join(draw(st.lists(st.sampled_from(HEAD), unique=True)))
    tables = "".join(draw(st.lists(st.sampled_from(TABLES), unique=True)))
    text = head + tables
    text = text.rstrip("\n") if draw(st.booleans()) else text
    text = text.replace("\n", "\r\n") if draw(st.booleans()) else text
    return draw(st.sampled_from(["", "\ufeff"])) + text


@settings(max_examples=80)
@given(documents(), st.sampled_from(["", "\n# new\n[more]\na = 1\n"]))
def test_any_document_keeps_the_rest(text: str, added: str) -> None:
    before = toml_tables.parse(text)
    after = toml_tables.append(text, TABLE, OURS)
    assert after.startswith(text)
    assert "\r\n" not in text or after.count("\n") == after.count("\r\n")
    assert toml_tables.find(toml_tables.parse(after), TABLE) == OURS
    moved = toml_tables.update(after, TABLE, {**OURS, "command": "/new/vox"})
    assert moved == after.replace("/opt/it's/vox", "/new/vox")
    left = toml_tables.cut(after + added, TABLE)
    assert toml_tables.parse(left) == {**before, **tomllib.loads(added)}
    assert left.endswith(added) and left.startswith(text.rstrip("\r\n"))


@pytest.mark.parametrize("text", ["a = \n", "a = 1\na = 2\n", "[a\n", "<<<<<<< HEAD\n", "a = '\n"])
def test_what_is_no_toml_is_refused(text: str) -> None:
    with pytest.raises(Damaged, match=r"is not valid TOML( at line \d)?$"):
        toml_tables.parse(text)


def test_a_table_in_another_form_is_not_touched() -> None:
    text = 'mcp_servers.vox = { command = "/x/vox", args = ["mcp"] }\n'
    assert toml_tables.find(toml_tables.parse(text), TABLE)
    with pytest.raises(Damaged, match="in a form that vox cannot edit"):
        toml_tables.cut(text, TABLE)
