"""RGBNT201's layout as it is read, what is refused, and how batches are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import InputError
from experiments.reid.data import Augmentation, batches, load, read_split, split_validation
from experiments.reid.figures import draw_person, draw_shot, render


def write(folder: Path, name: str, modalities: tuple[str, ...] = ("RGB", "NI", "TI"), grey: int = 100) -> None:
    for index, modality in enumerate(modalities):
        (folder / modality).mkdir(parents=True, exist_ok=True)
        colour = (grey, grey + 10 * index, 0)
        Image.new("RGB", (64, 128), colour).save(folder / modality / name, quality=100)


def test_names_say_person_and_camera(tmp_path: Path) -> None:
    write(tmp_path, "000258_cam1_0_03.jpg")
    write(tmp_path, "000007_cam4_1_00.jpg")
    records = read_split(tmp_path)
    assert [(one.name, one.person, one.camera) for one in records] == [
        ("000007_cam4_1_00.jpg", 7, 3),
        ("000258_cam1_0_03.jpg", 258, 0),
    ]
    assert [path.parent.name for path in records[0].paths] == ["RGB", "NI", "TI"]


def test_pixels_keep_modality_channel_and_size(tmp_path: Path) -> None:
    write(tmp_path, "000001_cam1_0_00.jpg")
    triples = load(read_split(tmp_path), (32, 16))
    assert triples.pixels_NM3HW.shape == (1, 3, 3, 32, 16) and triples.pixels_NM3HW.dtype == torch.uint8
    middle = triples.pixels_NM3HW[0, :, :, 16, 8].int()
    expected = torch.tensor([[100, 100, 0], [100, 110, 0], [100, 120, 0]])
    assert (middle - expected).abs().max() <= 3  # JPEG


def test_a_picture_of_the_right_size_is_not_resampled(figures: Path) -> None:
    records = read_split(figures / "figures" / "test")
    triples = load(records, (32, 16))
    with Image.open(records[5].paths[2]) as image:
        assert np.array_equal(triples.pixels_NM3HW[5, 2].permute(1, 2, 0).numpy(), np.asarray(image))


@pytest.mark.parametrize("modality", ["RGB", "NI", "TI"])
def test_a_missing_modality_is_named(figures_copy: Path, modality: str) -> None:
    folder = figures_copy / "figures" / "train_171"
    for path in (folder / modality).iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"no \.jpg pictures") as caught:
        read_split(folder)
    assert caught.value.where.endswith(f"train_171/{modality}")
    (folder / modality).rmdir()
    with pytest.raises(InputError, match="modality is missing") as caught:
        read_split(folder)
    assert caught.value.where.endswith(f"train_171/{modality}") and "RGBNT201" in caught.value.next_step


def test_unequal_names_are_named(figures_copy: Path) -> None:
    folder = figures_copy / "figures" / "test"
    gone = next((folder / "NI").iterdir())
    gone.unlink()
    with pytest.raises(InputError, match="1 pictures of RGB have no picture of that name in NI") as caught:
        read_split(folder)
    assert gone.name in str(caught.value) and caught.value.where.endswith("test/NI")


@pytest.mark.parametrize("name", ["258_cam1_0.jpg", "000258-cam1.jpg", "000258_camX_0.jpg", "000258_cam0_0.jpg"])
def test_a_name_without_person_or_camera_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    with pytest.raises(InputError, match="person and camera") as caught:
        read_split(tmp_path)
    assert caught.value.where.endswith(f"RGB/{name}")


def test_other_files_and_damaged_pictures_are_named(figures_copy: Path) -> None:
    folder = figures_copy / "figures" / "test"
    (folder / "TI" / "Thumbs.db").write_bytes(b"x")
    first = sorted((folder / "TI").glob("*.jpg"))[0]
    first.write_bytes(first.read_bytes()[:200])
    with pytest.raises(InputError, match="cannot be read") as caught:
        load(read_split(folder), (32, 16))
    assert caught.value.where == str(first)
    (folder / "TI" / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"notes\.txt"):
        read_split(folder)


def test_validation_is_made_of_other_people(figures: Path) -> None:
    records = read_split(figures / "figures" / "train_171")
    training, validation = split_validation(records, 2, seed=0)
    trained, kept = {one.person for one in training}, {one.person for one in validation}
    assert len(kept) == 2 and len(trained) == 4 and not trained & kept
    assert sorted(one.name for one in training + validation) == [one.name for one in records]
    assert split_validation(records, 2, seed=0)[1] == validation
    for people in (0, 6, 7):
        with pytest.raises(InputError, match="kept back"):
            split_validation(records, people, seed=0)


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(1, 9), min_size=2, max_size=7),
    people=st.integers(2, 4),
    shots=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_batches_hold_whole_groups_of_different_people(counts: list[int], people: int, shots: int, seed: int) -> None:
    person_N = np.repeat(np.arange(len(counts)) * 10, counts)
    if len(counts) < people:
        with pytest.raises(InputError, match="Make the batch smaller"):
            next(batches(person_N, people, shots, seed, 0))
        return
    found = list(batches(person_N, people, shots, seed, 0))
    assert found
    for rows in found:
        groups = person_N[rows].reshape(people, shots)
        assert (groups == groups[:, :1]).all() and len(set(groups[:, 0])) == people
    everything = np.concatenate(found)
    for person, count in enumerate(counts):  # a picture comes again only to fill its person's last group
        mine = everything[person_N[everything] == person * 10]
        assert len(mine) <= -(-count // shots) * shots
    again = list(batches(person_N, people, shots, seed, 0))
    assert all(np.array_equal(one, two) for one, two in zip(found, again, strict=True))


def test_epochs_and_seeds_differ() -> None:
    person_N = np.repeat(np.arange(8), 8)
    first = [np.concatenate(list(batches(person_N, 4, 4, *key))) for key in ((0, 0), (0, 1), (1, 0))]
    assert not np.array_equal(first[0], first[1]) and not np.array_equal(first[0], first[2])
    assert len(first[0]) == 64 and len(set(first[0].tolist())) == 64  # nothing twice where it comes out even


def test_modalities_move_together() -> None:
    pixels = torch.randn(6, 1, 3, 12, 8).repeat(1, 3, 1, 1, 1)
    for augmentation in (Augmentation(0.5, 0, 0.0), Augmentation(0.5, 2, 0.8)):
        moved = augmentation.apply(pixels, np.random.default_rng(0))
        assert moved.shape == pixels.shape
        assert torch.equal(moved[:, 0], moved[:, 1]) and torch.equal(moved[:, 0], moved[:, 2])
        assert not torch.equal(moved, pixels)
    assert torch.equal(Augmentation(0, 0, 0.0).apply(pixels, np.random.default_rng(0)), pixels)
    flipped = Augmentation(1, 0, 0.0).apply(pixels, np.random.default_rng(0))
    assert torch.equal(flipped, pixels.flip(-1))


def test_drawn_people_are_themselves_and_differ() -> None:
    def seen(number: int, camera: int = 0, repeat: int = 0) -> np.ndarray:
        return render(draw_person(5, number), draw_shot(5, number, camera, repeat), 64, 32)

    assert seen(0).shape == (3, 64, 32, 3) and seen(0).dtype == np.uint8
    assert np.array_equal(seen(0), seen(0))
    for other in (seen(1), seen(0, camera=1), seen(0, repeat=1)):
        assert np.abs(other.astype(int) - seen(0)).mean() > 3
    for picture in seen(0)[1:]:  # near infrared and heat are grey
        assert (picture == picture[..., :1]).all()


def test_heat_does_not_depend_on_the_light() -> None:
    from dataclasses import replace

    person, shot = draw_person(5, 2), draw_shot(5, 2, 0, 0)
    dark = render(person, replace(shot, exposure=0.02), 64, 32)
    bright = render(person, replace(shot, exposure=1.0), 64, 32)
    assert bright[0].mean() > 4 * dark[0].mean()
    assert np.array_equal(dark[1:], bright[1:])


def test_generated_splits_are_different_people(figures: Path) -> None:
    splits = {name: read_split(figures / "figures" / name) for name in ("train_171", "test")}
    people = {name: {one.person for one in records} for name, records in splits.items()}
    assert people == {"train_171": set(range(6)), "test": set(range(6, 10))}
    assert {one.camera for one in splits["test"]} == {0, 1, 2, 3}
