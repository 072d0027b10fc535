"""Where the app is reached: address, port, the names it answers to, and whether it asks for a sign-in."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import InputError
from core.messages import reason_of
from webapp.shell.sign_in import Credentials
from webapp.shell.words import Says

LOOPBACK = ("localhost", "127.0.0.1")
TUNNEL_NAMES = "*.gradio.live"
GENERATED_USER = "workbench"
PORTS_TRIED = 20


@dataclass(frozen=True)
class Door:
    """How the app is reached.

    Attributes:
        url: the address to open on this machine.
        port: in `url`; names the session cookie, since cookies do not tell ports apart.
        hosts: names and addresses a request may be addressed to; `*.` stands for every subdomain.
        credentials: the sign-in to ask for; None only where nobody but this machine can reach the app.
        network_urls: the addresses to open on other machines of the network.
    """

    url: str
    port: int
    hosts: tuple[str, ...]
    credentials: Credentials | None
    network_urls: tuple[str, ...] = ()


def open_door(host: str, port: int, *, share: bool, auth: str | None, extra_hosts: Sequence[str]) -> Door:
    """The door for these options. Beyond this machine there is always a sign-in: yours, or a generated one.

    Args:
        host: address or name to listen on; `0.0.0.0` is every network.
        auth: `USER:PASSWORD` or None.
        extra_hosts: of `--allowed_host`.

    Raises `InputError`.
    """
    credentials = parse_auth(auth) if auth is not None else None
    if credentials is None and (share or not is_loopback(host)):
        # Four groups from 32 letters that nobody mistakes for each other: 100 bits.
        alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
        groups = ("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))
        credentials = Credentials(GENERATED_USER, "-".join(groups), generated=True)
    hosts = allowed_hosts(host, share=share, extra=extra_hosts)
    if not _is_wildcard(host):
        return Door(f"http://{host}:{port}", port, hosts, credentials)
    reached_at = [address for address in _own_addresses() if not is_loopback(address)]
    network_urls = tuple(f"http://{address}:{port}" for address in reached_at)
    return Door(f"http://127.0.0.1:{port}", port, hosts, credentials, network_urls)


def parse_auth(auth: str) -> Credentials:
    """`USER:PASSWORD` (the password may contain colons). Raises `InputError`."""
    user, _, password = auth.partition(":")
    if not user or not password:
        raise InputError(Says.auth_form(), next_step=Says.auth_example())
    return Credentials(user, password, generated=False)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_hosts(host: str, *, share: bool, extra: Sequence[str]) -> tuple[str, ...]:
    """Names a request may be addressed to: loopback; on a network this machine's own; the tunnel's; those named."""
    names = [*LOOPBACK]
    if _is_wildcard(host):
        hostname = socket.gethostname().lower()
        names += [hostname, f"{hostname}.local", *_own_addresses()]
    elif host not in names:
        names.append(host.lower())
    if share:
        names.append(TUNNEL_NAMES)
    for name in extra:
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", name):
            raise InputError(Says.no_host_name(), where=f"--allowed_host {name}", next_step=Says.give_host_name())
        names.append(name.lower())
    return tuple(dict.fromkeys(names))


def _is_wildcard(host: str) -> bool:
    return host == "0.0.0.0"  # noqa: S104


def _own_addresses() -> list[str]:
    import psutil

    interfaces = psutil.net_if_addrs().values()
    return [address.address for each in interfaces for address in each if address.family == socket.AF_INET]


def free_port(host: str, wanted: int | None, first: int) -> int:
    """`wanted` if it is free, else an error; without it the first free port from `first`."""
    if ":" in host:
        raise InputError(Says.no_ipv6(), where=host, next_step=Says.use_host())
    for port in [wanted] if wanted is not None else range(first, first + PORTS_TRIED):
        try:
            with socket.create_server((host, port)):
                return port
        except OSError as error:
            reason = reason_of(error)
        except OverflowError:
            raise InputError(Says.port_range(), where=f"--port {wanted}") from None
    ports = f"port {wanted}" if wanted is not None else f"ports {first} to {first + PORTS_TRIED - 1}"
    raise InputError(Says.cannot_listen(reason=reason), where=f"{host}, {ports}", next_step=Says.name_another_port())
