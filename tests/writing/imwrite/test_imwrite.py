"""Writing arrays of any dimensions in one call."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from extras import frees_at_once
from hypothesis import given
from hypothesis import strategies as st

from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import GeneralDocumentInfoDto, Scaling
from czictypes.model.options import Rgb8Color
from czictypes.reading.reader import CziReader
from czictypes.writing.imwrite import imwrite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new.czi"


def numbers(shape: tuple[int, ...], dtype: str = "uint8") -> Any:
    return (np.arange(np.prod(shape), dtype=np.int64) * 7 % 251).reshape(shape).astype(dtype)


def read_plane(document: CziReader, letters: str, place: tuple[int, ...]) -> Any:
    """Read a plane of an array's leading axes, (y, x) or (y, x, 3) in the order R, G, B."""
    at = dict(zip(letters, place))
    scene = at.pop("S", None)
    pixels = document.read(plane=at, scene=scene)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., ::-1]


def assert_reads_as(path: Path, array: Any, letters: str) -> None:
    with CziReader(path) as document:
        for place in np.ndindex(array.shape[: len(letters)]):
            assert np.array_equal(read_plane(document, letters, place), array[place]), place


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", ">u2", ">f4"])
@pytest.mark.parametrize(
    ("axes", "shape", "leading"),
    [
        ("YX", (6, 9), ""),
        ("YXS", (6, 9, 3), ""),
        ("ZYX", (3, 6, 9), "Z"),
        ("TCZYX", (2, 3, 2, 6, 9), "TCZ"),
        ("TCZYXS", (2, 2, 1, 6, 9, 3), "TCZ"),
        ("SCYX", (3, 2, 6, 9), "SC"),
        ("STYXS", (2, 2, 6, 9, 3), "ST"),
        ("HVIRBYX", (2, 1, 2, 1, 2, 4, 5), "HVIRB"),
    ],
)
def test_arrays_come_back(
    path: Path, axes: str, shape: tuple[int, ...], leading: str, dtype: str
) -> None:
    array = numbers(shape, dtype)
    imwrite(path, array, axes)
    assert_reads_as(path, array, leading)


@pytest.mark.parametrize(
    ("shape", "leading"),
    [
        ((4, 5), ""),
        ((2, 4, 5), "Z"),
        ((3, 2, 4, 5), "CZ"),
        ((2, 3, 2, 4, 5), "TCZ"),
        ((4, 5, 3), ""),
        ((2, 4, 5, 3), "Z"),
        ((2, 2, 2, 4, 5, 3), "TCZ"),
    ],
)
def test_axes_follow_from_the_shape(path: Path, shape: tuple[int, ...], leading: str) -> None:
    array = numbers(shape)
    imwrite(path, array)
    assert_reads_as(path, array, leading)


@st.composite
def labelled_arrays(draw: st.DrawFn) -> tuple[str, Any]:
    letters = draw(st.lists(st.sampled_from("ZCTRSIHVB"), max_size=3, unique=True))
    axes = draw(st.permutations([*letters, "Y", "X"]))
    if axes[-1] == "S":
        axes = [*axes[-1:], *axes[:-1]]
    shape = tuple(draw(st.integers(1, 9 if one in "YX" else 2)) for one in axes)
    samples = draw(st.sampled_from([0, 1, 3]))
    if samples:
        axes, shape = [*axes, "S"], (*shape, samples)
    dtype = draw(st.sampled_from(["uint8", "uint16", "float32"]))
    return "".join(axes), numbers(shape, dtype)


@given(given=labelled_arrays(), tile=st.integers(1, 9), order=st.sampled_from(["RGB", "BGR"]))
def test_any_axes_in_any_order_come_back(given: tuple[str, Any], tile: int, order: str) -> None:
    axes, array = given
    target = io.BytesIO()
    imwrite(target, array, axes, tile=tile, rgb_order=order, thumbnail=False, threads=1)
    plain = axes[:-1] if axes.endswith("S") else axes
    leading = "".join(letter for letter in plain if letter not in "YX")
    wanted = [*map(plain.index, leading), plain.index("Y"), plain.index("X")]
    moved = array.transpose(*wanted, *range(len(plain), array.ndim))
    target.seek(0)
    with CziReader(target) as document:
        for place in np.ndindex(moved.shape[: len(leading)]):
            expected = moved[place]
            if expected.ndim == 3:
                expected = expected[..., 0] if expected.shape[2] == 1 else expected
                if order == "BGR" and expected.ndim == 3:
                    expected = expected[..., ::-1]
            assert np.array_equal(read_plane(document, leading, place), expected)


def test_other_readers_see_the_same(path: Path, peers: ModuleType) -> None:
    array = numbers((2, 3, 2, 40, 50), "uint16")
    imwrite(path, array, tile=16, compression="uncompressed:")  # czifile knows no zstd
    with peers.open_pylibczirw(path) as theirs:
        box = theirs.total_bounding_box
        assert (box["T"], box["C"], box["Z"]) == ((0, 2), (0, 3), (0, 2))
        for place in np.ndindex(2, 3, 2):
            plane = dict(zip("TCZ", place))
            assert np.array_equal(theirs.read(plane=plane)[..., 0], array[place])
    with peers.czifile().CziFile(path) as theirs:
        shape = dict(zip(theirs.axes, theirs.shape))
        assert {letter: shape[letter] for letter in "TCZYX"} == dict(zip("TCZYX", array.shape))
        assert np.array_equal(theirs.asarray().squeeze(), array)
    with path.open("rb") as file:
        pixels, _ = peers.aicspylibczi().CziFile(file).read_image(T=1, C=2, Z=1, M=0)
    assert np.array_equal(pixels.squeeze(), array[1, 2, 1][:13, :12])


# Tiles


def tiles_of(path: Path) -> list[tuple[int, int, int, int, int]]:
    with CziReader(path) as document:
        rows = document.subblocks
        return sorted(
            zip(*(rows[name].tolist() for name in ("M", "x", "y", "w", "h"))),
        )


def test_a_plane_is_cut_into_tiles_of_about_equal_size(path: Path) -> None:
    imwrite(path, numbers((25, 40)), tile=20, location=(-5, 7))
    assert tiles_of(path) == [
        (0, -5, 7, 20, 12),
        (1, 15, 7, 20, 12),
        (2, -5, 19, 20, 13),
        (3, 15, 19, 20, 13),
    ]


def test_each_plane_counts_its_tiles_and_marks_them_as_one(path: Path) -> None:
    imwrite(path, numbers((2, 10, 10)), "CYX", tile=5)
    with CziReader(path) as document:
        rows = document.subblocks
        marks: dict[int, set[str]] = {0: set(), 1: set()}
        for index, channel in enumerate(rows["C"].tolist()):
            marks[channel].add(document.read_subblock(index).tags["RetilingId"])
        assert sorted(rows["M"].tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [len(one) for one in marks.values()] == [1, 1]
    assert marks[0] != marks[1]


def test_scenes_lie_side_by_side(path: Path) -> None:
    imwrite(path, numbers((3, 10, 400)), "SYX", scene=2)
    with CziReader(path) as document:
        assert {scene: tuple(box) for scene, box in document.scenes_bounding_rectangle.items()} == {
            2: (0, 0, 400, 10),
            3: (420, 0, 400, 10),
            4: (840, 0, 400, 10),
        }


@pytest.mark.parametrize(("samples", "side"), [(1, 2048), (3, 1024)])
def test_tiles_are_of_a_sensible_size(path: Path, samples: int, side: int) -> None:
    array = np.zeros((2 * side, 2 * side, samples), np.uint8)
    imwrite(path, array, "YXS")
    assert [one[3:] for one in tiles_of(path)] == [(side, side)] * 4


def test_a_pyramid_is_made_on_request(path: Path) -> None:
    from czictypes.writing.pyramid.tile_plan import PyramidOptions

    array = numbers((130, 170), "uint16")
    imwrite(path, array, pyramid=PyramidOptions(tile=32, until=50))
    with CziReader(path) as document:
        assert document.subblocks["level"].max() == 2
        assert np.array_equal(document.read()[..., 0], array)


# Metadata


def test_names_colours_and_sizes_are_in_the_metadata(path: Path) -> None:
    imwrite(
        path,
        numbers((2, 3, 4, 6, 9)),
        channel_names=["DAPI", "GFP", "Cy5"],
        channel_colors=["blue", (0, 255, 0), Rgb8Color(255, 0, 0)],
        pixel_size=(1e-7, 2e-7, 5e-7),
        times=2.5,
        title="mine",
        custom_attributes={"run": 3},
    )
    with CziReader(path) as document:
        assert document.channel_names == ["DAPI", "GFP", "Cy5"]
        colors = [Rgb8Color(0, 0, 255), Rgb8Color(0, 255, 0), Rgb8Color(255, 0, 0)]
        assert [channel.color for channel in document.channels] == colors
        assert document.scaling == (1e-7, 2e-7, 5e-7)
        assert document.document_info.title == "mine"
        assert document.custom_attributes_metadata == {"run": 3}
        assert document.attachments.time_stamps is not None
        assert document.attachments.time_stamps.tolist() == [0, 2.5]
        image = document.metadata["ImageDocument"]["Metadata"]["Information"]["Image"]
        assert image["Dimensions"]["T"]["Positions"]["Interval"]["Increment"] == "2.5"
        assert image["Dimensions"]["Z"]["Positions"]["Interval"]["Increment"] == "0.5"
        assert (image["SizeT"], image["SizeC"], image["SizeZ"]) == ("2", "3", "4")


def test_uneven_times_are_listed(path: Path) -> None:
    imwrite(path, numbers((3, 4, 5)), "TYX", times=[0, 1, 5.5])
    with CziReader(path) as document:
        assert document.attachments.time_stamps is not None
        assert document.attachments.time_stamps.tolist() == [0, 1, 5.5]
        assert "<Offsets>0 1 5.5</Offsets>" in document.raw_metadata


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, (None, None, None)),
        (1e-7, (1e-7, 1e-7, None)),
        (np.float32(2**-21), (2**-21, 2**-21, None)),
        ((1e-7, 2e-7), (1e-7, 2e-7, None)),
        ((1e-7, 2e-7, None), (1e-7, 2e-7, None)),
        (np.array([1e-7, 2e-7, 3e-7]), (1e-7, 2e-7, 3e-7)),
        ({"x": 1e-7, "Z": 3e-7}, (1e-7, None, 3e-7)),
    ],
)
def test_pixel_sizes_are_given_in_many_ways(path: Path, given: Any, expected: Any) -> None:
    imwrite(path, numbers((4, 5)), pixel_size=given)
    with CziReader(path) as document:
        assert document.scaling == expected


def test_more_metadata_are_content(path: Path) -> None:
    content = DocumentContent(
        info=GeneralDocumentInfoDto(comment="more"), scaling=Scaling(1e-6, 1e-6, 1e-6)
    )
    imwrite(path, numbers((2, 4, 5)), "CYX", content=content, channel_names={1: "B"})
    with CziReader(path) as document:
        assert document.document_info.comment == "more"
        assert document.scaling.x == 1e-6
        assert document.channel_names == [None, "B"]


def test_a_thumbnail_is_attached_unless_not_wanted(path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is missing: pip install 'czictypes[cli]'")
    imwrite(path, numbers((40, 50)))
    with CziReader(path) as document:
        assert document.attachments.names == ["Thumbnail"]
    imwrite(path, numbers((40, 50)), thumbnail=False, overwrite=True)
    with CziReader(path) as document:
        assert document.attachments.names == []


# Refusals


@pytest.mark.parametrize(
    ("array", "arguments", "message"),
    [
        (numbers((4, 5)), {"axes": "ZYX"}, "3 letters"),
        (numbers((4, 5)), {"axes": "ZX"}, "must have Y and X"),
        (numbers((2, 4, 5)), {"axes": "QYX"}, "must have Y and X, and some of Z, C"),
        (numbers((2, 4, 5)), {"axes": "YYX"}, "each once"),
        (numbers((4, 5, 4)), {"axes": "YXS"}, "4 samples"),
        (numbers((2,) * 6), {}, "needs axes="),
        (numbers((5,)), {}, "needs axes="),
        (numbers((6, 9, 4)), {}, r"alpha .* leave the alpha out .* axes='ZYX' if"),
        (numbers((2, 6, 9, 4)), {}, "axes='CZYX' if"),
        (numbers((2, 4, 5)), {"axes": "TYX", "times": -1.5}, "number of seconds.*not -1.5"),
        (numbers((2, 4, 5)), {"axes": "TYX", "times": True}, "number of seconds.*not True"),
        (np.zeros((0, 5), np.uint8), {}, "no pixels"),
        (numbers((4, 5), "float64"), {}, "convert it to uint8, uint16 or float32"),
        (numbers((4, 5), "bool"), {}, "convert it"),
        (numbers((4, 5)), {"rgb_order": "GRB"}, "rgb_order"),
        (numbers((4, 5)), {"compression": "zip"}, "compression options 'zip'"),
        (numbers((4, 5), "float32"), {"compression": "jpgxr:"}, "jpgxr: does not keep"),
        (numbers((4, 5)), {"tile": 0}, "at least 1 pixel"),
        (numbers((4, 5)), {"channel_names": ["A", "B"]}, "2 values for 1 channels"),
        (numbers((4, 5)), {"channel_names": {3: "A"}}, "names channel 3"),
        (numbers((4, 5)), {"channel_names": [5]}, "name is text"),
        (numbers((4, 5)), {"channel_colors": ["greenish"]}, "not a colour"),
        (numbers((4, 5)), {"channel_colors": [(0, 0, 256)]}, "from 0 to 255"),
        (numbers((4, 5)), {"channel_colors": [7]}, "no colour"),
        (numbers((4, 5)), {"pixel_size": (1, 2, 3, 4)}, "must be"),
        (numbers((4, 5)), {"pixel_size": {"t": 1}}, "x, y and z"),
        (numbers((4, 5)), {"pixel_size": (-1e-7, 1e-7)}, "positive"),
        (numbers((2, 4, 5)), {"axes": "TYX", "times": [0, 1, 2]}, "3 times are given for 2"),
        (numbers((4, 5)), {"location": (2**31 - 2, 0)}, "32 bits"),
        (numbers((4, 5)), {"custom_attributes": {"a": [1]}}, "a"),
        (numbers((4, 5)), {"pyramid": 3}, "pyramid is True"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    path: Path, array: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        imwrite(path, array, **arguments)
    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_there_is_replaced_on_request_alone(path: Path) -> None:
    path.write_bytes(b"before")
    with pytest.raises(FileExistsError):
        imwrite(path, numbers((4, 5)))
    assert path.read_bytes() == b"before"
    imwrite(path, numbers((4, 5)), overwrite=True)
    assert_reads_as(path, numbers((4, 5)), "")


def test_an_array_that_fails_midway_leaves_what_was_there(path: Path) -> None:
    class Failing:
        shape, dtype = (4, 8, 8), np.dtype("uint8")

        def __getitem__(self, key: Any) -> Any:
            if key[0].start == 2:
                raise OSError("the disk is gone")
            return numbers((4, 8, 8))[key]

    path.write_bytes(b"before")
    with pytest.raises(OSError, match="the disk is gone"):
        imwrite(path, Failing(), overwrite=True)
    assert path.read_bytes() == b"before"
    assert [one.name for one in path.parent.iterdir()] == [path.name]


# Other arrays than numpy's


def test_lists_are_arrays(path: Path) -> None:
    imwrite(path, [numbers((3, 4))], "ZYX")
    assert_reads_as(path, numbers((1, 3, 4)), "Z")


@frees_at_once
def test_memory_maps_are_written_in_bounded_memory(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("_tracemalloc", reason="PyPy cannot trace memory: run it on CPython")
    import tracemalloc

    shape = (24, 1000, 1000)
    mapped = np.memmap(tmp_path / "raw", np.uint16, "w+", shape=shape)
    mapped[:, ::97, ::89] = 7
    tracemalloc.start()
    try:
        imwrite(path, mapped, "ZYX", threads=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30e6  # of 48 MB
    with CziReader(path) as document:
        assert np.array_equal(document.read(plane={"Z": 23})[..., 0], mapped[23])
    del mapped


class Foreign:
    """An array of another package, of which only the array API standard is known."""

    dtype = "foreign.uint16"

    def __init__(self, pixels: Any) -> None:
        self._pixels = pixels
        self.shape = pixels.shape

    def __getitem__(self, key: Any) -> Foreign:
        return Foreign(self._pixels[key])

    def __array__(self, *args: Any, **options: Any) -> Any:
        return self._pixels

    def __dlpack__(self, **options: Any) -> Any:
        return self._pixels.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._pixels.__dlpack_device__()


def test_an_array_that_follows_the_array_api_is_taken() -> None:
    target = io.BytesIO()
    imwrite(target, Foreign(numbers((3, 20, 23))), "ZYX")
    target.seek(0)
    with CziReader(target) as document:
        assert np.array_equal(document.read(plane={"Z": 2})[..., 0], numbers((3, 20, 23))[2])


class Chunked:
    """An array in chunks of equal size, as zarr and h5py give them, that counts its reads."""

    def __init__(self, array: Any, chunks: tuple[int, ...]) -> None:
        self._array = array
        self.shape, self.dtype, self.chunks = array.shape, array.dtype, chunks
        self.reads: list[tuple[slice, ...]] = []

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        self.reads.append(key)
        return self._array[key]

    def times_read(self) -> Any:
        counts = np.zeros([-(-size // chunk) for size, chunk in zip(self.shape, self.chunks)], int)
        for key in self.reads:
            spans = (
                slice(one.start // chunk, -(-one.stop // chunk))
                for one, chunk in zip(key, self.chunks)
            )
            counts[tuple(spans)] += 1
        return counts


@given(
    chunks=st.tuples(st.integers(1, 3), st.integers(1, 25), st.integers(1, 25)),
    tile=st.integers(4, 30),
)
def test_each_chunk_is_fetched_once(chunks: tuple[int, int, int], tile: int) -> None:
    array = numbers((3, 20, 23))
    chunked = Chunked(array, chunks)
    target = io.BytesIO()
    imwrite(target, chunked, "ZYX", tile=tile, thumbnail=False, threads=1)
    assert (chunked.times_read() == 1).all()
    target.seek(0)
    with CziReader(target) as document:
        assert max(document.subblocks["w"].max(), document.subblocks["h"].max()) <= tile
        for z in range(3):
            assert np.array_equal(document.read(plane={"Z": z})[..., 0], array[z])


def test_progress_counts_tiles(path: Path) -> None:
    told: list[tuple[int, int]] = []
    array = Chunked(numbers((2, 20, 30)), (2, 10, 25))
    imwrite(path, array, "CYX", tile=12, progress=lambda done, total: told.append((done, total)))
    assert told == [(number, len(told)) for number in range(1, len(told) + 1)]
    assert len(tiles_of(path)) == len(told) > 2


def test_the_file_is_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    array = numbers((3, 300, 400), "uint16")
    for threads in (1, 4):
        imwrite(tmp_path / f"{threads}.czi", array, tile=200, threads=threads, thumbnail=False)
    with CziReader(tmp_path / "1.czi") as one, CziReader(tmp_path / "4.czi") as four:
        assert np.array_equal(one.subblocks, four.subblocks)
        for index in range(len(one.subblocks)):
            assert one.read_subblock(index).raw_data == four.read_subblock(index).raw_data


@pytest.mark.parametrize("given", ["array.npy", None, object()])
def test_what_is_no_array_is_named(path: Path, given: Any) -> None:
    kind = type(given).__name__
    with pytest.raises(TypeError, match=f"an array of pixels .* not an object of type {kind}"):
        imwrite(path, given)
    assert not path.exists()


def test_images_of_four_columns_need_axes(path: Path) -> None:
    array = numbers((6, 9, 4))
    imwrite(path, array, "ZYX")
    assert_reads_as(path, array, "Z")
