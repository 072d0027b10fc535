"""What a batch shows and what its captions claim."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import InputError, PackageMissing
from core.pose.text import CAPTIONS, caption_numbers
from experiments.demo_clip import artwork, data
from experiments.demo_clip.data import Batch, Composer, Keys, Shares, _assemble, _Picture, batches, name_prompts
from experiments.demo_clip.head_bank import (
    ELEVATIONS_DEG,
    HELD_OUT_ELEVATIONS_DEG,
    HELD_OUT_WIDTHS,
    draw_angles,
    draw_looks,
)

SHARES = Shares(singles=8, composites=2, fragments=4, backgrounds=6, heads=8)


@pytest.fixture(scope="module")
def composer(small_world: Path) -> Composer:
    return Composer(small_world)


@pytest.fixture(scope="module")
def batch(composer: Composer) -> Batch:
    return composer.batch(1, 2, SHARES)


def captions_of(batch: Batch, row: int) -> list[str]:
    return [batch.captions[column] for column in np.flatnonzero(batch.positive_BK[row].numpy())]


def test_a_batch_depends_on_seed_and_step_alone(small_world: Path, batch: Batch) -> None:
    again = Composer(small_world).batch(1, 2, SHARES)
    other = Composer(small_world).batch(1, 3, SHARES)
    assert torch.equal(again.pixels_BCHW, batch.pixels_BCHW) and again.captions == batch.captions
    assert torch.equal(again.positive_BK, batch.positive_BK) and torch.equal(again.ignored_BK, batch.ignored_BK)
    assert not torch.equal(other.pixels_BCHW, batch.pixels_BCHW)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_composed_ahead_are_the_same_and_in_order(composer: Composer, workers: int) -> None:
    draws = [2, 0, 7, 5, 3]
    found = list(batches(composer, 1, draws, SHARES, lambda texts: torch.tensor([len(t) for t in texts]), workers))
    assert len(found) == len(draws)
    for draw, (made, tokens) in zip(draws, found, strict=True):
        expected = composer.batch(1, draw, SHARES)
        assert torch.equal(made.pixels_BCHW, expected.pixels_BCHW) and made.captions == expected.captions
        assert tokens.tolist() == [len(caption) for caption in expected.captions]


def test_little_shared_memory_means_no_processes_but_the_same_batches(
    composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_room_for_batches", lambda shares: 2)
    monkeypatch.setattr(data, "DataLoader", None)  # would fail if it were used
    ((made, _), *others) = batches(composer, 1, [4, 5, 6], SHARES, lambda texts: torch.zeros(1), workers=8)
    assert torch.equal(made.pixels_BCHW, composer.batch(1, 4, SHARES).pixels_BCHW) and len(others) == 2


def test_a_larger_batch_has_the_same_mixture() -> None:
    larger = SHARES.times(3)
    assert larger.total == 3 * SHARES.total and (larger.singles, larger.heads) == (24, 24)


def test_captions_that_name_one_emoji_know_its_class(composer: Composer) -> None:
    """A word for many ("a flag") and a caption of several things name none."""
    for step in range(8):
        made = composer.batch(4, step, SHARES)
        named = 0
        for column, number in enumerate(made.class_K.tolist()):
            if number >= 0:
                named += 1
                emoji = composer.classes[number]
                assert any(word in made.captions[column] for word in (emoji.name, *emoji.synonyms))
                (row,) = np.flatnonzero(made.positive_BK[:, column].numpy())
                assert made.class_B[row] == number
        assert 0 < named <= SHARES.singles and len(made.class_K) == len(made.captions)
        assert made.class_K[: len(CAPTIONS)].tolist() == [-1] * len(CAPTIONS)


def test_shapes_and_ranges(batch: Batch) -> None:
    assert batch.pixels_BCHW.shape == (SHARES.total, 3, 64, 64) and batch.pixels_BCHW.dtype == torch.float32
    assert batch.pixels_BCHW.min() >= 0 and batch.pixels_BCHW.max() <= 1
    assert len(batch.captions) == len(set(batch.captions)) and batch.captions[:45] == list(CAPTIONS)
    assert batch.positive_BK.any(dim=1).all()
    assert not (batch.positive_BK & batch.ignored_BK).any()
    assert batch.pixels_BCHW.flatten(1).std(dim=1)[: SHARES.singles].min() > 0.01  # every emoji is seen


def test_an_emoji_is_whole_at_most_once_in_a_batch(composer: Composer) -> None:
    for step in range(5):
        named = [number for number in composer.batch(3, step, SHARES).class_B.tolist() if number >= 0]
        assert len(named) == len(set(named)) == SHARES.singles


def test_head_captions_say_the_head_s_pose(batch: Batch) -> None:
    first = SHARES.total - SHARES.heads
    numbers = caption_numbers(batch.angles_deg_H3.numpy())
    for row in range(SHARES.heads):
        captions = captions_of(batch, first + row)
        assert captions[0] == CAPTIONS[numbers[row]]
        assert all(CAPTIONS[numbers[row]] in caption for caption in captions)
        others = set(CAPTIONS) - {captions[0]}
        assert not any(batch.ignored_BK[first + row, batch.captions.index(other)] for other in others)


def test_a_word_that_fits_several_pictures_is_held_against_none_of_them() -> None:
    flags, animals = 9, 3
    pictures = [
        _Picture("a flag", caption_key=flags, keys=(flags,), emoji=0),
        _Picture("flag Japan", caption_key=Keys.NONE, keys=(flags,), emoji=1),
        _Picture("a dog", caption_key=Keys.NONE, keys=(animals, Keys.OBJECT), emoji=2),
        _Picture("an object", caption_key=Keys.OBJECT, keys=(Keys.OBJECT,), emoji=3),
    ]
    batch = _assemble(torch.zeros(4, 3, 64, 64), pictures, np.zeros((0, 3)))
    texts = ["a flag", "flag Japan", "a dog", "an object"]
    columns = [batch.captions.index(text) for text in texts]
    assert batch.positive_BK[:, columns].int().tolist() == np.eye(4, dtype=int).tolist()
    assert batch.ignored_BK[:, columns].int().tolist() == [
        [0, 0, 0, 0],  # "flag Japan" stays a negative for a picture called "a flag"
        [1, 0, 0, 0],  # "a flag" fits Japan's
        [0, 0, 0, 1],  # "an object" fits the dog
        [0, 0, 0, 0],
    ]


def test_emoji_get_general_words_that_are_true(composer: Composer) -> None:
    words = {emoji.name: {text for _, text in Keys.of(emoji)} for emoji in composer.classes}
    assert words["man"] >= {"a person", "a man"} and "a woman" not in words["man"]
    assert "a building" in words["house"] and "a building" not in words["automobile"]
    assert "an object" in words["key"] and "an object" not in words["flag Japan"]


def test_mirrored_heads_carry_mirrored_angles(small_world: Path, composer: Composer) -> None:
    _, _, angles = composer.head_pictures(np.random.default_rng(0), 60)
    stored = composer.heads.angles_deg_N3
    plain = (np.abs(angles[:, None] - stored).max(axis=2) == 0).any(axis=1)
    mirrored = (np.abs(angles[:, None] - stored * [-1, 1, -1]).max(axis=2) == 0).any(axis=1)
    assert (plain | mirrored).all() and 10 < plain.sum() < 50


def test_a_fragment_is_cut_off_by_the_picture_s_border(composer: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_nothing(rng: np.random.Generator, count: int, plain_share: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        return torch.zeros(count, 3, 64, 64), np.zeros(count, int)

    monkeypatch.setattr(composer, "_grounds", on_nothing)
    pixels, pictures = composer.fragments(np.random.default_rng(0), np.arange(12))
    drawn = pixels.sum(dim=1) > 0
    assert drawn[:, 28:36, 28:36].flatten(1).any(dim=1).all()
    borders = torch.stack([drawn[:, 0], drawn[:, -1], drawn[:, :, 0], drawn[:, :, -1]]).any(dim=2).sum(dim=0)
    assert (borders >= 2).all()
    assert all("part" in picture.caption or "fragment" in picture.caption for picture in pictures)
    assert all(Keys.FRAGMENT in picture.keys for picture in pictures)


def test_composites_name_all_their_objects(composer: Composer) -> None:
    _, pictures = composer.composites(np.random.default_rng(1), np.arange(15), 5)
    for column, picture in enumerate(pictures):
        names = [composer.classes[number].name for number in (column, column + 5, column + 10)]
        assert names[0] in picture.caption and names[1] in picture.caption
        assert picture.caption.count(" and ") == 1 and ((names[2] in picture.caption) == ("," in picture.caption))


def test_backgrounds_are_called_what_they_are(composer: Composer) -> None:
    rng = np.random.default_rng(2)
    pixels, pictures = composer.backgrounds_only(rng, 40)
    grass = [pixels[row].mean(dim=(1, 2)) for row, picture in enumerate(pictures) if "grass" in picture.caption]
    assert grass and all(colour.argmax() == 1 for colour in grass)  # grass is green


def test_validation_drawings_are_not_trained_on(small_world: Path) -> None:
    everything, kept = Composer(small_world), Composer(small_world, drawings="train")
    back = Composer(small_world, drawings="validation")
    assert len(back.class_N) > 0
    assert len(kept.class_N) + len(back.class_N) == len(everything.class_N)
    assert len(kept.known_classes) == len(everything.known_classes)


def test_held_out_heads_come_from_bands_that_training_never_enters() -> None:
    def look(held_out: bool) -> tuple[np.ndarray, np.ndarray]:
        looks, _, _ = draw_looks(np.random.default_rng(0), 3000, held_out=held_out)
        return looks.width, np.rad2deg(np.arcsin(looks.light[:, 1]))

    width, elevation = look(True)
    assert (np.abs(width - np.mean(HELD_OUT_WIDTHS)) <= 0.0201).all()
    assert elevation.min() > HELD_OUT_ELEVATIONS_DEG[0] - 0.01 and elevation.max() < HELD_OUT_ELEVATIONS_DEG[1] + 0.01
    width, elevation = look(False)
    assert not ((width > HELD_OUT_WIDTHS[0] + 1e-4) & (width < HELD_OUT_WIDTHS[1] - 1e-4)).any()
    low, high = HELD_OUT_ELEVATIONS_DEG
    assert not ((elevation > low + 0.01) & (elevation < high - 0.01)).any()
    assert elevation.min() < ELEVATIONS_DEG[0] + 1


def test_held_out_poses_are_uniform_over_the_whole_range() -> None:
    angles = draw_angles(np.random.default_rng(0), 20_000, near_edges=0.0)
    assert np.abs(angles).max(axis=0) == pytest.approx([90, 45, 45], abs=0.1)
    for axis, reach in enumerate((90, 45, 45)):
        counts, _ = np.histogram(angles[:, axis], bins=9, range=(-reach, reach))
        assert counts.min() > 0.9 * counts.mean()


def test_prompts_read_like_english() -> None:
    assert name_prompts(["dog face", "egg", "automobile"]) == [
        "a photo of a dog face",
        "a photo of an egg",
        "a photo of an automobile",
    ]


def test_a_missing_data_folder_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train_demo_clip prepare --work_dir") as caught:
        Composer(tmp_path / "nothing")
    assert "nothing" in caught.value.where


def test_without_npm_the_download_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageMissing, match=r"npm is needed once.*install Node\.js"):
        artwork.prepare(tmp_path / "work")


def test_country_flags_and_squashed_names_find_their_emoji() -> None:
    assert artwork._plain_code("1F1EB-1F1F7") == "1f1eb-1f1f7"
    assert artwork._plain_code("2639-FE0F") == "2639"
    assert artwork._squash("flag-for-Åland Islands!") == "flagforalandislands"


def test_svg_becomes_a_centred_premultiplied_square() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20" width="40" height="20">'
        '<rect width="40" height="20" fill="#ff0000" fill-opacity="0.5"/></svg>'
    )
    picture = artwork._rasterise(svg)
    assert picture is not None and picture.shape == (96, 96, 4)
    assert not picture[:24].any() and not picture[72:].any()
    assert np.abs(picture[48, 48].astype(int) - [128, 0, 0, 128]).max() <= 1
    assert artwork._rasterise("<svg") is None
