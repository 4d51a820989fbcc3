"""What assistants are told about speaking: the server's instructions, and the prompts.

Hosts cut instructions at 2,048 characters. A model hears a tool's own description too.
"""

from __future__ import annotations

from typing import NamedTuple

INSTRUCTIONS = """\
vox speaks aloud to the user, who may be away from the screen. Use it when the user asks to hear \
something, when long work has ended or failed, and when you need an answer to go on.
Say the result first, in one or two short sentences of plain words: no Markdown, code, paths, \
links or tables. Round numbers. Use the user's language. Never read out your whole answer.
speak returns at once; vox says everything in order, so do not wait and do not repeat. Give \
replace with one key for each task, so that newer news takes the place of older. Use priority high \
for a question, interrupt only for what cannot wait, and private for what must not be kept.
The user can say stop, pause or resume at any time; do so with these tools.\
"""

_WELL = """\
When you speak to me with vox:
- One idea, at most two short sentences. The result comes first.
- Plain words, as said aloud: no Markdown, no code, no paths, no links, no tables. Round numbers.
- Say which task or project you mean if there are several.
- End with the question if you need an answer, and send it with priority high.
- Do not wait for it to be heard, and do not write down what you said unless it is needed.
"""

_TALK = """\
From now on keep me up to date by voice with vox, beside what you write:
- After each piece of work that took more than a minute: what came of it, in one sentence.
- When something fails or you need my answer: at once, with priority high.
- Give replace the name of the task each time, so that only the newest news is said.
"""


class Prompt(NamedTuple):
    name: str
    description: str
    text: str


PROMPTS = (
    Prompt("speak-well", "How to speak so that it is good to hear.", _WELL),
    Prompt("talk", "Have the results of this session said aloud.", _TALK + "\n" + _WELL),
)
