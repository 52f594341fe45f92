"""Opens the CZI that is to be written in another format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import Image
from czictypes.exchange.file_image import FileImage
from czictypes.exchange.formats import Format, source_format
from czictypes.exchange.open import open_image as open_file
from czictypes.exchange.save import image_of, is_described
from czictypes.model.options import CacheOptions
from czictypes.reading.reader import CziReader

__all__ = ["open_image"]

_CACHE = 256 << 20  # bytes of decoded tiles; neighbouring regions need the same ones


@contextmanager
def open_image(source: Any, options: Mapping[str, Any] | None) -> Iterator[Image]:
    """Give an image of one's own of what a caller gave; only what is opened here is closed.

    It leaves out an alpha that is 0 everywhere.

    Parameters
    ----------
    source
        As for `open_image`, or what it gives, or a `CziReader`, or what `image_of` takes.
    options
        The options of fsspec for a URL.
    """
    if isinstance(source, CziImage):
        yield CziImage(source.reader, empty_alpha="drop")
    elif isinstance(source, CziReader):
        yield CziImage(source, empty_alpha="drop")
    elif isinstance(source, FileImage):
        yield source._at(source.current_scene_index)
    elif is_described(source):
        yield image_of(source)
    elif source_format(source) is not Format.CZI:
        with open_file(source, storage_options=options) as opened:
            yield opened
    else:
        cache = CacheOptions(max_memory_usage=_CACHE)
        with CziImage(
            source, empty_alpha="drop", storage_options=options, cache_options=cache
        ) as image:
            yield image
