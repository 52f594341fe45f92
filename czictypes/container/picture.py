"""Opens pictures through Pillow: a few formats, of a bounded size, with errors of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from czictypes.model.errors import CorruptFileError, CziError, UnsupportedDataError
from czictypes.model.lazy import require

__all__ = ["MOST_PIXELS", "decoded_picture", "picture_errors"]

#: A picture within a CZI (label, preview, thumbnail) has so many pixels at most.
MOST_PIXELS = 1 << 25


@contextmanager
def decoded_picture(
    source: str | os.PathLike[str] | BinaryIO,
    formats: Sequence[str],
    what: str,
    *,
    extra: str,
    doing: str,
    most_pixels: int | None = None,
) -> Iterator[Any]:
    """Open a picture as an object of Pillow, for the length of a `with` block.

    Parameters
    ----------
    source
        A path, or a file object, whose content may be anything.
    formats
        Pillow's names of the formats that it may have. No other is looked for: Pillow knows some
        that start other programs.
    what
        The picture's name in messages.
    extra, doing
        As for `require`.
    most_pixels
        Refuse pictures with more pixels than that.

    Raises
    ------
    UnsupportedDataError
        If it is no picture in one of the formats, or too large.
    CorruptFileError
        If it is damaged, whatever Pillow calls that, in the block too.
    MissingExtraError
        If Pillow is not installed.
    """
    images = require("PIL.Image", extra=extra, doing=doing)
    with picture_errors(what, formats), images.open(source, formats=list(formats)) as picture:
        if most_pixels is not None and picture.width * picture.height > most_pixels:
            raise UnsupportedDataError(
                f"{what} is a picture of {picture.width} x {picture.height} pixels; at most "
                f"{most_pixels} pixels are decoded"
            )
        yield picture


@contextmanager
def picture_errors(what: str, formats: Sequence[str] = ()) -> Iterator[None]:
    """Turn what Pillow raises in a `with` block into errors of ours.

    Parameters
    ----------
    what, formats
        As for `decoded_picture`.

    Raises
    ------
    UnsupportedDataError, CorruptFileError
        As `decoded_picture`.
    """
    images = require("PIL.Image", extra="cli", doing="reading pictures")
    try:
        yield
    except images.UnidentifiedImageError as error:
        known = ", ".join(formats)
        raise UnsupportedDataError(f"{what} is no picture that can be read ({known})") from error
    except images.DecompressionBombError as error:
        raise UnsupportedDataError(
            f"{what} has more pixels than Pillow decodes; raise PIL.Image.MAX_IMAGE_PIXELS if you "
            f"trust the file ({error})"
        ) from error
    except (CziError, MemoryError, Warning):
        raise
    except Exception as error:  # Pillow raises many kinds for damaged pictures
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the file that it reads from
        raise CorruptFileError(f"{what} is a damaged picture: {error}") from error
