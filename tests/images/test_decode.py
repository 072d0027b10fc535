"""`core.images.decode`: right pixels for every kind of file, limits before decoding, stable reject codes.

Expected pixels are computed here with integer arithmetic from the arrays the files were made of (or by Pillow directly
where the claim is "equal to Pillow"); none come from the code under test.
"""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import ImageRejected
from core.images.decode import decode, decode_header, thumbnail
from core.settings import ImageLimits
from core.types import ImageSource


def photo(height_px: int = 37, width_px: int = 53, seed: int = 0) -> np.ndarray:
    """A smooth, colourful `rgb_HWC` without any symmetry."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    return np.array(small.resize((width_px, height_px), Image.Resampling.BICUBIC))


def encoded(image: Image.Image | np.ndarray, kind: str, **options) -> bytes:
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data: bytes, limits: ImageLimits = ImageLimits()) -> np.ndarray:
    rgb_HWC = decode(ImageSource("it", data=data), limits)
    assert rgb_HWC.dtype == np.uint8 and rgb_HWC.flags.c_contiguous and rgb_HWC.shape[2] == 3
    return rgb_HWC


def rejected(data: bytes, limits: ImageLimits = ImageLimits()) -> ImageRejected:
    with pytest.raises(ImageRejected) as caught:
        decode(ImageSource("it", data=data), limits)
    return caught.value


def on_white(rgb_HWC: np.ndarray, alpha_HW: np.ndarray) -> np.ndarray:
    alpha = alpha_HW[:, :, None].astype(np.float64) / 255
    return np.floor(rgb_HWC * alpha + 255 * (1 - alpha) + 0.5).astype(np.uint8)


# --- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "packbits"}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_lossless_formats_give_the_pixels_they_were_made_of(kind, options):
    rgb = photo()
    np.testing.assert_array_equal(decoded(encoded(rgb, kind, **options)), rgb)


@pytest.mark.parametrize("subsampling", [0, 1, 2, "keep-rgb"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(480, 640), (33, 17), (1, 1), (2, 35)])
def test_jpeg_equals_pillow_bit_for_bit(subsampling, progressive, size):
    rgb = photo(*size)
    options = {"keep_rgb": True} if subsampling == "keep-rgb" else {"subsampling": subsampling}
    data = encoded(rgb, "JPEG", quality=85, progressive=progressive, **options)
    np.testing.assert_array_equal(decoded(data), np.array(Image.open(io.BytesIO(data)).convert("RGB")))


@given(
    height=st.integers(1, 80),
    width=st.integers(1, 80),
    quality=st.integers(1, 100),
    subsampling=st.sampled_from([0, 1, 2]),
    progressive=st.booleans(),
    grey=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=120, deadline=None)
def test_any_jpeg_of_noise_equals_pillow(height, width, quality, subsampling, progressive, grey, seed):
    noise = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
    image = noise.convert("L") if grey else noise
    data = encoded(image, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
    np.testing.assert_array_equal(decoded(data), np.array(Image.open(io.BytesIO(data)).convert("RGB")))


def test_lossy_webp_equals_pillow():
    data = encoded(photo(), "WEBP", quality=80)
    np.testing.assert_array_equal(decoded(data), np.array(Image.open(io.BytesIO(data)).convert("RGB")))


def test_grey_is_repeated_three_times():
    grey = photo()[:, :, 1]
    for kind in ("PNG", "BMP", "TIFF"):
        np.testing.assert_array_equal(decoded(encoded(grey, kind)), np.repeat(grey[:, :, None], 3, axis=2))


def test_one_bit_is_black_and_white():
    bits = np.random.default_rng(0).integers(0, 2, (9, 13)).astype(bool)
    for kind in ("PNG", "BMP", "TIFF"):
        expected = np.repeat(np.where(bits, 255, 0).astype(np.uint8)[:, :, None], 3, axis=2)
        np.testing.assert_array_equal(decoded(encoded(Image.fromarray(bits), kind)), expected)


def test_palette_gives_the_palette_colours():
    indices = np.random.default_rng(1).integers(0, 8, (9, 13), dtype=np.uint8)
    palette = np.random.default_rng(2).integers(0, 256, (8, 3), dtype=np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette(palette.tobytes())
    for kind in ("PNG", "BMP", "TIFF", "GIF"):
        np.testing.assert_array_equal(decoded(encoded(image, kind)), palette[indices], err_msg=kind)


def test_palette_with_transparency_is_laid_on_white():
    indices = np.random.default_rng(1).integers(0, 4, (9, 13), dtype=np.uint8)
    palette = np.array([[10, 20, 30], [200, 100, 50], [0, 255, 0], [9, 9, 9]], dtype=np.uint8)
    alpha = np.array([255, 0, 128, 1], dtype=np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette(palette.tobytes())
    expected = on_white(palette[indices], alpha[indices])
    np.testing.assert_array_equal(decoded(encoded(image, "PNG", transparency=alpha.tobytes())), expected)
    one_clear = np.where((indices == 1)[:, :, None], 255, palette[indices])
    np.testing.assert_array_equal(decoded(encoded(image, "GIF", transparency=1)), one_clear)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_laid_on_white(kind):
    rgb = photo()
    alpha = np.random.default_rng(3).integers(0, 256, rgb.shape[:2], dtype=np.uint8)
    data = encoded(np.dstack([rgb, alpha]), kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(decoded(data), on_white(rgb, alpha))


def test_grey_with_alpha_is_laid_on_white():
    grey = photo()[:, :, 0]
    alpha = np.random.default_rng(3).integers(0, 256, grey.shape, dtype=np.uint8)
    data = encoded(Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]), "PNG")
    np.testing.assert_array_equal(decoded(data), on_white(np.repeat(grey[:, :, None], 3, axis=2), alpha))


def test_the_transparent_colour_of_a_png_is_white():
    rgb = photo()
    rgb[4:9, 5:11] = (1, 2, 3)
    expected = rgb.copy()
    expected[4:9, 5:11] = 255
    np.testing.assert_array_equal(decoded(encoded(rgb, "PNG", transparency=(1, 2, 3))), expected)


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png16(values_HWC: np.ndarray, colour_type: int) -> bytes:
    """A 16-bit PNG written by hand; Pillow cannot write 16-bit colour."""
    height, width = values_HWC.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values_HWC)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def test_sixteen_bit_grey_is_scaled_and_not_clipped():
    values = np.linspace(0, 65535, 37 * 53).astype(np.uint16).reshape(37, 53)
    expected = np.floor(values * (255 / 65535) + 0.5).astype(np.uint8)
    for data in (png16(values[:, :, None], 0), encoded(Image.fromarray(values), "TIFF")):
        pixels = decoded(data)
        np.testing.assert_array_equal(pixels, np.repeat(expected[:, :, None], 3, axis=2))
        assert pixels.min() == 0 and pixels.max() == 255 and len(np.unique(pixels)) == 256


def test_sixteen_bit_big_endian_tiff_is_scaled():
    values = np.linspace(0, 65535, 37 * 53).astype(np.uint16).reshape(37, 53)
    image = Image.frombytes("I;16B", (53, 37), values.astype(">u2").tobytes())
    expected = np.floor(values * (255 / 65535) + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(decoded(encoded(image, "TIFF"))[:, :, 0], expected)


@pytest.mark.parametrize(("channels", "colour_type"), [(3, 2), (4, 6)])
def test_sixteen_bit_colour_is_within_one_level_of_rounding(channels, colour_type):
    values = np.random.default_rng(4).integers(0, 65536, (20, 30, channels)).astype(np.uint16)
    values[:, :, 3:] = 65535
    exact = values[:, :, :3] * (255 / 65535)
    assert np.abs(decoded(png16(values, colour_type)) - exact).max() <= 1.0


def cmyk_to_rgb(ink_HWC: np.ndarray) -> np.ndarray:
    """Ink 0..255 → the plain formula (1 − C)(1 − K)."""
    paper = 1 - ink_HWC.astype(np.float64) / 255
    return paper[:, :, :3] * paper[:, :, 3:] * 255


def test_cmyk_tiff():
    ink = np.random.default_rng(5).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    assert np.abs(decoded(encoded(Image.fromarray(ink, "CMYK"), "TIFF")) - cmyk_to_rgb(ink)).max() <= 1.0


def flat_cmyk_jpeg(ink: tuple[int, int, int, int]) -> bytes:
    """As Photoshop writes it: an Adobe marker, and 255 means no ink. Pillow inverts while writing."""
    data = encoded(Image.new("CMYK", (32, 32), ink), "JPEG", quality=100)
    assert b"Adobe" in data
    return data


def without_adobe_marker(data: bytes) -> bytes:
    at = data.index(b"Adobe") - 4
    assert data[at : at + 2] == b"\xff\xee"
    return data[:at] + data[at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0] :]


def test_cmyk_jpegs_with_and_without_adobes_inversion():
    ink = (200, 30, 90, 20)
    expected = cmyk_to_rgb(np.array(ink).reshape(1, 1, 4))[0, 0]
    assert np.abs(decoded(flat_cmyk_jpeg(ink)) - expected).max() <= 2
    inverse = tuple(255 - part for part in ink)
    plain = without_adobe_marker(flat_cmyk_jpeg(inverse))  # the stored bytes are now the ink itself
    assert np.abs(decoded(plain) - expected).max() <= 2


def test_the_first_frame_of_an_animation_is_taken():
    first, second = photo(seed=1), photo(seed=2)
    frames = {"save_all": True, "append_images": [Image.fromarray(second)], "duration": 100}
    np.testing.assert_array_equal(decoded(encoded(first, "WEBP", lossless=True, **frames)), first)
    np.testing.assert_array_equal(decoded(encoded(first, "PNG", **frames)), first)
    np.testing.assert_array_equal(decoded(encoded(first, "TIFF", **frames)), first)
    colours = [Image.new("P", (8, 8), 0), Image.new("P", (8, 8), 1)]
    for image in colours:
        image.putpalette([250, 10, 20, 0, 0, 255])
    gif = encoded(colours[0], "GIF", save_all=True, append_images=[colours[1]], duration=100)
    np.testing.assert_array_equal(decoded(gif), np.broadcast_to([250, 10, 20], (8, 8, 3)))


def test_the_first_picture_of_a_multi_picture_jpeg_is_taken():
    first = Image.fromarray(photo(seed=1))
    data = encoded(first, "MPO", save_all=True, append_images=[Image.fromarray(photo(seed=2))])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    np.testing.assert_array_equal(decoded(data), np.array(Image.open(io.BytesIO(data)).convert("RGB")))


def test_float_tiffs_in_the_unit_range_are_read_and_others_are_rejected():
    values = np.linspace(0, 1, 200, dtype=np.float32).reshape(10, 20)
    expected = np.floor(values.astype(np.float64) * 255 + 0.5)
    assert np.abs(decoded(encoded(Image.fromarray(values), "TIFF"))[:, :, 0] - expected).max() <= 1
    error = rejected(encoded(Image.fromarray(values * 7), "TIFF"))
    assert error.code_detail == "unsupported" and "0..1" in str(error)
    assert rejected(encoded(Image.fromarray(np.full((4, 4), 70_000, np.int32)), "TIFF")).code_detail == "unsupported"
    not_a_number = np.full((4, 4), np.nan, np.float32)
    assert rejected(encoded(Image.fromarray(not_a_number), "TIFF")).code_detail == "unsupported"


# --- orientation ------------------------------------------------------------------------------------------------------

# EXIF 2.3, tag 0x0112: which visual sides the stored row 0 and the stored column 0 are.
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def stored_as(upright_HWC: np.ndarray, orientation: int) -> np.ndarray:
    """The array a camera would have stored, built pixel by pixel from the table above."""
    row_side, column_side = SIDES[orientation]
    height, width = upright_HWC.shape[:2]
    rows, columns = (height, width) if row_side in ("top", "bottom") else (width, height)
    stored = np.empty((rows, columns, 3), dtype=np.uint8)
    for row in range(rows):
        for column in range(columns):
            place = {row_side: row, column_side: column}
            y = place["top"] if "top" in place else height - 1 - place["bottom"]
            x = place["left"] if "left" in place else width - 1 - place["right"]
            stored[row, column] = upright_HWC[y, x]
    return stored


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_a_turned_photo_comes_out_upright(kind, orientation):
    upright = np.kron(photo(4, 6, seed=3), np.ones((16, 16, 1), dtype=np.uint8))  # 16 px blocks survive JPEG
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "JPEG": {"quality": 100, "subsampling": 0}}[kind]
    pixels = decoded(encoded(stored_as(upright, orientation), kind, exif=exif, **options))
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).max() <= (8 if kind == "JPEG" else 0)


def test_damaged_exif_does_not_cost_the_picture():
    data = encoded(photo(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fgarbage")
    np.testing.assert_array_equal(decoded(data), np.array(Image.open(io.BytesIO(data)).convert("RGB")))
    exif = Image.Exif()
    exif[0x0112] = 99
    assert decoded(encoded(photo(), "PNG", exif=exif)).shape == (37, 53, 3)


# --- rejects ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"hello, this is a text", "not_an_image"),
        (b"\x00" * 100, "not_an_image"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "not_an_image"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "unsupported"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", "unsupported"),
        (b"%PDF-1.7\n", "unsupported"),
        (b"PK\x03\x04rest", "unsupported"),
        (b"\xff\xd8\xff\xe0", "truncated"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"GIF89a", "truncated"),
        (b"BM", "truncated"),
        (b"RIFF\xff\x00\x00\x00WEBPVP8 ", "truncated"),
    ],
)
def test_what_is_no_image_has_a_code_and_a_reason(data, code):
    error = rejected(data)
    assert error.code_detail == code
    assert error.where == "it" and len(error.what) > 10 and "Traceback" not in str(error)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_cut_file_is_truncated_and_never_a_half_grey_picture(kind, options, part):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(noise, kind, **options)
    assert rejected(data[: int(len(data) * part)]).code_detail == "truncated"


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_bytes_changed_at_random_never_raise_anything_else(data):
    """A fuzz of every format: a picture, or one of the six codes."""
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]))
    broken = bytearray(encoded(photo(16, 16), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = decode(ImageSource("it", data=bytes(broken)), ImageLimits(max_pixels=10_000))
    except ImageRejected as error:
        assert error.code_detail in {"not_an_image", "truncated", "too_large", "unreadable", "unsupported"}
    else:
        assert pixels.dtype == np.uint8 and pixels.shape[0] * pixels.shape[1] <= 10_000


def test_formats_outside_the_list_are_not_opened_even_if_pillow_could():
    for kind in ("PPM", "TGA", "PCX", "ICO", "SGI", "JPEG2000"):
        assert rejected(encoded(photo(), kind)).code_detail in {"not_an_image", "unsupported"}


def test_missing_files_folders_loops_and_pipes_are_rejected(tmp_path: Path):
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    dangling = tmp_path / "dangling.png"
    dangling.symlink_to(tmp_path / "nowhere")
    expected = {
        loop: "link",
        pipe: "regular",
        dangling: "no such file",
        tmp_path / "no": "no such file",
        tmp_path: "folder",
    }
    for path, word in expected.items():
        with pytest.raises(ImageRejected) as caught:
            decode(ImageSource(path.name, path=path))
        assert caught.value.code_detail == "unreadable" and word in caught.value.what, path


def test_the_byte_limit_is_checked_before_reading(tmp_path: Path):
    path = tmp_path / "sparse.jpg"
    with path.open("wb") as file:
        file.truncate(50 * 2**30)  # 50 GiB that take no room
    with pytest.raises(ImageRejected) as caught:
        decode(ImageSource("sparse.jpg", path=path))
    assert caught.value.code_detail == "too_large" and "256 MiB" in str(caught.value)
    assert rejected(encoded(photo(), "BMP"), ImageLimits(max_file_bytes=1000)).code_detail == "too_large"


def test_the_pixel_limit_counts_pixels():
    data = encoded(photo(37, 53), "PNG")
    assert decoded(data, ImageLimits(max_pixels=37 * 53)).shape == (37, 53, 3)
    error = rejected(data, ImageLimits(max_pixels=37 * 53 - 1))
    assert error.code_detail == "too_large" and "53 × 37 px" in error.what


def bombs() -> dict[str, bytes]:
    """Small files that announce hundreds of megapixels to gigapixels."""
    side = 30_000
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    png += png_chunk(b"IDAT", zlib.compress(b"\0" * 2**20)) + png_chunk(b"IEND", b"")
    jpeg = bytearray(encoded(photo(), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", side, side)
    gif = bytearray(encoded(photo(), "GIF"))
    gif[6:10] = struct.pack("<HH", side, side)
    bmp = bytearray(encoded(photo(), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    lossless = b"\x2f" + struct.pack("<I", 16_382 | 16_382 << 14) + b"\0" * 50
    webp = b"RIFF" + struct.pack("<I", 4 + 8 + len(lossless) + 1) + b"WEBPVP8L" + struct.pack("<I", len(lossless))
    webp += lossless + b"\0"
    tiff = encoded(photo(), "TIFF")
    tiff = tiff.replace(struct.pack("<HHII", 256, 4, 1, 53), struct.pack("<HHII", 256, 4, 1, side))
    tiff = tiff.replace(struct.pack("<HHII", 257, 4, 1, 37), struct.pack("<HHII", 257, 4, 1, side))
    return {"png": png, "jpeg": bytes(jpeg), "gif": bytes(gif), "bmp": bytes(bmp), "webp": webp, "tiff": tiff}


def test_decompression_bombs_are_rejected_with_little_memory(tmp_path: Path):
    for name, data in bombs().items():
        (tmp_path / name).write_bytes(data)
    script = (
        "import resource, sys, warnings; from pathlib import Path\n"
        "warnings.simplefilter('error')\n"
        "from core.images.decode import decode; from core.types import ImageSource\n"
        "from core.errors import ImageRejected\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: decode(ImageSource(path.name, path=path)); print(path.name, 'decoded')\n"
        "    except ImageRejected as error: print(path.name, error.code_detail)\n"
        "print('grown', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    lines = dict(line.split() for line in run.stdout.splitlines())
    grown_kib = int(lines.pop("grown"))
    assert lines == dict.fromkeys(bombs(), "too_large")
    assert grown_kib < 30 * 1024


def test_pillows_process_wide_settings_are_neither_used_nor_changed():
    before = (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    data = encoded(photo(), "PNG")
    Image.MAX_IMAGE_PIXELS = 100  # as some other library might: ours is the limit that counts
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert decoded(data).shape == (37, 53, 3)
        assert Image.MAX_IMAGE_PIXELS == 100
    finally:
        Image.MAX_IMAGE_PIXELS = before[0]
    assert list(warnings.filters) == before[1]


# --- arrays, headers, thumbnails, threads -----------------------------------------------------------------------------


def test_arrays_are_taken_as_they_are_or_rejected():
    rgb = photo()
    np.testing.assert_array_equal(decode(ImageSource("a", rgb_HWC=rgb[:, ::-1])), rgb[:, ::-1])
    for wrong in (rgb.astype(np.float32), rgb[:, :, 0], np.dstack([rgb, rgb])):
        with pytest.raises(ImageRejected) as caught:
            decode(ImageSource("a", rgb_HWC=wrong))
        assert caught.value.code_detail == "unsupported"
    with pytest.raises(ImageRejected) as caught:
        decode(ImageSource("a", rgb_HWC=rgb[:0]))
    assert caught.value.code_detail == "empty"
    with pytest.raises(ImageRejected) as caught:
        decode(ImageSource("a", rgb_HWC=rgb), ImageLimits(max_pixels=10))
    assert caught.value.code_detail == "too_large"


def test_the_header_tells_format_and_size():
    header = decode_header(ImageSource("a", data=encoded(photo(), "JPEG")))
    assert (header.format, header.mode, header.width_px, header.height_px) == ("JPEG", "RGB", 53, 37)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_thumbnails_keep_shape_and_look(kind):
    rgb = photo(600, 900)
    source = ImageSource("a", data=encoded(rgb, kind))
    small = thumbnail(source, 96)
    assert small.shape == (64, 96, 3)
    expected = np.array(Image.fromarray(rgb).resize((96, 64), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(small - expected).mean() < 3
    assert thumbnail(ImageSource("tiny", rgb_HWC=photo(5, 4)), 96).shape == (5, 4, 3)


def test_many_threads_at_once_get_their_own_pixels():
    photos = [photo(seed=seed) for seed in range(16)]
    sources = [ImageSource(str(seed), data=encoded(rgb, "PNG")) for seed, rgb in enumerate(photos)]
    wrong: list[int] = []

    def work(which: int) -> None:
        for _ in range(20):
            if not np.array_equal(decode(sources[which]), photos[which]):
                wrong.append(which)

    threads = [threading.Thread(target=work, args=(which,)) for which in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_reject_survives_a_process_boundary():
    import pickle

    error = pickle.loads(pickle.dumps(ImageRejected("gone", where="a.jpg", code_detail="empty")))
    assert (error.what, error.where, error.code_detail) == ("gone", "a.jpg", "empty")
