"""Documents are edited by spans: what is not ours keeps every byte."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vox.agents import jsonc
from vox.agents.jsonc import Damaged

OURS = {"command": "/opt/vox", "args": ["mcp"]}

DOCUMENTS = {
    "empty": "{}",
    "empty lines": "{\n}\n",
    "one line": '{"a": 1}',
    "two spaces": '{\n  "a": 1,\n  "mcpServers": {\n    "x": {"command": "y"}\n  }\n}\n',
    "tabs": '{\n\t"mcpServers": {\n\t\t"x": {\n\t\t\t"command": "y"\n\t\t}\n\t}\n}\n',
    "crlf": '{\r\n  "a": [1,\r\n    2]\r\n}\r\n',
    "mark": '\ufeff{\n  "a": 1\n}\n',
    "trailing commas": '{\n  "a": [1, 2,],\n  "mcpServers": {\n    "x": {},\n  },\n}\n',
    "comments": (
        '// first\n{\n  "a": 1, // one\n  /* two\n  lines */\n'
        '  "b": 2 // last\n  // end\n}\n// after'
    ),
    "like comments": '{"a": "// no \\" comment", "b": "/* nor, } this", "c": "\\\\"}',
    "no end of line": '{ "mcpServers" : { } }',
    "deep": json.dumps({"a": {"b": [{"c": [[]]}]}}, indent=4),
    "words": '{"a": [true, false, null, -1.5e+3, ""], "ключ": "значение 🎉"}',
}


def without_comments(text: str) -> Any:
    """What another reader makes of it."""
    text = text.removeprefix("\ufeff")
    text = re.sub(
        r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', lambda m: m[1] or "", text, flags=re.DOTALL
    )
    text = re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda m: m[1] or "", text)
    return json.loads(text)


def is_kept(before: str, after: str) -> bool:
    """Whether `after` is `before` with insertions, at most two of them."""
    start = 0
    while start < len(before) and before[start] == after[start]:
        start += 1
    rest = before[start:]
    end = 0
    while end < len(rest) and rest[len(rest) - 1 - end] == after[len(after) - 1 - end]:
        end += 1
    middle = rest[: len(rest) - end]
    return middle in after[start : len(after) - end]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_read_as_others_read_it(name: str) -> None:
    assert jsonc.parse(DOCUMENTS[name]).value == without_comments(DOCUMENTS[name])


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize(
    ("keys", "key"), [(("mcpServers",), "vox"), (("hooks", "Stop"), None), ((), "vox")]
)
def test_what_is_put_in_is_there_and_the_rest_is_kept(
    name: str, keys: tuple[str, ...], key: str | None
) -> None:
    before = DOCUMENTS[name]
    after = jsonc.put(before, keys, key, OURS)
    wanted = without_comments(before)
    inner = wanted
    for each in keys[: len(keys) - (key is None)]:
        inner = inner.setdefault(each, {})
    if key is None:
        inner[keys[-1]] = [OURS]
    else:
        inner[key] = OURS
    assert jsonc.parse(after).value == wanted == without_comments(after)
    assert is_kept(before, after)
    assert ("\n" in after.replace("\r\n", "")) == ("\n" in before.replace("\r\n", "")) or (
        "\n" not in before
    )


def test_the_style_of_the_document_is_taken_up() -> None:
    tabs = jsonc.put(DOCUMENTS["tabs"], ("mcpServers",), "vox", OURS)
    assert '\n\t\t},\n\t\t"vox": {\n\t\t\t"command": "/opt/vox",\n\t\t\t"args": [' in tabs
    commas = jsonc.put(DOCUMENTS["trailing commas"], ("mcpServers",), "vox", 1)
    assert commas == (
        '{\n  "a": [1, 2,],\n  "mcpServers": {\n    "x": {},\n    "vox": 1,\n  },\n}\n'
    )
    comments = jsonc.put(DOCUMENTS["comments"], (), "vox", 1)
    assert '  "b": 2, // last\n  // end\n  "vox": 1\n}\n// after' in comments
    assert jsonc.put(jsonc.EMPTY, ("a",), "vox", 1) == '{\n  "a": {\n    "vox": 1\n  }\n}\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ('{"a": 1', 1),
        ('{"a": 1}}', 1),
        ('{\n  "a": 1\n  "b": 2\n}', 3),
        ("{\n  a: 1\n}", 2),
        ('{"a": NaN}', 1),
        ('{"a": 01}', 1),
        ('{"a": "\t"}', 1),
        ('{\n"a": "x\n"}', 2),
        ("{'a': 1}", 1),
        ('{"a": 1, /* no end', 1),
        ('{"a": ,}', 1),
        ("[1,,2]", 1),
        ("<<<<<<< HEAD\n{}", 1),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(Damaged, match=f"is not valid JSON at line {line}$"):
        jsonc.parse(text)


def test_what_cannot_be_edited_is_refused() -> None:
    for text, keys, why in [
        ('{"mcpServers": []}', ("mcpServers",), "something else than an object"),
        ('{"hooks": 1}', ("hooks", "Stop"), "something else than an object"),
        ('{"a": {}, "a": {}}', ("a",), '"a" twice'),
        ("[]", ("mcpServers",), "something else than an object"),
        ("[" * 5000, (), "nested too deeply"),
    ]:
        with pytest.raises(Damaged, match=why):
            jsonc.put(text, keys, "vox", OURS)
    with pytest.raises(Damaged, match="something else than a list"):
        jsonc.put('{"hooks": {"Stop": {}}}', ("hooks", "Stop"), None, OURS)


def test_only_what_differs_is_updated() -> None:
    text = '{"vox": {"args": ["mcp"], "command": "/old/vox", // mine\n "disabled": true}}'
    root = jsonc.parse(text)
    node = root.members[0].node
    after = jsonc.update(text, node, {**OURS, "type": "stdio"})
    assert after == (
        '{"vox": {"args": ["mcp"], "command": "/opt/vox", // mine\n'
        ' "disabled": true,\n "type": "stdio"}}'
    )
    assert jsonc.parse(after).value["vox"] == jsonc.merged(node.value, {**OURS, "type": "stdio"})


# -- any document ------------------------------------------------------------------------------

BLANKS = st.sampled_from(
    ["", " ", "\n", "\n  ", "\r\n", "\t", " // note, }\n", "/* [ */", "/*\n*/ ", "//\r\n"]
)
NAMES = st.sampled_from(["a", "b", "mcpServers", "hooks", "Stop", "x y", "ü", '"', "\\", "//"])
SIMPLE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=6), st.sampled_from([0.5, -1e9])
)
VALUES = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """An object as a person may write it: blanks, comments and trailing commas anywhere."""

    def written(value: Any) -> str:
        if not isinstance(value, dict | list):
            return json.dumps(value, ensure_ascii=draw(st.booleans()))
        parts = [
            f"{draw(BLANKS)}{json.dumps(item)}{draw(BLANKS)}:{draw(BLANKS)}{written(value[item])}"
            if isinstance(value, dict)
            else f"{draw(BLANKS)}{written(item)}"
            for item in value
        ]
        parts = [part + draw(BLANKS) for part in parts]
        comma = "," if parts and draw(st.booleans()) else ""
        opening, close = "{}" if isinstance(value, dict) else "[]"
        return f"{opening}{','.join(parts)}{comma}{draw(BLANKS)}{close}"

    mark = draw(st.sampled_from(["", "\ufeff"]))
    whole = written(draw(st.dictionaries(NAMES, VALUES, max_size=4)))
    return f"{mark}{draw(BLANKS)}{whole}{draw(BLANKS)}"


@pytest.mark.slow
@settings(max_examples=60)
@given(documents(), st.sampled_from([(), ("mcpServers",), ("a", "b")]))
def test_any_document_keeps_the_rest_and_is_the_same_without_ours(
    text: str, keys: tuple[str, ...]
) -> None:
    wanted = jsonc.parse(text).value
    inner = wanted
    for key in keys:
        inner = inner.get(key, {})
        if not isinstance(inner, dict):
            with pytest.raises(Damaged, match="something else than an object"):
                jsonc.put(text, keys, "vox", OURS)
            return
    after = jsonc.put(text, keys, "vox", OURS)
    root = jsonc.parse(after)
    container = jsonc.find(root, keys)
    assert container is not None and container.value["vox"] == OURS
    assert is_kept(text, after)
    left = jsonc.parse(jsonc.cut(after, container, len(container.members) - 1)).value
    outer = wanted
    for key in keys:  # what was made around it stays
        outer = outer.setdefault(key, {})
    assert left == wanted


@settings(max_examples=60)
@given(documents(), st.data())
def test_any_member_can_be_cut_out(text: str, data: st.DataObject) -> None:
    root = jsonc.parse(text)
    if not root.members:
        return
    index = data.draw(st.integers(0, len(root.members) - 1))
    wanted = dict(root.value)
    del wanted[root.members[index].key]
    assert jsonc.parse(jsonc.cut(text, root, index)).value == wanted
