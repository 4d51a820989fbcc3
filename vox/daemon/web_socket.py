"""uvicorn's web socket on a connection that counts as one of `connections`.

Imported with the first web socket: no other request needs the library.
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class CountedWebSocket(WebSocketsSansIOProtocol):
    """Tells the HTTP protocol, whose connection it has taken over, when that is lost."""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if (lost := self.app_state.get("lost")) is not None:
            lost()
