"""Loss, optimiser, trimmed text, export: each against the library it stands in for."""

from pathlib import Path

import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from experiments.demo_clip.model import (
    Average,
    MatrixOptimizer,
    TrainingModel,
    adopt,
    build,
    contrastive_loss,
    encode_trimmed,
    export,
    model_config,
    orthogonalised,
    tokenizer,
    whiten_patches,
)

TEXTS = ["a dog", "a photo of an automobile on a road", "frontal view, level gaze, upright", "a fragment"] * 6


def tiny_config() -> dict:
    config = model_config(width=64, layers=1)
    config["text_cfg"] |= {"width": 64, "heads": 2, "layers": 1}
    return config


@pytest.fixture(scope="module")
def model() -> open_clip.CLIP:
    torch.manual_seed(0)
    return build(tiny_config()).eval()


@given(seed=st.integers(0, 1000), count=st.integers(2, 20))
@settings(max_examples=20, deadline=None)
def test_with_one_caption_each_the_loss_is_open_clip_s(seed: int, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images, texts = torch.randn(2, count, 8, generator=generator, dtype=torch.float64)
    scale = torch.tensor(10.0, dtype=torch.float64)
    pairs = torch.eye(count, dtype=torch.bool)
    unit = torch.nn.functional.normalize
    expected = open_clip.ClipLoss()(unit(images, dim=-1), unit(texts, dim=-1), scale)
    ours = contrastive_loss(images, texts, scale, pairs, torch.zeros_like(pairs))
    assert torch.allclose(ours, expected, rtol=1e-12)


def test_a_caption_shared_by_two_pictures_pulls_both() -> None:
    images = torch.tensor([[1.0, 0], [0, 1.0]], requires_grad=True)
    texts = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    positive = torch.tensor([[True, False], [True, False]])
    contrastive_loss(images, texts, torch.tensor(5.0), positive, torch.zeros_like(positive)).backward()
    towards_caption = -(images.grad @ texts[0])
    assert (towards_caption > 0).all()


def test_an_ignored_pair_changes_nothing() -> None:
    torch.manual_seed(1)
    images, texts = torch.randn(3, 4), torch.randn(3, 4)
    pairs = torch.eye(3, dtype=torch.bool)
    ignored = torch.zeros(3, 3, dtype=torch.bool)
    ignored[0, 2] = True
    moved = texts.clone()
    moved[2] += 3 * images[0]  # now caption 2 also fits picture 0
    scale = torch.tensor(10.0)
    without = contrastive_loss(images[:1], texts[:2], scale, pairs[:1, :2], ignored[:1, :2])
    held_against = contrastive_loss(images[:1], moved, scale, pairs[:1], torch.zeros(1, 3, dtype=torch.bool))
    let_be = contrastive_loss(images[:1], moved, scale, pairs[:1], ignored[:1])
    assert torch.allclose(let_be, without)
    assert held_against > without + 0.1


def test_captions_without_a_picture_are_negatives_only() -> None:
    torch.manual_seed(2)
    images, texts = torch.randn(2, 4), torch.randn(5, 4)
    positive = torch.zeros(2, 5, dtype=torch.bool)
    positive[0, 0] = positive[1, 1] = True
    loss = contrastive_loss(images, texts, torch.tensor(3.0), positive, torch.zeros_like(positive))
    fewer = contrastive_loss(images, texts[:2], torch.tensor(3.0), positive[:, :2], torch.zeros(2, 2, dtype=torch.bool))
    assert torch.isfinite(loss) and loss > fewer


def test_trimmed_text_is_open_clip_s_text(model: open_clip.CLIP) -> None:
    tokens = tokenizer()(TEXTS)
    with torch.no_grad():
        assert torch.allclose(encode_trimmed(model, tokens), model.encode_text(tokens), atol=1e-6)
        assert torch.allclose(encode_trimmed(model, tokens[:1]), model.encode_text(tokens[:1]), atol=1e-6)


def test_tokens_are_open_clip_s(tmp_path: Path, model: open_clip.CLIP) -> None:
    export(model.state_dict(), tiny_config(), tmp_path)
    assert torch.equal(tokenizer()(TEXTS), open_clip.get_tokenizer(f"local-dir:{tmp_path}")(TEXTS))


def test_the_export_loads_with_plain_open_clip_and_encodes_alike(tmp_path: Path, model: open_clip.CLIP) -> None:
    export(model.state_dict(), tiny_config(), tmp_path)
    loaded, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    loaded.eval()
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1
    tokens = tokenizer()(TEXTS[:2])
    with torch.no_grad():
        for ours, theirs in (
            (model.encode_image(pixels), loaded.encode_image(pixels)),
            (model.encode_text(tokens), loaded.encode_text(tokens)),
        ):
            assert torch.nn.functional.cosine_similarity(ours, theirs).min() > 0.9999  # weights rounded to fp16
    assert "mean=[0.5, 0.5, 0.5]" in str(preprocess) and "size=(64, 64)" in str(preprocess)


def test_vectors_and_tables_move_exactly_as_under_adamw(model: open_clip.CLIP) -> None:
    torch.manual_seed(3)
    ours, theirs = torch.nn.Linear(5, 4), torch.nn.Linear(5, 4)
    theirs.load_state_dict(ours.state_dict())
    mine = MatrixOptimizer(ours, lr=0.01, weight_decay=0.1)
    reference = torch.optim.AdamW(
        [{"params": [theirs.weight], "weight_decay": 0.1}, {"params": [theirs.bias], "weight_decay": 0.0}],
        lr=0.01, betas=(0.9, 0.98),
    )  # fmt: skip
    for _ in range(5):
        x = torch.randn(8, 5)
        for layer, optimizer in ((ours, mine), (theirs, reference)):
            optimizer.zero_grad()
            layer(x).square().mean().backward()
            optimizer.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-7)
    assert torch.allclose(ours.bias, theirs.bias, atol=1e-7)


def test_a_long_table_moves_as_under_adamw_row_by_row() -> None:
    """Rows that come later than others catch up with nothing: before their first gradient they had not moved."""
    torch.manual_seed(5)
    ours = torch.nn.ModuleDict({"token_embedding": torch.nn.Embedding(10_001, 3)})
    table = ours["token_embedding"].weight
    start = table.detach().clone()
    theirs = torch.nn.Parameter(start.clone())
    mine = MatrixOptimizer(ours, lr=0.01, weight_decay=0.1)
    reference = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.98), weight_decay=0.0)
    for rows in ([1, 2], [2, 10_000], [7], [1], [2, 7]):
        for parameter, optimizer in ((table, mine), (theirs, reference)):
            optimizer.zero_grad()
            (parameter[rows] * torch.tensor([1.0, -2.0, 3.0]) + parameter[rows].square()).sum().backward()
            optimizer.step()
    assert torch.allclose(table, theirs, atol=1e-6)
    assert (table != start).any(dim=1).nonzero()[:, 0].tolist() == [1, 2, 7, 10_000]


@pytest.mark.parametrize("shape", [(3, 20, 20), (2, 10, 40), (2, 40, 10)])
def test_orthogonalised_matrices_keep_their_directions(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(4)
    matrices = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    result = orthogonalised(matrices)
    inner = left.mT @ result @ right.mT  # diagonal where the singular vectors are kept
    diagonal = torch.diagonal(inner, dim1=-2, dim2=-1)
    assert (inner - torch.diag_embed(diagonal)).abs().max() < 1e-3
    # the smallest singular values of a square matrix rise last
    assert diagonal.max() < 1.3 and diagonal.median() > 0.65


def test_every_parameter_is_trained_once(model: open_clip.CLIP) -> None:
    groups = MatrixOptimizer(model, 1e-3, 0.1).param_groups
    members = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(members) == sorted(id(parameter) for parameter in model.parameters())
    assert all(parameter.ndim == 2 for parameter in groups[0]["params"]) and len(groups[0]["params"]) == 8


def test_the_average_follows_slowly_and_starts_fast(model: open_clip.CLIP) -> None:
    average = Average(model, decay=0.9)
    before = average.weights["logit_scale"].clone()
    moved = build(tiny_config())
    moved.logit_scale.data = before + 1
    average.update(moved, step=0)
    assert average.weights["logit_scale"] == pytest.approx(float(before + 0.9), abs=1e-5)
    average.weights["logit_scale"] = before.clone()
    average.update(moved, step=10_000)
    assert average.weights["logit_scale"] == pytest.approx(float(before + 0.1), abs=1e-5)


def test_a_whitened_patch_embedding_gives_every_detail_equal_strength() -> None:
    torch.manual_seed(6)
    config = model_config(width=192, layers=1)
    model = build(config)
    smooth = torch.nn.functional.interpolate(torch.rand(60, 3, 8, 8), size=64, mode="bicubic") * 2 - 1
    pixels = smooth + 0.3 * torch.randn(60, 3, 64, 64)  # neighbours alike, and noise

    def spread() -> float:
        with torch.no_grad():
            strength = model.visual.conv1(pixels).transpose(0, 1).flatten(1).std(dim=1)
        return float(strength.max() / strength.median())

    before = spread()
    whiten_patches(model, pixels)
    assert before > 1.5 and spread() < 1.1
    filters = model.visual.conv1.weight.flatten(1)
    directions = torch.nn.functional.normalize(filters, dim=1)
    assert torch.allclose(directions @ directions.T, torch.eye(192), atol=1e-3)  # no two look for the same


def test_an_exported_model_is_gone_on_with(tmp_path: Path) -> None:
    torch.manual_seed(7)
    earlier, later = TrainingModel(tiny_config(), 3), TrainingModel(tiny_config(), 3)
    export(earlier.clip.state_dict(), tiny_config(), tmp_path)
    adopt(later, tmp_path, TEXTS[:3])
    for name, weight in later.clip.state_dict().items():
        assert torch.equal(weight, earlier.clip.state_dict()[name].half().float()), name
    with torch.no_grad():
        texts = later.clip.encode_text(tokenizer()(TEXTS[:3]), normalize=True)
    assert torch.allclose(later.prototypes, texts, atol=1e-5)
    with pytest.raises(InputError, match="another shape"):
        adopt(TrainingModel(model_config(width=96, layers=1), 3), tmp_path, TEXTS[:3])


def test_a_name_is_drawn_to_its_own_prototype_alone() -> None:
    torch.manual_seed(8)
    model = TrainingModel(tiny_config(), 3)
    tokens = tokenizer()(TEXTS[:3])
    out = model(torch.rand(4, 3, 64, 64), tokens, 1, 0.0, 0.0)
    assert out.class_logits.shape == (4, 3) and out.text_class_logits.shape == (3, 3) and out.angles.shape == (1, 3)
    sharpness = model.log_sharpness.exp()
    assert out.text_class_logits.abs().max() <= sharpness + 1e-4  # cosines, sharpened
    unit = torch.nn.functional.normalize
    expected = sharpness * unit(out.texts, dim=-1) @ unit(model.prototypes, dim=-1).T
    assert torch.allclose(out.text_class_logits, expected, atol=1e-5)
