"""Treats tiles that cannot be read: an error, or background and a warning.

Damage stops a read by default. ``on_error="blank"`` leaves out the tiles at fault, so that
background shows in their place, warns of each once, and lists them.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Literal

import numpy as np

from czictypes.container.pixels import StackedPixels, loaded
from czictypes.model.defence import warn_caller
from czictypes.model.errors import (
    CorruptFileError,
    DamagedTileWarning,
    InvalidArgumentError,
    MissingPartError,
    UnsupportedDataError,
)
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.plane_rows import PlaneRows
from czictypes.reading.tile import Tile

__all__ = ["UNREADABLE", "DamageList", "ForgivingTiles", "OnError", "advise", "leaves_blank"]

OnError = Literal["raise", "blank"]

#: The exceptions for a tile that cannot be read.
UNREADABLE = (CorruptFileError, UnsupportedDataError, MissingPartError)

_ADVICE = '; on_error="blank" reads all other tiles'


def leaves_blank(on_error: str) -> bool:
    """Return whether tiles that cannot be read are left out.

    Raises
    ------
    InvalidArgumentError
        For a word that is neither ``"raise"`` nor ``"blank"``.
    """
    if on_error not in ("raise", "blank"):
        raise InvalidArgumentError(f'on_error must be "raise" or "blank", not {on_error!r}')
    return on_error == "blank"


def advise(error: CorruptFileError | UnsupportedDataError) -> None:
    """Add to the message of a sub-block that cannot be read how the other ones can."""
    message = str(error)
    if message.startswith("sub-block") and _ADVICE not in message:
        error.args = (message + _ADVICE,)


class DamageList:
    """The sub-blocks that were left out, by their numbers; safe to use from many threads."""

    def __init__(self) -> None:
        self._found: dict[int, str] = {}
        self._lock = threading.Lock()

    def found(self) -> dict[int, str]:
        """Return the sub-blocks that were left out so far, and what is wrong with each."""
        with self._lock:
            return dict(sorted(self._found.items()))

    def note(self, sub_block: int, error: Exception) -> None:
        """Note a sub-block; warn if it is new."""
        with self._lock:
            if sub_block in self._found:
                return
            self._found[sub_block] = str(error)
        name = f"sub-block {sub_block}"
        which = "" if name in str(error) else f"{name}: "  # a missing file has many
        warn_caller(f"left blank: {which}{error}", DamagedTileWarning)


class ForgivingTiles:
    """Gives blank tiles in place of those that cannot be read: a `TileProvider`.

    Parameters
    ----------
    decoder, rows
        The decoder of the document's tiles, and their rows.
    damage
        Is told of each sub-block that cannot be read.
    """

    #: Whether background may show where a tile lies.
    may_be_blank = True

    def __init__(self, decoder: SubBlockDecoder, rows: PlaneRows, damage: DamageList) -> None:
        self._decoder, self._rows, self._damage = decoder, rows, damage
        self.expectation = decoder.expectation

    @contextmanager
    def tile(self, row: int) -> Iterator[Tile]:
        """Give the tile of a row; its arrays are read only within the `with` block."""
        with closing(self.tiles([row])) as found:
            yield next(found)

    def tiles(self, rows: Sequence[int]) -> Generator[Tile, None, None]:
        """Give the tiles of several rows, each valid until the next one is asked for."""
        done = 0
        while done < len(rows):
            with closing(self._decoder.tiles(rows[done:])) as found:
                try:
                    for tile in found:
                        # Here and now, for pixels may be decoded when they are used.
                        yield tile._replace(pixels=loaded(tile.pixels))
                        done += 1
                except UNREADABLE as error:
                    self._damage.note(self._rows.sub_block_of(rows[done]), error)
                    yield self._blank(rows[done])
                    done += 1

    def _blank(self, row: int) -> Tile:
        """Return a tile without any valid pixel, which takes no memory."""
        columns = self._rows.directory
        height = max(columns.physical_h.item(row), 0)
        width = max(columns.physical_w.item(row), 0)
        number = columns.pixel_type.item(row)
        layout = pixel_format(number if number in list(PixelType) else PixelType.Gray8)
        pixel = np.zeros((1, 1, layout.samples), layout.dtype)
        pixels = StackedPixels(pixel, 0, (1, 1), (height, width))
        return Tile(pixels, np.broadcast_to(np.False_, (height, width)))
