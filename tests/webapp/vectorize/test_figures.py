"""Charts and panels of the Vectorize tab: the numbers they show, the names they show, and what they leave out."""

from __future__ import annotations

import base64
import html.parser
import io
import itertools
import json
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.messages import english
from core.models.bench import BenchRow
from core.types import Member, Notice, Progress, Reject, VectorTable
from core.vectorize.search import by_vector
from webapp.kit import panels
from webapp.kit.drawing import Card, Drawing, literal, shorten
from webapp.kit.panels import data_uri
from webapp.vectorize import figures, fragments

HOSTILE = "<img src=x onerror=alert(1)>&amp;%{x}'\".jpg"


def table(rows: int, dim: int = 8, *, seed: int = 0, ids: tuple[str, ...] | None = None) -> VectorTable:
    """Random vectors of two members of unequal length and cost."""
    vectors_ND = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    members = (
        Member("first", 0, dim - 3, 1.25, "cpu", "fp32", gmacs=2.0, encode_s=0.5),
        Member("second", dim - 3, dim, 0.0, "cpu", "fp32", gmacs=6.0, encode_s=0.25),
    )
    names = ids or tuple(f"photo{row}.jpg" for row in range(rows))
    return VectorTable(names, vectors_ND, members, {}, ms_N=np.arange(rows, dtype=np.float32), seconds=2.0)


def thumbnails(made: VectorTable) -> dict[str, str]:
    return {row_id: f"data:image/webp;base64,{row}" for row, row_id in enumerate(made.ids)}


class Reader(html.parser.HTMLParser):
    """What a browser would make of a fragment: its tags with attributes, and its text."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


# ------------------------------------------------------------------ numbers


def test_cosines_are_those_of_numpy_and_a_zero_vector_is_like_nothing():
    made = table(5)
    made.vectors_ND[3] = 0
    cosines_NN = figures.cosines(made.vectors_ND)

    a, b = made.vectors_ND[0].astype(np.float64), made.vectors_ND[4].astype(np.float64)
    assert cosines_NN[0, 4] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
    assert cosines_NN[3].tolist() == [0] * 5
    assert np.diag(cosines_NN)[[0, 1, 2, 4]] == pytest.approx(1, abs=1e-6)


def test_similar_images_become_neighbours():
    rng = np.random.default_rng(0)
    centres = np.eye(3, 6, dtype=np.float32)[[0, 1, 2, 0, 1, 2, 0, 1, 2]]
    order = figures.similar_together(figures.cosines(centres + 0.05 * rng.normal(size=(9, 6)).astype(np.float32)))
    groups = [int(row) % 3 for row in order]
    assert sorted(order.tolist()) == list(range(9))
    assert sum(a != b for a, b in itertools.pairwise(groups)) == 2, "three groups meet at two borders"


@pytest.mark.parametrize(("rows", "dim"), [(20, 12), (8, 30)])
def test_pca_is_that_of_a_singular_value_decomposition(rows, dim):
    made = table(rows, dim)
    units_ND = made.vectors_ND / np.linalg.norm(made.vectors_ND, axis=1, keepdims=True)
    centred_ND = (units_ND - units_ND.mean(axis=0)).astype(np.float64)
    _, singular, directions = np.linalg.svd(centred_ND, full_matrices=False)

    xy_N2, shares = figures.project_pca(made.vectors_ND)

    expected_N2 = centred_ND @ directions[:2].T
    assert np.abs(xy_N2) == pytest.approx(np.abs(expected_N2), abs=1e-5)  # an axis may point either way
    assert shares == pytest.approx(tuple(singular[:2] ** 2 / (singular**2).sum()), abs=1e-5)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_pca_of_too_few_images_is_zero_where_there_is_no_axis(rows):
    xy_N2, shares = figures.project_pca(table(rows).vectors_ND)
    assert xy_N2.shape == (rows, 2)
    assert not xy_N2[:, 1].any()
    assert shares[1] == 0


def test_tsne_keeps_two_far_groups_apart_and_gives_the_same_map_again():
    rng = np.random.default_rng(1)
    centres = np.eye(2, 60, dtype=np.float32)[[0] * 10 + [1] * 10]
    vectors_ND = centres + 0.05 * rng.normal(size=(20, 60)).astype(np.float32)
    xy_N2 = figures.project_tsne(vectors_ND)
    apart = np.linalg.norm(xy_N2[:10].mean(axis=0) - xy_N2[10:].mean(axis=0))
    spread = np.linalg.norm(xy_N2[:10] - xy_N2[:10].mean(axis=0), axis=1).max()
    assert apart > 2 * spread
    assert np.array_equal(xy_N2, figures.project_tsne(vectors_ND))


def test_tsne_takes_the_fewest_images_the_page_offers_it_for():
    assert figures.project_tsne(table(figures.TSNE_MIN_ROWS).vectors_ND).shape == (figures.TSNE_MIN_ROWS, 2)


# ------------------------------------------------------------------ charts


def test_the_heatmap_shows_each_pair_and_its_cards_know_their_rows():
    made = table(6)
    drawing = figures.similarity_heatmap(made, thumbnails(made), "en", together=True, view="run-1")
    shown = np.asarray(drawing.figure.data[0].z)
    rows = [card.key for card in drawing.cards]

    assert sorted(rows) == list(range(6))
    assert shown == pytest.approx(figures.cosines(made.vectors_ND)[np.ix_(rows, rows)], abs=1e-4)
    assert [card.title for card in drawing.cards] == [made.ids[row] for row in rows]
    assert [card.image for card in drawing.cards] == [thumbnails(made)[made.ids[row]] for row in rows]
    assert len(drawing.figure.layout.images) == 12, "a picture beside each row and above each column"
    assert drawing.view == "run-1"


def test_the_heatmaps_colours_span_what_differs_not_the_diagonal():
    made = table(10)
    heatmap = figures.similarity_heatmap(made, {}, "en").figure.data[0]
    others = figures.cosines(made.vectors_ND)[~np.eye(10, dtype=bool)]
    assert (heatmap.zmin, heatmap.zmax) == pytest.approx((others.min(), others.max()), abs=1e-4)


def test_two_thousand_images_give_a_heatmap_of_the_first_and_a_map_of_all():
    made = table(2000)
    heatmap = figures.similarity_heatmap(made, {}, "en")
    assert np.asarray(heatmap.figure.data[0].z).shape == (figures.HEATMAP_LIMIT, figures.HEATMAP_LIMIT)
    assert len(heatmap.cards) == figures.HEATMAP_LIMIT

    xy_N2, _ = figures.project_pca(made.vectors_ND)
    drawing = figures.vector_map(made, xy_N2, {}, "en")
    assert len(drawing.figure.data[0].x) == len(drawing.cards) == 2000
    assert not drawing.figure.layout.images, "so many pictures would cover each other"


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_charts_of_few_images_can_be_drawn(rows):
    made = table(rows)
    heatmap = figures.similarity_heatmap(made, thumbnails(made), "zh", together=True)
    assert np.asarray(heatmap.figure.data[0].z).shape == (rows, rows)
    xy_N2, _ = figures.project_pca(made.vectors_ND)
    ranges = figures.vector_map(made, xy_N2, thumbnails(made), "zh").figure.layout.xaxis.range
    assert ranges[0] < xy_N2[:, 0].min() <= xy_N2[:, 0].max() < ranges[1]


def test_the_map_shows_pictures_where_the_projection_put_them():
    made = table(5)
    xy_N2, _ = figures.project_pca(made.vectors_ND)
    pictures = thumbnails(made)
    del pictures["photo2.jpg"]  # one image without a thumbnail is a dot
    drawing = figures.vector_map(made, xy_N2, pictures, "en")
    placed = {image.source: (image.x, image.y) for image in drawing.figure.layout.images}
    assert len(placed) == 4
    assert placed[pictures["photo3.jpg"]] == pytest.approx(tuple(xy_N2[3]), abs=1e-5)
    assert drawing.figure.data[0].marker.opacity[2] > 0.5 > drawing.figure.data[0].marker.opacity[3]
    assert drawing.cards[2] == Card("photo2.jpg", key=2)


def test_a_file_name_that_is_markup_is_shown_letter_for_letter():
    made = table(3, ids=(HOSTILE, "b.jpg", "c.jpg"))
    value = json.loads(figures.similarity_heatmap(made, {}, "en").to_json())
    tick = value["layout"]["xaxis"]["ticktext"][0]
    assert "<" not in tick
    assert "%{" not in tick
    assert value["cards"][0]["title"] == HOSTILE, "cards are built from text nodes"


def test_a_drawing_is_what_plotly_would_be_given():
    figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 4]))
    value = json.loads(Drawing(figure, (Card("a", ("b",), "data:image/png;base64,", 7),), "v", "d").to_json())
    assert go.Figure(value["data"], value["layout"]).data[0].y == (3, 4)
    assert value["cards"] == [{"title": "a", "lines": ["b"], "image": "data:image/png;base64,", "key": 7}]
    assert (value["view"], value["description"]) == ("v", "d")
    assert json.loads(Drawing.empty_json("do this")) == {"empty": "do this"}


@given(st.text(max_size=300), st.integers(3, 40))
def test_shortened_names_fit_and_keep_both_ends(name, limit):
    short = shorten(name, limit)
    assert len(short) <= limit
    assert short == name or (name.startswith(short.split("…")[0]) and name.endswith(short.rsplit("…", 1)[1]))


@given(st.text(max_size=80))
def test_literal_text_holds_no_markup_and_reads_the_same(name):
    safe = literal(name)
    assert "<" not in safe
    assert "%{" not in safe
    assert html.unescape(safe) == name


def test_a_thumbnail_is_the_picture_itself():
    rgb_HWC = np.zeros((40, 60, 3), dtype=np.uint8)
    rgb_HWC[:, 30:] = (200, 30, 30)
    kind, payload = data_uri(rgb_HWC).split(",")
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(payload))).convert("RGB")).astype(int)
    assert kind == "data:image/webp;base64"
    assert seen.shape == rgb_HWC.shape
    assert np.abs(seen - rgb_HWC).mean() < 6


# ------------------------------------------------------------------ table and panels


def test_the_table_says_id_dimension_mean_std_norm_and_time():
    made = table(3)
    rows = figures.result_rows(made, "en")
    assert rows.headings == ("image", "dim", "mean", "std", "norm", "ms")
    row = dict(zip(rows.headings, rows.cells[1], strict=True))
    vector_D = made.vectors_ND[1]
    assert (row["image"], row["dim"], row["ms"]) == ("photo1.jpg", 8, 1.0)
    assert row["mean"] == pytest.approx(vector_D.mean(), abs=1e-5)
    assert row["std"] == pytest.approx(vector_D.std(), abs=1e-5)
    assert row["norm"] == pytest.approx(np.linalg.norm(vector_D), abs=1e-4)
    assert figures.result_rows(made, "zh").headings[0] == "图片"
    unmeasured = replace(made, ms_N=None)
    assert figures.result_rows(unmeasured, "en").cells[1][-1] is None


def test_the_summary_says_what_one_asks_first():
    seen = Reader(fragments.summary_panel(table(10), "en")).text
    for words in ("10", "none rejected", "5 + 3", "5.0", "in 2.0 s", "cpu · fp32", "4.0×", "1.2 s"):
        assert words in seen, words


def test_the_report_is_that_of_the_spec():
    made = table(4)
    seen = Reader(fragments.report_panel(made, 2, "", "en"))
    for words in ("first", "second", "0–4", "5–7", "1.25 s", "0.50 s", "Total · 4.0×", "photo2.jpg", "2.0 ms", "[8]"):
        assert words in seen.text, words
    assert ", ".join(f"{value:.4f}" for value in made.vectors_ND[2]) in seen.text
    assert f"{made.vectors_ND[2].mean():.5f}" in seen.text
    assert f"{made.vectors_ND[2].std():.5f}" in seen.text


def test_progress_says_how_far_how_fast_and_how_long():
    seen = Reader(fragments.progress_panel(Progress("vectorize", 30, 120, 12.34, 80.0), "en"))
    assert "30 of 120" in seen.text
    assert "12.3 images/s" in seen.text
    assert "1 min 20 s left" in seen.text
    assert ("aria-valuenow", "30") in seen.attributes
    assert ("style", "width:25.0%") in seen.attributes


@pytest.mark.parametrize("stage", ["wait", "read", "load", "vectorize", "thumbnails"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_stage_has_words(stage, language):
    assert Reader(fragments.progress_panel(Progress(stage, 0, 0), language)).text.strip()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.44, "0.4 s"), (9.99, "10 s"), (61, "1 min 1 s"), (3_900, "1 h 5 min")]
)
def test_durations_read_as_people_say_them(seconds, words):
    assert panels.seconds_text(seconds) == words


def test_rejects_notices_and_limits_are_all_named():
    rejects = [Reject("a.jpg", "empty", english("The file is empty.")), Reject("b.jpg", "truncated", english("Ends."))]
    told = {"rejects": rejects, "rejects_title": "2 files gave no vector", "limits": ["First 200 only."]}
    seen = Reader(panels.notes_panel("en", notices=[Notice("batch", english("Batch halved."))], **told))
    words = ("2 files gave no vector", "a.jpg", "The file is empty.", "b.jpg", "Ends.", "Batch halved.")
    for word in (*words, "First 200 only."):
        assert word in seen.text, word
    assert "空文件" in panels.notes_panel("zh", rejects=rejects, rejects_title="")
    assert panels.notes_panel("en") == ""


def test_hits_are_ranked_and_carry_their_rows():
    made = table(6)
    hits = by_vector(made.vectors_ND[4], made, 3)
    seen = Reader(fragments.hits_panel(hits, "Nearest", 6, {}, "en"))
    assert [value for name, value in seen.attributes if name == "data-row"] == [str(hit.row) for hit in hits]
    assert hits[0].row == 4
    assert "1.000" in seen.text
    assert "3 of 6 shown" in seen.text


def test_the_benchmark_shows_what_was_measured_and_what_was_not():
    rows = [
        BenchRow("fast", "measured", "cpu", "fp32", 32, 64, 21.37, 0.5, 18_000_000),
        BenchRow("far", "absent", "cpu", "fp32", 32, hint=english("python -m core models fetch far")),
    ]
    seen = Reader(fragments.bench_panel(rows, "Measuring more …", "en")).text
    for words in ("fast", "21.4", "0.50 s", "18 MB", "far", "python -m core models fetch far", "Measuring more …"):
        assert words in seen, words


@given(st.text(min_size=1, max_size=60) | st.just(HOSTILE) | st.just("</b><script>alert(1)</script>"))
def test_whatever_a_file_is_called_no_panel_gains_a_tag(name):
    plain, hostile = table(2, ids=("x", "y")), table(2, ids=(name, name + "2"))

    def shown(made: VectorTable, own: str) -> list[str]:
        hits = by_vector(made.vectors_ND[0], made, 2)
        return [
            fragments.report_panel(made, 0, "", "en"),
            fragments.hits_panel(hits, own, 2, {}, "en"),
            panels.notes_panel(
                "en", rejects=[Reject(own, "empty", own)], rejects_title=own, notices=[Notice("n", own)], limits=[own]
            ),
            panels.message_panel(own, [own]),
        ]

    for quiet, loud in zip(shown(plain, "x"), shown(hostile, name), strict=True):
        assert Reader(loud).tags == Reader(quiet).tags
        assert [key for key, _ in Reader(loud).attributes] == [key for key, _ in Reader(quiet).attributes]
