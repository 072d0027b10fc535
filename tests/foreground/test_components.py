"""Components from everything they come in, good and hostile."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from core.errors import ImageRejected, InputError
from core.foreground.annotations import from_boxes, from_json
from core.foreground.components import ComponentLimits, ComponentSet
from core.foreground.mask_images import from_mask, read_mask
from core.foreground.masks import BoxMask, from_rle, resize_nearest, to_rle
from core.images.crops import expand, middle, pixel_box
from core.settings import ImageLimits
from core.types import ImageSource

HW = (50, 60)


def png(pixels: np.ndarray, mode: str | None = None, **save) -> ImageSource:
    file = io.BytesIO()
    Image.fromarray(pixels, mode).save(file, "PNG", **save)
    return ImageSource("mask.png", data=file.getvalue())


def full(found: ComponentSet, row: int, hw: tuple[int, int] = HW) -> np.ndarray:
    return np.asarray(found.components[row].mask.crop((0, 0, hw[1], hw[0])))


def two_squares() -> np.ndarray:
    mask = np.zeros(HW, dtype=np.uint8)
    mask[5:15, 5:20] = 1
    mask[30:45, 30:50] = 1
    return mask


def disc(centre: tuple[int, int], radius: int) -> np.ndarray:
    rows, columns = np.indices(HW)
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


# --- mask images


@pytest.mark.parametrize("values", [(0, 255), (0, 1), (3, 7)])
def test_a_two_valued_mask_splits_by_connectivity(values):
    low, high = values
    found = from_mask(np.where(two_squares() > 0, high, low).astype(np.uint8), HW)
    assert [c.box_xyxy_px for c in found.components] == [(5, 5, 20, 15), (30, 30, 50, 45)]
    assert [c.area_px for c in found.components] == [150, 300]
    assert found.components[0].fields == {"id": 1, "bbox": [5, 5, 15, 10], "area": 150}
    assert (full(found, 0) | full(found, 1) == (two_squares() > 0)).all()
    assert [n.code for n in found.notices] == (["mask_background"] if low else [])


def test_touching_corners_are_one_component():
    mask = np.zeros(HW, dtype=bool)
    mask[5:10, 5:10] = mask[10:15, 10:15] = True
    assert len(from_mask(mask, HW).components) == 1


def test_labels_are_components_whether_connected_or_not():
    mask = two_squares().astype(np.int32) * 300
    mask[0:4, 50:58] = 7
    found = from_mask(mask, HW)
    assert [c.fields["label"] for c in found.components] == [7, 300]
    assert found.components[1].box_xyxy_px == (5, 5, 50, 45) and found.components[1].area_px == 450


def test_colours_are_components_and_black_is_background():
    mask = np.zeros((*HW, 3), dtype=np.uint8)
    mask[5:15, 5:20] = (255, 0, 0)
    mask[30:45, 30:50] = (0, 0, 255)
    found = from_mask(mask, HW)
    assert [c.fields["colour"] for c in found.components] == ["#0000ff", "#ff0000"]
    assert found.components[1].box_xyxy_px == (5, 5, 20, 15)


def test_a_drawing_on_a_transparent_layer_is_what_is_painted_even_in_black():
    layer = np.zeros((*HW, 4), dtype=np.uint8)
    layer[5:15, 5:20, 3] = 255  # black paint
    layer[30:45, 30:50] = (0, 0, 0, 200)
    found = from_mask(layer, HW)
    assert [c.box_xyxy_px for c in found.components] == [(5, 5, 20, 15), (30, 30, 50, 45)]


def test_a_mask_with_soft_edges_is_taken_as_two_valued_and_said_so():
    soft = np.asarray(Image.fromarray(two_squares() * 255).resize((240, 200), Image.Resampling.BICUBIC))
    assert len(np.unique(soft)) > 4
    found = from_mask(soft, (200, 240))
    assert len(found.components) == 2 and [n.code for n in found.notices] == ["mask_soft"]
    assert len(from_mask(soft, (200, 240), kind="labels").components) > 4


def test_an_all_zero_mask_has_its_own_message():
    with pytest.raises(InputError, match="every pixel is 0"):
        from_mask(np.zeros(HW, dtype=np.uint8), HW)


def test_a_mask_of_another_size_is_resized_with_a_notice():
    big = np.kron(two_squares(), np.ones((4, 4), dtype=np.uint8))
    found = from_mask(big, HW)
    assert [n.code for n in found.notices] == ["mask_resized"] and "240 × 200" in found.notices[0].text
    assert [c.box_xyxy_px for c in found.components] == [(5, 5, 20, 15), (30, 30, 50, 45)]
    stretched = from_mask(np.ones((10, 60), dtype=np.uint8) * two_squares()[:10], HW)
    assert "proportions differ" in stretched.notices[0].text


def test_one_pixel_specks_are_rejects_with_a_reason():
    mask = two_squares()
    mask[48, 58] = 1
    found = from_mask(mask, HW)
    assert len(found.components) == 2
    assert [(r.code, r.id) for r in found.rejects] == [("too_small", "3")] and "1 × 1" in found.rejects[0].reason


def test_of_too_many_specks_the_largest_are_kept_and_the_rest_counted():
    mask = np.zeros((100, 100), dtype=bool)
    mask[::4, ::4] = True
    mask[1::4, ::4] = mask[1::4, 1::4] = mask[::4, 1::4] = True  # 625 squares of 2 × 2
    mask[60:80, 60:80] = True
    found = from_mask(mask, (100, 100), limits=ComponentLimits(max_components=10))
    assert len(found.components) == 10 and max(c.area_px for c in found.components) >= 400
    assert [n.code for n in found.notices] == ["components_limit"]


def test_a_photo_given_as_label_mask_is_refused_with_the_reason():
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="different colours"):
        from_mask(noise, (60, 60), limits=ComponentLimits(max_components=100))


@pytest.mark.parametrize(
    "wrong", [np.zeros((3, 4), np.float32), np.zeros((2, 2, 2, 2), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_what_is_no_mask_is_refused(wrong):
    with pytest.raises(InputError):
        from_mask(wrong, HW)


def test_mask_files_of_every_mode():
    squares = two_squares()
    grey = from_mask(read_mask(png(squares * 255)), HW)
    one_bit = from_mask(read_mask(png(squares.astype(bool))), HW)
    sixteen = from_mask(read_mask(png(squares.astype(np.uint16) * 40000)), HW)
    voc = Image.fromarray(squares, "P")
    voc.putpalette([0, 0, 0, 128, 0, 0])
    file = io.BytesIO()
    voc.save(file, "PNG")
    palette = from_mask(read_mask(ImageSource("voc.png", data=file.getvalue())), HW)
    # a palette whose index 0 is white and 1 black: its colours count, not its numbers
    swapped = Image.fromarray(1 - squares, "P")
    swapped.putpalette([255, 255, 255, 0, 0, 0])
    file = io.BytesIO()
    swapped.save(file, "PNG")
    white = from_mask(read_mask(ImageSource("white.png", data=file.getvalue())), HW)
    alpha = np.dstack([np.full((*HW, 3), 200, np.uint8), squares * 255])
    for found in (grey, one_bit, sixteen, palette, white, from_mask(read_mask(png(alpha)), HW)):
        assert [c.box_xyxy_px for c in found.components] == [(5, 5, 20, 15), (30, 30, 50, 45)]


def test_mask_files_are_checked_before_they_are_decoded():
    with pytest.raises(ImageRejected, match="limit"):
        read_mask(png(np.zeros((500, 500), np.uint8)), ImageLimits(max_pixels=1000))
    with pytest.raises(ImageRejected):
        read_mask(ImageSource("x.png", data=b"not a png"))
    whole = png(np.random.default_rng(0).integers(0, 9, (200, 200), dtype=np.uint8)).data
    with pytest.raises(ImageRejected):
        read_mask(ImageSource("cut.png", data=whole[: len(whole) // 2]))


# --- boxes


def test_boxes_are_cut_at_the_edge_and_bad_ones_are_rejects_with_reasons():
    found = from_boxes(
        [(1, 2, 11, 12), (-5, -5, 10, 10), (70, 5, 90, 20), (5, 5, 5, 20), (9, 9, 3, 3), (0, 0, 1, 1),
         (0, 0, float("nan"), 5), (0, 0, float("inf"), 5), (10.2, 10.7, 14.1, 15.0)], HW,
    )  # fmt: skip
    assert [c.box_xyxy_px for c in found.components] == [(1, 2, 11, 12), (0, 0, 10, 10), (10, 10, 15, 15)]
    assert [c.id for c in found.components] == ["1", "2", "9"]
    assert {r.id: r.code for r in found.rejects} == {
        "3": "outside", "4": "degenerate", "5": "degenerate", "6": "too_small", "7": "not_finite", "8": "not_finite",
    }  # fmt: skip
    assert all(r.reason for r in found.rejects)
    assert [n.code for n in found.notices] == ["box_cut"]


def test_five_thousand_boxes_are_fine_and_ten_thousand_and_one_are_refused():
    boxes = [(i % 1000, i % 700, i % 1000 + 30, i % 700 + 30) for i in range(5000)]
    assert len(from_boxes(boxes, (800, 1200)).components) == 5000
    with pytest.raises(InputError, match="10,001"):
        from_boxes([(0, 0, 9, 9)] * 10_001, HW)


def test_no_component_is_an_error_that_gives_the_reasons():
    with pytest.raises(InputError, match=r"No component found .*no area"):
        from_boxes([(5, 5, 5, 5)], HW).require()
    with pytest.raises(InputError, match="No component found"):
        from_json("[]", HW).require()


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(*[st.floats(-1e9, 1e9)] * 4), max_size=20))
def test_every_box_is_a_component_inside_the_image_or_a_reject(boxes):
    found = from_boxes(boxes, HW)
    assert len(found.components) + len(found.rejects) == len(boxes)
    names = [c.id for c in found.components] + [r.id for r in found.rejects]
    assert len(set(names)) == len(names)
    for component in found.components:
        x0, y0, x1, y1 = component.box_xyxy_px
        assert 0 <= x0 < x1 <= HW[1] and 0 <= y0 < y1 <= HW[0]
        assert component.area_px == (x1 - x0) * (y1 - y0)


# --- JSON


def coco(annotations, **image):
    return {
        "images": [{"id": 9, "file_name": "a/b.jpg", "height": HW[0], "width": HW[1], **image}],
        "annotations": annotations,
    }


def test_coco_polygons_are_drawn_as_pycocotools_draws_them_and_fields_are_kept():
    polygon = [10.5, 5.2, 40.1, 8.9, 33.3, 40.0, 12.0, 30.7]
    annotation = {
        "id": 77,
        "image_id": 9,
        "category_id": 3,
        "segmentation": [polygon],
        "bbox": [10, 5, 30, 35],
        "mine": [1],
    }
    found = from_json(coco([annotation]), HW)
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([polygon], *HW)))
    assert (full(found, 0) == expected).all()
    assert found.components[0].id == "77" and found.components[0].fields == annotation
    assert found.components[0].area_px == expected.sum()


@pytest.mark.parametrize("kind", ["string", "list", "pairs"])
def test_coco_rle_and_point_pairs(kind):
    mask = disc((25, 30), 12)
    segmentation = to_rle(mask)
    if kind == "list":
        runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], mask.T.ravel(), [0]]))), prepend=0).tolist()
        runs.append(mask.size - sum(runs))
        segmentation = {"size": list(HW), "counts": runs}
    if kind == "pairs":
        segmentation = [[[10, 5], [40, 8], [33, 40]]]
        mask = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([[10, 5, 40, 8, 33, 40]], *HW))) > 0
    found = from_json(json.dumps(coco([{"image_id": 9, "segmentation": segmentation}])), HW)
    assert (full(found, 0) == mask).all()


def test_sams_two_shapes_give_the_same_components():
    masks = [disc((20, 20), 9), disc((30, 45), 8)]
    shared = [{"predicted_iou": 0.9 - i / 10, "stability_score": 0.95, "point_coords": [[3, 4]]} for i in range(2)]
    rle = [
        {**extra, "id": i, "segmentation": to_rle(m)} for i, (extra, m) in enumerate(zip(shared, masks, strict=True))
    ]
    sa_1b = {"image": {"image_id": 1, "width": HW[1], "height": HW[0], "file_name": "sa_1.jpg"}, "annotations": rle}
    generate = [
        {**extra, "segmentation": m} for extra, m in zip(shared, masks, strict=True)
    ]  # arrays, as generate() has
    dumped = [{**extra, "segmentation": m.astype(int).tolist()} for extra, m in zip(shared, masks, strict=True)]
    for given_shape in (json.dumps(sa_1b), generate, json.dumps(dumped), json.dumps(rle)):
        found = from_json(given_shape, HW)
        assert [(full(found, row) == masks[row]).all() for row in range(2)] == [True, True]
        assert [c.score for c in found.components] == [0.9, 0.8]
        assert all(c.fields["stability_score"] == 0.95 for c in found.components)


def test_a_list_of_boxes_detector_output_coco_results_and_our_own_file():
    assert from_json("[[1, 2, 11, 12]]", HW).components[0].box_xyxy_px == (1, 2, 11, 12)
    detector = from_json({"boxes": [[1, 2, 11, 12]], "scores": [0.5], "labels": [3]}, HW).components[0]
    assert detector.score == 0.5 and detector.fields["label"] == 3
    results = from_json([{"image_id": 4, "category_id": 1, "bbox": [1, 2, 10, 10], "score": 0.7}], HW).components[0]
    assert results.box_xyxy_px == (1, 2, 11, 12) and results.score == 0.7
    ours = from_json({"components": [{"id": "x", "bbox": [1, 2, 10, 10], "s_pos": 0.2}]}, HW).components[0]
    assert ours.id == "x" and ours.fields["s_pos"] == 0.2


def test_of_a_coco_file_with_many_images_the_one_of_that_name_is_taken():
    data = coco([{"image_id": 9, "bbox": [1, 1, 9, 9]}, {"image_id": 10, "bbox": [2, 2, 9, 9]}])
    data["images"].append({"id": 10, "file_name": "c.jpg", "height": HW[0], "width": HW[1]})
    found = from_json(data, HW, image_name="c.jpg")
    assert [c.box_xyxy_px for c in found.components] == [(2, 2, 11, 11)]
    with pytest.raises(InputError, match="2 images"):
        from_json(data, HW, image_name="d.jpg")
    with pytest.raises(InputError, match="belong to 2 images"):
        from_json([{"image_id": 1, "bbox": [1, 1, 9, 9]}, {"image_id": 2, "bbox": [1, 1, 9, 9]}], HW)


def test_annotations_for_another_size_are_scaled_with_a_notice():
    data = coco([{"image_id": 9, "bbox": [10, 10, 20, 20]}], height=100, width=120)
    found = from_json(data, HW)
    assert found.components[0].box_xyxy_px == (5, 5, 15, 15)
    assert [n.code for n in found.notices] == ["mask_resized"]
    mask = disc((25, 30), 12)
    big = to_rle(np.kron(mask, np.ones((3, 3))) > 0)
    found = from_json([{"segmentation": big}], HW)
    assert (full(found, 0) == mask).all() and [n.code for n in found.notices] == ["mask_resized"]


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        ({"segmentation": {"size": [50, 60], "counts": [0, 3]}}, "damaged"),
        ({"segmentation": {"size": [50, 60], "counts": [0, 10**15]}}, "damaged"),
        ({"segmentation": {"size": [50, 60], "counts": [-5, 3005]}}, "damaged"),
        ({"segmentation": {"size": [50, 60], "counts": [0.5, 2999.5]}}, "damaged"),
        ({"segmentation": {"size": [50, 60], "counts": "\u4e2d\u6587"}}, "damaged"),
        ({"segmentation": {"size": [50, 60], "counts": "oooooooooooooooooooo"}}, "damaged"),
        ({"segmentation": {"size": [50, 60], "counts": "~~~~"}}, "damaged"),
        ({"segmentation": {"size": [50, 60], "counts": None}}, "damaged"),
        ({"segmentation": {"size": [10**9, 10**9], "counts": [10**18]}}, "damaged"),
        ({"segmentation": {"size": "large", "counts": [3000]}}, "damaged"),
        ({"segmentation": {"size": [50, 60], "counts": [3000]}}, "degenerate"),
        ({"segmentation": [[1, 2, 3, 4]]}, "degenerate"),
        ({"segmentation": [[1, 2, 3, "x", 5, 6]]}, "wrong_type"),
        ({"segmentation": [[1, 2, 3, float("nan"), 5, 6]]}, "not_finite"),
        ({"segmentation": [[1, 2, 1e12, 4, 5, 6]]}, "outside"),
        ({"segmentation": [[0, 0, 59, 49] * 100_000]}, "too_large"),
        ({"segmentation": 7}, "wrong_type"),
        ({"segmentation": "abc"}, "wrong_type"),
        ({"segmentation": {}}, "no_place"),
        ({"bbox": [1, 2, 3]}, "wrong_type"),
        ({"bbox": [1, 2, "3", 4]}, "wrong_type"),
        ({"bbox": [1, 2, True, 4]}, "wrong_type"),
        ({"bbox": [1, 2, float("nan"), 4]}, "not_finite"),
        ({"bbox": [1, 2, 10**400, 4]}, "not_finite"),
        ({"bbox": {"x": 1}}, "wrong_type"),
        ({"id": 3}, "no_place"),
        ("text", "wrong_type"),
        (None, "wrong_type"),
        (5, "wrong_type"),
    ],
)
def test_a_hostile_annotation_is_a_reject_and_never_stops_the_others(annotation, code):
    found = from_json([annotation, {"bbox": [1, 2, 10, 10]}], HW)
    assert [r.code for r in found.rejects] == [code] and found.rejects[0].reason
    assert [c.box_xyxy_px for c in found.components] == [(1, 2, 11, 12)]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, "nul", b"\xff\xfe", '{"a": 1}', "3", '{"annotations": 5}', '{"components": {}}', "null"],
)
def test_what_is_no_json_of_components_is_refused_in_words(text):
    with pytest.raises(InputError):
        from_json(text, HW)


def test_a_json_longer_than_the_limit_is_refused():
    with pytest.raises(InputError, match="MiB"):
        from_json("[" + " " * 2**20 + "]", HW, limits=ComponentLimits(max_json_bytes=2**20))


def test_components_that_cover_too_much_in_all_are_refused():
    with pytest.raises(InputError, match="pixels in all"):
        from_boxes([(0, 0, 60, 50)] * 10, HW, limits=ComponentLimits(max_total_pixels=20_000))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=5)
    | st.dictionaries(
        st.sampled_from(
            ["segmentation", "bbox", "size", "counts", "annotations", "images", "image", "components", "boxes", "id",
             "height", "width", "image_id", "file_name", "scores"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(JSON)
def test_any_json_gives_components_inside_the_image_or_an_error_in_words(data):
    try:
        found = from_json(json.dumps(data), HW)
    except InputError as error:
        assert str(error)
        return
    for component in found.components:
        x0, y0, x1, y1 = component.box_xyxy_px
        assert 0 <= x0 < x1 <= HW[1] and 0 <= y0 < y1 <= HW[0]
        assert component.mask.crop(component.box_xyxy_px).shape == (y1 - y0, x1 - x0)


# --- masks and crops


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.floats(0, 1),
    st.integers(0, 2**31),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_runs_unpack_to_what_pycocotools_unpacks(h, w, density, seed, image_h, image_w):
    mask = np.random.default_rng(seed).random((h, w)) < density
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    same = from_rle(encoded["counts"], (h, w), (h, w))
    assert (same.crop((0, 0, w, h)) == coco_mask.decode(encoded)).all()
    assert same.area == coco_mask.area(encoded)
    x, y, bw, bh = coco_mask.toBbox(encoded).astype(int).tolist()
    assert same.box() == ((x, y, x + bw, y + bh) if mask.any() else None)
    assert (same.crop((w // 3, h // 2, w, h)) == mask[h // 2 :, w // 3 :]).all()
    resized = from_rle(encoded["counts"], (h, w), (image_h, image_w))
    assert (resized.crop((0, 0, image_w, image_h)) == resize_nearest(mask, (image_h, image_w))).all()
    shown = resize_nearest(mask, (image_h, image_w))
    box = resized.box()
    if not shown.any():
        assert box is None
    else:
        rows, columns = np.nonzero(shown)
        assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_nearest_resizing_takes_the_label_under_the_pixels_centre():
    labels = np.arange(6).reshape(1, 6)
    assert resize_nearest(labels, (1, 3)).tolist() == [[1, 3, 5]]
    assert resize_nearest(labels, (2, 12)).tolist() == [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]] * 2


def test_a_mask_seen_through_another_window_is_zero_outside_itself():
    seen = BoxMask((5, 5, 10, 10)).crop((3, 4, 8, 12))
    assert seen.shape == (8, 5) and seen.sum() == 5 * 3 and seen[1:6, 2:].all()


def test_the_same_crop_has_the_same_digest_however_it_was_given():
    mask = disc((25, 30), 12)
    by_mask = from_mask(mask, HW).components[0]
    by_rle = from_json([{"segmentation": to_rle(mask)}], HW).components[0]
    assert by_mask.digest == by_rle.digest
    assert by_mask.digest != from_mask(np.roll(mask, 1, 0), HW).components[0].digest


def test_boxes_grow_by_the_margin_and_stay_inside():
    assert expand((10, 10, 30, 20), 0.1, HW) == (8, 8, 32, 22)
    assert expand((1, 1, 59, 49), 0.5, HW) == (0, 0, 60, 50)
    assert pixel_box(4.9999999, 0, 10.0000001, 5, HW) == (5, 0, 10, 5)
    assert middle((0, 0, 1000, 10)) == (420, 0, 580, 10)
    assert middle((0, 0, 10, 100)) == (0, 0, 10, 100)
