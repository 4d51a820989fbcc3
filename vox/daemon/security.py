"""Who may talk to the API over TCP."""

from __future__ import annotations

from fastapi import FastAPI

from ..config import LiveConfig
from ..paths import Paths


def install(app: FastAPI, paths: Paths, config: LiveConfig) -> None:
    pass
