"""The language that the script of a text tells."""

from __future__ import annotations

import pytest

from vox.text.scripts import language_of


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("こんにちは、世界。", "ja"),
        ("カタカナ", "ja"),
        ("ﾊﾝｶｸ", "ja"),
        ("東京の特許許可局", "ja"),
        ("你好，世界", "zh"),
        ("안녕하세요", "ko"),
        ("مرحبا بالعالم", "ar"),
        ("سلام، حال شما چطور است؟", "fa"),
        ("آپ کیسے ہیں؟", "ur"),
        ("Привет, мир! Объект, подъезд.", "ru"),
        ("Привіт, світе", "uk"),
        ("Їжак", "uk"),
        ("Здравей, свят! Аз съм от България.", "bg"),
        ("Здраво, како си? Љубав и ђаци.", "sr"),
        ("Прывітанне, ў Мінску", "be"),
        ("Γειά σου Κόσμε", "el"),
        ("שלום עולם", "he"),
        ("नमस्ते दुनिया", "hi"),
        ("สวัสดีชาวโลก", "th"),
    ],
)
def test_the_script_tells_the_language(text: str, lang: str) -> None:
    assert language_of(text) == lang


@pytest.mark.parametrize(
    "text",
    ["", "Hello.", "Ünïcödé", "12 + 3 = 15 … 👍 µ", "Das ist 日本", "Москва in letters"],
)
def test_latin_letters_tell_no_language(text: str) -> None:
    assert language_of(text) is None


def test_the_script_of_most_letters_counts() -> None:
    assert language_of("ffmpeg: перекодирование завершено успешно") == "ru"
    assert language_of("Москва - capital of Russia") is None


def test_a_quoted_name_of_another_language_does_not_count() -> None:
    assert language_of("Сегодня хорошая погода, и мы идём гулять. " * 5 + "Київ") == "ru"
    assert language_of("今天天气很好，我们去公园散步。" * 5 + "の") == "zh"
