"""`python -m core models list | fetch | check`, and the documentation generated from the catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from core.cli import docs
from core.cli.models import app
from core.errors import InputError, WeightsInvalid, WeightsMissing
from core.models import catalogue
from core.models.spec import HUB_FILES
from core.settings import REPO_DIR
from tests.tiny_models import TINY, write_custom

runner = CliRunner()


def test_the_list_shows_every_model_with_its_state(tmp_path: Path) -> None:
    write_custom(tmp_path, "mine", TINY)
    (tmp_path / "custom" / "broken").mkdir()
    result = runner.invoke(app, ["list", "--weights_dir", str(tmp_path)])
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert set(lines) == {"id", *(spec.id for spec in catalogue.specs(tmp_path))}
    assert lines["efficientnet_lite0"].rstrip().endswith("here")
    assert lines["custom_mine"].rstrip().endswith("here")
    assert "python -m core models fetch resnet152" in lines["resnet152"]
    assert "cannot be used: no .safetensors files" in lines["custom_broken"]
    assert "768" in lines["open_clip_convnext_large"] and "320" in lines["open_clip_convnext_large"]


def test_the_list_as_json_has_every_fact(tmp_path: Path) -> None:
    result = runner.invoke(app, ["list", "--json", "--weights_dir", str(tmp_path)])
    rows = {row["id"]: row for row in json.loads(result.stdout)}
    assert rows["open_clip_vit_l14_laion2b"]["preprocessing"]["mean"] == [0.5, 0.5, 0.5]
    assert rows["resnet50"]["path"] is None and rows["resnet50"]["command"].endswith("fetch resnet50")
    assert rows["efficientnet_lite0"]["command"] is None and rows["efficientnet_lite0"]["path"].endswith(".pth")


def test_a_checkpoint_that_does_not_load_stands_in_the_list_with_its_reason(tmp_path: Path) -> None:
    save_file({"module.visual.proj": torch.zeros(2)}, write_custom(tmp_path, "mine", TINY) / HUB_FILES[0])
    place = ["--weights_dir", str(tmp_path)]
    assert "cannot be used: The weight file does not fit" in runner.invoke(app, ["list", *place]).stdout
    rows = {row["id"]: row for row in json.loads(runner.invoke(app, ["list", "--json", *place]).stdout)}
    assert "1 unexpected (module.visual.proj)" in rows["custom_mine"]["problem"]


def test_check_loads_encodes_and_says_what_the_model_is(tmp_path: Path) -> None:
    write_custom(tmp_path, "mine", TINY)
    result = runner.invoke(app, ["check", "custom_mine", "--weights_dir", str(tmp_path), "--json"])
    facts = json.loads(result.stdout)
    assert (facts["dim"], facts["input_px"], facts["dtype"], facts["finite"]) == (24, 32, "float32", True)
    assert len(facts["sha256"]) == 64 and facts["load_s"] > 0
    plain = runner.invoke(app, ["check", "custom_mine", "--weights_dir", str(tmp_path)])
    assert plain.exit_code == 0 and facts["sha256"] in plain.stdout


def test_check_fails_on_missing_changed_and_wrong_weights(tmp_path: Path) -> None:
    missing = runner.invoke(app, ["check", "resnet50", "--weights_dir", str(tmp_path)])
    assert isinstance(missing.exception, WeightsMissing)
    folder = write_custom(tmp_path, "mine", TINY)
    (folder / "open_clip_model.safetensors.sha256").write_text("0" * 64 + "  open_clip_model.safetensors\n")
    changed = runner.invoke(app, ["check", "custom_mine", "--weights_dir", str(tmp_path)])
    assert isinstance(changed.exception, WeightsInvalid) and "recorded" in str(changed.exception)


def test_check_refuses_values_that_are_not_finite(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    path = write_custom(tmp_path, "mine", TINY) / "open_clip_model.safetensors"
    state = {name: tensor.clone() for name, tensor in load_file(path).items()}
    state["visual.proj"] = torch.full_like(state["visual.proj"], float("nan"))
    path.unlink()  # a mapped file is replaced, never written into
    save_file(state, path)
    result = runner.invoke(app, ["check", "custom_mine", "--weights_dir", str(tmp_path)])
    assert isinstance(result.exception, WeightsInvalid) and "not finite" in str(result.exception)


def test_fetch_of_what_is_here_prints_its_place(tmp_path: Path) -> None:
    result = runner.invoke(app, ["fetch", "efficientnet_lite0", "--weights_dir", str(tmp_path), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["path"].endswith("efficientnet-lite0-57934424.pth")


# --- documentation --------------------------------------------------------------------------------------------------


def test_the_generated_parts_of_the_documentation_are_up_to_date() -> None:
    assert [str(path.relative_to(REPO_DIR)) for path in docs.stale(REPO_DIR)] == []


def test_every_model_stands_in_both_tables() -> None:
    for spec in catalogue.CATALOGUE:
        assert f"| `{spec.id}` |" in docs.models_table()
        assert f"`{spec.folder}/{spec.files[0]}`" in docs.weights_table()


def test_writing_changes_the_generated_part_alone() -> None:
    text = "before\n<!-- generated:x -->\nold\n| rows |\n<!-- /generated:x -->\nafter\n"
    made = docs.render(text, {"x": lambda: r"new \1"}, "here")
    assert made == "before\n<!-- generated:x -->\nnew \\1\n<!-- /generated:x -->\nafter\n"
    assert docs.render(made, {"x": lambda: r"new \1"}, "here") == made


@pytest.mark.parametrize("text", ["", "<!-- generated:x -->", "<!-- generated:x -->\n<!-- /generated:x -->\n" * 2])
def test_lost_or_doubled_marks_are_an_error(text: str) -> None:
    with pytest.raises(InputError, match="generated:x"):
        docs.render(text, {"x": lambda: ""}, "README.md")
