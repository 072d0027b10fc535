"""How fast images become vectors, against the naive recipe and against what the machine allows: `make bench`.

On the same files, in one run, the rounds of all contestants taking turns:

    naive    one image after the other by PIL and open_clip's own transform, batches of 32, fp32, nothing overlapped
    ours     `core.vectorize` end to end, in fp32 (the same vectors) and in the dtype that `auto` picks here
    floor    what no arrangement of the same work beats: 1 / (1 / model alone + 1 / decode and preprocess alone), both
             on all cores with pixels or files at hand. The model alone is measured both as one batch on all cores and
             as one batch on each core; the quicker counts.

The model is a ViT-B/32 with random weights, which computes exactly what a trained one does. The photos are those of
scikit-image and scikit-learn, cropped, mirrored and resized, with a little noise so that the JPEGs are as large as a
camera's. Ratios carry over to other machines, absolute figures do not: run it on an idle one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the script runs by its path

from core.images.decode import decode
from core.images.sources import find
from core.models.device import cpu_has_bf16, dtype_name, pick_device, pick_dtype
from core.models.encoder import Encoder
from core.models.manager import ModelManager
from core.settings import Settings
from core.types import ImageSource, VectorizeRequest
from core.vectorize.pipeline import vectorize_all

MODEL = "custom_bench_vit_b_32"
BATCH = 32
SIZES = {"640 × 480": (640, 480), "1920 × 1080": (1920, 1080)}
QUALITY = 90


@dataclass(frozen=True)
class Row:
    """One contestant on one size of image. Rates are images/s: the median of the rounds, the least, the most.

    `of_floor` is the median of the rounds' own ratios to the floor measured in the same round, likewise `ratio` to the
    naive recipe; `cosine` is the mean over the images to the naive recipe's vectors.
    """

    images: str
    contestant: str
    rate: float
    rate_least: float
    rate_most: float
    ratio: float
    of_floor: float | None = None
    cosine: float | None = None


# --- what is measured -------------------------------------------------------------------------------------------------


def naive(files: list[Path], model: Any, transform: Any) -> np.ndarray:
    """The recipe everybody starts with."""
    import torch

    parts = []
    for begin in range(0, len(files), BATCH):
        batch = torch.stack([transform(Image.open(path).convert("RGB")) for path in files[begin : begin + BATCH]])
        with torch.inference_mode():
            parts.append(model.encode_image(batch).numpy())
    return np.concatenate(parts)


def ours(folder: Path, manager: ModelManager, dtype: str) -> np.ndarray:
    request = VectorizeRequest((MODEL,), BATCH, "cpu", dtype)
    table = vectorize_all(find(folder).sources, request, manager)
    assert not table.rejects, table.rejects
    return table.vectors_ND


def model_in_one_batch(encoder: Encoder, pixels: Any, count: int) -> None:
    """Batches one after the other, all cores on each."""
    for _ in range(0, count, BATCH):
        encoder.encode_images(pixels)


def model_on_each_core(encoder: Encoder, pixels: Any, count: int) -> None:
    """One batch on each core at a time, one thread each."""
    import torch

    cores = torch.get_num_threads()
    turns = iter(range(0, count, BATCH))
    lock = threading.Lock()

    def work() -> None:
        torch.get_num_threads()
        torch.set_num_threads(1)
        while True:
            with lock:
                if next(turns, None) is None:
                    return
            encoder.encode_images(pixels)

    threads = [threading.Thread(target=work) for _ in range(cores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.set_num_threads(cores)


def decode_and_preprocess(files: list[Path], encoder: Encoder) -> None:
    """Every file to pixels, on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda path: encoder.preprocess(decode(ImageSource(path.name, path=path))), files))


# --- rounds -----------------------------------------------------------------------------------------------------------


def measure(name: str, folder: Path, manager: ModelManager, reference: Any, rounds: int) -> Iterator[Row]:
    """All contestants on one folder, in turns."""
    import torch

    files = sorted(folder.iterdir())
    whole = len(files) // BATCH * BATCH
    model, transform = reference
    auto = dtype_name(pick_dtype("auto", pick_device("cpu")))
    dtypes = ["fp32"] if auto == "fp32" else ["fp32", auto]
    jobs: dict[str, Callable[[], Any]] = {"naive": partial(naive, files, model, transform)}
    with manager.lease(MODEL, "cpu", "fp32") as fp32, manager.lease(MODEL, "cpu", dtypes[-1]) as fast:
        for dtype, encoder in zip(dtypes, (fp32.encoder, fast.encoder), strict=False):
            pixels = torch.stack([encoder.preprocess(decode(ImageSource("x", path=path))) for path in files[:BATCH]])
            jobs |= {
                f"ours {dtype}": partial(ours, folder, manager, dtype),
                f"one batch {dtype}": partial(model_in_one_batch, encoder, pixels, whole),
                f"each core {dtype}": partial(model_on_each_core, encoder, pixels, whole),
                f"prepare {dtype}": partial(decode_and_preprocess, files, encoder),
            }
        vectors = {job: run() for job, run in jobs.items() if job.startswith(("naive", "ours"))}  # this warms up, too
        rates: dict[str, list[float]] = {job: [] for job in jobs}
        for turn in range(rounds):
            for job in list(jobs) if turn % 2 == 0 else reversed(jobs):
                begin_s = time.perf_counter()
                jobs[job]()
                images = whole if job.startswith(("one batch", "each core")) else len(files)
                rates[job].append(images / (time.perf_counter() - begin_s))
                say(f"  {name}, round {turn + 1} of {rounds}, {job}: {rates[job][-1]:.1f} images/s")
    yield row(name, "naive recipe, fp32", rates["naive"], rates["naive"])
    for dtype in dtypes:
        alone = [max(pair) for pair in zip(rates[f"one batch {dtype}"], rates[f"each core {dtype}"], strict=True)]
        floors = [1 / (1 / a + 1 / p) for a, p in zip(alone, rates[f"prepare {dtype}"], strict=True)]
        cosine = mean_cosine(vectors[f"ours {dtype}"], vectors["naive"])
        yield row(name, f"model alone, {dtype}", alone, rates["naive"])
        yield row(name, f"decode and preprocess alone, {dtype}", rates[f"prepare {dtype}"], rates["naive"])
        yield row(name, f"floor, {dtype}", floors, rates["naive"])
        yield row(name, f"**ours, {dtype}**", rates[f"ours {dtype}"], rates["naive"], floors, cosine)


def row(
    images: str,
    contestant: str,
    rates: list[float],
    naive_rates: list[float],
    floors: list[float] | None = None,
    cosine: float | None = None,
) -> Row:
    ratio = statistics.median(rate / other for rate, other in zip(rates, naive_rates, strict=True))
    of_floor = None
    if floors is not None:
        of_floor = statistics.median(rate / floor for rate, floor in zip(rates, floors, strict=True))
    return Row(images, contestant, statistics.median(rates), min(rates), max(rates), ratio, of_floor, cosine)


def mean_cosine(first_ND: np.ndarray, second_ND: np.ndarray) -> float:
    lengths = np.linalg.norm(first_ND, axis=1) * np.linalg.norm(second_ND, axis=1)
    return float(((first_ND * second_ND).sum(axis=1) / lengths).mean())


# --- material ---------------------------------------------------------------------------------------------------------


def make_photos(folder: Path, count: int, size: tuple[int, int]) -> int:
    """Writes `count` JPEGs of this size; returns their mean length in bytes."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    originals = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket(), *load_sample_images().images]
    folder.mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        photo = Image.fromarray(originals[number % len(originals)])
        left, top = rng.integers(0, photo.width // 4), rng.integers(0, photo.height // 4)
        photo = photo.crop((left, top, photo.width - photo.width // 5, photo.height - photo.height // 5))
        if rng.integers(2):
            photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = np.asarray(photo.resize(size, Image.Resampling.LANCZOS), dtype=np.float32)
        noisy = pixels + rng.normal(0, 3.0, (*pixels.shape[:2], 1)).astype(np.float32)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{number:04d}.jpg", quality=QUALITY)
    return sum(path.stat().st_size for path in folder.iterdir()) // count


def make_model(weights_dir: Path) -> tuple[Any, Any]:
    """A ViT-B/32 of random weights as a custom checkpoint; returns open_clip's own model and transform of the same."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model, _, transform = open_clip.create_model_and_transforms("ViT-B-32")
    folder = weights_dir / "custom" / MODEL.removeprefix("custom_")
    folder.mkdir(parents=True)
    config = {
        "model_cfg": open_clip.get_model_config("ViT-B-32"),
        "preprocess_cfg": {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return model.eval(), transform


# --- words ------------------------------------------------------------------------------------------------------------


def machine() -> str:
    """The CPU and what it can do, in one line."""
    import torch

    name, flags = "unknown CPU", set()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            field, _, value = line.partition(":")
            if field.strip() == "model name":
                name = value.strip()
            if field.strip() in ("flags", "Features"):
                flags = set(value.split())
    known = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "bf16")
    has = ", ".join(flag for flag in known if flag in flags) or "no known extensions"
    bf16 = "bf16 instructions" if cpu_has_bf16() else "no bf16 instructions: auto is fp32 here"
    cores = f"{os.cpu_count()} cores ({torch.get_num_threads()} for torch)"
    return f"{name}, {cores}, {has}; {bf16}; torch {torch.__version__}"


def table(rows: list[Row]) -> str:
    lines = [
        "| images | | images/s (least–most) | × naive | of floor | mean cosine |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for part in rows:
        rate = f"{part.rate:.1f} ({part.rate_least:.1f}–{part.rate_most:.1f})"
        of_floor = "" if part.of_floor is None else f"{part.of_floor:.0%}"
        cosine = "" if part.cosine is None else f"{part.cosine:.6f}"
        lines.append(f"| {part.images} | {part.contestant} | {rate} | {part.ratio:.2f} | {of_floor} | {cosine} |")
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Images per second, against the naive recipe and the floor.")
    parser.add_argument("--images", type=int, default=96, help="photos of each size, at least 32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.images < BATCH or options.rounds < 1:
        parser.error(f"at least {BATCH} images and one round")
    header = machine()
    say(header)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        reference = make_model(Path(place) / "weights")
        manager = ModelManager(Settings(weights_dir=Path(place) / "weights"))
        for name, size in SIZES.items():
            folder = Path(place) / f"{size[1]}p"
            mean_bytes = make_photos(folder, options.images, size)
            label = f"{name}, {mean_bytes / 1000:.0f} kB"
            rows += measure(label, folder, manager, reference, options.rounds)
        manager.close()
    if options.json:
        print(json.dumps({"machine": header, "rows": [asdict(part) for part in rows]}, indent=1))
    else:
        print(f"{header}; {options.images} photos of each size, median of {options.rounds} rounds\n\n{table(rows)}")


if __name__ == "__main__":
    main()
