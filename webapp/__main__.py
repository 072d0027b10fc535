"""Serve the app: `python -m webapp [--host --port --share --auth USER:PASSWORD …]`.

The order matters for a quick start: read the options, make a private temporary folder, only then import Gradio; the
page is up before torch, which a thread imports behind it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import WorkbenchError
from core.settings import Settings
from webapp.shell.scratch import private_temp_dir, sweep_now_and_then

if TYPE_CHECKING:
    from webapp.shell.door import Door

FIRST_PORT = 7860


def main(argv: Sequence[str] | None = None) -> int:
    """Run until interrupted. Returns the exit status: 0, or 2 when the options cannot be used."""
    options = _parser().parse_args(argv)
    try:
        with private_temp_dir() as temp_dir:
            _serve(options, temp_dir)
    except WorkbenchError as error:
        print(f"webapp: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    here = Settings()
    parser = argparse.ArgumentParser(prog="python -m webapp", description="CLIP Workbench in the browser.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for the whole network (then with sign-in)")
    add("--port", type=int, help=f"default: the first free one from {FIRST_PORT}")
    add("--share", action="store_true", help="also a public link through Gradio's tunnel (with sign-in)")
    add(
        "--auth",
        metavar="USER:PASSWORD",
        help="ask for this sign-in; made up and printed where it is needed and missing",
    )
    add("--allowed_host", "--allowed-host", metavar="NAME", action="append", default=[],
        help="one more name the page may be reached under (behind a proxy); repeatable")  # fmt: skip
    add("--runs_dir", "--runs-dir", type=Path, default=here.runs_dir, help="root of the training runs")
    add("--weights_dir", "--weights-dir", type=Path, default=here.weights_dir, help="where model weights lie")
    add("--device", default=here.device, help="auto, cpu, gpu, cuda:N or mps")
    add("--lang", choices=("en", "zh"), help="language of the page; default: the visitor's browser decides")
    return parser


def _serve(options: argparse.Namespace, temp_dir: Path) -> None:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    from webapp import app
    from webapp.kit.services import open_services
    from webapp.shell import access, theme
    from webapp.shell.door import free_port, open_door
    from webapp.shell.received import VisitorLimits, forbid_fetching
    from webapp.text import translations

    port = free_port(options.host, options.port, FIRST_PORT)
    _no_proxy_for(options.host)
    door = open_door(options.host, port, share=options.share, auth=options.auth, extra_hosts=options.allowed_host)
    limits = VisitorLimits()
    forbid_fetching()
    settings = Settings(weights_dir=options.weights_dir, runs_dir=options.runs_dir, device=options.device)
    scratch_dir = temp_dir / "scratch"
    scratch_dir.mkdir()
    services = open_services(
        settings, scratch_dir, default_language=options.lang, signed_in_only=door.credentials is not None
    )
    page = app.build(services)
    page.launch(
        server_name=options.host,
        server_port=port,
        share=False,  # the tunnel is opened below; Gradio's own way would load its scripts from a foreign host
        prevent_thread_lock=True,
        quiet=True,
        theme=theme.theme(),
        head=theme.head(),
        i18n=translations(),
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        show_error=False,
        max_file_size=limits.file_bytes,
        app_kwargs={"middleware": access.middleware(door, temp_dir, options.lang, limits)},
    )
    stop = _stop_on_signal()
    tunnel_url = _open_tunnel(options.host, port) if options.share else None
    _greet(door, tunnel_url)
    threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()
    threading.Thread(target=sweep_now_and_then, args=(temp_dir, stop), name="sweep", daemon=True).start()
    try:
        stop.wait()
    finally:
        page.close(verbose=False)
        services.manager.close()


def _stop_on_signal() -> threading.Event:
    """An event that the first Ctrl+C (or SIGTERM) sets, to end in order. The second ends at once."""
    stop = threading.Event()

    def on_signal(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    return stop


def _no_proxy_for(host: str) -> None:
    """Gradio asks itself at the start whether it is up; a proxy named in the environment would answer instead."""
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "localhost", "127.0.0.1", host]))


def _open_tunnel(host: str, port: int) -> str | None:
    """A public link, or None where the tunnel cannot be had; the app stays reachable here either way."""
    from gradio.networking import setup_tunnel

    try:
        return setup_tunnel(host, port, secrets.token_urlsafe(32), None, None)
    except Exception as error:  # the tunnel's own errors are of many kinds: network, download, checksum, time-out
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        print(f"No public link: {reason}. The app is served here only.", file=sys.stderr, flush=True)
        return None


def _greet(door: Door, tunnel_url: str | None) -> None:
    """Where the app is, and how to get in. The only place that ever shows a generated password."""
    print(f"CLIP Workbench: {door.url}")
    for url in door.network_urls:
        print(f"On the network: {url}")
    if tunnel_url:
        print(f"Public link:    {tunnel_url}")
    if door.credentials and door.credentials.generated:
        print(f"Sign in as:     {door.credentials.user}")
        print(f"Password:       {door.credentials.password}   (made for this start; it is not shown again)")
    print("Stop with Ctrl+C.", flush=True)


def _warm_up() -> None:
    """Import what the first run needs, while the visitor is still choosing photos."""
    from core.models.weights import import_libraries

    with suppress(ImportError):  # whoever needs it says so, with the command that installs it
        import_libraries()


if __name__ == "__main__":
    sys.exit(main())
