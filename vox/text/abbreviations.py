"""Abbreviations whose full stop ends no sentence, or not always, by language.

Only what `sentencex` does not know, or takes for an end. In lower case, without the last full stop.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class Abbreviations(NamedTuple):
    """What a word before a full stop may be."""

    never: frozenset[str]
    """A name or the rest of the phrase follows: Ms., e.g., approx."""
    before_number: frozenset[str]
    """No end before a number: No. 5, ch. 3, p. 12."""
    perhaps: frozenset[str]
    """An end if what follows begins like a sentence: etc., a.m., Inc."""


_TITLES = "mr mrs ms mx dr prof st"
_NEVER = {
    "en": (
        "messrs mmes rev hon gen col maj capt cmdr lt sgt cpl pvt adm gov sen rep pres fr sr br "
        "supt esp approx viz cf vs v e.g eg i.e ie resp incl excl aka a.k.a mt ft dept est ca "
        "circa ibid op loc n.b nb tel attn max min avg"
    ),
    "fr": (
        "m mm mme mmes mlle mlles me mgr pr vve cf c.-à-d p.ex ex env av apr boul bd st ste sts "
        "stes n.b nb tél hab min max resp éd"
    ),
    "de": (
        "z.b d.h u.a u.ä o.ä o.g s.o s.u i.d.r i.a v.a z.t m.e u.u z.zt evtl ggf bzw ca vgl "
        "inkl exkl zzgl abzgl sog gem lt hr hrn fr dipl ing med phil jur mag st min max mind "
        "engl dt frz lat geb verh gest tel allg bes d.i i.e bspw betr einschl entspr fa fam ggü "
        "mind zzt vj jew wg zw dipl.-ing dipl.-kfm dr.-ing vorm nachm"
    ),
    "es": (
        "sr sra sres sras srta d dña da dr dra dres prof profa lic ing arq gral cap cnel tte "
        "sto sta ud uds vd vds vs p.ej ej p.e cf aprox máx mín tel atte excmo excma ilmo fdo "
        "admón fr mons col av avda ctra urb dpto depto jj rr ff cc dd temp d.ª s.m ntra"
    ),
    "it": (
        "sig sigg sig.ra sig.na dott dott.ssa prof prof.ssa avv ing arch geom rag on mons don "
        "sen gen col cap spett gent egr p.es es cfr vs ca tel max min s ss c.a p dr.ssa sec loc "
        "lett int temp fam gent.mo gent.ma ill.mo"
    ),
    "pt": (
        "sr sra sr.ª srs srta dr dra dr.ª drs prof profa prof.ª eng engª arq exmo exma ilmo "
        "ilma v.ex p.ex ex cf vs aprox máx mín tel d st sto sta gen cap cel pe av r séc apto apt "
        "inc temp dept edif cond"
    ),
    "sv": "t.ex bl.a d.v.s dvs ca fr.o.m t.o.m",
    "nl": "bijv o.a d.w.z dhr mevr bv ca drs",
    "pl": "np m.in tzn tj ok tzw prof",
    "ru": "т.е напр см ул т.н тыс млн млрд",
    "tr": "örn bkz yy",
}
_BEFORE_NUMBER = {
    "en": (
        "c no nos nr ch chap fig figs vol vols p pp pg sec sect art eq par para pt ed ex ver v l "
        "ll n nn app tab op ext jan feb mar apr jun jul aug sep sept oct nov dec"
    ),
    "fr": (
        "n no nº chap ch fig vol t p pp pg sect art éq tab réf al l r d lun mar mer jeu ven sam "
        "dim janv févr avr juil sept oct nov déc"
    ),
    "de": (
        "nr nrn kap abb bd bde s seite sp art abs § tab gl ziff anm jg h aufl lfd jan feb apr "
        "aug sep sept okt nov dez"
    ),
    "es": (
        "n núm núms nº no cap caps fig figs vol vols pág págs p pp art arts sec tab ref s c.p t ed "
        "apdo"
    ),
    "it": (
        "n nn num cap capp fig figg vol voll pag pagg p pp art artt sez tab rif l co t ed cell "
        "d.lgs d.p.r d.l"
    ),
    "pt": ("n núm nº no cap caps fig figs vol vols pág págs p pp art arts sec tab ref t ed n.os"),
    "sv": "kl nr s kap",
    "nl": "nr blz hfst art",
    "pl": "nr s godz ul pkt art rozdz",
    "ru": "стр гл п ст рис ул д",
}
_PERHAPS = {
    "en": (
        "etc a.m p.m am pm inc ltd co corp llc plc bros jr sr ph.d m.d b.a m.a u.s u.k u.n e.u "
        "al b.c a.d d.c st ave blvd rd ln hwy"
    ),
    "fr": "etc j.-c cie sté",
    "de": "jh jhd usw etc u.s.w usf u.v.m uvm a.d n.chr v.chr chr str a.m p.m gmbh co",
    "es": "etc a.m p.m s.a s.l cía ee.uu a.c d.c",
    "it": "ecc etc a.c d.c s.p.a s.r.l",
    "pt": "etc s.a ltda cia a.c d.c",
}
_BEGINNINGS = {
    "en": (
        "the a an this that these those it he she they we you i there here then when while if "
        "in on at as and but so or for after before however what who where why how is are was "
        "were do did does can could will would should not no yes his her its my our your their "
        "let please some all many most each every another both since although because once even"
    ),
    "de": (
        "der die das den dem ein eine einen ich du er es sie wir ihr man dies diese dieser "
        "dieses dann danach aber und oder so wenn als da dort hier in im am an auf bei mit nach "
        "nun jetzt doch auch was wer wie wo warum alle viele ja nein"
    ),
}
"""Words that begin a sentence, where a capital alone says little."""

_ORDINAL = {
    "de": (
        "der die das den dem des am vom zum zur im beim dieser diese dieses jeder jede jedes "
        "ihr sein unser mein seinem ihrem seiner ihrer und bis"
    ),
}
"""Words before a number with a full stop that make it an ordinal."""
_MONTHS = {
    "de": (
        "januar jänner februar feber märz april mai juni juli august september oktober november "
        "dezember aufl jh jahrhundert jahrtausend weltkrieg bundesliga quartal "
        "sinfonie symphonie etage klasse stock spieltag platz runde"
    ),
}


_WEEKDAYS = {"en": "Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun"}
_NAMES_OF_MONTHS = {
    "en": (
        "jan january feb february mar march apr april jun june jul july aug august sep sept "
        "september oct october nov november dec december"
    ),
}


@lru_cache
def of(lang: str) -> Abbreviations:
    """The abbreviations of a language, by its tag without region."""

    def words(table: dict[str, str], more: str = "") -> frozenset[str]:
        return frozenset(f"{table.get(lang, '')} {more}".split())

    return Abbreviations(
        words(_NEVER, _TITLES),
        words(_BEFORE_NUMBER),
        words(_PERHAPS, "" if lang in _PERHAPS else "etc"),
    )


@lru_cache
def begins_sentence(word: str, lang: str) -> bool:
    """Whether this word, after what may be an end, begins a sentence."""
    if lang in _BEGINNINGS:
        return word[:1].isupper() and word.lower() in _BEGINNINGS[lang].split()
    return not word[:1].islower() and not word[:1].isdigit()


def may_follow_initial(word: str, lang: str) -> bool:
    """Whether this word, after a letter with a full stop, begins a sentence: it is no name."""
    return lang in _BEGINNINGS and begins_sentence(word, lang)


def is_weekday(word: str, lang: str) -> bool:
    """Whether this is the short name of a day: "Mon."."""
    return word in _WEEKDAYS.get(lang, "").split()


def names_month(word: str, lang: str) -> bool:
    """Whether this is the name of a month, long or short."""
    return word.lower() in _NAMES_OF_MONTHS.get(lang, "").split()


@lru_cache
def makes_ordinal(word: str, lang: str) -> bool:
    """Whether a number with a full stop after this word is an ordinal: "der 2. Weltkrieg"."""
    return word.lower() in _ORDINAL.get(lang, "").split()


@lru_cache
def is_month(beginning: str, lang: str) -> bool:
    """Whether a text with this beginning goes on with a month: "3. Oktober"."""
    return beginning.lower().startswith(tuple(_MONTHS.get(lang, "\n").split()) or ("\n",))
