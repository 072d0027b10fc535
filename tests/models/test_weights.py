"""Finding, hashing, reading and strictly assigning weight files."""

from __future__ import annotations

import json
import os
import pickle
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core.errors import WeightsInvalid, WeightsMissing
from core.models import catalogue, checkpoint, weights
from core.models.spec import ModelSpec
from tests.tiny_models import TINY, build_reference, write_custom

CPU = torch.device("cpu")
TENSORS = "open_clip_model.safetensors"


def load(folder: Path, model_id: str = "custom_mine", dtype: torch.dtype = torch.float32) -> Any:
    return weights.load_encoder(catalogue.find(model_id, folder), folder, CPU, dtype)


def rewrite(folder: Path, state: dict[str, torch.Tensor]) -> None:
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / TENSORS)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The folder of a custom checkpoint under `tmp_path`."""
    return write_custom(tmp_path, "mine", TINY)


# --- where ----------------------------------------------------------------------------------------------------------


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_safetensors_comes_before_bin_and_the_own_folder_before_the_others(tmp_path: Path) -> None:
    spec = catalogue.find("open_clip_vit_b32_openai", tmp_path)
    assert weights.locate(spec, tmp_path) is None
    archive = touch(tmp_path / "openai/ViT-B-32.pt")
    assert weights.locate(spec, tmp_path) == archive
    pickled = touch(tmp_path / spec.folder / "open_clip_pytorch_model.bin")
    assert weights.locate(spec, tmp_path) == pickled
    tensors = touch(tmp_path / spec.folder / TENSORS)
    assert weights.locate(spec, tmp_path) == tensors
    assert weights.locate(catalogue.find("openai_clip_vit_b32", tmp_path), tmp_path) == archive


def test_the_packaged_model_is_found_without_any_weights_folder(tmp_path: Path) -> None:
    path = weights.locate(catalogue.find("efficientnet_lite0", tmp_path), tmp_path / "nowhere")
    assert path is not None and path.name == "efficientnet-lite0-57934424.pth"
    assert weights.sha256_of(path).startswith("57934424")  # the name says its own hash


def test_missing_weights_name_the_file_and_the_one_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing) as error:
        load(tmp_path, "open_clip_vit_b32_laion2b")
    assert error.value.next_step == "python -m core models fetch open_clip_vit_b32_laion2b"
    assert f"clip/ViT-B-32-laion2B-s34B-b79K/{TENSORS}" in error.value.where


@pytest.mark.parametrize("spec", catalogue.CATALOGUE, ids=lambda spec: spec.id)
def test_every_model_says_how_its_weights_come(spec: ModelSpec) -> None:
    command = weights.fetch_command(spec)
    assert command.startswith(("python -m core models fetch ", "pip install ", "python -m experiments."))


# --- sha256 ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were really hashed; nothing is remembered from before."""
    seen: list[Path] = []
    real = weights._hash
    monkeypatch.setattr(weights, "_hashes", {})
    monkeypatch.setattr(weights, "_hash", lambda path: (seen.append(path), real(path))[1])
    return seen


def test_a_file_is_hashed_once_even_across_processes(tmp_path: Path, hashed: list[Path]) -> None:
    path, cache = touch(tmp_path / "w"), tmp_path / ".sha256.json"
    known = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # sha256 of b"x", by sha256sum
    assert [weights.sha256_of(path, cache) for _ in range(3)] == [known] * 3
    weights._hashes.clear()  # as a new process would begin
    assert weights.sha256_of(path, cache) == known
    assert hashed == [path]


def test_a_changed_file_is_hashed_anew(tmp_path: Path, hashed: list[Path]) -> None:
    path, cache = touch(tmp_path / "w"), tmp_path / ".sha256.json"
    before = weights.sha256_of(path, cache)
    path.write_bytes(b"y")
    os.utime(path, ns=(1, 1))
    assert weights.sha256_of(path, cache) != before
    assert len(hashed) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": 1}', b"\xff\xfe"])
def test_a_damaged_cache_of_hashes_costs_time_only(tmp_path: Path, content: bytes, hashed: list[Path]) -> None:
    path, cache = touch(tmp_path / "w"), tmp_path / ".sha256.json"
    cache.write_bytes(content)
    assert weights.sha256_of(path, cache).startswith("2d711642")
    assert list(json.loads(cache.read_text()).values()) == [weights.sha256_of(path, cache)]


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path, hashed: list[Path]) -> None:
    path = touch(tmp_path / "w")
    nowhere = tmp_path / "no such folder" / ".sha256.json"
    assert weights.sha256_of(path, nowhere) == weights.sha256_of(path, nowhere)
    assert hashed == [path]


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["pickle", "legacy", "state_dict", "module.", "TorchScript"])
def test_every_form_a_checkpoint_comes_in_gives_the_same_tensors(form: str, tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).eval()
    expected = network.state_dict()
    path = tmp_path / "weights.pt"
    if form == "TorchScript":
        torch.jit.trace(network, torch.zeros(1, 3)).save(str(path))
    elif form == "legacy":
        torch.save(expected, path, _use_new_zipfile_serialization=False)
    elif form == "state_dict":
        torch.save({"epoch": 3, "state_dict": expected}, path)
    elif form == "module.":
        torch.save({f"module.{name}": tensor for name, tensor in expected.items()}, path)
    else:
        torch.save(expected, path)
    state = checkpoint.read_state_dict(path)
    assert sorted(state) == sorted(expected)
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "proof"

    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {proof}",)

    path = tmp_path / "open_clip_pytorch_model.bin"
    for write in (lambda: torch.save({"a": Evil()}, path), lambda: path.write_bytes(pickle.dumps({"a": Evil()}))):
        write()
        with pytest.raises(WeightsInvalid, match="more than tensors"):
            checkpoint.read_state_dict(path)
    assert not proof.exists()


@pytest.mark.parametrize("name", [TENSORS, "open_clip_pytorch_model.bin", "ViT-B-32.pt"])
@pytest.mark.parametrize("damage", ["empty", "text", "half"])
def test_a_damaged_file_says_so_and_what_to_do(name: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / name
    state = {"a": torch.arange(5000.0)}
    save_file(state, path) if name == TENSORS else torch.save(state, path)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"<html>404</html>" * 9, "half": whole[: len(whole) // 2]}[damage])
    with pytest.raises(WeightsInvalid) as error:
        checkpoint.read_state_dict(path)
    assert str(path) in str(error.value) and "etch it a" in error.value.next_step


@pytest.mark.parametrize("content", [{}, [torch.zeros(1)], {"a": torch.zeros(1), "epoch": 3}])
def test_what_is_no_dictionary_of_tensors_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(WeightsInvalid):
        checkpoint.read_state_dict(tmp_path / "w.pt")


# --- assigning ------------------------------------------------------------------------------------------------------


def test_every_key_that_does_not_fit_is_named(mine: Path, tmp_path: Path) -> None:
    state = load_file(mine / TENSORS)
    state["visual.extra"] = torch.zeros(2)
    del state["visual.proj"]
    state["ln_final.weight"] = torch.zeros(7)
    rewrite(mine, state)
    with pytest.raises(WeightsInvalid) as error:
        load(tmp_path)
    for part in ("1 missing (visual.proj)", "1 unexpected (visual.extra)", "ln_final.weight (7,) instead of (16,)"):
        assert part in str(error.value)
    in_chinese = error.value.what.said("zh")
    for part in ("缺少 1 项（visual.proj）", "多出 1 项（visual.extra）", "ln_final.weight (7,) 应为 (16,)"):
        assert part in in_chinese


def test_weights_of_another_architecture_give_a_short_answer(mine: Path, tmp_path: Path) -> None:
    save_file(
        {f"layer{index}": torch.zeros(1) for index in range(300)} | {"logit_scale": torch.zeros(())}, mine / TENSORS
    )
    with pytest.raises(WeightsInvalid, match=r"300 unexpected .* and 295 more") as error:
        load(tmp_path)
    assert len(str(error.value)) < 1200


def test_a_file_without_a_logit_scale_is_named_as_such(mine: Path, tmp_path: Path) -> None:
    state = load_file(mine / TENSORS)
    del state["logit_scale"]
    rewrite(mine, state)
    with pytest.raises(WeightsInvalid, match=r"missing .logit_scale"):
        load(tmp_path)


def test_only_the_keys_known_to_be_harmless_are_tolerated(mine: Path, tmp_path: Path) -> None:
    """OpenAI's archives carry three numbers; the same three in anyone else's file are a surprise."""
    state = load_file(mine / TENSORS) | {"context_length": torch.tensor(77)}
    rewrite(mine, state)
    with pytest.raises(WeightsInvalid, match="context_length"):
        load(tmp_path)
    spec = replace(catalogue.find("custom_mine", tmp_path), tag="openai")
    assert weights.load_encoder(spec, tmp_path, CPU, torch.float32).dim == 24


def test_nothing_is_left_without_values_and_nothing_asks_for_gradients(mine: Path, tmp_path: Path) -> None:
    """The causal mask is in no file; a model built on the meta device would have none."""
    module = load(tmp_path).module
    normal = build_reference(TINY)
    for name, tensor in normal.state_dict().items():
        assert torch.equal(module.state_dict()[name], tensor), name
    for name, tensor in normal.named_buffers():
        assert torch.equal(dict(module.named_buffers())[name], tensor), name
    assert torch.equal(module.attn_mask, normal.attn_mask)
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_buffers_and_attributes_that_no_file_holds_come_from_a_normal_construction() -> None:
    """As relative positions of other timm towers do."""

    class Odd(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(2, 2)
            self.register_buffer("index", torch.arange(5), persistent=False)
            self.register_buffer("table", torch.linspace(0, 1, 4), persistent=False)
            self.plain = torch.full((3,), 7.0)

    state = Odd().state_dict()
    module = checkpoint.materialise(Odd, state, device=CPU, dtype=torch.bfloat16, where="here")
    assert module.index.tolist() == [0, 1, 2, 3, 4]
    assert module.table.dtype == module.plain.dtype == torch.bfloat16
    assert module.plain.tolist() == [7.0] * 3


def test_sixteen_bits_keep_batch_norm_in_float32() -> None:
    def build() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))

    module = checkpoint.materialise(build, build().state_dict(), device=CPU, dtype=torch.bfloat16, where="here")
    assert module[0].weight.dtype == module[2].weight.dtype == torch.bfloat16
    assert {tensor.dtype for tensor in module[1].state_dict().values()} == {torch.float32, torch.int64}
    assert checkpoint.size_bytes(module) == 2 * (12 + 4 + 8 + 2) + 4 * (4 * 4) + 8


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's list of mappings is Linux's")
def test_weights_in_their_stored_dtype_are_mapped_not_copied(mine: Path, tmp_path: Path) -> None:
    encoder = load(tmp_path)
    mappings = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(f"mine/{TENSORS}")]
    addresses = [[int(end, 16) for end in line.split()[0].split("-")] for line in mappings]
    inside = [
        any(low <= parameter.data_ptr() < high for low, high in addresses) for parameter in encoder.module.parameters()
    ]
    assert inside and all(inside)


@pytest.mark.parametrize("custom_text_model", [False, True])
@pytest.mark.parametrize("custom_text_file", [False, True])
def test_both_layouts_of_the_text_tower_are_read(
    custom_text_model: bool, custom_text_file: bool, tmp_path: Path
) -> None:
    config = json.loads(json.dumps(TINY))
    config["model_cfg"]["custom_text"] = custom_text_model
    folder = write_custom(tmp_path, "mine", config)
    bare = {name.removeprefix("text."): tensor for name, tensor in load_file(folder / TENSORS).items()}
    text_parts = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection")
    prefix = "text." if custom_text_file else ""
    rewrite(folder, {prefix * name.startswith(text_parts) + name: tensor for name, tensor in bare.items()})
    encoder = load(tmp_path)
    reference = build_reference(config)
    with torch.no_grad():
        import open_clip

        expected = reference.encode_text(open_clip.tokenize(["a dog"]))
    assert torch.allclose(encoder.encode_texts(["a dog"])[0], expected, atol=1e-5)


@pytest.mark.parametrize("shape", [[], [1]])
def test_scale_and_bias_of_the_loss_may_be_a_number_or_a_row(shape: list[int], mine: Path, tmp_path: Path) -> None:
    config = json.loads(json.dumps(TINY))
    config["model_cfg"]["init_logit_bias"] = -10.0
    (mine / "open_clip_config.json").write_text(json.dumps(config))
    state = load_file(mine / TENSORS) | {"logit_scale": torch.full(shape, 3.0)}
    rewrite(mine, state)
    assert load(tmp_path).logit_scale == pytest.approx(20.0855, rel=1e-5)  # e³; the bias may be missing
    rewrite(mine, state | {"logit_bias": torch.full(shape, -9.0)})
    assert float(load(tmp_path).module.logit_bias) == -9.0


# --- folders that stop nothing --------------------------------------------------------------------------------------


def of_a_training_script(folder: Path) -> None:
    """The tensors under the names that a wrapped module gives them."""
    rewrite(folder, {f"module.{name}": tensor for name, tensor in load_file(folder / TENSORS).items()})


def test_pose_and_foreground_run_beside_a_checkpoint_that_does_not_load(tmp_path: Path, capsys: Any) -> None:
    """A checkpoint with `module.` keys under weights/custom/ made both fail for everybody, demo_clip being there."""
    from core.cli.app import run

    of_a_training_script(write_custom(tmp_path, "a_trained_one", TINY))
    write_custom(tmp_path, "demo", TINY).rename(tmp_path / "demo")
    assert weights.usable_clips(tmp_path) == ["demo_clip"]
    place = ["--weights_dir", str(tmp_path), "--device", "cpu"]
    assert run(["pose", "encode", "--yaw", "10", "--pitch", "0", "--roll", "0", *place]) == 0
    photo, mask = tmp_path / "photo.png", tmp_path / "mask.png"
    Image.effect_noise((64, 64), 60).convert("RGB").save(photo)
    two_valued = Image.new("L", (64, 64))
    two_valued.paste(255, (10, 10, 40, 40))
    two_valued.save(mask)
    assert run(["foreground", "--image", str(photo), "--mask", str(mask), *place]) == 0, capsys.readouterr().err


def test_a_checkpoint_that_does_not_load_is_no_model_that_is_here_until_it_is_mended(
    mine: Path, tmp_path: Path
) -> None:
    whole = load_file(mine / TENSORS)
    of_a_training_script(mine)
    spec = catalogue.find("custom_mine", tmp_path)
    assert not weights.is_here(spec, tmp_path)
    assert "module." in weights.problem_of(spec, tmp_path) and weights.usable_clips(tmp_path) == []
    with pytest.raises(WeightsInvalid) as refusal:
        load(tmp_path)
    assert refusal.value.what == weights.problem_of(spec, tmp_path)
    rewrite(mine, whole)
    assert weights.is_here(spec, tmp_path) and weights.problem_of(spec, tmp_path) == ""
    config = json.loads(json.dumps(TINY))
    config["model_cfg"]["vision_cfg"]["layers"] = 3
    (mine / "open_clip_config.json").write_text(json.dumps(config))
    assert "missing" in weights.problem_of(catalogue.find("custom_mine", tmp_path), tmp_path)


def test_a_model_of_the_catalogue_is_found_without_a_look_at_anybody_s_folder(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(catalogue, "custom_specs", lambda _: pytest.fail("looked at"))
    assert catalogue.find("openai_clip_vit_b32", tmp_path).dim == 512


@pytest.mark.parametrize("part", [{"patch_size": 0}, {"head_width": 0}, {"layers": -1}, {"width": "wide"}])
def test_a_configuration_that_breaks_open_clip_is_a_problem_of_its_folder(
    part: dict[str, Any], mine: Path, tmp_path: Path
) -> None:
    config = json.loads(json.dumps(TINY))
    config["model_cfg"]["vision_cfg"] |= part
    (mine / "open_clip_config.json").write_text(json.dumps(config))
    assert weights.problem_of(catalogue.find("custom_mine", tmp_path), tmp_path)
    assert weights.usable_clips(tmp_path) == []


@pytest.mark.parametrize("kind", ["safetensors", "bin", "old.bin", "pt"])
def test_a_weight_file_damaged_anywhere_is_named(kind: str, mine: Path, tmp_path: Path) -> None:
    """413 of 2,000 damaged files ended in an error that nobody had foreseen."""
    from core.models import open_clip

    spec = catalogue.find("custom_mine", tmp_path)
    good = mine / f"good.{kind}"
    state = load_file(mine / TENSORS)
    if kind == "safetensors":
        save_file(state, good)
    elif kind == "pt":
        torch.jit.script(torch.nn.Linear(3, 3)).save(str(good))
    else:
        torch.save(state, good, _use_new_zipfile_serialization=kind == "bin")
    whole = good.read_bytes()
    chance = random.Random(kind)
    for number in range(60):
        content = bytearray(whole)
        end = chance.choice([0, -1])  # both hold what says where everything is
        for _ in range(chance.randrange(1, 20)):
            at = chance.randrange(min(4000, len(content)))
            content[at if end == 0 else -1 - at] = chance.randrange(256)
        if number % 5 == 0:
            del content[chance.randrange(len(content)) :]
        bad = mine / f"bad-{number}{good.suffix}"
        bad.write_bytes(content)
        try:
            open_clip.load(spec, bad, CPU, torch.float32, "")
        except WeightsInvalid as error:
            assert str(bad) in str(error)
        bad.unlink()


def test_whole_numbers_in_the_place_of_weights_are_named(mine: Path, tmp_path: Path) -> None:
    rewrite(mine, load_file(mine / TENSORS) | {"ln_final.weight": torch.ones(16, dtype=torch.int64)})
    with pytest.raises(WeightsInvalid, match=r"1 other type \(ln_final.weight int64 instead of floats\)"):
        load(tmp_path)
