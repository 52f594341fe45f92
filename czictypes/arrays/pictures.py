"""Pictures of an image, red, green and blue: a plane, a thumbnail, a plot with a scale bar."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import indices_of, one_index
from czictypes.model.errors import InvalidArgumentError
from czictypes.model.geometry import whole_number
from czictypes.model.lazy import require
from czictypes.model.options import DEFAULT_COLORS
from czictypes.reading.contrast import (
    ChannelContrast,
    Contrast,
    Limits,
    chosen_contrast,
    shown_limits,
)
from czictypes.reading.names import find_channels

if TYPE_CHECKING:
    from czictypes.arrays.image_base import Image

#: The longer side, in pixels, of what a plot shows, and of what limits are found in.
_PLOTTED, _OVERVIEW = 2048, 512
_LONGEST_BAR = 0.25  # of the width of a picture
_BACKGROUND, _WHITE = (0, 0, 0), (255, 255, 255)


class PictureMethods:
    """The pictures of an image; its pixels are read when a method is called."""

    @abstractmethod
    def _composite(
        self,
        place: Mapping[str, int],
        channels: Sequence[int] | None = None,
        contrast: Contrast = "file",
        zoom: float = 1.0,
    ) -> NDArray[np.uint8]:
        """Return channels of a plane, all enabled ones by default, as a picture (y, x, R G B)."""

    @abstractmethod
    def _sampled(self, place: Mapping[str, int], channel: int, zoom: float) -> NDArray[Any]:
        """Return pixels of a channel of a plane, all or every so many, as (y, x, samples)."""

    @abstractmethod
    def _points(self) -> list[tuple[float, float] | None]:
        """Return black and white point of each channel in the file, as fractions of its range."""

    @abstractmethod
    def _enabled_channels(self) -> list[int]:
        """Return the indices of the channels that the file shows."""

    def _chosen_contrast(self, contrast: Contrast) -> Callable[[int], ChannelContrast]:
        """Return the contrast of each channel by its index."""
        image = self._of(None)
        return chosen_contrast(
            contrast,
            range(image.sizes["C"]),
            lambda name: int(find_channels(image.channels, name)),
        )

    def _of(self, scene: int | str | None) -> Any:
        image: Any = self
        return image if scene is None else image._at(scene)

    def to_rgb(
        self,
        *,
        scene: int | str | None = None,
        zoom: float = 1.0,
        contrast: Contrast = "file",
        **where: Any,
    ) -> NDArray[np.uint8]:
        """Return a plane as a picture, its channels blended in their colours.

        Parameters
        ----------
        scene
            The index in `scenes` or the name; by default the current one.
        zoom
            Pixels of the picture for one of full resolution, above 0 and at most 1.
        contrast
            The pixel values shown as black and white: ``"file"``, ``"auto"``, ``"full"`` or
            (low, high), for all channels or in a dict by index or name; see `CziReader.composite`.
        **where
            The index along a dimension; by default the middle of Z and the first of others. C may
            be an index, a name, several, or a mask: ``to_rgb(T=2, C="DAPI")``; by default all
            channels that the file shows.

        Returns
        -------
        numpy.ndarray
            (y, x, 3) of uint8, red, green, blue.

        Raises
        ------
        ValueError
            For a dimension that the image does not have, or a contrast or a zoom that is none.
        OutOfBoundsError
            If there is no such scene, channel or place.
        """
        if not isinstance(zoom, Real) or not 0 < zoom <= 1:
            raise InvalidArgumentError(f"zoom is {zoom!r}, but must be above 0 and at most 1")
        image = self._of(scene)
        picture: NDArray[np.uint8]
        picture = image._composite(*plane_of(image, where), contrast, zoom)
        return picture

    def thumbnail(
        self,
        size: int | tuple[int, int] = 512,
        *,
        scene: int | str | None = None,
        contrast: Contrast = "file",
        **where: Any,
    ) -> NDArray[np.uint8]:
        """Return a plane as a small picture, smoothly reduced; it is never enlarged.

        It is made of the pixels; ``attachments.thumbnail`` is the one that a CZI may hold.

        Parameters
        ----------
        size
            The longest side in pixels, or the largest (width, height).
        scene, contrast, **where
            As for `to_rgb`.

        Returns
        -------
        numpy.ndarray
            (y, x, 3) of uint8, red, green, blue.

        Raises
        ------
        ValueError, OutOfBoundsError
            As `to_rgb`, and for a size that is not above 0.
        """
        image = self._of(scene)
        return thumbnail(image, size, contrast, where)

    def plot(
        self,
        ax: Any = None,
        *,
        scene: int | str | None = None,
        contrast: Contrast = "file",
        scale_bar: bool | float = True,
        **where: Any,
    ) -> Any:
        """Draw a plane with matplotlib: a scale bar, and the channels' names in their colours.

        Parameters
        ----------
        ax
            The axes to draw into; by default those of a new figure.
        scene, contrast, **where
            As for `to_rgb`.
        scale_bar
            Whether there is one, where the size of a pixel is known; or its length in micrometres.

        Returns
        -------
        matplotlib.axes.Axes
            They count in pixels of full resolution.

        Raises
        ------
        ValueError, OutOfBoundsError
            As `to_rgb`.
        MissingExtraError
            Without matplotlib.
        """
        image = self._of(scene)
        return plot(image, ax, contrast, scale_bar, where)

    def show(self, **options: Any) -> None:
        """Show what `plot`, which has the same arguments, draws: in a window or a notebook.

        Raises
        ------
        ValueError, OutOfBoundsError, MissingExtraError
            As `plot`.
        """
        self.plot(**options)
        require("matplotlib.pyplot", extra="plot", doing="plots").show()


def plane_of(image: Image, where: Mapping[str, Any]) -> tuple[dict[str, int], list[int] | None]:
    """Return the index in each dimension of a picture, and the indices of the channels to blend.

    A dimension that is not named is at its first place, Z in the middle; None is for all channels.
    """
    sizes = {name: size for name, size in image.sizes.items() if name not in "YXSM"}
    unknown = set(where) - set(sizes)
    if unknown:
        raise InvalidArgumentError(
            f"a picture has no dimension {', '.join(sorted(unknown))} to choose; it has "
            f"{', '.join(sizes)}"
        )
    place = {
        name: one_index(name, where.get(name, size // 2 if name == "Z" else 0), size)
        for name, size in sizes.items()
        if name != "C"
    }
    wanted: Any = where.get("C")
    if wanted is None:
        return place, None
    channels = indices_of("C", find_channels(image.channels, wanted), sizes["C"])
    if not channels:
        raise InvalidArgumentError(f"C={wanted!r} chooses no channel")
    return place, list(channels)


def _sides(size: Any) -> tuple[int, int]:
    try:
        width, height = map(whole_number, size if np.iterable(size) else (size, size))
    except (TypeError, ValueError):
        width = height = 0
    if width < 1 or height < 1:
        raise InvalidArgumentError(
            "the size of a thumbnail must be above 0, a whole number or width and height, not "
            f"{size!r}"
        )
    return width, height


def thumbnail(
    image: Image, size: int | tuple[int, int], contrast: Contrast, where: Mapping[str, Any]
) -> NDArray[np.uint8]:
    """Return a plane as a picture that fits into a size; see `Image.thumbnail`."""
    width, height = _sides(size)
    full = image._layout.grid(0)
    share = min(1.0, width / full.width, height / full.height)
    place, channels = plane_of(image, where)
    large = image._composite(place, channels, contrast, _zoom(image, 2 * share))
    goal = (max(1, round(full.height * share)), max(1, round(full.width * share)))
    return _reduced(large, goal)


def _reduced(picture: NDArray[np.uint8], goal: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture reduced by the mean of the pixels that each new one covers."""
    sums = picture.astype(np.float64)
    for axis, (size, wanted) in enumerate(zip(picture.shape, goal)):
        edges = np.arange(min(size, wanted) + 1) * size // min(size, wanted)
        shape = [1] * 3
        shape[axis] = -1
        sums = np.add.reduceat(sums, edges[:-1], axis) / np.diff(edges).reshape(shape)
    return np.rint(sums).astype(np.uint8)


def overview_limits(image: Image, contrast: Contrast = "file") -> list[Limits]:
    """Return the pixel values that are shown as black and as white, by channel.

    Where the pixels decide, those of a small picture of the plane in the middle of Z do.
    """
    chosen = image._chosen_contrast(contrast)
    return [
        shown_limits(overview_of(image, {}, channel, _OVERVIEW), chosen(channel), points)
        for channel, points in enumerate(image._points())
    ]


def overview_of(image: Image, where: Mapping[str, Any], channel: int, size: int) -> NDArray[Any]:
    """Return pixels of a channel of a plane, (y, x, samples), so many along the longer side.

    An image of a few lines has more.
    """
    full = image._layout.grid(0)
    place, _ = plane_of(image, where)
    return image._sampled(place, channel, _zoom(image, size / max(full.width, full.height)))


def _zoom(image: Image, wanted: float) -> float:
    """Return a zoom at which something is left of an image, be it a single line."""
    full = image._layout.grid(0)
    return min(1.0, max(wanted, 1.01 / min(full.width, full.height)))


def bar_length(width: float) -> float:
    """Return the length of a scale bar: 1, 2 or 5 times a power of ten, a quarter of a width."""
    power = 10.0 ** math.floor(math.log10(width * _LONGEST_BAR))
    return max(one * power for one in (1, 2, 5) if one * power <= width * _LONGEST_BAR)


def bar_label(micrometres: float) -> str:
    """Return the length of a scale bar with its unit."""
    for unit, size in (("mm", 1e3), ("\u00b5m", 1.0)):
        if micrometres >= size:
            return f"{micrometres / size:g} {unit}"
    return f"{micrometres * 1e3:g} nm"


def checked_bar(scale_bar: bool | float) -> bool | float:
    """Refuse the length of a scale bar that is none."""
    is_number = isinstance(scale_bar, Real)
    if not is_number or (not isinstance(scale_bar, bool) and not 0 < scale_bar < math.inf):
        raise InvalidArgumentError(
            f"scale_bar={scale_bar!r}: give True, False, or a length in micrometres above 0"
        )
    return scale_bar


def check_bar_fits(length: float, pixel: float, width: int) -> None:
    """Refuse a scale bar that is longer than a picture; lengths are in micrometres."""
    bar = round(length / pixel)
    if not 1 <= bar <= width:
        raise InvalidArgumentError(
            f"a scale bar of {bar_label(length)} is {bar} pixels long, but the picture {width}; "
            "give another length"
        )


def plot(
    image: Image, axes: Any, contrast: Contrast, scale_bar: bool | float, where: Mapping[str, Any]
) -> Any:
    """Draw a plane into axes of matplotlib; see `Image.plot`."""
    pyplot = require("matplotlib.pyplot", extra="plot", doing="plots")
    length = _bar_of(image, checked_bar(scale_bar))
    if axes is not None and not hasattr(axes, "imshow"):
        raise InvalidArgumentError(
            "ax is one of the axes of matplotlib, such as those that plt.subplots() gives, not "
            f"{axes!r}"
        )
    picture = thumbnail(image, _PLOTTED, contrast, where)
    if axes is None:
        axes = pyplot.subplots()[1]
    full = image._layout.grid(0)
    axes.imshow(picture, extent=(-0.5, full.width - 0.5, full.height - 0.5, -0.5))
    axes.set_axis_off()
    axes.set_title(image.current_scene)
    if picture.ndim == 3 and "S" not in image.sizes:
        _name_channels(image, axes, plane_of(image, where)[1])
    if length is not None:
        _add_bar(axes, length, image._pixel_sizes().X or 1.0, full.width)
    return axes


def _bar_of(image: Image, scale_bar: bool | float) -> float | None:
    """Return the length of the scale bar of a plot in micrometres; None for no bar."""
    pixel, width = image._pixel_sizes().X, image._layout.grid(0).width
    if isinstance(scale_bar, bool):
        return bar_length(width * pixel) if scale_bar and pixel else None
    if not pixel:
        raise InvalidArgumentError(
            f"{image.name or 'the image'} does not tell the size of a pixel; leave scale_bar out"
        )
    check_bar_fits(scale_bar, pixel, width)
    return scale_bar


def _name_channels(image: Image, axes: Any, channels: Sequence[int] | None) -> None:
    """Write the names of the channels into the picture, in their colours."""
    shown = image._enabled_channels() if channels is None else channels
    for row, channel in enumerate(shown):
        axes.annotate(
            image.channel_names[channel],
            (0, 1),
            xycoords="axes fraction",
            xytext=(4, -4 - 14 * row),
            textcoords="offset points",
            verticalalignment="top",
            color=[part / 255 for part in shown_color(image, channel)],
            bbox={"facecolor": _BACKGROUND, "alpha": 0.5, "edgecolor": "none", "pad": 1},
        )


def shown_color(image: Image, channel: int) -> tuple[int, int, int]:
    """Return the colour of a channel; where it has none of several, one for its place."""
    color, count = image.channel_colors[channel], image.sizes["C"]
    return color or (DEFAULT_COLORS[channel % len(DEFAULT_COLORS)] if count > 1 else _WHITE)


def _add_bar(axes: Any, length: float, pixel: float, width: int) -> None:
    bars = require("mpl_toolkits.axes_grid1.anchored_artists", extra="plot", doing="plots")
    bar = bars.AnchoredSizeBar(
        axes.transData, length / pixel, bar_label(length), "lower right", color="white",
        frameon=True, size_vertical=width * 0.006,
    )  # fmt: skip
    bar.patch.set(facecolor=_BACKGROUND, alpha=0.5, edgecolor="none")
    axes.add_artist(bar)
