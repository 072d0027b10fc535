"""Downloads against a real HTTP server in a thread, which cuts, lies and changes its mind when told to."""

from __future__ import annotations

import hashlib
import http.server
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from core.errors import InputError, NetworkUnavailable, WeightsInvalid, WorkbenchError
from core.models import catalogue, fetch, weights
from core.models.fetch import Download
from core.models.spec import ModelSpec

CONTENT = bytes(range(256)) * 20_000  # five megabytes: several blocks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server does, and what it was asked."""

    url: str = ""
    content: bytes = CONTENT
    etag: str = '"v1"'
    linked_etag: str = ""  # as the hub names a large file's sha256
    ranges: bool = True
    missing: set[str] = field(default_factory=set)  # names answered with 404
    status: int = 0  # answered to everything, if set
    cuts: list[int] = field(default_factory=list)  # bytes after which the next connections break
    block_s: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)  # (path, Range header)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            state.asked.append((self.path, asked))
            if state.status or self.path.split("/")[-1] in state.missing:
                self.send_error(state.status or 404)
                return
            if self.path.startswith("/hub/"):  # the hub answers with its store's address, and the hash
                self.send_response(302)
                self.send_header("Location", state.url + "/store/" + self.path.split("/")[-1])
                if state.linked_etag:
                    self.send_header("X-Linked-ETag", f'"{state.linked_etag}"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            span = re.fullmatch(r"bytes=(\d+)-", asked)
            start = int(span.group(1)) if span and state.ranges else 0
            if start and self.headers.get("If-Range") != state.etag:
                start = 0
            if start > len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", state.etag)
            self.end_headers()
            if state.cuts:
                self.wfile.write(body[: state.cuts.pop(0)])
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            for begin in range(0, len(body), 2**20):
                self.wfile.write(body[begin : begin + 2**20])
                time.sleep(state.block_s)

        def log_message(self, *parts: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield state
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture
def spec(server: Server) -> ModelSpec:
    """A torchvision entry whose address is the local server's."""
    return replace(
        catalogue.find("resnet50", Path("nowhere")), url=f"{server.url}/models/resnet50.pth", files=("resnet50.pth",)
    )


def run(spec: ModelSpec, folder: Path, server: Server | None = None, **options: object) -> Path:
    hub = f"{server.url}/hub" if server else "http://127.0.0.1:9"
    return fetch.fetch(spec, folder, hub_url=hub, seconds_between_tries=0.0, **options)  # type: ignore[arg-type]


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.suffix in (".part", ".json", ".lock"))


def test_a_file_arrives_where_it_is_looked_up_with_its_hash(spec: ModelSpec, server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = run(spec, tmp_path, on_progress=lambda done, total: seen.append((done, total)))
    assert path == weights.locate(spec, tmp_path) == tmp_path / "torchvision/resnet50.pth"
    assert path.read_bytes() == CONTENT
    assert (path.parent / "resnet50.pth.sha256").read_text() == f"{SHA256}  resnet50.pth\n"  # as sha256sum -c reads
    assert fetch.recorded_sha256(path) == SHA256
    assert leftovers(tmp_path) == []
    assert seen[0] == (0, len(CONTENT)) and seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_what_is_here_is_not_fetched_again(spec: ModelSpec, server: Server, tmp_path: Path) -> None:
    run(spec, tmp_path)
    run(spec, tmp_path)
    assert len(server.asked) == 1
    lite = catalogue.find("efficientnet_lite0", tmp_path)
    assert run(lite, tmp_path) == weights.locate(lite, tmp_path)


def test_a_connection_that_breaks_is_taken_up_where_it_broke(spec: ModelSpec, server: Server, tmp_path: Path) -> None:
    server.cuts = [2_000_000, 1, 1_500_000]
    assert run(spec, tmp_path).read_bytes() == CONTENT
    starts = [int(asked[6:-1] or 0) if asked else 0 for _, asked in server.asked]
    assert starts[0] == 0 and starts == sorted(starts) and 0 < starts[1] <= 2_000_000
    assert len(server.asked) == 4


def test_a_download_that_was_stopped_goes_on_later(spec: ModelSpec, server: Server, tmp_path: Path) -> None:
    def stop_at_half(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(spec, tmp_path, on_progress=stop_at_half)
    assert weights.locate(spec, tmp_path) is None  # half a file is no file
    part = tmp_path / "torchvision/resnet50.pth.part"
    here = part.stat().st_size
    assert here > 0
    assert run(spec, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1][1] == f"bytes={here}-"


def test_a_file_that_changed_in_between_is_begun_anew(spec: ModelSpec, server: Server, tmp_path: Path) -> None:
    """Half of the old file and half of the new one would be neither."""
    server.cuts = [2_000_000]
    with pytest.raises(ZeroDivisionError):
        run(spec, tmp_path, on_progress=lambda done, total: 1 // (done < 1_500_000))
    server.content, server.etag = CONTENT[::-1], '"v2"'
    assert run(spec, tmp_path).read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_or_with_a_weak_etag_is_asked_for_all(
    spec: ModelSpec, server: Server, tmp_path: Path
) -> None:
    server.ranges = False
    server.cuts = [2_000_000]
    assert run(spec, tmp_path / "a").read_bytes() == CONTENT
    server.ranges, server.etag, server.cuts = True, 'W/"v1"', [2_000_000]
    assert run(spec, tmp_path / "b").read_bytes() == CONTENT
    assert server.asked[-1][1] == ""


def test_a_part_longer_than_the_file_is_thrown_away(spec: ModelSpec, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "torchvision"
    folder.mkdir()
    (folder / "resnet50.pth.part").write_bytes(b"z" * (len(CONTENT) + 5))
    (folder / "resnet50.pth.part.json").write_text('{"etag": "\\"v1\\"", "total_bytes": 0, "sha256": ""}')
    assert run(spec, tmp_path).read_bytes() == CONTENT


def test_all_bytes_here_but_not_yet_named_needs_no_network(spec: ModelSpec, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "torchvision"
    folder.mkdir()
    (folder / "resnet50.pth.part").write_bytes(CONTENT)
    note = f'{{"etag": "\\"v1\\"", "total_bytes": {len(CONTENT)}, "sha256": ""}}'
    (folder / "resnet50.pth.part.json").write_text(note)
    assert run(spec, tmp_path).read_bytes() == CONTENT
    assert server.asked == []


# --- hashes ---------------------------------------------------------------------------------------------------------


def test_addresses_that_carry_a_hash_are_held_to_it(server: Server, tmp_path: Path) -> None:
    openai = catalogue.find("openai_clip_vit_b32", tmp_path)
    torchvision = catalogue.find("resnet152", tmp_path)
    assert fetch.downloads_of(openai, tmp_path)[0].sha256_prefix.startswith("40d365715913c9da")
    assert fetch.downloads_of(torchvision, tmp_path)[0].sha256_prefix == "f82ba261"
    good = Download(f"{server.url}/{SHA256}/good.pt", tmp_path / "good.pt", SHA256)
    assert fetch.download(good).read_bytes() == CONTENT
    bad = Download(f"{server.url}/bad-00000000.pth", tmp_path / "bad.pth", "00000000")
    with pytest.raises(WeightsInvalid, match="the address says 00000000"):
        fetch.download(bad)
    assert not (tmp_path / "bad.pth").exists() and not (tmp_path / "bad.pth.part").exists()


def test_the_hub_s_hash_is_held_and_its_safetensors_preferred(server: Server, tmp_path: Path) -> None:
    spec = catalogue.find("open_clip_vit_b32_laion2b", tmp_path)
    server.linked_etag = SHA256
    path = run(spec, tmp_path, server)
    assert path == tmp_path / "clip/ViT-B-32-laion2B-s34B-b79K/open_clip_model.safetensors"
    assert server.asked[0][0] == ("/hub/laion/CLIP-ViT-B-32-laion2B-s34B-b79K/resolve/main/open_clip_model.safetensors")
    server.linked_etag = "0" * 64
    with pytest.raises(WeightsInvalid, match="the hub says 0000"):
        run(spec, tmp_path / "other", server)


def test_another_file_than_the_one_recorded_is_refused_until_the_record_goes(
    spec: ModelSpec, server: Server, tmp_path: Path
) -> None:
    path = run(spec, tmp_path)
    path.unlink()
    server.content, server.etag = CONTENT[::-1], '"v2"'
    with pytest.raises(WeightsInvalid, match=r"resnet50\.pth\.sha256, written before"):
        run(spec, tmp_path)
    (path.parent / "resnet50.pth.sha256").unlink()
    assert run(spec, tmp_path).read_bytes() == CONTENT[::-1]


def test_a_file_put_there_by_hand_has_no_record(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"x")
    assert fetch.recorded_sha256(tmp_path / "w.pt") is None
    (tmp_path / "w.pt.sha256").write_text("not a hash")
    assert fetch.recorded_sha256(tmp_path / "w.pt") is None


# --- no network -----------------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_without_a_network_the_error_says_which_file_to_put_where(spec: ModelSpec, tmp_path: Path) -> None:
    offline = replace(spec, url=f"http://127.0.0.1:{closed_port()}/models/resnet50.pth")
    with pytest.raises(NetworkUnavailable) as error:
        run(offline, tmp_path)
    assert error.value.where == offline.url
    assert str(tmp_path / "torchvision/resnet50.pth") in error.value.next_step
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_name_that_cannot_be_resolved_is_no_traceback_either(spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(NetworkUnavailable):
        run(replace(spec, url="https://no-such-host.invalid/models/resnet50.pth"), tmp_path)


def test_a_file_the_hub_does_not_have_is_looked_for_under_its_other_name(server: Server, tmp_path: Path) -> None:
    spec = catalogue.find("open_clip_vit_b16_laion400m", tmp_path)
    server.missing = {"open_clip_model.safetensors"}
    path = run(spec, tmp_path, server)
    assert path.name == "open_clip_pytorch_model.bin" and path == weights.locate(spec, tmp_path)


def test_openai_s_address_may_fail_where_the_hub_answers(server: Server, tmp_path: Path) -> None:
    spec = replace(catalogue.find("openai_clip_rn50", tmp_path), url=f"http://127.0.0.1:{closed_port()}/RN50.pt")
    path = run(spec, tmp_path, server)
    assert path == weights.locate(spec, tmp_path)
    assert path == tmp_path / "clip/resnet50_clip.openai/open_clip_model.safetensors"


@pytest.mark.parametrize(("status", "requests"), [(403, 1), (404, 1), (503, 6)])
def test_a_server_in_trouble_is_asked_again_and_one_that_refuses_is_not(
    status: int, requests: int, spec: ModelSpec, server: Server, tmp_path: Path
) -> None:
    server.status = status
    with pytest.raises(NetworkUnavailable, match=str(status)):
        run(spec, tmp_path)
    assert len(server.asked) == requests


def test_a_model_without_an_address_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train_demo_clip"):
        run(catalogue.find("demo_clip", tmp_path), tmp_path)


# --- the machine ----------------------------------------------------------------------------------------------------


def test_two_at_once_share_one_download(spec: ModelSpec, server: Server, tmp_path: Path) -> None:
    server.block_s = 0.02
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(run(spec, tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4 and paths[0].read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_full_disk_is_noticed_before_the_download(
    spec: ModelSpec, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})()
    monkeypatch.setattr("core.models.fetch.shutil.disk_usage", lambda _: usage)
    with pytest.raises(WorkbenchError, match="are free"):
        run(spec, tmp_path)


def test_a_weights_folder_that_cannot_be_made_is_an_error_for_people(spec: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkbenchError, match="cannot be made"):
        run(spec, tmp_path / "file")
