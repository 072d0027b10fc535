"""Threads that take turns: the same choices give the same interleaving, so that a failing trace can be shrunk.

Every actor is a real thread, but only one thread runs at a time: the driver (the test) or the one actor it has resumed.
An actor runs until it parks, in one of three places: waiting on the manager's condition, inside a model load, or
holding its leases. `TurnCondition` stands in for the manager's `threading.Condition` and wakes nobody who was not
notified (or whose `cancel` is not set), so a forgotten notification shows as an actor that never ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

PATIENCE_S = 20.0  # of real time, for one step of one actor: only a bug takes longer


class Aborted(BaseException):
    """Raised in parked actors when a trace has failed, so that their threads end."""


class Actor:
    """One thread. `where` is None while it runs, else `waiting | loading | holding | done`."""

    def __init__(self, turns: Turns, name: str, body: Callable[[Actor], None]) -> None:
        self.name = name
        self.cancel = threading.Event()
        self.where: str | None = None
        self.notified = False
        self.polls = False
        self.outcome: BaseException | None = None
        self._turns = turns
        self._body = body
        self._go = threading.Lock()  # taken while this actor may not run
        self._go.acquire()
        self._command: Any = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def park(self, where: str) -> Any:
        """Stop here until the driver resumes this actor; returns what the driver says."""
        self.where = where
        self._turns.driver_turn.release()
        self._go.acquire()
        self.where = None
        if self._turns.aborted:
            raise Aborted
        return self._command

    def resume(self, command: Any = None) -> None:
        """Called by the driver: run this actor until it parks or ends."""
        self._command, self.notified = command, False
        self._turns.current = self
        self._go.release()
        if not self._turns.driver_turn.acquire(timeout=PATIENCE_S):
            raise AssertionError(f"{self.name} neither parked nor ended")
        self._turns.current = None

    @property
    def runnable(self) -> bool:
        """Waiting, and woken: notified, or polling a `cancel` that is set."""
        return self.where == "waiting" and (self.notified or (self.polls and self.cancel.is_set()))

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._turns.aborted:
                self._body(self)
        except Aborted:
            pass
        except BaseException as error:
            self.outcome = error.with_traceback(None)
        self.where = "done"
        self._turns.driver_turn.release()

    def join(self) -> None:
        self._thread.join(PATIENCE_S)


class Turns:
    """All actors of one trace."""

    def __init__(self) -> None:
        self.actors: list[Actor] = []
        self.current: Actor | None = None
        self.aborted = False
        self.driver_turn = threading.Lock()  # taken while the driver waits
        self.driver_turn.acquire()

    def start(self, body: Callable[[Actor], None]) -> Actor:
        actor = Actor(self, f"actor {len(self.actors)}", body)
        self.actors.append(actor)
        actor.resume()
        return actor

    def at(self, where: str) -> list[Actor]:
        return [actor for actor in self.actors if actor.where == where]

    def abort(self) -> None:
        """End every thread, however the trace went."""
        self.aborted = True
        for actor in self.actors:
            if actor.where != "done":
                actor.resume()
            actor.join()


class TurnCondition:
    """What the manager uses of `threading.Condition`, under the driver's control."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.depth = 0

    def __enter__(self) -> TurnCondition:
        self.depth += 1
        return self

    def __exit__(self, *_error: object) -> None:
        self.depth -= 1

    def wait(self, timeout: float | None = None) -> None:
        actor = self._turns.current
        assert actor is not None, "only actors wait"
        assert self.depth == 1, "waiting with the lock taken twice would hang"
        actor.polls = timeout is not None
        self.depth = 0
        try:
            actor.park("waiting")
        finally:
            self.depth = 1

    def notify_all(self) -> None:
        assert self.depth >= 1, "notify needs the lock"
        for actor in self._turns.actors:
            if actor.where == "waiting":
                actor.notified = True
