"""A computation on fixed tensors that is either called or, on CUDA, replayed as a captured graph.

A replay launches all its kernels at once. Called from Python they are launched one by one, which
takes several times as long as small kernels run. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Step:
    """`compute` reads and writes tensors that stay where they are, and never asks for a value.

    So no shape and no branch may depend on what the tensors hold.
    """

    def __init__(self, compute: Callable[[], None]) -> None:
        self._compute = compute
        self._graph: Any = None

    def __call__(self) -> None:
        if self._graph is None:
            self._compute()
        else:
            self._graph.replay()

    def capture(self, device: str, pool: Any) -> None:
        """Capture it on a CUDA device; `pool`: memory that it shares with the graphs of the same.

        Computes it too, so the tensors' content is lost. After a failure the device can still be
        used, uncaptured.
        """
        import torch

        with torch.cuda.device(device), torch.inference_mode():
            current, aside = torch.cuda.current_stream(), torch.cuda.Stream()
            aside.wait_stream(current)
            with torch.cuda.stream(aside):
                # What libraries allocate and choose at their first call stays out of the graph.
                for _ in range(2):
                    self._compute()
            current.wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph, pool=pool):
                    self._compute()
            except Exception:
                torch.cuda.set_stream(current)  # which a failed capture does not do
                _renew_generator()
                raise
        self._graph = graph


def _renew_generator() -> None:
    """Give the device's random generator a new state.

    A capture that fails leaves the old one waiting for the capture's end, and every later draw
    would fail.
    """
    import torch

    device = torch.cuda.current_device()
    generator = torch.cuda.default_generators[device]
    fresh = torch.Generator(f"cuda:{device}")
    fresh.manual_seed(generator.initial_seed() + 1)
    generator.graphsafe_set_state(fresh.graphsafe_get_state())
