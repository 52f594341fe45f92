"""One opened state of a CZI: its bytes, libCZI's reader on them, and the tables made from both.

When the file changes on disk, its `CziReader` opens a new document.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import check_document
from czictypes.container.file_source import FileSource
from czictypes.container.limits import Bounds
from czictypes.container.parts import JoinedSource, join_parts
from czictypes.container.segments import read_metadata_xml
from czictypes.container.uses import Uses
from czictypes.metadata.annotations import Annotation, read_annotations
from czictypes.metadata.channels import ChannelInfo, channels
from czictypes.metadata.document_info import Scaling, scaling
from czictypes.metadata.scenes import SceneInfo, scenes
from czictypes.metadata.xml import parse, to_dict, to_text
from czictypes.model.errors import FileChangedError
from czictypes.model.geometry import Rectangle
from czictypes.model.options import CacheInfo, CacheOptions, ReaderOptions
from czictypes.reading.damage import DamageList, leaves_blank
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.names import DocumentNames
from czictypes.reading.native_reader import NativeReader
from czictypes.reading.paint import Painter
from czictypes.reading.planes import plane_rows
from czictypes.reading.request import Requests
from czictypes.reading.result_memory import ResultMemory
from czictypes.reading.table import SubBlockTable
from czictypes.reading.threads import ThreadPool
from czictypes.reading.tiles import Prefetcher, SubBlockCache
from czictypes.remote.part_files import PartFiles

T = TypeVar("T")


class Remains(NamedTuple):
    """The properties that a closed reader still has, as in pylibCZIrw."""

    total_rectangle: Rectangle
    total_rectangle_no_pyramid: Rectangle
    cache: CacheInfo


class OpenDocument:
    """A file as it was when a reader opened it; closes `source` with itself."""

    def __init__(
        self,
        source: ByteSource,
        cache_options: CacheOptions | None,
        options: ReaderOptions,
        threads: int,
        parts: PartFiles | None = None,
    ) -> None:
        self._opened_as = source.opened_identity()
        self.options = options
        self.blank = leaves_blank(options.on_error)
        checked = check_document(
            source,
            strict=not options.lax_subblock_coordinate_checks,
            ignore_sizem_for_pyramid=options.ignore_sizem_for_pyramid_subblocks,
        )
        source, self.directory, self.attachment_entries = join_parts(
            source, checked, parts or PartFiles(source)
        )
        self.source = source
        self.name = source.name
        self.header = checked.header
        self.native = NativeReader(source)
        bounds = None if options.allow_sparse else Bounds(source)
        self.rows = plane_rows(
            source, self.directory, stored_resolution=options.stored_resolution, bounds=bounds
        )
        self.table = SubBlockTable(self.rows, bounds)
        self.table.names = DocumentNames(self)
        self.cache = None if cache_options is None else SubBlockCache(cache_options)
        self.memory = ResultMemory(source.name, options.max_result_bytes)
        self.decoder = SubBlockDecoder(
            source,
            self.rows,
            cache=self.cache,
            cache_uncompressed=not isinstance(source, FileSource),
            mask_aware=options.enable_mask_awareness,
            prefetcher=self._prefetcher(options) if source.is_remote else None,
            memory=self.memory,
        )
        self.requests = Requests(self.table, self.name, mask_aware=options.enable_mask_awareness)
        self.damage = DamageList()
        self.painter = Painter(self.table, self.decoder, source, self.damage, self._opened_as)
        self.pool = ThreadPool(threads)
        self.uses = Uses()
        self._made: dict[str, Any] = {}
        self._making = threading.RLock()
        self._closing = threading.Lock()

    def require_unchanged(self) -> None:
        """Raise `FileChangedError` if the file was changed in place since it was opened.

        Replacing the file by another one does not matter. Neither does a change of a file that is
        marked as being written: it grows while the microscope works.
        """
        if not (self.source.is_still(self._opened_as) or self.header.update_pending):
            raise FileChangedError(
                f"{self.name} was changed while it was read, so what was read may be partly old "
                "and partly new; read again"
            )

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` returned at the first call with this name."""
        with self._making:
            if name not in self._made:
                self._made[name] = make()
            made: T = self._made[name]
            return made

    @property
    def xml(self) -> bytes:
        """The document's XML as it is stored; empty where the file has none."""
        return self.cached("xml", lambda: read_metadata_xml(self.source, self.header))

    @property
    def xml_text(self) -> str:
        """The document's XML as text."""
        return self.cached("xml_text", lambda: to_text(self.xml))

    @property
    def metadata(self) -> dict[str, Any]:
        """The document's XML as nested dictionaries."""
        return self.cached("metadata", lambda: to_dict(self.xml))

    def read_metadata(self, read: Callable[[Any], T], name: str | None = None) -> T:
        """Return what `read` makes of the root of the document's XML; called once per `name`.

        A function of a module needs no name.
        """
        root = self.cached("root", lambda: parse(self.xml))
        return self.cached(name or f"{read.__module__}.{read.__qualname__}", lambda: read(root))

    @property
    def scaling(self) -> Scaling:
        """The extent of a pixel along X, Y and Z in metres, None where unknown."""
        found, (x, y) = self.read_metadata(scaling), self.rows.magnification
        return found._replace(x=found.x and found.x / x, y=found.y and found.y / y)

    @property
    def annotations(self) -> list[Annotation]:
        """The annotations in the XML, in pixels."""
        drawn, (x, y) = self.read_metadata(read_annotations), self.rows.magnification
        return drawn if x == y == 1 else [one.magnified(x, y) for one in drawn]

    @property
    def channels(self) -> list[ChannelInfo]:
        """The metadata of each channel in the XML."""
        first = self.table.plane_bounds.get("C", (0, 1))[0]
        return self.read_metadata(lambda root: channels(root, first), "channels")

    def cache_info(self) -> CacheInfo:
        """Return the current size of the cache."""
        return CacheInfo(0, 0) if self.cache is None else self.cache.info()

    def remains(self) -> Remains:
        """Return the properties that outlive the document; they hold no tile."""
        table = self.table
        return Remains(table.total_rectangle, table.total_rectangle_no_pyramid, self.cache_info())

    @property
    def scenes(self) -> list[SceneInfo]:
        """The scenes in the XML, by the S indices of the sub-blocks."""
        numbers = tuple(self.table.scene_rectangles)
        return self.read_metadata(lambda root: scenes(root, numbers), "scenes")

    @property
    def sub_blocks(self) -> NDArray[np.void]:
        """The table of sub-blocks; each `file_position` counts within the sub-block's own file."""
        table, source = self.table.as_structured, self.source
        if not isinstance(source, JoinedSource):
            return table
        return self.cached("sub-blocks", lambda: source.own_positions(table))

    @property
    def has_parts(self) -> bool:
        """Whether the document is in several files."""
        return isinstance(self.source, JoinedSource)

    @property
    def parts(self) -> dict[int, str | None]:
        """The other files of a document of several, by part number; None for a missing one."""
        return self.source.parts() if isinstance(self.source, JoinedSource) else {}

    def _prefetcher(self, options: ReaderOptions) -> Prefetcher:
        masks = options.enable_mask_awareness
        return Prefetcher(self.source, self.rows, self.header, cache=self.cache, masks=masks)

    def close(self) -> None:
        """Refuse further uses, wait for those in flight, and release everything.

        The call may be interrupted and repeated.
        """
        self.uses.end()
        self.uses.wait()
        with self._closing:
            self.memory.clear()
            self.pool.close()
            self.native.close()
            self.source.close()
