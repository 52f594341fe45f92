"""Creating documents: what is written is what is read, and wrong calls change nothing."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from extras import needs

from czictypes import czi
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import GeneralDocumentInfoDto
from czictypes.model.errors import ClosedError, CziError, MetadataWarning
from czictypes.model.geometry import ABSENT
from czictypes.model.options import ReaderOptions
from czictypes.reading.reader import CziReader
from czictypes.writing.array_tiles import TileInfo
from czictypes.writing.writer import CziWriter, create_czi


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new.czi"


@pytest.fixture
def document(path: Path) -> Iterator[CziWriter]:
    """A document being written; given up at the end of the test unless it was closed."""
    writer = create_czi(path)
    yield writer
    writer.abort()


def ramp(height: int, width: int, dtype: str = "uint8", samples: int = 1) -> Any:
    values = np.arange(height * width * samples, dtype=np.int64) * 7 % 251
    return values.reshape(height, width, samples).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("samples", [1, 3])
def test_pixels_come_back_in_their_own_type(path: Path, dtype: str, samples: int) -> None:
    pixels = ramp(5, 7, dtype, samples)
    with create_czi(path) as document:
        assert document.write(pixels) is True
    with CziReader(path) as read:
        assert read.read().dtype == pixels.dtype
        assert np.array_equal(read.read(), pixels)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 6), (4, 6, 1)),
        ((4, 6, 1), (4, 6, 1)),
        ((4, 6, 3), (4, 6, 3)),
        ((1, 4, 6), (4, 6, 1)),
        ((3, 4, 6), (4, 6, 3)),
        ((3, 4, 3), (3, 4, 3)),
        ((1, 4, 1), (1, 4, 1)),
    ],
)
def test_planes_may_have_their_samples_last_or_first(
    path: Path, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    data = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    with create_czi(path) as document:
        document.write(data)
    with CziReader(path) as read:
        pixels = read.read()
    channel_last = data if shape[-1] in (1, 3) or data.ndim == 2 else np.moveaxis(data, 0, 2)
    assert np.array_equal(pixels, channel_last.reshape(expected))


@pytest.mark.parametrize("shape", [(4,), (4, 5, 2), (2, 4, 5), (4, 5, 6, 3), (0, 5), (5, 0, 3), ()])
def test_other_shapes_are_refused(document: CziWriter, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"no pixels|no plane"):
        document.write(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint32", "float64", "complex64", "bool", "U1"])
def test_other_types_are_refused(document: CziWriter, dtype: str) -> None:
    with pytest.raises(ValueError, match="convert it to uint8, uint16 or float32"):
        document.write(np.zeros((2, 2), dtype))


def test_every_dimension_is_written(path: Path) -> None:
    plane = {"Z": 1, "C": 2, "T": 3, "R": 4, "I": 5, "H": 6, "V": 7, "B": 8}
    with create_czi(path) as document:
        document.write(ramp(2, 2), plane=plane, scene=9)
    with CziReader(path) as read:
        (block,) = read.subblocks
        assert {letter: block[letter] for letter in plane} == plane
        assert block["scene"] == 9


def test_planes_without_dimensions_lie_at_zero(path: Path) -> None:
    with create_czi(path) as document:
        document.write(ramp(2, 2))
    with CziReader(path) as read:
        (block,) = read.subblocks
        assert [block[name] for name in ("Z", "C", "T", "scene")] == [0, 0, 0, 0]
        assert [block[name] for name in "RIHVB"] == [ABSENT] * 5


@pytest.mark.parametrize("plane", [{"X": 0}, {"M": 1}, {"c": 0}, {"Q": 1}, {"": 1}])
def test_an_unknown_dimension_is_an_error(document: CziWriter, plane: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="is not a dimension of a plane"):
        document.write(ramp(2, 2), plane=plane)


@pytest.mark.parametrize("value", [1.5, "1", None, 2**31, -(2**31)])
def test_a_place_in_a_dimension_is_a_32_bit_number(document: CziWriter, value: Any) -> None:
    with pytest.raises(ValueError, match=r"not a whole number|out of range"):
        document.write(ramp(2, 2), plane={"Z": value})


def test_all_planes_have_the_same_dimensions(document: CziWriter) -> None:
    document.write(ramp(2, 2), plane={"C": 0})
    with pytest.raises(ValueError, match="all need the same"):
        document.write(ramp(2, 2), plane={"C": 1, "H": 0})


def test_a_scene_given_twice_must_agree(document: CziWriter) -> None:
    document.write(ramp(2, 2), plane={"S": 2})
    document.write(ramp(2, 2), plane={"S": 3}, scene=3)
    with pytest.raises(ValueError, match="contradict"):
        document.write(ramp(2, 2), plane={"S": 2}, scene=1)


@pytest.mark.parametrize("location", [(2**31 - 1, 0), (0, -(2**31) - 1), (0.5, 0), (1,), None])
def test_a_location_is_two_32_bit_numbers(document: CziWriter, location: Any) -> None:
    with pytest.raises(ValueError, match=r"32 bits|two whole numbers"):
        document.write(ramp(2, 2), location=location)


def test_an_overlap_is_refused_before_anything_is_written(path: Path) -> None:
    with create_czi(path) as document:
        document.write(ramp(10, 10))
        with pytest.raises(ValueError, match=r"\(9, 9, 5, 5\).*overlap those at \(0, 0, 10, 10\)"):
            document.write(ramp(5, 5), location=(9, 9))
        document.write(ramp(5, 5), location=(9, 9), plane={"Z": 1})
        document.write(ramp(5, 5), location=(9, 9), scene=1)
        document.write(ramp(5, 5), location=(10, 9))
    with CziReader(path) as read:
        assert len(read.subblocks) == 4


def test_overlaps_are_taken_when_allowed_the_later_on_top(path: Path) -> None:
    with create_czi(path, overlap="allow") as document:
        document.write(np.full((4, 4), 1, np.uint8))
        document.write(np.full((4, 4), 2, np.uint8), location=(2, 2))
    with CziReader(path) as read:
        assert read.read()[3, :, 0].tolist() == [1, 1, 2, 2, 2, 2]


def test_another_pixel_type_in_a_plane_is_refused(document: CziWriter) -> None:
    document.write(ramp(2, 2))
    with pytest.raises(ValueError, match="holds Gray8 pixels already; it cannot take Gray16"):
        document.write(ramp(2, 2, "uint16"), location=(5, 5))
    document.write(ramp(2, 2, "uint16"), location=(5, 5), plane={"C": 1})


def test_the_m_index_counts_the_tiles_of_a_plane_and_scene(path: Path) -> None:
    with create_czi(path) as document:
        for x in range(3):
            document.write(ramp(2, 2), location=(2 * x, 0))
        document.write(ramp(2, 2), plane={"C": 1})
        document.write(ramp(2, 2), scene=1)
    with CziReader(path) as read:
        found = sorted(read.subblocks[["C", "scene", "M"]].tolist())
    assert found == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (1, 0, 0)]


def test_a_large_array_is_cut_into_tiles_of_one_retiling_id(path: Path) -> None:
    pixels = ramp(3500, 3200, "uint8")
    with create_czi(path) as document:
        document.write(pixels, location=(-10, 20))
    with CziReader(path) as read:
        assert sorted(read.subblocks["M"].tolist()) == [0, 1, 2, 3]
        assert len({read.read_subblock(tile).tags["RetilingId"] for tile in range(4)}) == 1
        assert np.array_equal(read.read(), pixels)


@pytest.mark.parametrize("text", ["zstd0:", "zstd1:PreProcess=HiLoByteUnpack", "uncompressed:"])
def test_a_write_may_choose_its_own_compression(path: Path, text: str) -> None:
    pixels = ramp(20, 30, "uint16")
    with create_czi(path, compression="zstd0:") as document:
        document.write(pixels)
        document.write(pixels, plane={"C": 1}, compression=text)
    with CziReader(path) as read:
        assert np.array_equal(read.read(plane={"C": 1}), pixels)


def test_a_wrong_compression_is_refused_before_the_file_exists(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no method 'lzw'"):
        create_czi(tmp_path / "a.czi", compression="lzw:")
    assert list(tmp_path.iterdir()) == []


def test_the_caller_may_change_the_array_after_the_call(path: Path) -> None:
    buffer = np.zeros((400, 400), np.uint16)
    with create_czi(path, compression="zstd0:", threads=2) as document:
        for number in range(8):
            buffer[:] = number
            document.write(buffer, plane={"Z": number})
            buffer[:] = 99
    with CziReader(path) as read:
        for number in range(8):
            assert (read.read(plane={"Z": number}) == number).all()


def test_the_bytes_are_the_same_with_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "urandom", bytes)  # what differs between any two documents
    files = []
    for threads in (1, 2, 5):
        file = io.BytesIO()
        with create_czi(file, threads=threads, file_guid=uuid.UUID(int=1)) as document:
            for number in range(12):
                text = ("zstd0:", "zstd1:", "uncompressed:")[number % 3]
                size = (300, 20)[number % 2]
                document.write(ramp(size, size, "uint16"), plane={"T": number}, compression=text)
            document.add_attachment("Note", "TXT", b"text", guid=uuid.UUID(int=2))
            document.write(ramp(4000, 3200), plane={"C": 1}, compression="zstd0:")
        files.append(file.getvalue())
    assert files[0] == files[1] == files[2]


def test_an_exception_in_the_block_leaves_what_was_there(path: Path) -> None:
    path.write_bytes(b"old")

    def fail() -> None:
        with create_czi(path, overwrite=True) as document:
            document.write(ramp(2, 2))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["new.czi"]


def test_an_existing_file_is_an_error_unless_it_may_be_replaced(path: Path) -> None:
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        create_czi(path)
    with create_czi(path, overwrite=True) as document:
        document.write(ramp(2, 2))
    assert path.read_bytes()[:10] == b"ZISRAWFILE"


def test_nothing_goes_into_a_closed_document(document: CziWriter) -> None:
    document.write(ramp(2, 2))
    document.close()
    document.close()
    assert document.closed
    for call in (lambda: document.write(ramp(2, 2)), document.write_metadata):
        with pytest.raises(ClosedError, match="is closed"):
            call()


def test_a_failed_write_gives_the_document_up(
    path: Path, document: CziWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    document.write(ramp(2, 2))
    monkeypatch.setattr(document._session.assembly._target, "write_at", fail)
    with pytest.raises(OSError, match=r"No space left.*new\.czi"):
        document.write(ramp(3000, 3000), plane={"Z": 1})
    with pytest.raises(CziError, match="was given up") as caught:
        document.write(ramp(2, 2), plane={"Z": 2})
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(CziError, match="was given up"):
        document.close()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("wish", "environment", "accepted"),
    [
        (None, None, False),
        (None, "", False),
        (None, "error", False),
        (None, "allow", True),
        ("error", "allow", False),
        ("allow", "error", True),
    ],
)
def test_overlaps_are_accepted_by_argument_or_environment(
    path: Path,
    wish: str | None,
    environment: str | None,
    accepted: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CZICTYPES_OVERLAP", raising=False)
    if environment is not None:
        monkeypatch.setenv("CZICTYPES_OVERLAP", environment)
    with create_czi(path, overlap=wish) as document:
        document.write(ramp(4, 4))
        if accepted:
            document.write(ramp(4, 4, samples=1), location=(2, 2))
        else:
            with pytest.raises(ValueError, match="overlap those at"):
                document.write(ramp(4, 4), location=(2, 2))
    with CziReader(path) as read:
        assert read.total_bounding_rectangle == (0, 0, *((6, 6) if accepted else (4, 4)))


def test_another_value_of_the_environment_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CZICTYPES_OVERLAP", "yes")
    with pytest.raises(ValueError, match=r"CZICTYPES_OVERLAP must be .* not 'yes'"):
        create_czi(path)


class Silent(CziWriter):
    """A writer whose metadata somebody else writes."""

    def write_metadata(self, *_: Any, **__: Any) -> None:
        """Write none."""


class Named(CziWriter):
    """A writer that gives each document a title of its own."""

    def write_metadata(self, *arguments: Any, **others: Any) -> None:
        """Write the title in any case."""
        super().write_metadata("ours", *arguments, **others)


@pytest.mark.parametrize("pyramid", [False, True])
@pytest.mark.parametrize(("kind", "title"), [(Silent, "CZI"), (Named, "ours"), (None, "CZI")])
def test_a_writer_with_other_metadata_makes_a_file(
    path: Path,
    kind: type[CziWriter] | None,
    title: str,
    pyramid: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mocked = Mock()
    if kind is None:
        monkeypatch.setattr(CziWriter, "write_metadata", mocked)
    with (kind or CziWriter)(path, pyramid=pyramid) as document:
        document.write(ramp(30, 40))
    assert mocked.call_count == (kind is None)
    with CziReader(path) as read:
        assert np.array_equal(read.read(), ramp(30, 40))
        assert read.document_info.title == title
        assert read.metadata["ImageDocument"]["Metadata"]["Information"]["Image"]["SizeX"] == "40"


def test_metadata_that_fail_at_the_end_leave_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CziWriter, "write_metadata", Mock(side_effect=KeyError("no title")))
    with pytest.raises(KeyError, match="no title"), CziWriter(path) as document:
        document.write(ramp(2, 2))
    assert list(path.parent.iterdir()) == []


def test_metadata_are_written_without_being_asked_for(path: Path) -> None:
    with create_czi(path) as document:
        document.write(ramp(3, 4, "uint16"), plane={"C": 1, "Z": 5}, location=(10, 20))
        document.write(ramp(3, 4, "uint16"), plane={"C": 0, "Z": 3})
    with CziReader(path) as read:
        image = read.metadata["ImageDocument"]["Metadata"]["Information"]["Image"]
    assert {key: image[key] for key in ("SizeX", "SizeY", "SizeZ", "SizeC", "SizeM")} == {
        "SizeX": "14",
        "SizeY": "23",
        "SizeZ": "3",
        "SizeC": "2",
        "SizeM": "1",
    }


def test_metadata_count_what_is_written_after_them(path: Path) -> None:
    with create_czi(path) as document:
        document.write_metadata("A title", channel_names={1: "second"}, scale_x=2e-7)
        document.write(ramp(3, 4), plane={"C": 1})
    with CziReader(path) as read:
        metadata = read.metadata["ImageDocument"]["Metadata"]
    assert metadata["Information"]["Image"]["SizeX"] == "4"
    assert metadata["Information"]["Document"]["Title"] == "A title"
    channel = metadata["Information"]["Image"]["Dimensions"]["Channels"]["Channel"]
    assert (channel["@Id"], channel["@Name"]) == ("Channel:1", "second")
    assert metadata["Scaling"]["Items"]["Distance"]["Value"] == "2e-07"


def test_a_scene_below_0_is_refused(path: Path) -> None:
    with create_czi(path) as document:
        with pytest.raises(ValueError, match="scene -1"):
            document.write(ramp(2, 2), scene=-1)
        document.write(ramp(2, 2))


def test_channels_may_be_numbered_with_numpy(path: Path) -> None:
    look = czi.ChannelDisplaySettingsDataClass(True, czi.TintingMode.Color, czi.Rgb8Color(1, 2, 3))
    with create_czi(path) as document:
        document.write(ramp(2, 2))
        document.write_metadata(display_settings={np.int64(0): look})
    with CziReader(path) as read:
        assert read.display_settings[0].tinting_color == czi.Rgb8Color(1, 2, 3)


def test_what_is_left_out_stays_as_it_was_set(path: Path) -> None:
    with create_czi(path) as document:
        document.write_metadata("first", custom_attributes={"a": 1})
        document.write_metadata("second")
    with CziReader(path) as read:
        assert read.custom_attributes_metadata == {"a": 1}
        assert read.document_info.title == "second"


def test_metadata_that_cannot_be_written_change_nothing(path: Path) -> None:
    with create_czi(path) as document:
        document.write_metadata("kept", custom_attributes={"a": True, "b": 2.5, "c": "x", "d": 3})
        with pytest.raises(ValueError, match="a value is a bool, int, float or str"):
            document.write_metadata("lost", custom_attributes={"e": [1]})  # type: ignore[dict-item]
        with pytest.raises(ValueError, match="which is no text"):
            document.write_metadata("lost", channel_names={0: 5})  # type: ignore[dict-item]
    with CziReader(path) as read:
        assert read.custom_attributes_metadata == {"a": True, "b": 2.5, "c": "x", "d": 3}
        assert "kept" in read.raw_metadata


def test_further_metadata_are_given_as_content(path: Path) -> None:
    content = DocumentContent(
        info=GeneralDocumentInfoDto(user_name="me", title="from content"),
        acquisition_date=datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc),
    )
    with create_czi(path) as document:
        document.write_metadata(content=content, scale_z=1e-6)
    with CziReader(path) as read:
        for text in ("<UserName>me<", "<Title>from content<", "2024-05-06T07:08:09", "1e-06"):
            assert text in read.raw_metadata


def test_attachments_come_back(path: Path) -> None:
    with create_czi(path) as document:
        document.add_attachment("Note", "TXT", b"a note")
        document.add_attachment("Empty", "BIN", b"")
    with CziReader(path) as read:
        assert read.attachments["Note"].data == b"a note"
        assert read.attachments["Note"].content_file_type == "TXT"
        assert read.attachments["Empty"].data == b""


@pytest.mark.parametrize(
    ("name", "kind"), [("x" * 80, "TXT"), ("é" * 40, "TXT"), ("", "TXT"), ("a", "NINEBYTES")]
)
def test_attachments_with_names_too_long_are_refused(
    document: CziWriter, name: str, kind: str
) -> None:
    with pytest.raises(ValueError, match="of an attachment has 1 to"):
        document.add_attachment(name, kind, b"")
    document.write(ramp(2, 2))
    document.close()


def test_tags_and_stage_positions_come_back(path: Path) -> None:
    taken = datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc)
    info = TileInfo(12.5, -3.25, 100.0, taken, {"Operator": "me", "Gain": 2})
    with create_czi(path) as document:
        document.write(ramp(2, 2), info=info)
        with pytest.raises(ValueError, match="cannot be the name of a tag"):
            document.write(ramp(2, 2), plane={"C": 1}, info=TileInfo(tags={"a b": 1}))
    with CziReader(path) as read:
        block = read.read_subblock(0)
        assert block.stage_position == (12.5, -3.25, 100.0)
        assert block.acquisition_time == taken
        assert {name: block.tags[name] for name in info.tags} == {"Operator": "me", "Gain": "2"}
        assert uuid.UUID(block.tags["RetilingId"])


def test_a_mask_is_cut_with_its_array(path: Path) -> None:
    pixels = np.full((3300, 3400), 200, np.uint8)
    mask = np.zeros(pixels.shape, bool)
    mask[1000:3000, 500:3000] = True
    with create_czi(path) as document:
        document.write(pixels, mask=mask)
    with CziReader(path, reader_options=ReaderOptions(enable_mask_awareness=True)) as read:
        assert np.array_equal(read.read()[..., 0] == 200, mask)


def test_a_mask_that_does_not_fit_is_refused(document: CziWriter) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        document.write(ramp(2, 2), mask=np.zeros((2, 3), bool))
    with pytest.raises(ValueError, match="not both"):
        document.write(ramp(2, 2), mask=np.zeros((2, 2), bool), attachment=b"x")
    with pytest.raises(ValueError, match="valid"):
        document.write(ramp(2, 2), mask=np.full((2, 2), 5))


def test_wrong_arguments_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match='"error" or "allow"'):
        create_czi(path, overlap="maybe")
    with pytest.raises(ValueError, match="at least 1"):
        create_czi(path, threads=0)


@pytest.mark.parametrize("plane", ["C1", 5, ["C"], ("C", 1)])
def test_a_plane_that_is_no_mapping_is_a_type_error(plane: object) -> None:
    with czi.create_czi(io.BytesIO()) as document:
        document.write(np.zeros((4, 4), np.uint8))
        with pytest.raises(TypeError, match="plane must be a mapping of dimensions to numbers"):
            document.write(np.zeros((4, 4), np.uint8), plane=plane)


@pytest.mark.parametrize(
    ("extra", "said"),
    [({"attachment": "text"}, "an attachment must be bytes, not str"), ({"info": 5}, "TileInfo")],
)
def test_an_extra_of_a_wrong_type_is_a_type_error(extra: dict[str, object], said: str) -> None:
    with czi.create_czi(io.BytesIO()) as document:
        document.write(np.zeros((4, 4), np.uint8))
        with pytest.raises(TypeError, match=said):
            document.write(np.zeros((4, 4), np.uint8), location=(4, 0), **extra)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3), (3, 20, 30)])
def test_the_mask_of_a_masked_array_is_written(
    shape: tuple[int, ...], tmp_path: Path, rng: np.random.Generator
) -> None:
    invalid = rng.random((20, 30)) < 0.3
    broadcast = invalid if shape[0] == 3 or len(shape) == 2 else invalid[..., np.newaxis]
    pixels = rng.integers(1, 255, shape).astype(np.uint8)
    masked = np.ma.MaskedArray(pixels, np.broadcast_to(broadcast, shape))
    with czi.create_czi(tmp_path / "masked.czi") as document:
        document.write(masked)
    options = czi.ReaderOptions(enable_mask_awareness=True)
    with czi.open_czi(tmp_path / "masked.czi", reader_options=options) as reader:
        np.testing.assert_array_equal(reader.valid_pixels(), ~invalid)
        found = reader.read()
        assert not found[invalid].any()
        assert found[~invalid].all()


def test_a_masked_array_without_masked_pixels_needs_no_mask(tmp_path: Path) -> None:
    with czi.create_czi(tmp_path / "plain.czi") as document:
        document.write(np.ma.MaskedArray(np.ones((4, 5), np.uint8), False))
    with czi.open_czi(tmp_path / "plain.czi") as reader:
        assert reader.read_subblock(0).mask is None


def test_masks_that_a_czi_cannot_hold_are_refused() -> None:
    colours = np.ma.MaskedArray(np.ones((4, 5, 3), np.uint8), False)
    colours[1, 2, 0] = np.ma.masked
    with czi.create_czi(io.BytesIO()) as document:
        document.write(np.zeros((4, 4), np.uint8))
        with pytest.raises(ValueError, match="colours of some pixels are masked apart"):
            document.write(colours, plane={"Z": 1})
        one = np.ma.MaskedArray(np.ones((4, 5), np.uint8), np.eye(4, 5, dtype=bool))
        with pytest.raises(ValueError, match="give no other as mask="):
            document.write(one, plane={"Z": 1}, mask=np.ones((4, 5), bool))


@pytest.mark.parametrize("lazy", [False, True])
def test_imwrite_writes_the_masks_of_all_planes(
    lazy: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    stack = np.ma.masked_greater(rng.integers(0, 4000, (3, 40, 50)).astype(np.uint16), 2000)
    array = stack
    if lazy:
        array = needs("dask.array", "dask").ma.masked_greater(
            needs("dask.array", "dask").from_array(stack.data, chunks=(1, 20, 30)), 2000
        )
    czi.imwrite(tmp_path / "stack.czi", array, axes="ZYX")
    options = czi.ReaderOptions(enable_mask_awareness=True)
    with czi.open_czi(tmp_path / "stack.czi", reader_options=options) as reader:
        for z in range(3):
            np.testing.assert_array_equal(reader.valid_pixels(plane={"Z": z}), ~stack.mask[z])


@pytest.mark.parametrize("letter", ["x", "y", "z"])
@pytest.mark.parametrize("size", [0.01, 0.1, 2])
def test_a_pixel_of_centimetres_gets_a_warning_and_is_written(
    tmp_path: Path, letter: str, size: float
) -> None:
    with create_czi(tmp_path / "a.czi") as document:
        document.write(np.ones((4, 5), np.uint8))
        with pytest.warns(MetadataWarning, match=f"along {letter} is in metres, .* {size:g}e-6"):
            document.write_metadata(**{f"scale_{letter}": size})  # type: ignore[arg-type]
    with CziReader(tmp_path / "a.czi") as reader:
        assert getattr(reader.scaling, letter) == size


def test_a_pixel_of_centimetres_gets_a_warning_wherever_it_is_given(tmp_path: Path) -> None:
    content = DocumentContent(scaling=czi.Scaling(0.65, 6.5e-7))
    with create_czi(tmp_path / "a.czi") as document:
        document.write(np.ones((4, 5), np.uint8))
        with pytest.warns(MetadataWarning, match="along x is in metres, so 0.65 would be 65 cm"):
            document.write_metadata(content=content)
        document.write_metadata(scale_x=9e-3, scale_y=0, scale_z=None)
    with czi.edit_czi(tmp_path / "a.czi") as editor, editor.edit_session() as builder:
        with pytest.warns(MetadataWarning, match="along y is in metres, so 0.5 would be 50 cm"):
            builder.set_scaling_info(scale_y=0.5)
        builder.set_scaling_info(scale_y=6.5e-7)
