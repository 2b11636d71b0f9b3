"""Opening pictures of any format and colour mode as small RGB pictures.

Catalogues hold paths; a picture is opened only when it is needed.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dmesr_core.data.checks import check_whole
from dmesr_core.errors import DataError, SettingsError

# File endings of pictures, in the order of preference where an item has several.
PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
# Only bitmap formats: for some others (PostScript) Pillow starts external programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_lock, _inside, _filters = threading.Lock(), 0, warnings.catch_warnings()
MAX_PIXELS = 64_000_000  # 192 MB once decoded; a small file can claim to hold far more ("decompression bomb")


def open_picture(path: str | Path, max_side: int = 512) -> Image.Image:
    """Open a picture as RGB, upright, with no side longer than `max_side` pixels (never enlarged).

    The first frame of an animation; a white background where it is transparent; grey, palette, CMYK and 16-bit
    pictures are converted; the EXIF orientation is applied.

    A picture is opened or refused: warnings of Pillow about people's files (damaged EXIF data, many pixels, odd tags)
    are not passed on.

    Raises:
        DataError: missing, broken, not a picture, or more than `MAX_PIXELS` pixels; names the file.
        SettingsError: `max_side` below 1.
    """
    path = Path(path)
    check_whole("max_side", max_side, 1)
    try:
        with _no_warnings(), Image.open(path, formats=_readable_formats()) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise _too_large(path, f"{width:,} x {height:,} pixels")
            image.draft("RGB", (2 * max_side, 2 * max_side))  # JPEG only: decode at a fraction of the size
            image.load()
            return bounded_rgb(image, max_side)
    except (DataError, SettingsError):
        raise
    except FileNotFoundError:
        raise DataError(f"picture {path}: there is no such file") from None
    except Image.DecompressionBombError:
        raise _too_large(path, f"more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except Exception as error:  # Pillow raises many kinds of errors for damaged files
        raise DataError(f"picture {path}: cannot be opened, it is broken or not a picture ({error})") from None


def bounded_rgb(image: Image.Image, max_side: int = 512) -> Image.Image:
    """Any Pillow picture as a new RGB picture, upright, no side longer than `max_side`, on white where transparent."""
    check_whole("max_side", max_side, 1)
    with _no_warnings():
        picture = _to_rgb(_upright(image))
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    picture.info = {}  # colour profiles, comments and EXIF data are not needed any more
    return picture


@contextmanager
def _no_warnings() -> Iterator[None]:
    """No warnings are shown or raised within.

    Filters belong to the whole process and pictures are opened in several threads, so the first one to enter sets the
    filter and the last one to leave puts back what was there.
    """
    global _inside, _filters
    with _lock:
        _inside += 1
        if _inside == 1:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _filters.__exit__(None, None, None)


def _upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF data is no reason to lose a good picture
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """A new RGB picture, on white where it was transparent."""
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits and more: Pillow clips values above 255
        return Image.fromarray(_to_eight_bits(np.asarray(image), image.mode)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB") if image.mode != "RGB" else image.copy()


def _to_eight_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """Grey values (height, width) as uint8: integers are scaled from 0..65535, floats from min..max."""
    values = np.nan_to_num(values.astype(np.float32))
    if mode == "F":
        low, high = float(values.min()), float(values.max())
        values = (values - low) / max(high - low, 1e-12)
    else:
        values = values / 65535
    return np.rint(255 * values.clip(0, 1)).astype(np.uint8)


@cache
def _readable_formats() -> tuple[str, ...]:
    """Those of `_FORMATS` that the installed Pillow can read."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)  # some builds of Pillow have no WEBP or AVIF


def _too_large(path: Path, size: str) -> DataError:
    return DataError(f"picture {path}: {size} is more than the limit of {MAX_PIXELS:,} pixels; shrink it")
