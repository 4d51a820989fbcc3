"""A third party's backend that has to be installed: its package `toytts` is in no index.

The tests make a wheel of it (with this module inside, as a third party would) for pip to find.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import ClassVar

from vox.backends.base import (
    Accelerator,
    Backend,
    Chunk,
    Info,
    Loaded,
    Progress,
    Settings,
    Utterance,
    Voice,
)
from vox.checks import Key, boolean, one_of
from vox.errors import LoadFailed, SynthesisFailed

WEIGHTS = "toy.bin"


class Toy(Backend):
    info: ClassVar[Info] = Info(
        name="toy",
        summary="to be installed",
        package="toytts",
        languages=("eo",),
        clone=True,
        requirements=("toytts==1.0",),
        license="Apache-2.0",
        asked_by_default="first",
        options={
            "mood": Key("calm", one_of("calm", "wild"), "how it feels"),
            "offline": Key(False, boolean, "the toy shop is closed"),
        },
    )

    @classmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        return [Voice("zamenhof", cls.info.name, "eo", "male", is_default=True)]

    @classmethod
    def disk_mb(cls, accelerator: Accelerator) -> int:
        return 1

    @classmethod
    def after_install(cls, site_packages: str) -> None:
        with open(os.path.join(site_packages, "mended"), "w", encoding="utf-8") as file:
            file.write("yes")

    @classmethod
    def lock(cls, accelerator: Accelerator) -> str:
        return os.environ.get("TOY_LOCK", os.devnull + "/none")

    @classmethod
    def check_environment(cls, accelerator: Accelerator) -> None:
        import toytts

        if accelerator == "cuda":
            raise LoadFailed(f"{toytts.WHO} has no GPU for toys", "buy one")

    @classmethod
    def missing(cls, settings: Settings) -> str | None:
        path = os.path.join(settings.env_dir, "weights", WEIGHTS)
        return None if os.path.exists(path) else "its weights are not fetched"

    @classmethod
    def fetch(cls, settings: Settings, progress: Progress) -> None:
        import toytts

        print("libraries print what they like")
        if settings.options.get("offline"):
            raise LoadFailed("no connection to the toy shop", "connect and run it again")
        os.makedirs(os.path.join(settings.env_dir, "weights"), exist_ok=True)
        with open(
            os.path.join(settings.env_dir, "weights", WEIGHTS), "w", encoding="utf-8"
        ) as file:
            file.write(" ".join([toytts.WHO, *settings.options.get("voices", ())]))
        progress("fetching toys", 1.0)

    def load(self, progress: Progress) -> Loaded:
        return Loaded(device="cpu")

    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        raise SynthesisFailed("a toy does not speak")


class Huge(Toy):
    info: ClassVar[Info] = Info(
        name="toy-huge",
        summary="does not fit on any disk, but for a small build from an index that is gone",
        package="toytts",
        requirements=("toytts==1.0",),
        license="Apache-2.0",
    )

    @classmethod
    def requirements(cls, accelerator: Accelerator) -> tuple[str, ...]:
        small = ("--extra-index-url http://127.0.0.1:9/",) if accelerator == "cpu" else ()
        return (*small, *cls.info.requirements)

    @classmethod
    def disk_mb(cls, accelerator: Accelerator) -> int:
        return 1 if accelerator == "cpu" else 10**9
