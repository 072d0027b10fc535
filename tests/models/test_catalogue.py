"""The catalogue's facts, held against the architectures themselves (built without weights, on the meta device)."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import UnknownModel, WeightsInvalid, WorkbenchError
from core.models import catalogue, described, weights
from core.models.catalogue import CATALOGUE
from core.models.described import DEMO
from core.models.spec import ModelSpec
from core.settings import Settings
from tests.tiny_models import TINY, build_reference, write_custom

FIXED = [spec for spec in CATALOGUE if spec is not DEMO]
CLIPS = [spec for spec in FIXED if spec.family in ("openai_clip", "open_clip")]
TORCHVISION = [spec for spec in FIXED if spec.family == "torchvision"]

# ids that users type and files store; from the specification, and from the list of models promised beyond it
PROMISED = [
    "openai_clip_vit_b32",
    "openai_clip_vit_b16",
    "openai_clip_vit_l14",
    "openai_clip_rn50",
    "openai_clip_rn101",
    "open_clip_vit_b32_openai",
    "open_clip_vit_b32_laion400m",
    "open_clip_vit_b16_laion400m",
    "open_clip_vit_l14_laion2b",
    "open_clip_vit_h14_laion2b",
    "open_clip_convnext_base",
    "open_clip_convnext_large",
    "open_clip_vit_b32_laion2b",
    "resnet152",
    "efficientnet_b7",
    "vit_b_16",
    "vit_b_32",
    "vit_l_16",
    "resnet50",
    "resnet101",
    "efficientnet_b0",
    "efficientnet_lite0",
    "demo_clip",
]

ACTIVATIONS = {"gelu": "GELU", "quickgelu": "QuickGELU", "relu": "ReLU", "silu": "SiLU", "relu6": "ReLU6"}


def build_on_meta(spec: ModelSpec) -> tuple[torch.nn.Module, torch.nn.Module]:
    """(all parts, the image tower) of a catalogue entry."""
    return _built(replace(DEMO, family=spec.family, architecture=spec.architecture))


@cache
def _built(spec: ModelSpec) -> tuple[torch.nn.Module, torch.nn.Module]:
    with torch.device("meta"):
        if spec.family == "torchvision":
            from core.models.torchvision import build as build_torchvision

            module = build_torchvision(spec.architecture)
            return module, module
        if spec.family == "efficientnet_lite":
            from core.models.efficientnet_lite import build as build_lite

            module = build_lite(spec.architecture)
            return module, module
        from core.models.open_clip import build, model_config

        module = build(model_config(spec, None))
        return module, module.visual


def features_without_head(module: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """What enters a classifier's last linear layer, seen from outside."""
    heads = [part for part in module.modules() if isinstance(part, torch.nn.Linear) and part.out_features == 1000]
    seen = []
    handle = heads[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    module(image)
    handle.remove()
    return seen[0]


def image_features(spec: ModelSpec, module: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    return module.encode_image(image) if hasattr(module, "encode_image") else features_without_head(module, image)


def test_every_promised_id_is_listed_once() -> None:
    ids = [spec.id for spec in CATALOGUE]
    assert sorted(ids) == sorted(PROMISED)


@pytest.mark.parametrize("spec", FIXED, ids=lambda spec: spec.id)
def test_an_entry_agrees_with_its_architecture(spec: ModelSpec) -> None:
    """`open_clip_convnext_base` was once written down as 512 at 256 px, which is no model at all."""
    module, tower = build_on_meta(spec)
    module.eval()
    parameters = sum(parameter.numel() for parameter in module.parameters())
    assert spec.params_m == pytest.approx(parameters / 1e6, abs=0.006)
    with torch.no_grad():
        image = torch.zeros(1, 3, spec.input_px, spec.input_px, device="meta")
        assert image_features(spec, module, image).shape == (1, spec.dim)
    kinds = {type(part).__name__ for part in tower.modules()}
    assert ACTIVATIONS[spec.activation] in kinds
    if spec.activation == "gelu":
        assert "QuickGELU" not in kinds
    assert spec.has_text == hasattr(module, "encode_text")


@pytest.mark.parametrize(
    "model_id",
    [
        "openai_clip_vit_b32",
        "openai_clip_rn50",
        "open_clip_convnext_base",
        "resnet50",
        "vit_b_32",
        "efficientnet_lite0",
    ],
)
def test_the_stated_compute_is_the_measured_one(model_id: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    spec = next(spec for spec in FIXED if spec.id == model_id)
    module, _ = build_on_meta(spec)
    image = torch.zeros(1, 3, spec.input_px, spec.input_px, device="meta")
    with FlopCounterMode(display=False) as counter:  # with gradients on: the fused attention is not counted
        image_features(spec, module.eval(), image)
    assert counter.get_total_flops() / 2e9 == pytest.approx(spec.gmacs, rel=0.005)


@pytest.mark.parametrize("spec", CLIPS, ids=lambda spec: spec.id)
def test_preprocessing_activation_and_hub_are_those_open_clip_knows(spec: ModelSpec) -> None:
    from open_clip import get_model_config
    from open_clip.pretrained import get_pretrained_cfg

    known = get_pretrained_cfg(spec.architecture, spec.tag)
    config = get_model_config(spec.architecture)
    assert (spec.preprocessing.mean, spec.preprocessing.std) == (known["mean"], known["std"])
    assert (spec.preprocessing.interpolation, spec.preprocessing.resize_mode) == (
        known["interpolation"],
        known["resize_mode"],
    )
    assert spec.input_px == spec.preprocessing.resize_px == config["vision_cfg"]["image_size"]
    # open_clip itself only warns when these two disagree, and computes something else
    assert config.get("quick_gelu", False) == known.get("quick_gelu", False)
    assert spec.hub_id == known["hf_hub"].rstrip("/")
    if spec.family == "openai_clip":
        assert spec.url == known["url"]
        assert spec.files == (spec.url.split("/")[-1],)


@pytest.mark.parametrize("spec", TORCHVISION, ids=lambda spec: spec.id)
def test_preprocessing_and_file_are_those_torchvision_knows(spec: ModelSpec) -> None:
    from torchvision.models import get_model_weights

    known = get_model_weights(spec.architecture)[spec.tag]
    transform = known.transforms()
    assert spec.url == known.url
    assert spec.files == (known.url.split("/")[-1],)
    assert spec.preprocessing.resize_px == transform.resize_size[0]
    assert spec.input_px == transform.crop_size[0]
    assert spec.preprocessing.interpolation == transform.interpolation.value
    assert [*spec.preprocessing.mean, *spec.preprocessing.std] == [*transform.mean, *transform.std]
    assert spec.file_bytes == pytest.approx(known.meta["_file_size"] * 2**20, rel=1e-6)


def test_downloads_are_as_large_as_their_tensors() -> None:
    """OpenAI's archives hold float16 where their own package converts to it, everything else float32."""
    from open_clip.model import convert_weights_to_fp16

    for spec in CLIPS:
        module, _ = build_on_meta(spec)
        if spec.family == "openai_clip":
            module = deepcopy(module)
            convert_weights_to_fp16(module)
        size_bytes = sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
        assert spec.file_bytes == pytest.approx(size_bytes, rel=0.001), spec.id


def test_no_two_models_share_a_weight_file_unless_they_are_the_same_weights() -> None:
    owner: dict[str, ModelSpec] = {}
    for spec in CATALOGUE:
        for place in (*(f"{spec.folder}/{name}" for name in spec.files), *spec.elsewhere):
            other = owner.setdefault(place, spec)
            assert (other.architecture, other.tag) == (spec.architecture, spec.tag), place


def test_the_note_s_model_lies_in_the_note_s_folder() -> None:
    spec = next(spec for spec in CATALOGUE if spec.id == "open_clip_vit_b32_laion2b")
    assert spec.folder == "clip/ViT-B-32-laion2B-s34B-b79K"
    assert spec.files == ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    assert "clip/CLIP-ViT-B-32-laion2B-s34B-b79K/open_clip_model.safetensors" in spec.elsewhere  # the hub's own name


def test_a_mistyped_id_names_the_ones_that_are_close(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="open_clip_vit_b32_laion2b"):
        catalogue.find("open_clip_vit_b32_laion2B", tmp_path)
    with pytest.raises(UnknownModel, match="models list"):
        catalogue.find("", tmp_path)


def test_the_catalogue_and_its_neighbours_cost_no_torch() -> None:
    modules = ("catalogue", "fetch", "passport", "text_cache", "weights", "encoder", "spec")
    code = (
        f"import sys; {'; '.join(f'import core.models.{name}' for name in modules)}\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- checkpoints that describe themselves ---------------------------------------------------------------------------


def test_a_custom_checkpoint_appears_by_itself_with_its_own_facts(tmp_path: Path) -> None:
    write_custom(tmp_path, "mine", TINY)
    spec = catalogue.find("custom_mine", tmp_path)
    module = build_reference(TINY)
    assert spec in catalogue.specs(tmp_path)
    assert (spec.dim, spec.input_px, spec.custom, spec.problem) == (24, 32, True, "")
    assert spec.preprocessing.mean == (0.48, 0.46, 0.41)
    assert spec.params_m == pytest.approx(sum(p.numel() for p in module.parameters()) / 1e6, abs=0.006)


def test_the_built_in_model_s_facts_come_from_its_configuration(tmp_path: Path) -> None:
    assert catalogue.find("demo_clip", tmp_path) is DEMO
    folder = write_custom(tmp_path, "demo", TINY)
    folder.rename(tmp_path / "demo")
    spec = catalogue.find("demo_clip", tmp_path)
    assert (spec.id, spec.dim, spec.input_px, spec.custom) == ("demo_clip", 24, 32, False)
    assert spec.gmacs > 0 and spec.params_m > 0


def test_compute_of_a_custom_transformer_is_the_measured_one() -> None:
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    vision = {"image_size": 64, "layers": 3, "width": 96, "head_width": 32, "patch_size": 8, "mlp_ratio": 2.0}
    config = {"model_cfg": {**TINY["model_cfg"], "vision_cfg": vision}}
    module = build_reference(config)
    # the counter does not know the fused attention that torch chooses on some CPUs
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module.encode_image(torch.zeros(1, 3, 64, 64))
    assert described._vit_gmacs(24, vision, 64) == pytest.approx(counter.get_total_flops() / 2e9, abs=0.0006)


def changed(**parts: Any) -> dict[str, Any]:
    """TINY with some of `model_cfg`'s or the top level's parts replaced; None removes."""
    config = json.loads(json.dumps(TINY))
    for path, value in parts.items():
        *parents, last = path.split("__")
        place = config
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return config


BAD_CONFIGS = {
    "no model_cfg": (changed(model_cfg=None), "model_cfg"),
    "no width": (changed(model_cfg__embed_dim=None), "embed_dim"),
    "a list": ([1, 2], "not an open_clip configuration"),
    "not square": (changed(model_cfg__vision_cfg__image_size=[256, 128]), "256×128"),
    "another text tower": (changed(model_cfg__text_cfg__hf_model_name="roberta-base"), "transformers"),
    "longest side": (changed(preprocess_cfg__resize_mode="longest"), "longest"),
    "nearest": (changed(preprocess_cfg__interpolation="nearest"), "nearest"),
    "two means": (changed(preprocess_cfg__mean=[0.5, 0.5]), "not enough values"),
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_a_bad_configuration_is_listed_with_its_reason(name: str, tmp_path: Path) -> None:
    config, reason = BAD_CONFIGS[name]
    folder = write_custom(tmp_path, "mine", TINY)
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    spec = catalogue.find("custom_mine", tmp_path)
    assert reason in spec.problem
    with pytest.raises(WeightsInvalid) as refusal:
        weights.load_encoder(spec, tmp_path, torch.device("cpu"), torch.float32)
    assert spec.problem in str(refusal.value)


def test_damaged_folders_are_listed_with_their_reason(tmp_path: Path) -> None:
    original = write_custom(tmp_path, "good", TINY)

    def copy(name: str) -> Path:
        folder = tmp_path / "custom" / name
        folder.mkdir()
        for file in original.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        return folder

    (copy("no_config") / "open_clip_config.json").unlink()
    (copy("bad_json") / "open_clip_config.json").write_text("{")
    (copy("no_weights") / "open_clip_model.safetensors").unlink()
    two = copy("two")
    (two / "open_clip_model.safetensors").rename(two / "a.safetensors")
    (two / "b.safetensors").write_bytes((two / "a.safetensors").read_bytes())
    (copy("not_safetensors") / "open_clip_model.safetensors").write_bytes(b"\xff" * 100)
    copy("a,b")
    (tmp_path / "custom" / "a file, no folder").write_text("")
    problems = {spec.folder: spec.problem for spec in catalogue.specs(tmp_path) if spec.custom}
    assert problems.pop("custom/good") == ""
    assert "missing" in problems["custom/no_config"]
    assert "Expecting property name" in problems["custom/bad_json"]
    assert "no .safetensors" in problems["custom/no_weights"]
    assert "several .safetensors" in problems["custom/two"]
    assert "not a safetensors file" in problems["custom/not_safetensors"]
    assert "rename the folder" in problems["custom/a,b"]
    ids = [spec.id for spec in catalogue.specs(tmp_path)]
    assert len(set(ids)) == len(ids)
    assert not any("," in model_id for model_id in ids)  # ids are separated by commas on the command line


def test_a_configuration_only_open_clip_can_refuse_is_an_error_for_people(tmp_path: Path) -> None:
    folder = write_custom(tmp_path, "mine", TINY)
    (folder / "open_clip_config.json").write_text(json.dumps(changed(model_cfg__vision_cfg__timm_model_name="no_such")))
    spec = catalogue.find("custom_mine", tmp_path)
    with pytest.raises(WorkbenchError, match="cannot build"):
        weights.load_encoder(spec, tmp_path, torch.device("cpu"), torch.float32)


def test_an_unknown_tokenizer_leaves_the_images(tmp_path: Path) -> None:
    folder = write_custom(tmp_path, "mine", TINY)
    (folder / "open_clip_config.json").write_text(json.dumps(changed(model_cfg__text_cfg__hf_tokenizer_name="t5")))
    spec = catalogue.find("custom_mine", tmp_path)
    assert spec.problem == "" and not spec.has_text and "Images only" in spec.advice
    encoder = weights.load_encoder(spec, tmp_path, torch.device("cpu"), torch.float32)
    assert encoder.encode_images(torch.zeros(1, 3, 32, 32)).shape == (1, 24)


def test_custom_entries_never_shadow_the_catalogue(tmp_path: Path) -> None:
    write_custom(tmp_path, "resnet50", TINY)
    assert catalogue.find("resnet50", tmp_path).family == "torchvision"
    assert catalogue.find("custom_resnet50", tmp_path).custom


# --- one more model ---------------------------------------------------------------------------------------------------


def test_a_model_is_its_entry_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever adds a model writes one entry: lists, look-up, download, loading and the README's tables follow."""
    from core.cli import docs
    from core.models import fetch
    from core.models.spec import advise
    from webapp.kit.model_picker import model_rows

    toy = replace(
        next(spec for spec in CATALOGUE if spec.id == "resnet50"),
        id="toy_resnet18",
        architecture="resnet18",
        tag="IMAGENET1K_V1",
        dim=512,
        params_m=11.69,
        files=("toy.pth",),
        url="https://example.org/toy-0123abcd.pth",
        advice=advise("A toy.", "玩具。"),
    )
    monkeypatch.setattr(catalogue, "CATALOGUE", (*CATALOGUE, toy))
    assert catalogue.find("toy_resnet18", tmp_path) is toy and toy in catalogue.specs(tmp_path)
    assert fetch.downloads_of(toy, tmp_path)[0].target == tmp_path / "torchvision" / "toy.pth"
    assert "`toy_resnet18`" in docs.models_table() and "`torchvision/toy.pth`" in docs.weights_table()
    row = next(row for row in model_rows(Settings(weights_dir=tmp_path), "zh") if row["id"] == "toy_resnet18")
    assert row["advice"] == "玩具。" and row["command"] == "python -m core models fetch toy_resnet18"
    module, _ = build_on_meta(toy)
    (tmp_path / "torchvision").mkdir()
    torch.save(module.to_empty(device="cpu").state_dict(), tmp_path / "torchvision" / "toy.pth")
    encoder = weights.load_encoder(toy, tmp_path, torch.device("cpu"), torch.float32)
    assert encoder.encode_images(torch.zeros(1, 3, 224, 224)).shape == (1, toy.dim)
