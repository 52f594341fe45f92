"""The readers that are compared, each behind the same two or three calls."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["READERS", "Reader", "installed"]

Roi = tuple[int, int, int, int]


class Reader:
    """A document opened by one of the packages; a call that it lacks raises NotImplementedError."""

    package = ""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path

    def box(self) -> Roi:
        """Return the bounding box."""
        raise NotImplementedError

    def read(
        self, roi: Roi | None = None, zoom: float = 1.0, z: int | None = None, **more: Any
    ) -> Any:
        """Return a plane (y, x)."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the document."""


class Czictypes(Reader):
    """Reads with czictypes, the subject of the measurements."""

    package = "czictypes"

    def __init__(self, path: Path, **options: Any) -> None:
        from czictypes import czi

        self.document = czi.CziReader(path, **options)

    def box(self) -> Roi:
        return tuple(self.document.total_bounding_rectangle)

    def read(
        self, roi: Roi | None = None, zoom: float = 1.0, z: int | None = None, **more: Any
    ) -> Any:
        plane = None if z is None else {"Z": z}
        return self.document.read(roi=roi, zoom=zoom, plane=plane, **more)[..., 0]

    def close(self) -> None:
        self.document.close()


class PylibCZIrw(Reader):
    """ZEISS's own package."""

    package = "pylibCZIrw"

    def __init__(self, path: Path, **options: Any) -> None:
        from pylibCZIrw import czi

        cache = options.get("cache_options")
        if cache is not None:
            cache = czi.CacheOptions(
                czi.CacheType.Standard, cache.max_memory_usage, cache.max_sub_block_count
            )
        self.document = czi.CziReader(os.fspath(path), cache_options=cache)

    def box(self) -> Roi:
        return tuple(self.document.total_bounding_rectangle)

    def read(
        self, roi: Roi | None = None, zoom: float = 1.0, z: int | None = None, **more: Any
    ) -> Any:
        plane = None if z is None else {"Z": z}
        more.pop("out", None)  # it has none
        return self.document.read(roi=roi, zoom=zoom, plane=plane, **more)[..., 0]

    def close(self) -> None:
        self.document.close()


class Aicspylibczi(Reader):
    """The Allen Institute's package."""

    package = "aicspylibczi"

    def __init__(self, path: Path, **options: Any) -> None:
        if options.get("cache_options"):
            raise NotImplementedError
        from aicspylibczi import CziFile

        self.document = CziFile(os.fspath(path))

    def box(self) -> Roi:
        box = self.document.get_mosaic_bounding_box()
        return box.x, box.y, box.w, box.h

    def read(
        self, roi: Roi | None = None, zoom: float = 1.0, z: int | None = None, **more: Any
    ) -> Any:
        if z is not None:
            return self.document.read_image(Z=z)[0].reshape(1024, 1024)
        if set(more) - {"out"}:
            raise NotImplementedError
        return self.document.read_mosaic(region=roi, scale_factor=zoom, C=0).squeeze()


class Czifile(Reader):
    """Christoph Gohlke's package, which reads whole documents alone."""

    package = "czifile"

    def __init__(self, path: Path, **options: Any) -> None:
        if options.get("cache_options"):
            raise NotImplementedError
        import czifile

        self.document = czifile.CziFile(os.fspath(path))

    def read(
        self, roi: Roi | None = None, zoom: float = 1.0, z: int | None = None, **more: Any
    ) -> Any:
        if roi is not None or zoom != 1 or z is not None or set(more) - {"out"}:
            raise NotImplementedError
        return np.squeeze(self.document.asarray())

    def close(self) -> None:
        self.document.close()


class BioioCzi(Reader):
    """The plug-in of bioio."""

    package = "bioio-czi"

    def __init__(self, path: Path, **options: Any) -> None:
        if options.get("cache_options"):
            raise NotImplementedError
        import bioio_czi

        self.document = bioio_czi.Reader(os.fspath(path))

    def read(
        self, roi: Roi | None = None, zoom: float = 1.0, z: int | None = None, **more: Any
    ) -> Any:
        if zoom != 1 or set(more) - {"out"}:
            raise NotImplementedError
        if getattr(self.document.dims, "M", 1) > 1:
            plane = self.document.mosaic_dask_data
            plane = plane[(0,) * (plane.ndim - 2)]
        else:
            plane = self.document.get_image_dask_data("YX", Z=z or 0)
        if roi is not None:
            x, y, w, h = roi
            plane = plane[y : y + h, x : x + w]
        return plane.compute()


def installed() -> list[type[Reader]]:
    """Return the readers whose packages are installed."""
    return [kind for kind in READERS if find_spec(kind.package.replace("-", "_")) is not None]


READERS: tuple[type[Reader], ...] = (Czictypes, PylibCZIrw, Aicspylibczi, Czifile, BioioCzi)
