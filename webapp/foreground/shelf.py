"""`Shelf`: results that visitors' windows hold tickets for."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict

from webapp.foreground.job import Result

SHELF_BYTES = 2**30


class Shelf:
    """Results by a secret ticket, the least recently used forgotten first. Thread-safe.

    A visitor's session holds the ticket alone, so that many open windows cannot fill the memory with photos.
    """

    def __init__(self, max_bytes: int = SHELF_BYTES) -> None:
        self._max_bytes = max_bytes
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, result: Result, ticket: str | None = None) -> str:
        """Keeps a result, under `ticket` if it takes that one's place. Returns the ticket. The newest always stays."""
        ticket = ticket or secrets.token_urlsafe(16)
        with self._lock:
            self._results[ticket] = result
            self._results.move_to_end(ticket)
            while len(self._results) > 1 and sum(each.size_bytes for each in self._results.values()) > self._max_bytes:
                self._results.popitem(last=False)[1].forget()
        return ticket

    def get(self, ticket: str | None) -> Result | None:
        with self._lock:
            if ticket is None or ticket not in self._results:
                return None
            self._results.move_to_end(ticket)
            return self._results[ticket]

    def forget(self, ticket: str | None) -> None:
        with self._lock:
            result = self._results.pop(ticket or "", None)
        if result is not None:
            result.forget()
