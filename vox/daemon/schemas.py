"""The bodies that the API takes, with their limits: what `/docs` shows."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .. import jobs


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=False)


class Speak(Body):
    """A request to speak. What is left out follows the settings (`vox config show`)."""

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        json_schema_extra={"examples": [{"text": "The build is finished."}]},
    )

    text: str = Field(description="What is to be spoken.")
    voice: str | None = None
    lang: str | None = Field(None, description="BCP 47, e.g. `en` or `de-AT`.")
    backend: str | None = None
    model: str | None = None
    style: str | None = None
    gender: Literal["female", "male"] | None = None
    speed: float | None = Field(None, ge=0.25, le=4.0)
    volume: float | None = Field(None, ge=0.0, le=5.0)
    priority: Literal["high", "normal", "low"] | None = None
    expires: float | None = Field(
        None, gt=0, description="Seconds after which it is no longer worth speaking."
    )
    replace: str | None = Field(None, description="Cancels live jobs with the same key.")
    output: str | None = Field(
        None, description="Absolute path of a .wav, .flac, .ogg or .mp3 file to write instead of playing."
    )
    id: str | None = Field(None, description="Your own id for the job: asking twice makes one job.")
    is_async: bool = Field(
        False, alias="async", description="Answer 202 at once instead of when it was heard."
    )
    source: str = Field("api", max_length=40)
    source_name: str | None = None

    def to_request(self) -> jobs.Request:
        values = self.model_dump(exclude={"is_async", "expires"})
        return jobs.Request(**values, expires_s=self.expires)


class Stop(Body):
    now: bool = Field(False, description="Do not finish what is being said.")
    when: Literal["drained"] | None = Field(
        None, description="`drained`: only once the queue is empty."
    )
