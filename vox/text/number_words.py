"""The words that stand around numbers, in the languages that are read well: tables, no rules.

What num2words and CLDR know is not here.
"""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = ("en", "de", "fr", "es", "it", "pt")


def _table(text: str) -> dict[str, dict[str, str]]:
    """{language: {key: words}} of lines "key | en | de | fr | es | it | pt"."""
    tables: dict[str, dict[str, str]] = {code: {} for code in LANGUAGES}
    for line in text.strip().splitlines():
        key, *cells = (cell.strip() for cell in line.split("|"))
        for code, words in zip(LANGUAGES, cells, strict=True):
            tables[code][key] = words
    return tables


WORDS: Final = _table("""
comma | comma | Komma | virgule | coma | virgola | vírgula
point | point | Punkt | point | punto | punto | ponto
minus | minus | minus | moins | menos | meno | menos
plus | plus | plus | plus | más | più | mais
plus-minus | plus or minus | plus minus | plus ou moins | más o menos | più o meno | mais ou menos
about | about | etwa | environ | unos | circa | cerca de
to | to | bis | à | a | a | a
ratio | to | zu | à | a | a | a
by | by | mal | sur | por | per | por
times | times | mal | fois | por | per | vezes
equals | equals | gleich | égale | es igual a | uguale a | é igual a
divided | divided by | geteilt durch | divisé par | dividido por | diviso | dividido por
more | more than | mehr als | plus de | más de | più di | mais de
less | less than | weniger als | moins de | menos de | meno di | menos de
least | at least | mindestens | au moins | al menos | almeno | pelo menos
most | at most | höchstens | au plus | como máximo | al massimo | no máximo
fold | times | mal | fois | veces | volte | vezes
slash | slash | Schrägstrich | barre | barra | barra | barra
of | out of | von | sur | de | su | de
per | per | pro | par | por | al | por
number | number | Nummer | numéro | número | numero | número
power | to the power of | hoch | puissance | elevado a | elevato a | elevado a
ten | ten | zehn | dix | diez | dieci | dez
squared | squared | hoch zwei | au carré | al cuadrado | al quadrato | ao quadrado
cubed | cubed | hoch drei | au cube | al cubo | al cubo | ao cubo
cents-and | and | und | et | con | e | e
and | and | und | et | y | e | e
section | section | Paragraph | paragraphe | artículo | paragrafo | parágrafo
""")

FRACTIONS: Final[dict[str, dict[int, tuple[str, str]]]] = {
    "en": {2: ("half", "halves"), 4: ("quarter", "quarters")},
    "de": {2: ("halb", "Halbe")},
    "fr": {2: ("demi", "demis"), 3: ("tiers", "tiers"), 4: ("quart", "quarts")},
    "es": {2: ("medio", "medios"), 3: ("tercio", "tercios"), 100: ("centésimo", "centésimos")},
    "it": {2: ("mezzo", "mezzi")},
    "pt": {2: ("meio", "meios"), 3: ("terço", "terços")},
}
"""Denominators that are not simply the ordinal."""

AND_A_HALF: Final = {
    "en": "and a half",
    "fr": "et demi",
    "es": "y medio",
    "it": "e mezzo",
    "pt": "e meio",
}

SCALES: Final[dict[str, dict[int, tuple[str, str]]]] = {
    "en": {3: ("thousand",) * 2, 6: ("million",) * 2, 9: ("billion",) * 2, 12: ("trillion",) * 2},
    "de": {
        3: ("Tausend",) * 2,
        6: ("Million", "Millionen"),
        9: ("Milliarde", "Milliarden"),
        12: ("Billion", "Billionen"),
    },
    "fr": {
        3: ("mille",) * 2,
        6: ("million", "millions"),
        9: ("milliard", "milliards"),
        12: ("billion", "billions"),
    },
    "es": {
        3: ("mil",) * 2,
        6: ("millón", "millones"),
        9: ("mil millones",) * 2,
        12: ("billón", "billones"),
    },
    "it": {
        3: ("mila",) * 2,
        6: ("milione", "milioni"),
        9: ("miliardo", "miliardi"),
        12: ("bilione", "bilioni"),
    },
    "pt": {
        3: ("mil",) * 2,
        6: ("milhão", "milhões"),
        9: ("bilhão", "bilhões"),
        12: ("trilhão", "trilhões"),
    },
}
"""Powers of ten that are words of their own: one of them, several."""

SCALE_SIGNS: Final[dict[str, int]] = {
    "k": 3, "K": 3, "M": 6, "m": 6, "B": 9, "bn": 9, "b": 9, "T": 12,
}  # fmt: skip
"""What may stand right behind a number; `m`, `b` and `T` behind money only."""

SCALE_NAMES: Final[dict[str, dict[str, int]]] = {
    "en": {
        "thousand": 3, "million": 6, "mn": 6, "mln": 6, "billion": 9, "bn": 9, "bln": 9,
        "trillion": 12, "tn": 12,
    },
    "de": {
        "Tausend": 3, "Tsd.": 3, "Million": 6, "Millionen": 6, "Mio.": 6, "Mio": 6,
        "Milliarde": 9, "Milliarden": 9, "Mrd.": 9, "Mrd": 9, "Billion": 12, "Billionen": 12,
    },
    "fr": {
        "mille": 3, "million": 6, "millions": 6, "milliard": 9, "milliards": 9, "Md": 9, "Mds": 9,
        "billion": 12, "billions": 12,
    },
    "es": {
        "mil": 3, "millón": 6, "millones": 6, "mil millones": 9, "billón": 12, "billones": 12,
    },
    "it": {
        "mila": 3, "milione": 6, "milioni": 6, "mln": 6, "miliardo": 9, "miliardi": 9, "mld": 9,
        "mrd": 9,
    },
    "pt": {
        "mil": 3, "milhão": 6, "milhões": 6, "mi": 6, "bilhão": 9, "bilhões": 9, "bi": 9,
        "trilhão": 12, "trilhões": 12,
    },
}  # fmt: skip
"""How the words of SCALES are written behind a number."""

LABELS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "no.": "number", "nos.": "numbers", "nr.": "number", "p.": "page", "pp.": "pages",
        "vol.": "volume", "ch.": "chapter", "chap.": "chapter", "fig.": "figure",
        "figs.": "figures", "chs.": "chapters", "vols.": "volumes", "op.": "opus",
        "ext.": "extension",
        "sec.": "section", "eq.": "equation", "art.": "article", "pt.": "part", "ed.": "edition",
        "approx.": "approximately", "ca.": "circa", "c.": "circa", "§": "section",
        "tel.": "telephone", "v.": "version", "ver.": "version", "min.": "minimum",
        "max.": "maximum", "n°": "number", "nº": "number", "№": "number", "§§": "sections",
    },
    "de": {
        "nr.": "Nummer", "nrn.": "Nummern", "s.": "Seite", "bd.": "Band", "kap.": "Kapitel",
        "abb.": "Abbildung", "abs.": "Absatz", "art.": "Artikel", "ca.": "circa", "tel.": "Telefon",
        "§": "Paragraph", "§§": "Paragraphen", "№": "Nummer", "max.": "maximal", "min.": "minimal",
        "aufl.": "Auflage", "tab.": "Tabelle",
    },
    "fr": {
        "n°": "numéro", "nº": "numéro", "no.": "numéro", "n°s": "numéros", "№": "numéro",
        "p.": "page", "pp.": "pages", "vol.": "volume", "chap.": "chapitre", "ch.": "chapitre",
        "fig.": "figure", "art.": "article", "env.": "environ", "tél.": "téléphone",
        "§": "paragraphe", "t.": "tome", "arts.": "articles", "figs.": "figures",
    },
    "es": {
        "n.º": "número", "nº": "número", "n°": "número", "núm.": "número", "no.": "número",
        "№": "número", "p.": "página", "pág.": "página", "págs.": "páginas", "pp.": "páginas",
        "vol.": "volumen", "cap.": "capítulo", "fig.": "figura", "art.": "artículo",
        "aprox.": "aproximadamente", "tel.": "teléfono", "§": "sección", "t.": "tomo",
        "núms.": "números", "arts.": "artículos", "caps.": "capítulos", "figs.": "figuras",
    },
    "it": {
        "n.": "numero", "n°": "numero", "nº": "numero", "nr.": "numero", "№": "numero",
        "p.": "pagina", "pag.": "pagina", "pagg.": "pagine", "pp.": "pagine", "vol.": "volume",
        "cap.": "capitolo", "fig.": "figura", "art.": "articolo", "ca.": "circa",
        "tel.": "telefono", "§": "paragrafo", "t.": "tomo", "nn.": "numeri",
        "artt.": "articoli", "capp.": "capitoli", "figg.": "figure", "cell.": "cellulare",
    },
    "pt": {
        "n.º": "número", "nº": "número", "n°": "número", "no.": "número", "№": "número",
        "p.": "página", "pág.": "página", "págs.": "páginas", "pp.": "páginas", "vol.": "volume",
        "cap.": "capítulo", "fig.": "figura", "art.": "artigo", "aprox.": "aproximadamente",
        "tel.": "telefone", "§": "parágrafo", "t.": "tomo", "arts.": "artigos",
        "caps.": "capítulos", "figs.": "figuras", "núms.": "números",
    },
}  # fmt: skip
"""Abbreviations that are a word only before a number, in lower case."""
