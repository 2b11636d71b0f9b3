"""Whatever picture comes in, a small upright RGB picture comes out, or an error that names the file."""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from warnings import filters, simplefilter, warn

import numpy as np
import pytest
from PIL import Image

from dmesr_core.data.pictures import MAX_PIXELS, bounded_rgb, open_picture
from dmesr_core.errors import DataError, SettingsError

RED, GREEN = (255, 0, 0), (0, 128, 0)


def empty_png(width: int, height: int) -> bytes:
    """A PNG of some 60 bytes whose header promises `width` x `height` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def two_halves(mode: str = "RGB", size: tuple[int, int] = (40, 20)) -> Image.Image:
    """Left half red, right half green."""
    picture = Image.new("RGB", size, RED)
    picture.paste(GREEN, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def assert_near(pixel, colour, tolerance=12):
    assert np.abs(np.array(pixel, int) - np.array(colour)).max() <= tolerance, f"{pixel} is not {colour}"


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif", "bmp", "tif"])
@pytest.mark.parametrize("max_side", [512, 16])
def test_formats_and_size(tmp_path, ending, max_side):
    path = tmp_path / f"p.{ending}"
    two_halves(size=(80, 40)).save(path)
    picture = open_picture(path, max_side)
    assert picture.mode == "RGB" and picture.size == ((16, 8) if max_side == 16 else (80, 40))
    assert_near(picture.getpixel((1, 4)), RED, 40)
    assert_near(picture.getpixel((picture.width - 2, 4)), GREEN, 40)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr"])
def test_modes_become_rgb(tmp_path, mode):
    path = tmp_path / ("p.jpg" if mode in ("CMYK", "YCbCr") else "p.png")
    (two_halves().quantize(4) if mode == "P" else two_halves(mode)).save(path)
    picture = open_picture(path)
    assert picture.mode == "RGB"
    left, right = picture.getpixel((5, 10)), picture.getpixel((35, 10))
    if mode == "L":
        assert_near(left, (76,) * 3)  # the brightness of red
        assert_near(right, (75,) * 3)
    elif mode != "1":
        assert_near(left, RED, 20)
        assert_near(right, GREEN, 20)


def test_transparency_is_laid_on_white(tmp_path):
    """The hidden colour under full transparency must not show, half transparency is mixed."""
    rgba = Image.new("RGBA", (30, 10), (255, 0, 0, 255))
    rgba.paste((0, 0, 255, 0), (10, 0, 20, 10))
    rgba.paste((0, 0, 0, 128), (20, 0, 30, 10))
    rgba.save(tmp_path / "rgba.png")
    picture = open_picture(tmp_path / "rgba.png")
    assert [picture.getpixel((x, 5)) for x in (5, 15)] == [RED, (255, 255, 255)]
    assert_near(picture.getpixel((25, 5)), (127,) * 3, 2)

    palette = Image.new("P", (10, 10), 1)
    palette.putpalette([0, 0, 255, 255, 0, 0])
    palette.paste(0, (5, 0, 10, 10))
    palette.save(tmp_path / "p.gif", transparency=0)
    picture = open_picture(tmp_path / "p.gif")
    assert [picture.getpixel((x, 5)) for x in (2, 8)] == [RED, (255, 255, 255)]

    grey = Image.new("LA", (4, 4), (10, 0))
    grey.save(tmp_path / "la.png")
    assert open_picture(tmp_path / "la.png").getpixel((2, 2)) == (255, 255, 255)


def test_sixteen_bits_keep_their_range(tmp_path):
    """Pillow alone would turn every value above 255 into white."""
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "p.png")
    values = np.asarray(open_picture(tmp_path / "p.png"))[..., 0].ravel()
    assert np.abs(values - np.linspace(0, 255, 64)).max() <= 1


def test_float_picture_is_stretched(tmp_path):
    Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32)).save(tmp_path / "p.tif")
    assert np.asarray(open_picture(tmp_path / "p.tif"))[0, :, 0].tolist() == [0, 128, 255]
    flat = Image.fromarray(np.full((2, 2), np.nan, np.float32))
    assert bounded_rgb(flat).getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_first_frame_of_an_animation(tmp_path, ending):
    path = tmp_path / f"p.{ending}"
    frames = [Image.new("RGB", (12, 12), colour) for colour in (RED, GREEN, (0, 0, 255))]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50, loop=0)
    assert_near(open_picture(path).getpixel((6, 6)), RED, 4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    """However the camera was held, the red corner comes out at the top left."""
    upright = Image.new("RGB", (48, 32), GREEN)
    upright.paste(RED, (0, 0, 16, 16))
    held = {  # what a camera stores for each note (the inverse of what a viewer must do)
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    stored = upright if held is None else upright.transpose(held)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "p.jpg", exif=exif, quality=95)
    picture = open_picture(tmp_path / "p.jpg")
    assert picture.size == (48, 32)
    assert_near(picture.getpixel((4, 4)), RED, 30)
    assert_near(picture.getpixel((44, 28)), GREEN, 30)
    assert open_picture(tmp_path / "p.jpg", 24).size == (24, 16)


def test_damaged_exif_does_not_cost_the_picture(tmp_path):
    """Pillow warns of it, and a warning counts as an error here."""
    two_halves().save(tmp_path / "p.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff rubbish")
    assert open_picture(tmp_path / "p.jpg").size == (40, 20)


@pytest.mark.parametrize(
    "size", [(9_000, 8_000), (10_000, 10_000), (30_000, 30_000)], ids=["over-ours", "pillow-warns", "pillow-refuses"]
)
@pytest.mark.parametrize("warnings", ["error", "ignore"])
def test_decompression_bomb(tmp_path, size, warnings, recwarn):
    simplefilter(warnings, Image.DecompressionBombWarning)  # undone by recwarn
    assert size[0] * size[1] > MAX_PIXELS
    (tmp_path / "bomb.png").write_bytes(empty_png(*size))
    with pytest.raises(DataError, match=r"bomb\.png: .*pixels is more than the limit of 64,000,000"):
        open_picture(tmp_path / "bomb.png")


def odd_pictures(folder) -> list:
    """Files that Pillow warns about, and more that it refuses."""
    Image.new("1", (10_000, 10_000)).save(folder / "one_bit.png")
    Image.new("1", (9_400, 9_600)).save(folder / "over_the_warning.gif")
    two_halves().save(folder / "exif.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff rubbish")
    two_halves().save(folder / "exif.png", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff rubbish")
    palette = Image.new("P", (10, 10))
    palette.putpalette([0, 0, 255, 255, 0, 0])
    palette.save(folder / "palette.png", transparency=bytes([0, 128]))
    frames = [Image.new("P", (8, 8), k) for k in range(3)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    two_halves().save(folder / "whole.tif", tiffinfo={305: "x" * 40})
    whole = (folder / "whole.tif").read_bytes()
    (folder / "tags.tif").write_bytes(whole.replace(b"\x31\x01\x02\x00", b"\x00\x01\x02\x00"))
    for name in ("exif.jpg", "palette.png", "whole.tif", "animated.gif"):
        content = (folder / name).read_bytes()
        for share in (0.3, 0.8):
            (folder / f"cut_{share}_{name}").write_bytes(content[: int(share * len(content))])
    return sorted(path for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize("action", ["error", "always"])
def test_no_warning_about_a_picture_is_passed_on(tmp_path, action, recwarn):
    """A warning stops whoever takes warnings for errors, which a picture of somebody's shop never may."""
    simplefilter(action)
    opened = 0
    for path in odd_pictures(tmp_path):
        try:
            opened += open_picture(path, 32).mode == "RGB"
        except DataError as error:
            assert path.name in str(error)
    assert opened >= 6 and not recwarn.list
    with pytest.raises(DataError, match=r"one_bit\.png: 10,000 x 10,000 pixels is more than the limit"):
        open_picture(tmp_path / "one_bit.png")


def test_filters_of_warnings_are_put_back_whatever_the_order_of_threads(tmp_path):
    paths = odd_pictures(tmp_path)

    def look(path) -> bool:
        try:
            return open_picture(path, 32).mode == "RGB"
        except DataError:
            return False

    before = list(filters)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(look, paths * 3))
    assert sum(opened) >= 18 and list(filters) == before
    with pytest.raises(UserWarning, match="still an error"):
        warn("still an error", UserWarning, stacklevel=1)


def test_thin_pictures(tmp_path):
    Image.new("RGB", (1, 5_000), RED).save(tmp_path / "thin.png")
    assert open_picture(tmp_path / "thin.png", 64).size == (1, 64)


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "header only", "folder", "missing", "postscript"])
def test_broken_pictures_are_named(tmp_path, kind):
    path = tmp_path / "culprit.png"
    two_halves(size=(200, 200)).save(tmp_path / "good.png")
    good = (tmp_path / "good.png").read_bytes()
    contents = {
        "empty": b"", "text": b"<html>404 not found</html>", "cut": good[: len(good) // 2], "header only": good[:40],
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
    }  # fmt: skip
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(contents[kind])
    message = "there is no such file" if kind == "missing" else "cannot be opened, it is broken or not a picture"
    with pytest.raises(DataError, match=rf"culprit\.png: {message}") as error:
        open_picture(path)
    if kind == "postscript":  # not even looked at: Pillow would start another program to draw it
        assert "cannot identify" in str(error.value)


def test_cut_jpeg_is_broken(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(tmp_path / "good.jpg")
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.jpg"):
        open_picture(tmp_path / "cut.jpg")


def test_random_damage_gives_a_picture_or_a_data_error(tmp_path):
    """Any other kind of error would end an extraction of hours."""
    rng = np.random.default_rng(1)
    for ending in ("jpg", "png", "gif", "webp", "bmp", "tif"):
        two_halves().save(tmp_path / f"whole.{ending}")
        whole = np.frombuffer((tmp_path / f"whole.{ending}").read_bytes(), np.uint8)
        for _ in range(40):
            damaged = whole.copy()
            damaged[rng.integers(len(whole), size=4)] = rng.integers(256, size=4)
            (tmp_path / f"damaged.{ending}").write_bytes(damaged.tobytes())
            try:
                assert open_picture(tmp_path / f"damaged.{ending}", 64).mode == "RGB"
            except DataError as error:
                assert f"damaged.{ending}" in str(error)


def test_bounded_rgb_leaves_the_original_alone():
    original = two_halves(size=(100, 50))
    small = bounded_rgb(original, 10)
    assert small.size == (10, 5) and original.size == (100, 50) and small is not original
    assert bounded_rgb(original, 100) is not original


def test_max_side_must_make_sense(tmp_path):
    two_halves().save(tmp_path / "p.png")
    for bad in (0, -3, 2.5, "64", None):
        with pytest.raises(SettingsError, match="max_side must be a whole number, at least 1"):
            open_picture(tmp_path / "p.png", bad)
        with pytest.raises(SettingsError, match="max_side must be a whole number, at least 1"):
            bounded_rgb(two_halves(), bad)
