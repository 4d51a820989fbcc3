"""The OpenAI-compatible routes: audio is streamed back instead of being played.

Owns how OpenAI's names of models and voices map to ours. These jobs go through the same queue and
history as all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse

from ..audio.files import Encoder, media_type
from ..audio.pcm import USUAL_RATE
from ..config import Config
from ..errors import BadOption, DaemonLeaving, EmptyText, UnknownBackend, UnknownVoice
from ..jobs import Request
from ..voices.wish import split_voice
from .context import Context
from .problems import problem
from .schemas import Model, ModelList, Speech, VoiceList, answers
from .speech import SpeechResponse, empty_speech
from .writing import in_writer

MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""Unless the setting `http_models` maps them they mean the default backend."""

VOICES = {
    "alloy": "female",
    "ash": "male",
    "ballad": "male",
    "cedar": "male",
    "coral": "female",
    "echo": "male",
    "fable": "male",
    "marin": "female",
    "nova": "female",
    "onyx": "male",
    "sage": "female",
    "shimmer": "female",
    "verse": "male",
}
"""Unless `http_voices` maps it, each means a voice of that gender if the backend has one."""

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
SHOWN_VOICES = 300
"""How many the message about an unknown voice lists."""
_CREATED = 1_700_000_000  # clients want a number; nothing depends on it


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["openai"], prefix="/v1")
    engine = context.engine

    binary = {"schema": {"type": "string", "format": "binary"}}
    audio = {media_type(name): binary for name in FORMATS}
    events: dict[str, Any] = {"text/event-stream": {}}
    streamed: dict[int | str, dict[str, Any]] = {
        200: {"description": "The audio as it is made.", "content": {**audio, **events}},
        **answers(400, 409, 422, 500, 503),
    }

    @router.post("/audio/speech", response_class=Response, responses=streamed)
    async def speech(body: Speech) -> Response:
        """Speak into the response, as OpenAI's API does; nothing is played here."""
        await asyncio.to_thread(_check_format, body.response_format)
        wanted = to_request(body, context.config(), engine.catalog.names())
        is_sse = body.stream_format == "sse"
        if context.is_leaving:
            raise DaemonLeaving(
                "the daemon is stopping", "start it and try again: vox daemon start"
            )
        try:
            job = await in_writer(engine.submit, wanted)
        except EmptyText:
            if not body.input.strip():
                raise
            # Home Assistant tests a key with a lone full stop, Open WebUI sends what stands between
            # two sentences. An error would look as if something were wrong.
            return await asyncio.to_thread(empty_speech, body.response_format, is_sse)
        except UnknownVoice as exc:
            return await asyncio.to_thread(_unknown_voice, context, wanted.backend, exc)
        return SpeechResponse(context, job, body.response_format, is_sse)

    @router.get("/models", response_model=ModelList)
    async def models() -> dict[str, Any]:
        """Our backends that are ready to speak, and OpenAI's names."""
        found = await asyncio.to_thread(_models, context)
        return {"object": "list", "data": found}

    @router.get("/models/{model:path}", response_model=Model, responses=answers(404, 422))
    async def model(model: Annotated[str, Path(max_length=200)]) -> Any:
        found = await asyncio.to_thread(_models, context)
        known = next((each for each in found if each["id"] == model), None)
        if known is None:
            path = f"/v1/models/{model}"
            return problem(404, f"no model is called {model!r}", "unknown-backend", path=path)
        return known

    @router.get("/audio/models")
    async def audio_models() -> dict[str, list[Model]]:
        """The same as `/v1/models`, as Open WebUI asks for it."""
        found = await asyncio.to_thread(_models, context)
        return {"models": [Model(**each) for each in found]}

    @router.get("/audio/voices", response_model=VoiceList)
    async def voices() -> Response:
        """Our voices that are installed, then OpenAI's names."""
        return JSONResponse({"voices": await asyncio.to_thread(_voices, context)})

    return router


def to_request(body: Speech, config: Config, backends: Collection[str]) -> Request:
    """OpenAI's request as ours; `backends` are our names. Raises UnknownBackend."""
    backend, model = _backend_of(body.model, config["http_models"], backends)
    voice = body.voice if isinstance(body.voice, str) or body.voice is None else body.voice.id
    voice, gender = _voice_of(voice or None, config)
    if voice is not None:
        named, voice = split_voice(voice, backends)
        backend = named or backend
    return Request(
        text=body.input,
        backend=backend,
        model=model,
        voice=voice,
        gender=gender,
        speed=body.speed,
        style=body.instructions or None,
        lang=body.lang,
        fresh=body.fresh,
        keep_alive=body.keep_alive,
        sink="stream",
        via="openai",
    )


def _backend_of(
    name: str, mapped: dict[str, str], backends: Collection[str]
) -> tuple[str | None, str | None]:
    """(backend, model) that a model's name means. It may be mapped, ours, or one of OpenAI's."""
    name = mapped.get(name, name).strip()
    backend, _, model = name.partition("/")
    if backend in backends:
        return backend, model or None
    if not name or name in MODELS or name.startswith(("tts-", "gpt-")):
        return None, None
    raise UnknownBackend(f"no backend is called {backend!r}", "see: GET /v1/models, vox backends")


def _voice_of(name: str | None, config: Config) -> tuple[str | None, str | None]:
    """(voice, gender) that a voice's name means; (None, None): what the settings say."""
    mapped: dict[str, str] = config["http_voices"]
    if name in mapped:
        return mapped[name], None
    if name is None or name.lower() not in VOICES:
        return name, None
    return None, None if config["voice"] else VOICES[name.lower()]


def _unknown_voice(context: Context, backend: str | None, exc: UnknownVoice) -> Response:
    """400, as OpenAI answers it, with the voices that there are."""
    known = [voice["id"] for voice in _voices(context) if backend in (None, voice["backend"])]
    shown = ", ".join(known[:SHOWN_VOICES])
    if len(known) > SHOWN_VOICES:
        shown += f", and {len(known) - SHOWN_VOICES} more: GET /v1/audio/voices"
    message = f"{exc.message}; available: {shown}" if known else exc.message
    return problem(
        400, message, exc.code, path="/v1/audio/speech", hint=exc.hint, field="voice", voices=known
    )


def _check_format(name: str) -> None:
    """Raises BadOption here rather than once the first audio is made."""
    if name == "aac":
        Encoder(name, USUAL_RATE)
    elif name not in FORMATS:
        raise BadOption(f"there is no format {name!r}", field="response_format")


def _models(context: Context) -> list[dict[str, Any]]:
    catalog = context.engine.catalog
    names = catalog.names()
    ready = [name for name in names if catalog.is_ready(name) or catalog.is_served(name)]
    shown = dict.fromkeys([*ready, *MODELS, *context.config()["http_models"]])
    return [
        {"id": name, "name": name, "object": "model", "created": _CREATED, "owned_by": "vox"}
        for name in shown
    ]


def _voices(context: Context) -> list[dict[str, Any]]:
    """All names of voices. One that several backends have is shown as BACKEND/NAME."""
    found = [voice for voice in context.engine.catalog.voices() if voice.installed]
    names = [voice.name for voice in found]
    shown: dict[str, dict[str, Any]] = {}
    for voice in found:
        name = voice.name if names.count(voice.name) == 1 else f"{voice.backend}/{voice.name}"
        about = {"backend": voice.backend, "lang": voice.lang, "gender": voice.gender}
        shown[name] = {"id": name, "name": name, **about}
    for name in [*VOICES, *context.config()["http_voices"]]:
        about = {"backend": None, "lang": None, "gender": VOICES.get(name)}
        shown.setdefault(name, {"id": name, "name": name, **about})
    return list(shown.values())
