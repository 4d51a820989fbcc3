"""The one line that is said of an assistant's message."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vox.hooks.questions import permission, program, tool_name
from vox.hooks.summary import MOST, short, summary


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Done.", "Done."),
        ("Done. All 12 tests pass. I pushed it too.", "Done. All 12 tests pass. I pushed it too."),
        ("I looked at it all.\n\nThe build is green again on every machine. More.",
         "The build is green again on every machine."),
        # The line that the rules ask for is a paragraph of its own.
        ("Changes:\n\n- a\n- b\n\nThe parser reads empty files now.",
         "The parser reads empty files now."),
        ("The parser reads empty files now, as it should. It was a bug.\n\nShall I push?",
         "Shall I push?"),
        ("The parser reads empty files now, as it should. It was a bug. Shall I push?",
         "The parser reads empty files now, as it should. Shall I push?"),
        ("I changed three things:\n\n1. one\n2. two\n   and more", "I changed three things."),
        ("It runs.\n\n```sh\nmake run\n```", "It runs."),
        ("It runs.\n\n~~~\n# no heading\n\ntext\n~~~\n| a | b |\n|---|---|\n| 1 | 2 |\n",
         "It runs."),
        ("It runs.\n\n    indented code", "It runs."),
        ("# Result\n\n- [x] only a list", "only a list"),
        ("> Quoted words are said too", "Quoted words are said too"),
        ("I could not finish.\n\n> Note: the token expired.", "I could not finish."),
        ("Fixed. You can run it now:\n```\nmake\n```", "Fixed."),
        ("| a | b |\n|---|---|", ""),
        ("```\nnever closed", ""),
        ("", ""),
        ("…\n\n---\n\n***", ""),
        ("**Done**: `load_all()` is __fast__ now, see [the docs](https://a.b/c_(d)).",
         "Done: load_all() is fast now, see the docs."),
        ("See (https://example.com/pr/7?x=1#y).", "See (example.com)."),
        ("![a picture](x.png) of it", "a picture of it"),
        ("a [bracket and ](", "a [bracket and ]("),
        ("It works, e.g. with Dr. Who v1.2.3 of approx. 5 MB. And that is all there is.",
         "It works, e.g. with Dr. Who v1.2.3 of approx. 5 MB."),
        ("Ich habe z. B. Dateien geändert, d. h. alle. Mehr kommt noch.",
         "Ich habe z. B. Dateien geändert, d. h. alle."),
        ("I'd take option A. What do you think?", "I'd take option A. What do you think?"),
        # Courtesy is said only where there is nothing else.
        ("I moved all of the tables to Postgres today.\n\nLet me know if you'd like more.",
         "I moved all of the tables to Postgres today."),
        ("It depends on the load.\n\n- a\n\nHope that helps!", "It depends on the load."),
        ("Let me know if you have any questions!", "Let me know if you have any questions!"),
        ("Hope this helps.\n\nShould I let the others know?", "Should I let the others know?"),
        # What leads to a list, only where nothing else does for a line.
        ("The parser reads empty files.\n\nFiles touched:\n- a", "The parser reads empty files."),
        ("All of it is in place:\n- login\n\nFiles touched:\n- a", "All of it is in place."),
        ("It is installed.\n\n<details>\n<summary>Logs</summary>\n\n</details>",
         "It is installed."),
        ("<b>Done</b> it is.\n<br/>", "<b>Done</b> it is."),
        ("I replaced `a || b` with `a ?? b`.", "I replaced a || b with a ?? b."),
        ("Pipes in `a | b | c` were split twice.", "Pipes in a | b | c were split twice."),
        ("a | b | c\n--- | --- | ---\n1 | 2 | 3", ""),
        ("テストが通りました。次は何をしますか？", "テストが通りました。 次は何をしますか？"),
    ],
)  # fmt: skip
def test_a_message_is_one_line(message: str, line: str) -> None:
    assert summary(message) == line


def test_a_long_sentence_is_cut_where_a_clause_ends() -> None:
    clause = "the parser reads what is there, " * 10
    assert short(clause) == ("the parser reads what is there, " * 6)[:-2]
    assert short("word " * 60) == ("word " * 40).strip()
    assert short("x" * 500) == "x" * MOST


@given(st.text(alphabet="ab .!?\n`#*-|>[]()~1:/é。", max_size=300))
def test_any_message_is_one_line_that_is_not_too_long(message: str) -> None:
    line = summary(message)
    assert len(line) <= MOST + 1 and "\n" not in line and line == line.strip()


@pytest.mark.parametrize(
    "part", ["](", "[a](", "a. ", "a\n", ". ", "**", "- a\n", "```\n", "://", "1\n\n", "> ", "| "]
)
def test_a_hostile_message_takes_no_longer_than_another(part: str) -> None:
    began = time.process_time()
    assert len(summary(part * 100_000)) <= MOST
    assert time.process_time() - began < 2  # 0.05, and minutes where the time grows as a square


def test_a_long_message_is_read_from_its_end() -> None:
    assert summary("word " * 1_000_000 + "\n\nAll is well.") == "All is well."


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("git push --force origin main", "git push"),
        ("rm -rf node_modules", "rm"),
        ("FOO=1 sudo /usr/bin/apt-get install x", "apt-get install"),
        ("./run.sh /etc/passwd", "run.sh"),
        ("cd /p && make test; ls", "make test"),
        ("cd /p", "cd"),
        ("# Run the tests\nnpm test", "npm test"),
        ("(cd /p && \\make all)", "make all"),
        ("if [ -f x ]; then sudo -u bob -E make; fi", "make"),
        ("for f in *.py; do black $f; done", "black"),
        ("T=$(date +%s) nohup timeout 30s npm test &", "npm test"),
        ("! [ -d x ]", "["),
        ("&& ;", ""),
        ("FOO=1", ""),
        ("x" * 300, "x" * 60),
    ],
)
def test_of_a_command_the_program_is_said(command: str, said: str) -> None:
    assert program(command) == said


def test_a_permission_names_the_tool_and_what_it_is_for() -> None:
    assert permission(
        "C", "Bash", {"command": "rm -rf x", "description": "Remove x. It is old."}
    ) == ("C wants to use Bash: Remove x.")
    assert permission("C", "Write", {"file_path": "/a/b/main.py", "content": "x"}) == (
        "C wants to use Write: main.py."
    )
    assert permission("C", "", None) == "C asks for permission."
    assert tool_name("mcp__git_hub__create_issue") == "create issue of git hub"
