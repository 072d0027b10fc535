"""The YAML: nothing in it is ignored, nothing unknown is accepted."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import InputError
from core.settings import REPO_DIR
from experiments.reid.config import ARMS, Config, ModelConfig, arm, parse_config, read_config, with_arm

CONFIGS = REPO_DIR / "experiments" / "configs"
SPECIFIED = (
    "USE_CLIP_MULTI_SCALE", "CLIP_MULTI_SCALE_SCALES", "TRANSFORMER_TYPE", "STRIDE_SIZE", "SIE_CAMERA", "DIRECT",
    "SIE_COE", "ID_LOSS_WEIGHT", "TRIPLET_LOSS_WEIGHT", "PROMPT", "ADAPTER", "MAMBA", "FROZEN", "PRETRAIN_PATH_T",
)  # fmt: skip


def test_the_shipped_file_has_the_notes_keys_and_values() -> None:
    text = (CONFIGS / "reid.yaml").read_text()
    given = yaml.safe_load(text)["MODEL"]
    assert not set(SPECIFIED) - set(given)
    config = read_config(CONFIGS / "reid.yaml").MODEL
    assert config.USE_CLIP_MULTI_SCALE and config.CLIP_MULTI_SCALE_SCALES == (4, 8, 16)
    assert (config.TRANSFORMER_TYPE, config.STRIDE_SIZE, config.SIE_COE) == ("ViT-B-16", (16, 16), 1.0)
    assert (config.ID_LOSS_WEIGHT, config.TRIPLET_LOSS_WEIGHT, config.FROZEN) == (0.25, 1.0, True)
    assert config.MAMBA is False
    (line,) = [line for line in text.splitlines() if line.strip().startswith("MAMBA")]
    assert "not implemented" in line.partition("#")[2]


def test_every_shipped_file_is_read() -> None:
    for path in CONFIGS.glob("reid*.yaml"):
        assert isinstance(read_config(path), Config), path


def test_every_key_is_in_the_full_file_and_explained() -> None:
    given = yaml.safe_load((CONFIGS / "reid.yaml").read_text())
    for section in fields(Config):
        if section.name == "OUTPUT_DIR":
            continue
        kind = type(getattr(Config(), section.name))
        assert set(given[section.name]) == {one.name for one in fields(kind)}
        for one in fields(kind):
            short = one.name.removeprefix("CLIP_MULTI_SCALE")
            assert one.name in kind.__doc__ or f"…{short}" in kind.__doc__, one.name


def test_mamba_is_refused_with_its_name() -> None:
    with pytest.raises(InputError, match="not implemented") as caught:
        parse_config({"MODEL": {"MAMBA": True}}, "my.yaml")
    assert caught.value.where == "my.yaml: MODEL.MAMBA"


@pytest.mark.parametrize(
    ("given", "where", "words"),
    [
        ({"MODEL": {"USE_CLIP_MULTISCALE": True}}, "MODEL.USE_CLIP_MULTISCALE", "Did you mean MODEL.USE_CLIP_MULTI_SC"),
        ({"MODLE": {}}, "f: MODLE", "Did you mean MODEL"),
        ({"SOLVER": {"OPTIMIZER": "SGD"}}, "SOLVER.OPTIMIZER", ""),
        ({"MODEL": 3}, "f: MODEL", "mapping"),
        ({"MODEL": {"FROZEN": "yes"}}, "MODEL.FROZEN", "True or False"),
        ({"MODEL": {"FROZEN": 1}}, "MODEL.FROZEN", "True or False"),
        ({"MODEL": {"DIRECT": True}}, "MODEL.DIRECT", "whole number"),
        ({"MODEL": {"DIRECT": 2}}, "MODEL.DIRECT", "One of: 0, 1"),
        ({"MODEL": {"SIE_COE": "much"}}, "MODEL.SIE_COE", "a number"),
        ({"MODEL": {"SIE_COE": float("nan")}}, "MODEL.SIE_COE", "a number"),
        ({"MODEL": {"STRIDE_SIZE": [16]}}, "MODEL.STRIDE_SIZE", "2 numbers"),
        ({"MODEL": {"STRIDE_SIZE": [0, 16]}}, "MODEL.STRIDE_SIZE", "at least 1"),
        ({"MODEL": {"CLIP_MULTI_SCALE_SCALES": 4}}, "CLIP_MULTI_SCALE_SCALES", ""),
        ({"MODEL": {"CLIP_MULTI_SCALE_POOL": "median"}}, "CLIP_MULTI_SCALE_POOL", "mean, max"),
        ({"INPUT": {"FLIP_PROB": 1.5}}, "INPUT.FLIP_PROB", "at most 1"),
        ({"SOLVER": {"IMS_PER_BATCH": 6}}, "SOLVER.IMS_PER_BATCH", "multiple of DATALOADER.NUM_INSTANCE"),
        ({"SOLVER": {"IMS_PER_BATCH": 4}}, "SOLVER.IMS_PER_BATCH", "two identities"),
    ],
)  # fmt: skip
def test_bad_keys_and_values_are_named(given: dict[str, Any], where: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_config(given, "f")
    assert where in caught.value.where and words in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    for content, words in ((b"MODEL: [", "no YAML"), (b"- 1", "mapping of sections"), (b"\xff\xfe\x00", "no YAML")):
        bad.write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_config(bad)
    with pytest.raises(InputError, match="cannot be read"):
        read_config(tmp_path / "absent.yaml")


def test_overrides_take_the_place_of_the_files_values() -> None:
    config = read_config(
        CONFIGS / "reid.yaml",
        ["SOLVER.BASE_LR=1e-3", "MODEL.CLIP_MULTI_SCALE_SCALES=[[2, 2], 4]", "OUTPUT_DIR=elsewhere"],
    )  # fmt: skip
    assert config.SOLVER.BASE_LR == 1e-3 and config.OUTPUT_DIR == "elsewhere"
    assert config.MODEL.CLIP_MULTI_SCALE_SCALES == ((2, 2), 4)
    for text, words in (("MODEL.SIE_COE", "KEY=VALUE"), ("MODEL.X=1", "Unknown key"), ("MODEL.SIE_COE=[", "no YAML")):
        with pytest.raises(InputError, match=words):
            read_config(CONFIGS / "reid.yaml", [text])


def test_arms_are_named_after_what_they_switch() -> None:
    config = read_config(CONFIGS / "reid.yaml")
    for name in ARMS:
        assert arm(with_arm(config, name).MODEL) == name
    # an arm says all there is about the context: whatever the file had is set back
    spoilt = parse_config({"MODEL": {"CLIP_MULTI_SCALE_POOL": "max", "CLIP_MULTI_SCALE_PLAN": 2}}, "f")
    assert arm(spoilt.MODEL) == "plan2_max"
    assert arm(with_arm(spoilt, "plan1").MODEL) == "plan1"
    assert with_arm(config, "baseline").MODEL.SIE_COE == config.MODEL.SIE_COE
    assert arm(ModelConfig(CLIP_MULTI_SCALE_STRIDE="half", CLIP_MULTI_SCALE_ACTIVATION="gelu")) == "plan1_gelu_half"
    with pytest.raises(InputError, match="plan1_2d"):
        with_arm(config, "plan3")
