"""What a warm daemon saves, for each backend: a call without one against calls with one.

    python -m bench.backends [BACKEND...] [-n CALLS] [--backends-dir DIR] [--model NAME=PATH]...

Real calls of `vox -b BACKEND -o FILE` into a private home. The first finds no daemon: it starts
one, and the model is loaded. The others find it warm, which the daemon's own count confirms: one
load, however many jobs. `--model voxtream=DIR` loads another checkpoint, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from dataclasses import dataclass
from typing import Any

from .instance import Instance, machine, markdown

TEXT = "The build is finished, and all the tests pass."


@dataclass(frozen=True)
class Result:
    backend: str
    cold_s: float
    """Without a daemon: all of a call, which starts one and loads the model."""
    warm_s: list[float]
    loads: int
    """How many host processes loaded the model for all these calls."""
    load_s: float
    weights: str
    audio_s: float
    """Seconds of speech that one call makes."""

    @property
    def ratio(self) -> float:
        return self.cold_s / statistics.median(self.warm_s)


def hosts_of(vox: Instance, backend: str) -> list[dict[str, Any]]:
    models = vox.json("daemon", "status")["loaded_models"]
    return [model for model in models if model["backend"] == backend]


def measure(vox: Instance, backend: str, model: str | None, calls: int) -> Result:
    """Raises RuntimeError with the reason if the backend cannot speak here."""
    output_path = os.path.join(vox.home, f"{backend}.wav")
    speak = ["-b", backend, *(["-m", model] if model else []), "--fresh", "-o", output_path, TEXT]
    vox.stop()
    # Light backends start no daemon of themselves: that is the first call, this is for the others.
    cold_s = vox.seconds(speak)
    vox.checked("daemon", "start")
    loaded = hosts_of(vox, backend)
    if not loaded:
        vox.checked(*speak)
        loaded = hosts_of(vox, backend)
    pids = {host["pid"] for host in loaded}
    warm_s = []
    for _ in range(calls):
        warm_s.append(vox.seconds(speak))
        loaded = hosts_of(vox, backend)
        pids |= {host["pid"] for host in loaded}
    last = vox.json("history", "-n", "1")[0]
    host = loaded[-1]
    name = os.path.basename(host["model"] or "") or "its own"
    return Result(
        backend=backend,
        cold_s=cold_s,
        warm_s=warm_s,
        loads=len(pids),
        load_s=host["load_s"],
        weights=f"{name} on {host['device']}" + (", a checkpoint given" if model else ""),
        audio_s=last["audio_s"] or 0.0,
    )


def ready_backends(vox: Instance) -> list[str]:
    return [
        entry["name"]
        for entry in vox.json("backends", "list")
        if entry["installed"] and not entry["missing"]
    ]


def table(results: list[Result]) -> str:
    header = ["backend", "without daemon", "with daemon", "times", "loads", "speech", "weights"]
    rows = [
        [
            f"`{result.backend}`",
            f"{result.cold_s:.2f} s",
            f"{statistics.median(result.warm_s):.2f} s",
            f"{result.ratio:.1f}",
            f"{result.loads} for {len(result.warm_s) + 1} calls",
            f"{result.audio_s:.1f} s",
            result.weights,
        ]
        for result in results
    ]
    return markdown(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.backends", description=__doc__)
    parser.add_argument("backends", nargs="*", help="default: all that can speak here")
    parser.add_argument("-n", "--calls", type=int, default=5, help="warm calls; default: 5")
    parser.add_argument("--backends-dir", help="where `vox backends install` put them")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--json", metavar="FILE", help="write the single values there as well")
    options = parser.parse_args()
    models = dict(entry.split("=", 1) for entry in options.model)
    results = []
    with Instance(os.environ, options.backends_dir) as vox:
        for backend in options.backends or [*ready_backends(vox)]:
            print(f"{backend} ...", file=sys.stderr)
            try:
                results.append(measure(vox, backend, models.get(backend), options.calls))
            except RuntimeError as exc:
                print(f"{backend}: {exc}", file=sys.stderr)
    print(table(results))
    print(f"\n{machine()}; warm: median of {options.calls} calls; {TEXT!r}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([vars(result) for result in results], file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    main()
