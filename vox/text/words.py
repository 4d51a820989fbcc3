"""The words that vox itself says, in the languages that it knows best: "dot", "link to", "slash".

Owns the table and nothing else. A key is the English word; a row is one line, so that additions
merge easily. What fills a gap, a count for example, stands in braces: see `str.format`.
"""

from __future__ import annotations

import functools
from typing import Final

from ..languages import primary

LANGUAGES: Final = ("en", "de", "fr", "es", "it", "pt")
"""The columns, in this order."""

_ROWS: Final = """
alert caution | Caution       | Vorsicht      | Attention     | Precaución    | Attenzione    | Cuidado
alert important | Important   | Wichtig       | Important     | Importante    | Importante    | Importante
alert note    | Note          | Hinweis       | Remarque      | Nota          | Nota          | Nota
alert tip     | Tip           | Tipp          | Conseil       | Consejo       | Suggerimento  | Dica
alert warning | Warning       | Warnung       | Avertissement | Advertencia   | Avviso        | Aviso
and so on     | and so on     | und so weiter | et ainsi de suite | y así sucesivamente | e così via | e assim por diante
and           | and           | und           | et            | y             | e             | e
at            | at            | ät            | arobase       | arroba        | chiocciola    | arroba
at least      | is greater than or equal to | ist größer oder gleich | est supérieur ou égal à | es mayor o igual que | è maggiore o uguale a | é maior ou igual a
at most       | is less than or equal to | ist kleiner oder gleich | est inférieur ou égal à | es menor o igual que | è minore o uguale a | é menor ou igual a
backslash     | backslash     | Backslash     | antislash     | barra invertida | barra rovesciata | barra invertida
code          | code          | Code          | code          | código        | codice        | código
colon         | colon         | Doppelpunkt   | deux-points   | dos puntos    | due punti     | dois pontos
column        | column        | Spalte        | colonne       | columna       | colonna       | coluna
copyright     | copyright     | Copyright     | copyright     | copyright     | copyright     | copyright
dash          | dash          | Strich        | tiret         | guion         | trattino      | traço
dollar        | dollar        | Dollar        | dollar        | dólar         | dollaro       | dólar
done          | done          | erledigt      | fait          | hecho         | fatto         | feito
dot           | dot           | Punkt         | point         | punto         | punto         | ponto
dunder        | dunder        | Dunder        | dunder        | dunder        | dunder        | dunder
equals        | equals        | ist gleich    | égale         | es igual a    | è uguale a    | é igual a
flag          | flag of {}    | Flagge {}     | drapeau {}    | bandera de {} | bandiera {}   | bandeira {}
footnote      | footnote      | Fußnote       | note          | nota          | nota          | nota
hash          | hash          | Raute         | dièse         | almohadilla   | cancelletto   | cerquilha
hashtag       | hashtag       | Hashtag       | hashtag       | hashtag       | hashtag       | hashtag
image         | image         | Bild          | image         | imagen        | immagine      | imagem
is not        | is not equal to | ist ungleich | est différent de | es distinto de | è diverso da | é diferente de
line          | line          | Zeile         | ligne         | línea         | riga          | linha
lines         | {} lines      | {} Zeilen     | {} lignes     | {} líneas     | {} righe      | {} linhas
link to       | link to       | Link zu       | lien vers     | enlace a      | link a        | link para
number        | number        | Nummer        | numéro        | número        | numero        | número
one line      | 1 line        | 1 Zeile       | 1 ligne       | 1 línea       | 1 riga        | 1 linha
or            | or            | oder          | ou            | o             | o             | ou
plus          | plus          | plus          | plus          | más           | più           | mais
point         | point         | Punkt         | point         | punto         | punto         | ponto
port          | port          | Port          | port          | puerto        | porta         | porta
slash         | slash         | Slash         | slash         | barra         | barra         | barra
star          | star          | Stern         | étoile        | asterisco     | asterisco     | asterisco
tilde         | tilde         | Tilde         | tilde         | tilde         | tilde         | til
to            | to            | nach          | vers          | a             | a             | para
to do         | to do         | zu erledigen  | à faire       | pendiente     | da fare       | por fazer
underscore    | underscore    | Unterstrich   | tiret bas     | guion bajo    | trattino basso | sublinhado
version       | version       | Version       | version       | versión       | versione      | versão
"""  # noqa: E501

_TABLE: Final = {
    cells[0]: dict(zip(LANGUAGES, cells[1:], strict=True))
    for cells in ([cell.strip() for cell in row.split("|")] for row in _ROWS.strip().splitlines())
}


def is_known(lang: str) -> bool:
    """Whether the table has this language."""
    return primary(lang) in LANGUAGES


@functools.cache
def word(lang: str, key: str) -> str:
    """What the row `key` says in this language; in English if the table does not have it.

    Raises KeyError for a row that is not there.
    """
    row = _TABLE[key]
    return row.get(primary(lang), row["en"])
