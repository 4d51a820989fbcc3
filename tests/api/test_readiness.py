"""What `/ready` says of a usual backend that is not on this machine."""

from __future__ import annotations

from pathlib import Path

from vox.api.readiness import Checks

from .fakes import FakeContext


def test_a_backend_that_only_workers_have_is_ready_while_one_serves_it(
    context: FakeContext,
) -> None:
    settings = Path(context.paths.config_path)
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('backend = "qwen"\n')
    assert "not installed" in answer(context)
    settings.write_text('backend = "qwen"\nworkers = "redis://gpu"\n')
    assert answer(context).startswith("no worker serves qwen now")
    context.engine.catalog.is_served = lambda name: name == "qwen"
    assert answer(context) == "ok"


def answer(context: FakeContext) -> str:
    return context.run(Checks(context).run())["backend"]
