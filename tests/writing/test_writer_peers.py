"""What czictypes writes, other readers read; and pylibCZIrw writes the same for the same calls."""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reads import Read

from czictypes.model.options import ChannelDisplaySettingsDataClass, Rgb8Color, TintingMode
from czictypes.reading.reader import CziReader
from czictypes.writing.writer import create_czi

COMPRESSIONS = [
    None,
    "uncompressed:",
    "zstd0:",
    "zstd0:ExplicitLevel=1",
    "zstd1:ExplicitLevel=2",
    "zstd1:ExplicitLevel=2;PreProcess=HiLoByteUnpack",
]


@dataclass(frozen=True)
class Call:
    """One call of `write`; tiles of a document lie apart from each other."""

    plane: dict[str, int]
    scene: int
    location: tuple[int, int]
    shape: tuple[int, int]
    compression: str | None
    seed: int

    def pixels(self, dtype: str, samples: int) -> Any:
        values = np.random.default_rng(self.seed).integers(0, 200, (*self.shape, samples))
        return values.astype(dtype)


@dataclass(frozen=True)
class Document:
    """Some calls of `write`, and the pixel type (dtype, samples) of each channel."""

    calls: list[Call]
    channels: list[tuple[str, int]]

    def pixels(self, call: Call) -> Any:
        return call.pixels(*self.channels[call.plane["C"]])

    def write(self, document: Any) -> None:
        for call in self.calls:
            plane, scene = dict(call.plane), call.scene
            document.write(self.pixels(call), call.location, plane, call.compression, scene)


@st.composite
def documents(draw: st.DrawFn, dimensions: str = "ZCT", compressions: Any = COMPRESSIONS) -> Any:
    channels = draw(
        st.lists(
            st.tuples(st.sampled_from(["uint8", "uint16", "float32"]), st.sampled_from([1, 3])),
            min_size=1,
            max_size=3,
        )
    )
    scenes = draw(st.integers(1, 2))
    left, top = draw(st.integers(-1000, 1000)), draw(st.integers(-1000, 1000))
    calls = []
    for channel in range(len(channels)):
        for scene in range(scenes):
            for column in range(draw(st.integers(1, 2))):
                plane = {name: draw(st.integers(0, 2)) for name in dimensions}
                calls.append(
                    Call(
                        {**plane, "C": channel},
                        scene,
                        (left + 20 * column + 100 * scene, top + draw(st.integers(0, 9))),
                        (draw(st.integers(1, 20)), draw(st.integers(1, 20))),
                        draw(st.sampled_from(compressions)),
                        draw(st.integers(0, 2**32 - 1)),
                    )
                )
    return Document(calls, channels)


@pytest.fixture(scope="module")
def folder() -> Any:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def written(folder: Path, document: Document, **options: Any) -> Path:
    path = folder / "ours.czi"
    with create_czi(path, overwrite=True, **options) as writer:
        document.write(writer)
    return path


@settings(max_examples=60)
@given(documents("ZCTRIHVB"))
def test_czictypes_reads_it_back(folder: Path, document: Document) -> None:
    with CziReader(written(folder, document, threads=1)) as read:
        for call in document.calls:
            pixels = document.pixels(call)
            roi = (*call.location, pixels.shape[1], pixels.shape[0])
            ours = read.read(roi=roi, plane=call.plane, scene=call.scene)
            assert np.array_equal(ours, pixels)
            assert ours.dtype == pixels.dtype


@settings(max_examples=60)
@given(documents())
def test_pylibczirw_reads_it_back(folder: Path, peers: ModuleType, document: Document) -> None:
    with peers.open_pylibczirw(written(folder, document, threads=1)) as read:
        for call in document.calls:
            pixels = document.pixels(call)
            if pixels.dtype == np.float32 and pixels.shape[2] == 3:
                continue  # libCZI itself composes no Bgr96Float
            roi = (*call.location, pixels.shape[1], pixels.shape[0])
            theirs = read.read(roi=roi, plane=call.plane, scene=call.scene)
            assert np.array_equal(theirs, pixels)


@settings(max_examples=20)
@given(documents(compressions=["jpgxr:"]))
def test_peers_read_jpeg_xr_back(folder: Path, peers: ModuleType, document: Document) -> None:
    pytest.importorskip("imagecodecs", reason="the extra 'jpegxr'")
    channels = [("uint8" if dtype == "float32" else dtype, n) for dtype, n in document.channels]
    document = Document(document.calls, channels)
    path = written(folder, document, threads=1)
    with peers.open_pylibczirw(path) as read:
        for call in document.calls:
            pixels = document.pixels(call)
            roi = (*call.location, pixels.shape[1], pixels.shape[0])
            theirs = read.read(roi=roi, plane=call.plane, scene=call.scene)
            assert np.array_equal(theirs, pixels)
    assert_czifile_agrees(peers.czifile(), path, document)


@settings(max_examples=30)
@given(documents("ZCTRIHVB", compressions=["uncompressed:"]))
def test_czifile_reads_it_back(folder: Path, peers: ModuleType, document: Document) -> None:
    path = written(folder, document, threads=1)
    assert_czifile_agrees(peers.czifile(), path, document)


def assert_czifile_agrees(czifile: Any, path: Path, document: Document) -> None:
    """Compare the tiles in the file's order; czifile gives colours as red, green, blue."""
    with czifile.CziFile(str(path)) as file:
        entries = sorted(file.filtered_subblock_directory, key=lambda entry: entry.file_position)
        assert len(entries) == len(document.calls)
        for entry, call in zip(entries, document.calls):
            pixels = document.pixels(call)
            theirs = entry.data_segment().data()
            assert np.array_equal(theirs.reshape(pixels.shape)[..., ::-1], pixels)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_aicspylibczi_reads_it_back(
    tmp_path: Path, peers: ModuleType, compression: str | None, dtype: str
) -> None:
    planes = {
        (channel, z): np.random.default_rng(channel * 3 + z).integers(0, 99, (30, 40)).astype(dtype)
        for channel in range(2)
        for z in range(3)
    }
    path = tmp_path / "new.czi"
    with create_czi(path, compression=compression) as document:
        for (channel, z), pixels in planes.items():
            document.write(pixels, plane={"C": channel, "Z": z})
    with path.open("rb") as opened:
        file = peers.aicspylibczi().CziFile(opened)
        for (channel, z), pixels in planes.items():
            theirs, _ = file.read_image(C=channel, Z=z, T=0, S=0)
            assert np.array_equal(theirs.reshape(pixels.shape), pixels)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(("dtype", "samples"), [("uint8", 1), ("uint16", 1), ("uint8", 3)])
def test_libczis_own_accessor_reads_it_back(
    tmp_path: Path, peers: ModuleType, compression: str | None, dtype: str, samples: int
) -> None:
    pixels = np.random.default_rng(1).integers(0, 250, (33, 47, samples)).astype(dtype)
    path = tmp_path / "new.czi"
    with create_czi(path, compression=compression) as document:
        document.write(pixels, location=(-7, 9))
    with peers.open_accessor(path) as accessor:
        theirs = accessor.read(Read(None, {"C": 0}, None, None, None, None))
    peers.assert_same_pixels(theirs, pixels, compression)


@settings(max_examples=60)
@given(documents())
def test_pylibczirw_writes_the_same_sub_blocks(
    folder: Path, peers: ModuleType, document: Document
) -> None:
    ours, theirs = written(folder, document), folder / "theirs.czi"
    with peers.pylibczirw().create_czi(str(theirs), exist_ok=True) as writer:
        document.write(writer)
    assert_same_document(ours, theirs)


def test_pylibczirw_cuts_large_arrays_alike(tmp_path: Path, peers: ModuleType) -> None:
    arrays = [
        np.arange(3101 * 3300, dtype=np.uint32).reshape(3101, 3300).astype(np.uint8)[..., None],
        np.arange(1801 * 1900 * 3, dtype=np.uint32).reshape(1801, 1900, 3).astype(np.uint8),
        np.arange(100 * 60_000, dtype=np.uint32).reshape(100, 60_000).astype(np.uint16)[..., None],
    ]
    for name, create in (("ours", create_czi), ("theirs", peers.pylibczirw().create_czi)):
        with create(str(tmp_path / f"{name}.czi"), compression_options="zstd0:") as document:
            for channel, pixels in enumerate(arrays):
                document.write(pixels, location=(5, -6), plane={"C": channel})
    assert_same_document(tmp_path / "ours.czi", tmp_path / "theirs.czi")


def assert_same_document(ours: Path, theirs: Path) -> None:
    """Compare sub-blocks (all but their place in the file), pixels, and metadata."""
    with CziReader(ours) as one, CziReader(theirs) as other:
        names = [name for name in one.subblocks.dtype.names or () if name != "file_position"]
        assert one.subblocks[names].tolist() == other.subblocks[names].tolist()
        for index in range(len(one.subblocks)):
            left, right = one.read_subblock(index), other.read_subblock(index)
            assert np.array_equal(left.pixels(), right.pixels())
            assert left.tags.keys() == right.tags.keys()
        assert_same_metadata(one.raw_metadata, other.raw_metadata)


def assert_same_metadata(ours: str, theirs: str) -> None:
    """Check that all that pylibCZIrw writes is there, and nothing unknown beyond that."""
    left, right = leaves(ours), leaves(theirs)
    information = "Metadata/Information"
    assert left.pop(f"{information}/Application/Name") == "czictypes"
    for known in ("Application/Name", "Application/Version", "Document/Comment"):
        right.pop(f"{information}/{known}")
        left.pop(f"{information}/{known}", None)
    # a scale of 0 is no scale
    unscaled = [
        path[: -len("/Value")] for path, text in right.items() if "Distance" in path and text == "0"
    ]
    right = {path: text for path, text in right.items() if not path.startswith(tuple(unscaled))}
    assert {path: left.get(path) for path in right} == right
    # what ZEN wants to see beyond that; an unlisted channel still has its Id
    beyond = (
        "ComponentBitCount",
        "BitCountRange",
        "PixelType",
        "DefaultUnitFormat",
        "@Id",
        "@Name",
    )
    assert [path for path in left if path not in right and not path.endswith(beyond)] == []


def leaves(xml: str) -> dict[str, str]:
    """Return texts and attributes by their path; elements with an Id are told apart by it."""
    found: dict[str, str] = {}

    def visit(element: ET.Element, path: str) -> None:
        for name, value in element.attrib.items():
            found[f"{path}@{name}"] = value
        if len(element) == 0:
            found[path] = (element.text or "").strip()
        for number, child in enumerate(element):
            label = str(number) if child.tag == "Channel" else child.get("Id", "")
            visit(child, f"{path}/{child.tag}{label}".lstrip("/"))

    visit(ET.fromstring(xml), "")
    return found


def test_pylibczirw_writes_the_same_metadata(tmp_path: Path, peers: ModuleType) -> None:
    czi = peers.pylibczirw()
    ours = {
        0: ChannelDisplaySettingsDataClass(
            True, TintingMode.Color, Rgb8Color(1, 255, 16), 0.2, 0.8
        ),
        2: ChannelDisplaySettingsDataClass(False, TintingMode.none, Rgb8Color(0, 0, 0)),
    }
    theirs = {
        index: czi.ChannelDisplaySettingsDataClass(
            one.is_enabled,
            czi.TintingMode(one.tinting_mode.value),
            czi.Rgb8Color(*(np.uint8(getattr(one.tinting_color, name)) for name in "rgb")),
            one.black_point,
            one.white_point,
        )
        for index, one in ours.items()
    }
    for name, create, settings_ in (("o", create_czi, ours), ("t", czi.create_czi, theirs)):
        with create(str(tmp_path / f"{name}.czi")) as document:
            for channel in range(3):
                document.write(np.zeros((4, 5, 1), np.uint16), plane={"C": channel, "T": 7})
            document.write_metadata(
                document_name="title <&>",
                channel_names={0: "DAPI", 2: "ÄÖ \u03bc"},
                scale_x=1.25e-7,
                scale_y=2e-7,
                custom_attributes={"b": True, "i": -5, "d": 0.1, "s": "text <&>"},
                display_settings=settings_,
            )
    with CziReader(tmp_path / "o.czi") as one, CziReader(tmp_path / "t.czi") as other:
        assert one.custom_attributes_metadata == other.custom_attributes_metadata
        assert one.channel_names == other.channel_names
        assert one.scaling == other.scaling
        assert one.display_settings == other.display_settings
        assert_same_metadata(one.raw_metadata, other.raw_metadata)
