"""Small documents, written through the handles themselves, and the memory they go to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from czictypes.libczi.streams import Callbacks
from libczi.writer import OutputStream, SubBlockSpec, WriterHandle

XML = (
    b"<ImageDocument><Metadata>"
    b"<Information><Image><SizeX>8</SizeX><SizeY>4</SizeY><SizeC>2</SizeC></Image>"
    b"<Document><Title>B\xc3\xa4r</Title></Document></Information>"
    b'<Scaling><Items><Distance Id="X"><Value>2.5e-07</Value></Distance></Items></Scaling>'
    b"<DisplaySetting><Channels>"
    b"<Channel><Low>0.25</Low><High>0.75</High><Color>#FF0A141E</Color></Channel>"
    b"<Channel><ColorMode>None</ColorMode><Gamma>2</Gamma></Channel>"
    b"</Channels></DisplaySetting>"
    b"</Metadata></ImageDocument>"
)


class Memory:
    """A file in memory: the source and the sink of the tests, whole or failing on demand."""

    def __init__(self, content: bytes = b"", name: str = "in memory") -> None:
        self.content = bytearray(content)
        self.name = name
        self.read_error: BaseException | None = None
        self.write_error: BaseException | None = None
        self.before_read: Callable[[], object] = lambda: None

    def read_at(self, offset: int, count: int) -> bytes:
        self.before_read()
        if self.read_error is not None:
            raise self.read_error
        return bytes(self.content[offset : offset + count])

    def write_at(self, offset: int, data: memoryview) -> None:
        if self.write_error is not None:
            raise self.write_error
        missing = offset + len(data) - len(self.content)
        if missing > 0:
            self.content.extend(bytes(missing))
        self.content[offset : offset + len(data)] = data


def gray(c: int, *, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return the pixels of channel `c`: 4 rows of 8, Gray16, different for each channel."""
    return ((np.arange(32).reshape(4, 8) + 1) * 1000 * (c + 1) + seed).astype("<u2")


def tile(c: int, **changes: Any) -> SubBlockSpec:
    """Describe the tile of channel `c`, at (-3, 5)."""
    values: dict[str, Any] = {
        "coordinate": {"C": c},
        "x": -3,
        "y": 5,
        "width": 8,
        "height": 4,
        "pixel_type": 1,
        "data": gray(c),
        "m_index": 0,
    }
    return SubBlockSpec(**{**values, **changes})


def document(*sub_blocks: SubBlockSpec, xml: bytes = XML) -> bytes:
    """Return a complete CZI; two channels unless sub-blocks are given."""
    sink = Memory()
    with WriterHandle.create(OutputStream.from_sink(sink)) as writer:
        for sub_block in sub_blocks or (tile(0), tile(1)):
            writer.add_sub_block(sub_block)
        if xml:
            writer.write_metadata(xml)
    return bytes(sink.content)


class Loud(Memory):
    """A source that tells when libCZI closes it, after `listen`."""

    def tell(self) -> None:
        print("closed", flush=True)


def listen() -> None:
    """Have every `Loud` source tell when it is closed; to be called before any stream is made."""
    close = Callbacks._close

    def closed(self: Callbacks, number: int, _: int) -> None:
        stream = self._streams.get(number)
        close(self, number, _)
        if isinstance(stream, Loud):
            stream.tell()

    Callbacks._close = closed  # type: ignore[method-assign]
