"""The words behind which a Roman numeral is read: rulers' names and titles, parts of books."""

from __future__ import annotations

import re
from typing import Final

RULERS: Final = frozenset(
    (
        "Adrian Afonso Albert Alejandro Alessandro Alexander Alexandre Alfonso Alfred Amedeo "
        "Antiochus August Baudouin Benedetto Benedict Benedicto Benedikt Benoît Bento "
        "Bonaparte Boniface Canute Carl Carlo Carlos Casimir Catalina Catarina Caterina "
        "Catherine Charles Christian Clement Cleopatra Constantine Cosimo Darius Dinis Duarte "
        "Edoardo Eduardo Edward Elisabeth Elisabetta Elizabeth Emanuele Emmanuel Enrico "
        "Enrique Eugene Federico Felipe Ferdinand Fernando Filipe Filippo Filips Franz "
        "François Frederick Friedrich Frédéric Georg George Georges Giacomo Giorgio Giovanni "
        "Gregor Gregorio Gregory Grégoire Guglielmo Guillaume Guillermo Gustaf Gustav Haakon "
        "Hadrian Harald Heinrich Henri Henrique Henry Innocent Innozenz Isabel Ivan Jacques "
        "Jaime James Jean-Paul Johann Johannes Jorge Joseph José João Juan Juliana Julius "
        "Justinian Karl Kasimir Katharina Konrad Leo Leone Leopold Leão León Louis Ludwig "
        "Luigi Luis Luís Léon Manuel Margaret Maria Mary Maximilian Mehmed Miguel Mithridates "
        "Murad Napoleon Napoléon Nicholas Nicola Nicolas Nicolás Nikolaus Olav Otto Pablo "
        "Paolo Papst Paul Paulo Pedro Peter Philip Philippe Pie Pierre Pietro Pio Pius "
        "Ptolemy Pío Ramesses Ramses Richard Rudolf Sancho Sebastião Selim Sigismund Sixtus "
        "Stephen Theodosius Umberto Urban Victor Vittorio Vladislav Wenceslas Wilhelm "
        "Wilhelmina Willem William Xerxes Édouard Élisabeth"
    ).split()
)
"""Names that rulers and popes share, in all languages."""

TITLES: Final = frozenset(
    (
        "D. Dom Don Emperor Empress Kaiser Kaiserin King König Königin Papa Papst Pope Prince "
        "Queen Rainha Re Regina Rei Reina Reine Rey Roi Sultan Tsar Tsarina Zar Zarin czar "
        "emperador empereur imperador imperatore papa pape rainha re regina rei reina reine "
        "rey roi tsar zar"
    ).split()
)
"""Behind them any name is a ruler's."""

PARTS: Final[dict[str, frozenset[str]]] = {
    "en": frozenset(
        (
            "chapters parts acts scenes sections volumes books articles phases types levels "
            "stages wars "
            "chapter part act scene section volume book war article appendix phase type class "
            "title table figure level episode stage grade annex mark bowl apollo gemini "
            "schedule amendment division group tier category unit module step round rocky "
            "fantasy quest psalm sonnet canto vatican pentium diablo terminator rambo symphony "
            "opus gta"
        ).split()
    ),
    "de": frozenset(
        (
            "abschnitte artikeln bände teile akte kapiteln kap. bd. "
            "kapitel teil akt szene band buch abschnitt artikel stufe phase typ klasse tafel "
            "anhang tabelle abbildung hartz gruppe kategorie aufzug weltkrieg satz sinfonie"
        ).split()
    ),
    "fr": frozenset(
        (
            "chapitres parties actes scènes tomes livres volumes articles phases types "
            "chap. chapitre partie acte scène tome livre volume article annexe titre phase type "
            "classe section tableau figure niveau épisode guerre"
        ).split()
    ),
    "es": frozenset(
        (
            "capítulos partes actos escenas tomos libros volúmenes artículos fases tipos "
            "cap. capítulo parte acto escena tomo libro volumen artículo anexo título fase tipo "
            "clase sección tabla figura nivel episodio guerra"
        ).split()
    ),
    "it": frozenset(
        (
            "capitoli parti atti scene tomi libri volumi articoli fasi tipi "
            "cap. capitolo parte atto scena tomo libro volume articolo allegato titolo fase tipo "
            "classe sezione tabella figura livello episodio guerra"
        ).split()
    ),
    "pt": frozenset(
        (
            "capítulos partes atos cenas tomos livros volumes artigos fases tipos "
            "cap. capítulo parte ato acto cena tomo livro volume artigo anexo título fase tipo "
            "classe seção secção tabela figura nível episódio guerra"
        ).split()
    ),
}
"""What is numbered with Roman numerals."""

CENTURIES: Final[dict[str, frozenset[str]]] = {
    "fr": frozenset(("siècle", "siècles")),
    "es": frozenset(("siglo", "siglos")),
    "it": frozenset(("secolo", "secoli")),
    "pt": frozenset(("século", "séculos")),
}

SHORT_CENTURIES: Final[dict[str, tuple[re.Pattern[str], str]]] = {
    "es": (re.compile(r"(?<![\w.])s\.[ \u00a0](?=[IVX]{1,5}(?!\w))"), "siglo "),
    "it": (re.compile(r"(?<![\w.])sec\.[ \u00a0](?=[IVX]{1,5}(?!\w))"), "secolo "),
    "pt": (re.compile(r"(?<![\w.])séc\.[ \u00a0](?=[IVX]{1,5}(?!\w))"), "século "),
}
ITALIAN_SHORT: Final = re.compile(r"(?<=[IVX])[ \u00a0]sec\.(?P<more>(?= ?[a-z(,;:]))?(?!\w)")
FRENCH_SHORT: Final = re.compile(r"(?<=[IVX]e)[ \u00a0]s\.(?P<more>(?= ?[a-z(,;:àéê]))?(?!\w)")
"""How a century is written in short: "s. XIX", "XIXe s."."""

RANKED: Final[dict[str, re.Pattern[str]]] = {
    "es": re.compile(
        r"(?<=[LlEe][AaLl] )(?P<roman>[IVX]{1,6})(?=[ \u00a0](?P<noun>Guerra|República|Congreso"
        r"|Concilio|Edición|edición|Jornada|Cumbre|Legislatura|legislatura|Bienal|Feria|Festival"
        r"|Encuentro|Simposio|Copa|Centenario|centenario|Premio|Plan|Dinastía|dinastía|Reich"
        r"|Internacional|Semana|Asamblea|Conferencia|Certamen|Torneo|Maratón|Milenio|milenio)\b)"
    ),
    "it": re.compile(
        r"(?<=[LlIi][AaLl] )(?P<roman>[IVX]{1,6})(?=[ \u00a0](?P<noun>[Gg]uerra|Repubblica"
        r"|[Cc]ongresso|Concilio|[Ee]dizione|[Ll]egislatura|Biennale|[Ff]iera|[Cc]onvegno|[Cc]oppa"
        r"|[Cc]entenario|[Pp]remio|[Dd]inastia|Reich|Internazionale|[Mm]illennio|[Cc]onferenza"
        r"|[Tt]orneo|[Cc]lasse|[Ss]ezione|[Tt]rimestre|[Ss]emestre)\b)"
    ),
    "pt": re.compile(
        r"(?:(?<=\b[AaOo] )|(?<=\b[DdNn][ao] ))(?P<roman>[IVX]{1,6})(?=[ \u00a0](?P<noun>Guerra"
        r"|República|Congresso|Concílio|[Ee]dição|Jornada|Cúpula|[Ll]egislatura|Bienal|Feira|Festival"
        r"|Encontro|Simpósio|Copa|[Cc]entenário|Prêmio|Plano|[Dd]inastia|Reich|Internacional"
        r"|Semana|Assembleia|Conferência|Torneio|[Mm]ilênio)\b)"
    ),
}
"""What is counted with Roman numerals before it, behind an article: "la II Guerra Mundial"."""
