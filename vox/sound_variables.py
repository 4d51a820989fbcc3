"""Which variables lead a process to the user's sound server, and how a request carries them.

A client sends its own with each request, for the daemon may have been started where they were
missing, for example by cron. On the way to the first sound, so it imports only what is there.
"""

from __future__ import annotations

from .flat_json import flat_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLES = (
    # libpulse, which ALSA's plug-in "pulse" uses
    "PULSE_SERVER",
    "PULSE_SINK",
    "PULSE_COOKIE",
    "PULSE_RUNTIME_PATH",
    "PULSE_CLIENTCONFIG",
    "XDG_CONFIG_HOME",  # of its cookie and its client.conf
    # libpulse and libpipewire: the folder of the server's socket
    "XDG_RUNTIME_DIR",
    # libpipewire, which ALSA's plug-in "pipewire" uses
    "PIPEWIRE_RUNTIME_DIR",
    "PIPEWIRE_REMOTE",
    "PIPEWIRE_NODE",
    # libasound, and its alsa.conf
    "ALSA_CONFIG_PATH",
    "ALSA_CONFIG_DIR",
    "ALSA_PLUGIN_DIR",
    "ALSA_CARD",
    "ALSA_PCM_CARD",
    "ALSA_PCM_DEVICE",
    # libjack; it finds the server over D-Bus where jackdbus runs
    "JACK_DEFAULT_SERVER",
    "JACK_PROMISCUOUS_SERVER",
    "JACK_NO_START_SERVER",
    "DBUS_SESSION_BUS_ADDRESS",
    # PortAudio itself
    "PA_ALSA_PLUGHW",
)
"""What PortAudio and the libraries behind it read. CoreAudio on macOS reads none.

HOME is not among them: it decides where vox has its files, so daemon and client have the same.
"""

HEADER = "Vox-Sound"
"""The header that carries them, as a JSON object. Only the control socket heeds it."""
_LONGEST = 4_096

Environment = dict[str, str]
"""Those of VARIABLES that are set."""


def chosen(environ: Mapping[str, str]) -> Environment:
    """Those of the variables that are set in `environ`."""
    return {name: value for name in VARIABLES if (value := environ.get(name))}


def to_header(environ: Mapping[str, str]) -> str:
    """The header's value for a process with that environment; "" if nothing is set."""
    found = chosen(environ)
    return flat_json({n: v for n, v in found.items() if len(v) <= _LONGEST}) if found else ""


def from_header(text: str) -> Environment:
    """The variables in the header's value. What is not of that form counts as nothing."""
    import json

    try:
        given = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(given, dict):
        return {}
    return chosen({name: value for name, value in given.items() if _is_usable(value)})


def _is_usable(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST and "\0" not in value
