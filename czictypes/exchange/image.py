"""The public images: those of the arrays, and `save`.

The floor of the arrays knows nothing of other formats, so what writes them is added on this one.
"""

from __future__ import annotations

from typing import Any

from czictypes.arrays import image, image_base
from czictypes.exchange.choice import Choice
from czictypes.exchange.conversion import Conversion
from czictypes.exchange.formats import Format, target_format
from czictypes.model.defence import defended
from czictypes.remote.urls import describe_target

__all__ = ["CziImage", "Image"]


class Image(image_base.Image):  # noqa: D101  (it has that of the other)
    __doc__ = image_base.Image.__doc__

    def save(
        self,
        uri: Any,
        select_scenes: Choice | None = None,
        *,
        overwrite: bool = False,
        **options: Any,
    ) -> Conversion:
        """Write the image in another format, or as a CZI, out of core: see `convert`.

        The name says which format: it ends in ``.ome.tiff``, ``.tif``, ``.ome.zarr``, ``.zarr``,
        ``.ozx``, ``.czi`` or ``.png``. Full resolution is written whatever the current resolution
        level is, and mosaics are stitched (but in a CZI, which keeps its tiles).

        Parameters
        ----------
        uri
            A path, or a URL that fsspec knows.
        select_scenes
            Names or indices of the scenes to write; by default all, and in a PNG the current one.
        overwrite
            Whether an existing target is replaced.
        **options
            More arguments of `convert` that the format knows: ``levels``, ``plane``,
            ``compression``, ``version``, ``chunks``, ``workers``, ``progress``,
            ``storage_options`` of the target...

        Returns
        -------
        Conversion
            What was written.

        Raises
        ------
        FileExistsError
            If the target is there and `overwrite` is not set.
        ClosedError
            After `close`.
        ValueError, UnsupportedDataError, IncompleteOutputError, MissingExtraError
            As `convert`.

        Examples
        --------
        >>> CziImage("my_file.czi").save("my_file.ome.tiff")  # doctest: +SKIP
        """
        from czictypes.exchange.convert import convert  # takes long to import

        current = self.current_scene_index
        if select_scenes is None and target_format(uri) is Format.PICTURE:
            select_scenes = current
        scenes = "all" if select_scenes is None else select_scenes
        return convert(self, uri, scenes=scenes, overwrite=overwrite, **options)


@defended(lambda image: describe_target(image.reader.source))
class CziImage(image.CziImage, Image):  # noqa: D101  (it has that of the other)
    __doc__ = image.CziImage.__doc__
