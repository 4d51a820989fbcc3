"""Language tags: their form, and which of them mean the same speech.

Owns the comparison of BCP 47 tags (RFC 5646) as far as voices need it. Knows nothing of backends.
"""

from __future__ import annotations

import re

from ..errors import UnknownLanguage

_TAG = re.compile(
    r"(?P<primary>[A-Za-z]{2,4})(?:-(?P<script>[A-Za-z]{4}))?(?:-(?P<region>[A-Za-z]{2}|[0-9]{3}))?"
    r"(?P<rest>(?:-[A-Za-z0-9]{1,8})*)"
)
# ISO 639: what systems call differently and means the same to a speaker.
_SAME = {"cmn": "zh", "nb": "no", "iw": "he", "in": "id", "ji": "yi", "fil": "tl"}
_NAMES = {
    "arabic": "ar",
    "chinese": "zh",
    "dutch": "nl",
    "english": "en",
    "french": "fr",
    "german": "de",
    "hindi": "hi",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "polish": "pl",
    "portuguese": "pt",
    "russian": "ru",
    "spanish": "es",
    "swedish": "sv",
    "turkish": "tr",
    "ukrainian": "uk",
}


def normalize(tag: str) -> str:
    """The tag in its usual writing ("EN_us" is "en-US"). Raises UnknownLanguage if it is none."""
    found = _TAG.fullmatch(tag.strip().replace("_", "-"))
    if found is None:
        code = _NAMES.get(tag.strip().lower())
        hint = f"write {code}" if code else "write it like en, en-GB or de"
        raise UnknownLanguage(f"{tag!r} is not a language tag", hint)
    parts = [found["primary"].lower()]
    if found["script"]:
        parts.append(found["script"].title())
    if found["region"]:
        parts.append(found["region"].upper())
    return "-".join(parts) + found["rest"].lower()


def primary(tag: str) -> str:
    """The language without region and script: "en" of "en-US", "zh" of "cmn"."""
    first = re.split("[-_]", tag, maxsplit=1)[0].lower()
    return _SAME.get(first, first)


def closeness(spoken: str, wanted: str) -> int:
    """How well a voice's language fits the one asked for: 0 not at all, more is better."""
    if primary(spoken) != primary(wanted):
        return 0
    spoken, wanted = spoken.lower().replace("_", "-"), wanted.lower().replace("_", "-")
    if spoken == wanted:
        return 3
    return 2 if "-" not in wanted or "-" not in spoken else 1
