"""What comes from a visitor: file names, archives, many files at once, and lists of models that nobody picked."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.models.spec import HUB_FILES
from core.settings import Settings
from webapp.kit import uploads
from webapp.kit.model_picker import MAX_PICKED, ModelPicker, model_rows, picker_value
from webapp.kit.uploads import Upload, UploadOne, Uploads, image_sources, own_name

LIMITS = Settings().web_limits
PHOTO = Path(__file__).resolve().parents[3] / "webapp" / "examples" / "cat.jpg"


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, data in members.items():
            opened.writestr(name.replace("__", "."), data)
    return path


def given_files(*files: tuple[str, Path], folder: Path):
    folder.mkdir(exist_ok=True)
    return image_sources([Upload(name, path) for name, path in files], LIMITS, folder)


def test_names_are_the_visitors_own_and_two_of_one_name_are_told_apart(tmp_path):
    sources, rejects, notices = given_files(("cat.jpg", PHOTO), ("cat.jpg", PHOTO), folder=tmp_path / "in")
    assert [source.id for source in sources] == ["cat.jpg", "cat (2).jpg"]
    assert not rejects
    assert len(notices) == 1, "a changed name is said"


def test_members_of_an_archive_bear_its_name_unless_it_is_all_there_is(tmp_path):
    photo = PHOTO.read_bytes()
    packed = archive(tmp_path / "x.zip", a__jpg=photo, notes__txt=b"no image")
    alone, left_out, _ = given_files(("trip.zip", packed), folder=tmp_path / "one")
    assert [source.id for source in alone] == ["a.jpg"]
    assert [reject.id for reject in left_out] == ["notes.txt"]
    assert alone[0].path and alone[0].path.read_bytes() == photo

    both, left_out, _ = given_files(("trip.zip", packed), ("cat.jpg", PHOTO), folder=tmp_path / "two")
    assert [source.id for source in both] == ["trip.zip/a.jpg", "cat.jpg"]
    assert [reject.id for reject in left_out] == ["trip.zip/notes.txt"]


def test_a_broken_archive_is_a_reject_with_a_reason_and_the_others_go_on(tmp_path):
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and nothing else")
    sources, rejects, _ = given_files(("broken.zip", broken), ("cat.jpg", PHOTO), folder=tmp_path / "in")
    assert [source.id for source in sources] == ["cat.jpg"]
    assert [(reject.id, reject.code) for reject in rejects] == [("broken.zip", "archive")]
    assert "damaged" in rejects[0].reason


def test_a_zip_bomb_is_a_reject(tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as opened:
        for number in range(4):
            opened.writestr(f"{number}.jpg", bytes(30 * 2**20))
    sources, rejects, _ = given_files(("bomb.zip", bomb), ("cat.jpg", PHOTO), folder=tmp_path / "in")
    assert [source.id for source in sources] == ["cat.jpg"]
    assert rejects
    assert all("times its size" in reject.reason for reject in rejects)


def test_many_archives_together_cannot_fill_the_disk(tmp_path, monkeypatch):
    photo = PHOTO.read_bytes()
    monkeypatch.setattr(uploads, "MAX_UNPACKED_BYTES", int(2.5 * len(photo)))
    files = [(f"{name}.zip", archive(tmp_path / f"{name}.zip", a__jpg=photo)) for name in "xyz"]
    folder = tmp_path / "in"
    sources, rejects, _ = given_files(*files, folder=folder)
    assert [source.id for source in sources] == ["x.zip/a.jpg", "y.zip/a.jpg"]
    assert [(reject.id, reject.code) for reject in rejects] == [("z.zip", "archive")]
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) == 2 * len(photo)


def test_no_files_at_all_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match="try the examples"):
        image_sources([], LIMITS, tmp_path)


def test_too_many_images_are_refused_before_any_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_IMAGES", 3)
    files = [(f"{number}.jpg", Path("/nowhere")) for number in range(4)]
    with pytest.raises(InputError, match="More than 3 images"):
        given_files(*files, folder=tmp_path)


@given(st.text(max_size=400))
def test_a_name_is_never_empty_never_a_path_and_can_be_printed(name):
    shown = own_name(name)
    assert 1 <= len(shown) <= 200
    assert "/" not in shown
    assert "\\" not in shown
    assert shown.isprintable()


@pytest.mark.parametrize("kind", [Uploads, UploadOne])
def test_an_address_on_the_web_is_refused_not_fetched(kind):
    with gr.Blocks():
        component = kind()
    with pytest.raises(gr.Error, match="not fetched"):
        component.move_resource_to_block_cache("HTTP://127.0.0.1:1/secret")


def test_what_the_browser_calls_a_file_is_only_its_name():
    with gr.Blocks():
        component = Uploads(file_count="multiple")
    sent = [SimpleNamespace(orig_name="../../etc/passwd.jpg", path="/cache/abc/passwd.jpg")]
    assert component.preprocess(sent) == [Upload("passwd.jpg", Path("/cache/abc/passwd.jpg"))]
    assert component.preprocess(None) == []


# ------------------------------------------------------------------ the table of models


def picker() -> ModelPicker:
    with gr.Blocks():
        return ModelPicker(Settings(), lambda request: "en")


def test_the_order_of_picking_is_kept_and_nothing_else_is_believed():
    assert picker().preprocess({"picked": ["b", "a", "b"], "rows": [{"id": "evil"}]}) == ("b", "a")


@pytest.mark.parametrize("sent", [None, "a", [], {"picked": "a"}, {"picked": None}, {}])
def test_a_value_that_is_no_list_of_models_is_none_picked(sent):
    assert picker().preprocess(sent) == ()


def test_a_thousand_models_from_a_hostile_browser_are_cut_short():
    assert len(picker().preprocess({"picked": [f"m{number}" for number in range(1000)]})) == MAX_PICKED


def test_models_that_are_here_come_first_and_the_others_say_how_to_fetch_them(tmp_path):
    rows = model_rows(Settings(weights_dir=tmp_path), "en")
    here = [row["here"] for row in rows]
    assert here == sorted(here, reverse=True)
    assert rows[0]["id"] == "efficientnet_lite0", "its weights come with the installation"
    missing = next(row for row in rows if row["id"] == "openai_clip_vit_b32")
    assert missing["command"].endswith("openai_clip_vit_b32")
    assert (missing["dim"], missing["input"], missing["family"]) == (512, 224, "OpenAI CLIP")


def test_a_checkpoint_that_does_not_load_cannot_be_picked_and_says_why(tmp_path):
    import torch
    from safetensors.torch import save_file

    from tests.tiny_models import TINY, write_custom

    save_file({"module.visual.proj": torch.zeros(2)}, write_custom(tmp_path, "mine", TINY) / HUB_FILES[0])
    row = next(row for row in model_rows(Settings(weights_dir=tmp_path), "zh") if row["id"] == "custom_mine")
    assert (row["here"], row["command"]) == (False, "") and "module.visual.proj" in row["advice"]
    assert "多出 1 项" in row["advice"]


def test_a_new_visitor_has_one_model_picked_that_can_run(tmp_path):
    value = picker_value(Settings(weights_dir=tmp_path), "zh")
    assert value["picked"] == ["efficientnet_lite0"]
    assert value["words"]["model"] == "模型"
    kept = picker_value(Settings(weights_dir=tmp_path), "en", ("openai_clip_vit_b32", "efficientnet_lite0"))
    assert kept["picked"] == ["efficientnet_lite0"], "a model that is not here cannot stay picked"
