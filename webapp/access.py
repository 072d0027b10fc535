"""Who may reach the app, and what they may send it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from webapp.page import LocalizedPage
from webapp.text import Language

MAX_UPLOAD_BYTES = 256 * 2**20
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Credentials:
    user: str
    password: str
    generated: bool


@dataclass(frozen=True)
class Door:
    url: str
    hosts: tuple[str, ...]
    credentials: Credentials | None


def door(host: str, port: int, *, share: bool, auth: str | None, extra_hosts: Sequence[str]) -> Door:
    return Door(f"http://{host}:{port}", LOOPBACK, None)


def middleware(door: Door, temp_dir: Path, default_language: Language | None) -> list[Middleware]:
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=list(door.hosts), www_redirect=False),
        Middleware(LocalizedPage, default_language=default_language),
    ]
