"""Units of measurement: what CLDR calls each sign, and the names of those that it does not know."""

from __future__ import annotations

from typing import Final

from .number_words import LANGUAGES

CLDR: Final[dict[str, str]] = {
    sign.replace("_", " "): unit
    for sign, unit in (
        entry.split()
        for entry in """
        % concentr-percent; ‰ concentr-permille; ppm concentr-part-per-1e6; km length-kilometer;
        m length-meter; dm length-decimeter; cm length-centimeter; mm length-millimeter;
        µm length-micrometer; μm length-micrometer; um length-micrometer; nm length-nanometer;
        mi length-mile; ft length-foot; yd length-yard; in length-inch; pm length-picometer;
        nmi length-nautical-mile; kg mass-kilogram; g mass-gram; mg mass-milligram;
        µg mass-microgram; μg mass-microgram; t mass-tonne; lb mass-pound; lbs mass-pound;
        oz mass-ounce; l volume-liter; L volume-liter; ml volume-milliliter;
        mL volume-milliliter; cl volume-centiliter; dl volume-deciliter; hl volume-hectoliter;
        gal volume-gallon; °C temperature-celsius; ºC temperature-celsius; ℃ temperature-celsius;
        °F temperature-fahrenheit; ºF temperature-fahrenheit; ℉ temperature-fahrenheit;
        ° angle-degree; m² area-square-meter; m2 area-square-meter; km² area-square-kilometer;
        km2 area-square-kilometer; cm² area-square-centimeter; cm2 area-square-centimeter;
        ft² area-square-foot; ha area-hectare; m³ volume-cubic-meter; m3 volume-cubic-meter;
        cm³ volume-cubic-centimeter; cm3 volume-cubic-centimeter; km³ volume-cubic-kilometer;
        sq_ft area-square-foot; sq_mi area-square-mile; in² area-square-inch;
        mi² area-square-mile; h duration-hour; min duration-minute; s duration-second;
        ms duration-millisecond; µs duration-microsecond; μs duration-microsecond;
        us duration-microsecond; ns duration-nanosecond; hr duration-hour; hrs duration-hour;
        mins duration-minute; sec duration-second; secs duration-second; Std. duration-hour;
        Min. duration-minute; Sek. duration-second; seg duration-second; sek duration-second;
        Hz frequency-hertz; kHz frequency-kilohertz; MHz frequency-megahertz;
        GHz frequency-gigahertz; kB digital-kilobyte; KB digital-kilobyte; MB digital-megabyte;
        GB digital-gigabyte; TB digital-terabyte; PB digital-petabyte; Go digital-gigabyte;
        Mo digital-megabyte; To digital-terabyte; ko digital-kilobyte; kbit digital-kilobit;
        Kbit digital-kilobit; Mbit digital-megabit; Gbit digital-gigabit; Gb digital-gigabit;
        W power-watt; kW power-kilowatt; MW power-megawatt; GW power-gigawatt;
        mW power-milliwatt; kWh energy-kilowatt-hour; J energy-joule; kJ energy-kilojoule;
        cal energy-calorie; kcal energy-kilocalorie; eV energy-electronvolt; V electric-volt;
        A electric-ampere; mA electric-milliampere; Ω electric-ohm; Ω electric-ohm;
        N force-newton; Pa pressure-pascal; hPa pressure-hectopascal; kPa pressure-kilopascal;
        MPa pressure-megapascal; bar pressure-bar; mbar pressure-millibar;
        psi pressure-pound-force-per-square-inch; mmHg pressure-millimeter-ofhg;
        atm pressure-atmosphere; K temperature-kelvin; km/h speed-kilometer-per-hour;
        kph speed-kilometer-per-hour; kmh speed-kilometer-per-hour; m/s speed-meter-per-second;
        mph speed-mile-per-hour; kn speed-knot; hp power-horsepower;
        m/s² acceleration-meter-per-square-second; px graphics-pixel; MP graphics-megapixel;
        dpi graphics-dot-per-inch; ppi graphics-pixel-per-inch; lm light-lumen; lx light-lux;
        l/100_km consumption-liter-per-100-kilometer;
        l/100km consumption-liter-per-100-kilometer;
        m/s^2 acceleration-meter-per-square-second; m/s2 acceleration-meter-per-square-second;
        m^2 area-square-meter; km^2 area-square-kilometer; cm^2 area-square-centimeter;
        m^3 volume-cubic-meter; cm^3 volume-cubic-centimeter;
        L/100km consumption-liter-per-100-kilometer;
        L/100_km consumption-liter-per-100-kilometer; mpg consumption-mile-per-gallon;
        mol concentr-mole; T magnetic-tesla; tsp volume-teaspoon; tbsp volume-tablespoon;
        wk duration-week; wks duration-week; yr duration-year; yrs duration-year;
        Nm torque-newton-meter;
        """.split(";")
        if entry.strip()
    )
}
"""{sign: CLDR's identifier of the unit}"""


def _own(text: str) -> dict[str, dict[str, tuple[str, str]]]:
    """{sign: {language: (one, many)}} of paragraphs: a sign, then a line for each language."""
    units: dict[str, dict[str, tuple[str, str]]] = {}
    for paragraph in text.strip().split("\n\n"):
        sign, *lines = paragraph.split("\n")
        units[sign] = names = {}
        for code, line in zip(LANGUAGES, lines, strict=True):
            one, _, many = line.partition(", ")
            names[code] = (one, many or one)
    return units


OWN: Final = _own("""
dB
decibel, decibels
Dezibel
décibel, décibels
decibelio, decibelios
decibel
decibel, decibéis

fps
frame per second, frames per second
Bild pro Sekunde, Bilder pro Sekunde
image par seconde, images par seconde
fotograma por segundo, fotogramas por segundo
fotogramma al secondo, fotogrammi al secondo
quadro por segundo, quadros por segundo

rpm
revolution per minute, revolutions per minute
Umdrehung pro Minute, Umdrehungen pro Minute
tour par minute, tours par minute
revolución por minuto, revoluciones por minuto
giro al minuto, giri al minuto
rotação por minuto, rotações por minuto

KiB
kibibyte, kibibytes
Kibibyte
kibibyte, kibibytes
kibibyte, kibibytes
Kibibyte
kibibyte, kibibytes

MiB
mebibyte, mebibytes
Mebibyte
mebibyte, mebibytes
mebibyte, mebibytes
Mebibyte
mebibyte, mebibytes

GiB
gibibyte, gibibytes
Gibibyte
gibibyte, gibibytes
gibibyte, gibibytes
Gibibyte
gibibyte, gibibytes

TiB
tebibyte, tebibytes
Tebibyte
tebibyte, tebibytes
tebibyte, tebibytes
Tebibyte
tebibyte, tebibytes

MWh
megawatt-hour, megawatt-hours
Megawattstunde, Megawattstunden
mégawattheure, mégawattheures
megavatio hora, megavatios hora
megawattora, megawattore
megawatt-hora, megawatts-hora

Wh
watt-hour, watt-hours
Wattstunde, Wattstunden
wattheure, wattheures
vatio hora, vatios hora
wattora, wattore
watt-hora, watts-hora

mAh
milliampere-hour, milliampere-hours
Milliamperestunde, Milliamperestunden
milliampère-heure, milliampères-heures
miliamperio hora, miliamperios hora
milliamperora, milliamperore
miliampere-hora, miliamperes-hora

kV
kilovolt, kilovolts
Kilovolt
kilovolt, kilovolts
kilovoltio, kilovoltios
kilovolt
quilovolt, quilovolts

mV
millivolt, millivolts
Millivolt
millivolt, millivolts
milivoltio, milivoltios
millivolt
milivolt, milivolts

kΩ
kilohm, kilohms
Kiloohm
kilohm, kilohms
kiloohmio, kiloohmios
kilohm
quilohm, quilohms

THz
terahertz
Terahertz
térahertz
terahercio, terahercios
terahertz
terahertz
""")
"""Units that CLDR does not name."""

PER_SECOND: Final[dict[str, str]] = {
    **{f"{unit}/s": unit for unit in ("kB", "KB", "MB", "GB", "Mbit", "Gbit", "kbit", "km", "ft")},
    "Mbps": "Mbit", "Gbps": "Gbit", "kbps": "kbit", "Mb/s": "Mbit", "Gb/s": "Gbit",
    "MiB/s": "MiB", "GiB/s": "GiB",
}  # fmt: skip
"""Rates: {sign: the sign of what comes each second}"""

ONLY_IN: Final[dict[str, str]] = {
    "Go": "fr", "Mo": "fr", "To": "fr", "ko": "fr", "Std.": "de", "Min.": "de", "Sek.": "de",
    "seg": "es pt", "sek": "de", "in": "en", "mi": "en es", "mins": "en", "hrs": "en", "hr": "en",
    "secs": "en", "wk": "en", "wks": "en", "yr": "en", "yrs": "en", "tsp": "en", "tbsp": "en",
    "sec": "en fr it", "yd": "en", "gal": "en es", "kn": "en de",
}  # fmt: skip
"""The languages in which a sign is a unit, where it is a word or nothing in others."""
