"""Processor time from a text to what is said of it, for many kinds of text.

    python -m bench.text [-n CHARS] [KIND ...]

Beside each time: that of a text a tenth as long, times ten (is it linear?), and the most memory
that Python held while the pieces were taken one by one. What a voice needs is not in it.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from typing import Any

from vox.text.speakable import Reading, pieces

CODE = (
    "def process(items: list[str], max_count: int = 10) -> dict[str, int]:\n    result_map = {}\n"
    "    for itemName in items[:max_count]:\n        result_map[itemName] = len(itemName) ** 2\n\n"
)
README = f"""# Project

A *small* tool for **big** jobs, see [the docs](https://example.com/docs) and `vox say`.

- first item with `code`
- second item, **bold**

```python
{CODE}```

| name | value |
|---|---|
| size | 12 |
| depth | three |

> A quoted line that goes on
> and on.

1. Install it.
2. Run it.

"""
PROSE = (
    "The harbour was quiet that morning, and the boats lay still. Nobody knew what had happened, "
    "but everybody had a story. She walked along the pier, past the old crane.\n\n"
)
GERMAN = (
    "Der Hafen war an diesem Morgen ruhig, und die Boote lagen still. Niemand wußte, was geschehen "
    "war, aber jeder hatte eine Geschichte. Über die Brücke fährt ein müder Zug.\n\n"
)
LOG = (
    "\x1b[32m2026-03-04T12:33:01Z\x1b[0m INFO  worker-3 processed 128 items in 3.5 s\n"
    "\x1b[31m2026-03-04T12:33:02Z\x1b[0m ERROR connection to 10.0.0.7:5432 refused\n"
)
DIFF = (
    "diff --git a/src/main.py b/src/main.py\nindex 83db48f..bf269f4 100644\n--- a/src/main.py\n"
    "+++ b/src/main.py\n@@ -1,5 +1,5 @@\n def main():\n-    return foo(1)\n+    return bar(2)\n\n"
)
SOLD = "In 19{0:02} it sold {0}{1} units for ${1}.{0:02} and {0}.5 kg each. "
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "prose": (PROSE, {}),
    "German": (GERMAN, {"lang": "de"}),
    "Chinese": ("今天早上港口很安静,船都静静地停着。没有人知道发生了什么。\n", {"lang": "zh"}),
    "Japanese": ("今朝の港は静かで、船はじっとしていた。誰も知らなかった。\n", {"lang": "ja"}),
    "Arabic": (
        "كان الميناء هادئا ذلك الصباح، وكانت القوارب ساكنة. لم يعرف أحد.\n\n",
        {"lang": "ar"},
    ),
    "no space": ("abcdefghij", {}),
    "short lines": ("some words\n", {}),
    "README": (README, {}),
    "bullets": ("- an item of the list\n- another **bold** item\n", {}),
    "emphasis": ("It is *very* good, use `vox say` or **stop** now.\n\n", {}),
    "table": ("| name | size |\n|---|---|\n" + "| a row | 12 kB |\n" * 50 + "\n", {}),
    "code announced": (f"```python\n{CODE * 5}```\n\n", {}),
    "code read": (f"```python\n{CODE * 5}```\n\n", {"speak_code": "read"}),
    "source": (CODE, {}),
    "diff": (DIFF, {}),
    "JSON": ('{"id": 12, "name": "Some Thing", "tags": ["a_b", "camelCase"], "ok": true},\n', {}),
    "HTML": ("<p>Some <b>text</b> &amp; more</p>\n\n", {}),
    "log": (LOG, {}),
    "numbers in prose": ("".join(SOLD.format(n, n * 7 % 89 + 10) for n in range(10, 99)), {}),
    "numbers": ("12 34.5 ", {}),
    "money": ("It cost $12.50 and then €3 million. ", {}),
    "dates": ("On 2026-03-04 at 12:30 we met, on March 5th, 2026. ", {}),
    "units": ("It is 5 km and 3.5 kg at 20 °C. ", {}),
    "versions": ("Python 3.12.4 and v1.2.3-rc1. ", {}),
    "addresses": ("See https://example.com/a/b?c=d or mail joe.doe@example.org today. ", {}),
    "paths": ("Look in /usr/local/lib/python3.12/site-packages and ~/.config/vox now. ", {}),
    "emoji": ("Nice 😀 work 🎉👍🏽 and 👩‍👩‍👧‍👦! ", {}),
    "names in code": ("call getHttpResponse and parse_user_name then ", {}),
    "accents": ("e\u0301a\u0308o\u0302 ", {}),
    "escapes": ("\x1b[31mred\x1b[0m ", {}),
    "overstrike": ("b\bbo\bol\bld\bd ", {}),
    "brackets": ("[](", {}),
    "asterisks": ("**a *b ", {}),
    "backticks": ("`a ``b ", {}),
    "digits": ("1234567890", {}),
    "initials": ("a. b. c. ", {}),
    "quotes": ("\"He said 'no' and left.\" ", {}),
}


def text_of(unit: str, chars: int) -> str:
    return (unit * (chars // len(unit) + 1))[:chars]


def read(text: str, reading: Reading) -> None:
    for _ in pieces(text, reading):
        pass


def processor_s(text: str, reading: Reading) -> float:
    start = time.process_time()
    read(text, reading)
    return time.process_time() - start


def memory_mb(text: str, reading: Reading) -> float:
    tracemalloc.start()
    read(text, reading)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.text", description=__doc__)
    parser.add_argument("-n", type=int, default=1_000_000, metavar="CHARS", help="text's length")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    arguments = parser.parse_args()
    print("| kind | s per million characters | of a tenth | memory, MB |\n|---|---|---|---|")
    for kind in arguments.kinds or KINDS:
        unit, options = KINDS[kind]
        reading = Reading(**options)
        read(text_of(unit, 2_000), reading)  # what it imports is imported
        tenth, whole = (text_of(unit, chars) for chars in (arguments.n // 10, arguments.n))
        short, long = processor_s(tenth, reading), processor_s(whole, reading)
        million = 1e6 / arguments.n
        memory = memory_mb(tenth, reading)
        print(
            f"| {kind} | {long * million:.2f} | {short * 10 * million:.2f} | {memory:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
