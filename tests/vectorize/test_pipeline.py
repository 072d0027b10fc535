"""`core.vectorize.pipeline`: every image comes out under its own name with its own vector, or as a named reject."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import Cancelled, InputError, OutOfMemory, UnknownModel
from core.images.decode import decode
from core.images.sources import find
from core.models.manager import ModelManager
from core.settings import ImageLimits, Settings
from core.types import ImageSource, Notice, Progress, Reject, VectorizeRequest, VectorTable
from core.vectorize import job, memory, threads
from core.vectorize.pipeline import vectorize, vectorize_all
from core.vectorize.threads import chunked
from tests.tiny_models import TINY, build_reference
from tests.vectorize.conftest import Fakes, photo, png, sources


def job_threads() -> list[str]:
    return [
        thread.name for thread in threading.enumerate() if thread.name.startswith(("decode", "encode-", "vectorize"))
    ]


# --- every image its own vector ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 2, 7, 32, 4096])
@pytest.mark.parametrize("count", [1, 5, 40])
def test_rows_keep_order_and_ids_whatever_the_batch(fakes, batch_size, count):
    table = vectorize_all(sources(count), VectorizeRequest(("fake",), batch_size, dtype="fp32"), fakes.manager())
    assert table.ids == tuple(source.id for source in sources(count))
    expected = fakes.direct("fake", [photo(number) for number in range(count)])
    np.testing.assert_allclose(table.vectors_ND, expected, atol=1e-5)
    assert table.vectors_ND.dtype == np.float32 and table.rejects == ()
    assert table.ms_N.shape == (count,) and (table.ms_N > 0).all() and table.seconds > 0
    assert max(size for encoder in fakes.encoders for size in encoder.batch_sizes[1:]) <= batch_size  # [0]: canaries


def test_paths_bytes_and_arrays_give_the_same_vectors(fakes, tmp_path):
    (tmp_path / "a.png").write_bytes(png(photo(1)))
    three = [
        ImageSource("path", path=tmp_path / "a.png"),
        ImageSource("bytes", data=png(photo(1))),
        ImageSource("array", rgb_HWC=photo(1)),
    ]
    table = vectorize_all(three, VectorizeRequest(("fake",)), fakes.manager())
    np.testing.assert_array_equal(table.vectors_ND[0], table.vectors_ND[1])
    np.testing.assert_array_equal(table.vectors_ND[0], table.vectors_ND[2])


def test_forty_files_in_thirty_eight_vectors_and_two_named_rejects_out(fakes):
    mixed = sources(40)
    mixed[7] = ImageSource("0007.png", data=b"")
    mixed[30] = ImageSource("0030.png", data=png(photo(30))[:60])
    table = vectorize_all(mixed, VectorizeRequest(("fake", "wide"), 8), fakes.manager())
    good = [number for number in range(40) if number not in (7, 30)]
    assert table.ids == tuple(f"{number:04d}.png" for number in good)
    np.testing.assert_allclose(
        table.vectors_ND[:, :16], fakes.direct("fake", [photo(number) for number in good]), atol=1e-5
    )
    assert [(reject.id, reject.code) for reject in table.rejects] == [("0007.png", "empty"), ("0030.png", "truncated")]
    assert all(len(reject.reason) > 10 for reject in table.rejects)


@given(
    bad=st.lists(st.booleans(), max_size=30),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 3),
)
@settings(max_examples=25, deadline=None)
def test_any_mixture_of_good_and_bad_gives_exactly_one_row_or_reject_each(bad, batch_size, seed):
    fakes = Fakes()
    given_sources = [
        ImageSource(f"{number}", data=b"bad" if is_bad else png(photo(number + 100 * seed)))
        for number, is_bad in enumerate(bad)
    ]
    table = vectorize_all(given_sources, VectorizeRequest(("fake",), batch_size), fakes.manager())
    assert table.ids == tuple(str(number) for number, is_bad in enumerate(bad) if not is_bad)
    assert tuple(reject.id for reject in table.rejects) == tuple(str(n) for n, is_bad in enumerate(bad) if is_bad)
    images = [photo(number + 100 * seed) for number, is_bad in enumerate(bad) if not is_bad]
    if images:
        np.testing.assert_allclose(table.vectors_ND, fakes.direct("fake", images), atol=1e-5)


def test_no_images_give_an_empty_table_with_a_passport(fakes):
    table = vectorize_all(
        [], VectorizeRequest(("fake",)), fakes.manager(), rejects=[Reject("a", "empty", "It is empty.")]
    )
    assert table.vectors_ND.shape == (0, 16) and table.ids == () and len(table.rejects) == 1
    assert table.passport["members"][0]["model_id"] == "fake"


def test_images_of_one_name_are_numbered_and_all_kept(fakes):
    same = [ImageSource("a.png", data=png(photo(number))) for number in range(3)]
    table = vectorize_all(same, VectorizeRequest(("fake",)), fakes.manager())
    assert table.ids == ("a.png", "a (2).png", "a (3).png")
    assert any(notice.code == "renamed" for notice in table.notices)


def test_limits_and_earlier_rejects_and_notices_reach_the_table(fakes):
    earlier = Reject("inside.zip/readme.txt", "not_an_image", "Not an image by its name.")
    notice = Notice("left_out", "3 files left out.")
    table = vectorize_all(
        sources(2),
        VectorizeRequest(("fake",)),
        fakes.manager(),
        limits=ImageLimits(max_pixels=100),
        rejects=[earlier],
        notices=[notice],
    )
    assert [reject.code for reject in table.rejects] == ["not_an_image", "too_large", "too_large"]
    assert notice in table.notices and table.ids == ()


def test_a_line_of_pixels_is_a_reject_and_not_gigabytes(fakes):
    """A PNG of 1 × 60,000 px, 200 bytes, took the whole machine's memory: its shorter side was brought to 224 px."""
    for height_px, width_px in ((1, 60_000), (60_000, 1)):
        line = ImageSource("line.png", rgb_HWC=np.zeros((height_px, width_px, 3), np.uint8))
        table = vectorize_all([*sources(1), line], VectorizeRequest(("fake",)), fakes.manager())
        assert len(table.ids) == 1
        assert [(reject.id, reject.code) for reject in table.rejects] == [("line.png", "too_large")]
        assert "too narrow" in table.rejects[0].reason


def test_a_vector_that_is_not_finite_is_a_reject(fakes):
    class Overflowing:
        """Gives infinities for a dark image, as fp16 may for an extreme one."""

        def __init__(self, encoder):
            self._encode = encoder.encode_images
            encoder.encode_images = self

        def __call__(self, pixels_BCHW):
            features = self._encode(pixels_BCHW)
            features[pixels_BCHW.float().mean((1, 2, 3)) < -1.5] = float("inf")
            return features

    load = fakes.load

    def load_overflowing(spec, device, dtype):
        encoder = load(spec, device, dtype)
        Overflowing(encoder)
        return encoder

    fakes.load = load_overflowing
    three = [*sources(2), ImageSource("dark", rgb_HWC=np.zeros((40, 40, 3), np.uint8))]
    table = vectorize_all(three, VectorizeRequest(("fake",), dtype="fp32"), fakes.manager())
    assert table.ids == ("0000.png", "0001.png")
    assert [(reject.id, reject.code) for reject in table.rejects] == [("dark", "not_finite")]


# --- ensembles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("models", [("fake", "wide"), ("wide", "fake"), ("mute", "wide", "fake")])
@pytest.mark.parametrize("normalize", [False, True])
def test_members_stand_side_by_side_in_the_order_given(fakes, models, normalize):
    table = vectorize_all(sources(9), VectorizeRequest(models, 4, normalize=normalize, dtype="fp32"), fakes.manager())
    parts = [fakes.direct(model_id, [photo(number) for number in range(9)]) for model_id in models]
    if normalize:
        parts = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    np.testing.assert_allclose(table.vectors_ND, np.concatenate(parts, axis=1), atol=1e-5)
    assert [member.model_id for member in table.members] == list(models)
    for member, part in zip(table.members, parts, strict=True):
        np.testing.assert_allclose(table.vectors_ND[:, member.start : member.stop], part, atol=1e-5)
    assert table.dim == sum(fakes.specs[model_id].dim for model_id in models)
    compute = [fakes.specs[model_id].gmacs for model_id in models]
    assert table.relative_compute == pytest.approx(sum(compute) / compute[0])
    assert [part["model_id"] for part in table.passport["members"]] == list(models)
    assert table.passport["normalize"] is normalize and len(table.passport["canaries"]) == len(models)


def counting_decode(monkeypatch) -> list[str]:
    seen: list[str] = []

    def decode_and_count(source, limits):
        seen.append(source.id)
        return decode(source, limits)

    monkeypatch.setattr(job, "decode", decode_and_count)
    return seen


def test_an_ensemble_decodes_each_image_once(fakes, monkeypatch):
    seen = counting_decode(monkeypatch)
    vectorize_all(sources(20), VectorizeRequest(("fake", "wide", "mute"), 4), fakes.manager())
    assert sorted(seen) == sorted(source.id for source in sources(20))


def test_members_that_do_not_fit_together_go_one_after_the_other_and_it_is_said(monkeypatch):
    fakes = Fakes(size_bytes=600)
    for name, spec in fakes.specs.items():  # what the manager expects before it knows
        fakes.specs[name] = replace(spec, params_m=0.00015)
    manager = fakes.manager(cpu_budget_bytes=1000)
    seen = counting_decode(monkeypatch)
    mixed = [*sources(11), ImageSource("bad", data=b"bad")]
    items = list(vectorize(mixed, VectorizeRequest(("fake", "wide"), 4, dtype="fp32"), manager))
    table = items[-1]
    assert [notice.code for notice in table.notices] == ["one_at_a_time"]
    images = [photo(number) for number in range(11)]
    np.testing.assert_allclose(table.vectors_ND[:, :16], fakes.direct("fake", images), atol=1e-5)
    np.testing.assert_allclose(table.vectors_ND[:, 16:], fakes.direct("wide", images), atol=1e-5)
    assert len(seen) == 2 * 11 + 1 and [reject.id for reject in table.rejects] == ["bad"]
    done = [item.done for item in items[:-1]]
    assert done == sorted(done) and done[-1] == 12


# --- progress, stopping, failing --------------------------------------------------------------------------------------


def test_progress_only_grows_and_the_table_comes_last():
    fakes = Fakes(before_encode=lambda batch: time.sleep(0.05))
    items = list(vectorize(sources(30), VectorizeRequest(("fake",), 2), fakes.manager()))
    assert isinstance(items[-1], VectorTable) and all(isinstance(item, Progress) for item in items[:-1])
    done = [item.done for item in items[:-1]]
    assert len(done) >= 2 and done == sorted(done) and done[-1] == 30
    assert {item.total for item in items[:-1]} == {30}
    assert items[-2].seconds_left == 0.0 and items[-2].images_per_s > 0


class Gate:
    """Lets a few batches through, then holds the encoder until it is opened."""

    def __init__(self, free_batches: int) -> None:
        self.left = free_batches
        self.opened = threading.Event()
        self.lock = threading.Lock()

    def __call__(self, _batch: torch.Tensor) -> None:
        with self.lock:
            self.left -= 1
            wait = self.left < 0
        if wait:
            assert self.opened.wait(30)


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_stopping_ends_decoding_within_a_batch_and_joins_all_threads(monkeypatch, how):
    gate = Gate(4)
    fakes = Fakes(before_encode=gate)
    manager = fakes.manager()
    seen = counting_decode(monkeypatch)
    cancel = threading.Event()
    running = vectorize(sources(400), VectorizeRequest(("fake",), 4), manager, cancel=cancel)
    for item in running:
        if item.done >= 8:
            break
    threading.Timer(0.3, gate.opened.set).start()
    if how == "close":
        running.close()
    else:
        cancel.set()
        with pytest.raises(Cancelled):
            for _ in running:
                pass
    assert job_threads() == []
    assert len(seen) < 100
    assert all(status.leases == 0 for status in manager.status())
    decoded = len(seen)
    time.sleep(0.1)
    assert len(seen) == decoded
    assert len(vectorize_all(sources(3), VectorizeRequest(("fake",)), manager).ids) == 3  # and it works again


def test_an_abandoned_generator_stops_by_itself(monkeypatch):
    fakes = Fakes(before_encode=lambda batch: time.sleep(0.02))
    seen = counting_decode(monkeypatch)
    running = vectorize(sources(400), VectorizeRequest(("fake",), 2), fakes.manager())
    next(running)
    del running
    gc.collect()
    assert job_threads() == [] and len(seen) < 400


@pytest.mark.parametrize("where", ["encode", "preprocess"])
def test_a_failure_reaches_the_caller_and_leaves_nothing_behind(fakes, where):
    manager = fakes.manager()
    load = fakes.load

    def load_failing(spec, device, dtype):
        encoder = load(spec, device, dtype)
        calls = []

        def fail(*_arguments):
            calls.append(1)
            if len(calls) > 8:
                raise RuntimeError("the model broke")

        if where == "encode":
            encoder.before_encode = fail
        else:
            preprocess = encoder.preprocess
            encoder.preprocess = lambda rgb_HWC: (fail(), preprocess(rgb_HWC))[1]
        return encoder

    fakes.load = load_failing
    manager = fakes.manager()
    with pytest.raises(RuntimeError, match="the model broke"):
        vectorize_all(sources(100), VectorizeRequest(("fake",), 2), manager)
    assert job_threads() == [] and all(status.leases == 0 for status in manager.status())


@pytest.mark.parametrize("max_batch", [3, 1])  # the three canary images go first: they do not fit together either
def test_out_of_memory_halves_the_batch_says_so_and_loses_no_row(max_batch):
    fakes = Fakes(max_batch=max_batch)
    table = vectorize_all(sources(26), VectorizeRequest(("fake",), 8, dtype="fp32"), fakes.manager())
    np.testing.assert_allclose(
        table.vectors_ND, fakes.direct("fake", [photo(number) for number in range(26)]), atol=1e-5
    )
    assert any(notice.code == "oom_batch" for notice in table.notices)
    with pytest.raises(OutOfMemory):
        vectorize_all(sources(3), VectorizeRequest(("fake",), 8), Fakes(max_batch=0).manager())


def test_what_no_run_could_do_is_refused_before_anything_is_loaded(fakes):
    for request in (
        VectorizeRequest(()),
        VectorizeRequest(("fake", "fake")),
        VectorizeRequest(("fake",), batch_size=0),
        VectorizeRequest(("fake",), batch_size=5000),
    ):
        with pytest.raises(InputError):
            vectorize_all(sources(1), request, fakes.manager())
    assert fakes.encoders == []
    with pytest.raises(UnknownModel):
        vectorize_all(sources(1), VectorizeRequest(("vit_b_33",)), ModelManager(Settings()))
    assert job_threads() == []


def test_the_rest_of_the_process_keeps_its_torch_threads(fakes):
    def threads_of_a_new_thread() -> int:
        found = []
        thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        return found[0]

    before = torch.get_num_threads(), threads_of_a_new_thread()
    during = []
    fakes.encoder_options["before_encode"] = lambda batch: during.append(threads_of_a_new_thread())
    vectorize_all(sources(40), VectorizeRequest(("fake",), 4), fakes.manager())
    assert (torch.get_num_threads(), threads_of_a_new_thread()) == before
    assert len(during) > 3 and set(during) == {before[1]}


def test_a_job_does_not_wait_behind_someone_who_waits_for_it():
    """The canaries are encoded while the job holds its model and a larger request already waits for its end."""
    fakes = Fakes(size_bytes=600)
    for name, spec in fakes.specs.items():
        fakes.specs[name] = replace(spec, params_m=0.00015)
    leased = threading.Event()

    def ask_for_another():
        with manager.lease("wide", "cpu", "fp32"):
            leased.set()

    other = threading.Thread(target=ask_for_another)
    load = fakes.load

    def load_while_another_gets_in_line(spec, device, dtype):
        if spec.id == "fake":
            other.start()
            time.sleep(0.2)  # it cannot have room before the job ends
        return load(spec, device, dtype)

    fakes.load = load_while_another_gets_in_line
    manager = fakes.manager(cpu_budget_bytes=1000)
    table = vectorize_all(sources(12), VectorizeRequest(("fake",), 4, dtype="fp32"), manager)
    other.join(10)
    assert len(table.ids) == 12 and leased.is_set()


# --- memory -----------------------------------------------------------------------------------------------------------


def test_decoded_images_and_waiting_pixels_are_bounded(monkeypatch):
    """A thousand photos must not lie in memory because the model is slower than the decoder."""
    lock = threading.Lock()
    live = {"decoded": 0, "pixels": 0}
    most = dict(live)

    def watch(kind, value):
        with lock:
            live[kind] += 1
            most[kind] = max(most[kind], live[kind])

        def gone():
            with lock:
                live[kind] -= 1

        weakref.finalize(value, gone)
        return value

    monkeypatch.setattr(job, "decode", lambda source, limits: watch("decoded", decode(source, limits)))
    fakes = Fakes(before_encode=lambda batch: time.sleep(0.01))
    load = fakes.load

    def load_watched(spec, device, dtype):
        encoder = load(spec, device, dtype)
        preprocess = encoder.preprocess
        encoder.preprocess = lambda rgb_HWC: watch("pixels", preprocess(rgb_HWC))
        return encoder

    fakes.load = load_watched
    table = vectorize_all(sources(240), VectorizeRequest(("fake",), 4), fakes.manager())
    assert len(table.ids) == 240
    cores = threads.cores()
    streams = min(torch.get_num_threads(), threads.MOST_STREAMS)
    assert most["decoded"] <= cores + 1
    assert most["pixels"] <= 4 * (memory.AHEAD_CHUNKS + 2 * streams + 1) + cores
    gc.collect()
    assert live == {"decoded": 0, "pixels": 0}


def test_the_cpu_takes_fewer_images_at_a_time_where_tensors_would_get_large(tiny_weights):
    """EfficientNet-Lite0 widens 16 to 96 channels at 112 × 112, padded to 113 × 113: 4.9 MB for each image."""
    manager = ModelManager(Settings(weights_dir=tiny_weights))
    job = threading.Event()
    with manager.lease("efficientnet_lite0", "cpu", "fp32", job) as lease:
        probe = memory.probe_of(lease.encoder, manager, job)
        assert probe.largest_tensor_bytes == 96 * 113 * 113 * 4
        assert not any(module._forward_hooks for module in lease.encoder.module.modules())
        sizes = []
        hook = lease.encoder.module._conv_stem.register_forward_hook(lambda m, i, output: sizes.append(len(output)))
        vectorize_all(sources(30), VectorizeRequest(("efficientnet_lite0",), 32, "cpu", "fp32"), manager)
        hook.remove()
    assert sum(sizes) == 30 and max(sizes) <= 28 * 2**20 // probe.largest_tensor_bytes


@given(count=st.integers(0, 300), batch_size=st.integers(1, 64), streams=st.integers(1, 20))
def test_chunks_cover_all_rows_in_order_and_end_together(count, batch_size, streams):
    chunks = chunked(count, batch_size, streams)
    assert [row for chunk in chunks for row in chunk] == list(range(count))
    assert all(1 <= len(chunk) <= batch_size for chunk in chunks)
    work = [0] * streams
    for chunk in chunks:  # each goes to whoever is free first
        work[work.index(min(work))] += len(chunk)
    assert max(work) - min(work) <= 1


# --- real models, from the file to the vector -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_file_to_vector_equals_open_clip_called_directly(tiny_weights, tmp_path, kind):
    """fp32 is the reference: PIL, open_clip's own transform and model, to 1e-5."""
    import open_clip

    for number in range(6):
        Image.fromarray(photo(number, 90 + number, 70)).save(tmp_path / f"{number}.{kind}")
    reference = build_reference(TINY)
    preprocess_cfg = TINY["preprocess_cfg"]
    transform = open_clip.image_transform(
        32, is_train=False, mean=preprocess_cfg["mean"], std=preprocess_cfg["std"], interpolation="bicubic"
    )
    batch = torch.stack([transform(Image.open(path).convert("RGB")) for path in sorted(tmp_path.iterdir())])
    with torch.no_grad():
        expected = reference.encode_image(batch).numpy()
    manager = ModelManager(Settings(weights_dir=tiny_weights))
    request = VectorizeRequest(("custom_tiny", "efficientnet_lite0"), 4, "cpu", "fp32")
    table = vectorize_all(find(tmp_path).sources, request, manager)
    np.testing.assert_allclose(table.vectors_ND[:, :24], expected, atol=1e-5)
    assert table.dim == 24 + 1280 and table.members[1].load_s > 0


def test_trained_features_of_photos_follow_their_content(tiny_weights):
    """EfficientNet-Lite0 is trained: another crop of a photo lies nearer to it than any other photo."""
    from skimage import data

    originals = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    images = originals + [image[20:-20, 30:-10] for image in originals]
    manager = ModelManager(Settings(weights_dir=tiny_weights))
    request = VectorizeRequest(("efficientnet_lite0",), 4, "cpu", "fp32", normalize=True)
    table = vectorize_all([ImageSource(str(n), rgb_HWC=image) for n, image in enumerate(images)], request, manager)
    cosines = table.vectors_ND[:4] @ table.vectors_ND[4:].T
    assert (cosines.argmax(axis=1) == np.arange(4)).all()


def test_bf16_vectors_lie_near_the_reference_and_the_passport_says_fast(tiny_weights, tmp_path):
    for number in range(4):
        Image.fromarray(photo(number, 90, 70)).save(tmp_path / f"{number}.png")
    manager = ModelManager(Settings(weights_dir=tiny_weights))
    tables = {
        dtype: vectorize_all(
            find(tmp_path).sources,
            VectorizeRequest(("custom_tiny",), device="cpu", dtype=dtype, normalize=True),
            manager,
        )
        for dtype in ("fp32", "bf16")
    }
    assert (tables["fp32"].vectors_ND * tables["bf16"].vectors_ND).sum(axis=1).min() > 0.995
    modes = {name: table.passport["members"][0]["preprocessing"]["mode"] for name, table in tables.items()}
    assert modes == {"fp32": "reference", "bf16": "fast"}
    assert [table.members[0].dtype for table in tables.values()] == ["fp32", "bf16"]


def test_a_folder_with_everything_in_it(fakes, tmp_path: Path):
    """Odd names, a text, a folder, a broken link: forty in, everything accounted for."""
    (tmp_path / "été 'x' \"y\".png").write_bytes(png(photo(1)))
    (tmp_path / "line\nbreak.png").write_bytes(png(photo(2)))
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "sub").mkdir()
    found = find(tmp_path)
    table = vectorize_all(
        found.sources, VectorizeRequest(("fake",)), fakes.manager(), rejects=found.rejects, notices=found.notices
    )
    assert table.ids == ("line\nbreak.png", "été 'x' \"y\".png")
    assert [(reject.id, reject.code) for reject in table.rejects] == [("loop.jpg", "unreadable")]
    assert {notice.code for notice in table.notices} == {"left_out", "not_entered"}
