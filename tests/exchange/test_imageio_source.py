"""Files that imageio reads become CZI files, within this process."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from numpy.typing import NDArray

from czictypes import convert, imread, open_image
from czictypes.model.errors import CorruptFileError, MissingExtraError, UnsupportedDataError

STACK = np.arange(7 * 20 * 30, dtype=np.uint16).reshape(7, 20, 30)
iio = needs("imageio.v3", "imageio")


def video(codec: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        needs("av")
        frames = (
            np.zeros((12, 48, 64, 3), np.uint8)
            + np.arange(12, dtype=np.uint8)[:, None, None, None] * 20
        )
        frames[:, 10:20, 5:30, 0] = 200
        with iio.imopen(path, "w", plugin="pyav") as file:
            file.write(frames, codec=codec, fps=10)

    return write


def spe(path: Path, frames: int = 7, width: int = 30, height: int = 20) -> None:
    """Write the head that imageio looks at: sizes, 16 bits, the number of frames, a version."""
    head = bytearray(4100)
    places = ((42, "<H", width), (656, "<H", height), (108, "<h", 3), (1446, "<i", frames))
    for at, kind, value in (*places, (1992, "<f", 2.5)):
        struct.pack_into(kind, head, at, value)
    path.write_bytes(bytes(head) + STACK.tobytes())


def fits(path: Path) -> None:
    needs("astropy.io.fits").PrimaryHDU(STACK).writeto(path)


def itk(path: Path) -> None:
    tool = needs("SimpleITK")
    tool.WriteImage(tool.GetImageFromArray(STACK), str(path))


def dicom(path: Path) -> None:
    needs("pydicom")
    with iio.imopen(path, "w", plugin="pydicom") as file:
        for frame in STACK:
            file.write_frame(frame)


#: The writer, imageio's plug-in, and the axes that it gives.
KINDS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "in.mp4": (video("libx264"), "pyav", "TYXS"),  # has frames made of later ones
    "in.avi": (video("mpeg4"), "pyav", "TYXS"),
    "in.mkv": (video("ffv1"), "pyav", "TYXS"),  # does not tell its number of frames
    "in.spe": (spe, "SPE", "TYX"),
    "in.fits": (fits, "FITS", "ZYX"),
    "in.nrrd": (itk, "ITK", "ZYX"),
    "in.nii.gz": (itk, "ITK", "ZYX"),
    "in.dcm": (dicom, "pydicom", "ZYX"),
}


@pytest.fixture(params=KINDS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, NDArray[Any], str]:
    """A file of each format, its pixels by imageio, and its axes."""
    write, plugin, axes = KINDS[request.param]
    path = tmp_path / request.param
    write(path)
    index = None if plugin in ("FITS", "ITK") else ...
    ending = request.param[len("in") :]
    return path, np.asarray(iio.imread(path, plugin=plugin, index=index, extension=ending)), axes


def test_the_pixels_are_those_of_imageio(file: tuple[Path, NDArray[Any], str]) -> None:
    path, pixels, axes = file
    with open_image(path) as image:
        assert image.dtype == pixels.dtype.newbyteorder("=")
        assert (image.time_interval is not None) == (path.suffix in (".mp4", ".avi", ".mkv"))
        count, along = len(pixels), axes[0]
        for at in (4, 1, 2, 6, count - 1, 0):
            found = image.get_image_data(axes[1:], **{along: at})
            np.testing.assert_array_equal(found, pixels[at])
        np.testing.assert_array_equal(image.get_image_data(axes), pixels)
    stream = io.BytesIO(path.read_bytes())
    stream.name = path.name  # type: ignore[misc]
    np.testing.assert_array_equal(imread(stream).squeeze(), pixels)
    assert not stream.closed


def test_lazy_arrays_are_read_in_threads_and_elsewhere(
    file: tuple[Path, NDArray[Any], str],
) -> None:
    needs("dask.array", "dask")
    path, pixels, axes = file
    with open_image(path) as image:
        lazy = image.get_image_dask_data(axes)
        np.testing.assert_array_equal(lazy.compute(), pixels)
    sent = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(sent.compute(), pixels)


@pytest.mark.parametrize(
    ("name", "codec", "is_regular"),
    [
        ("in.mp4", "libx264", True), ("in.mp4", "libx264", False), ("in.mkv", "libx264", False),
        ("in.ts", "mpeg2video", True), ("in.webm", "libvpx", False), ("in.mov", "mpeg4", True),
    ],
)  # fmt: skip
def test_frames_of_a_video_are_found_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str, is_regular: bool
) -> None:
    """With frames that refer to later ones, at times that need not be even; none is kept."""
    av, rng = needs("av"), np.random.default_rng(3)
    monkeypatch.setattr("czictypes.exchange.pixel_view._MOST_BYTES", 1)
    monkeypatch.setattr("czictypes.exchange.pixel_view._FEWEST", 1)
    times = np.cumsum(np.full(40, 40) if is_regular else rng.integers(10, 90, 40)).tolist()
    with av.open(str(tmp_path / name), "w") as file:
        stream = file.add_stream(codec, rate=25, width=64, height=48, pix_fmt="yuv420p")
        stream.codec_context.gop_size = 8
        stream.codec_context.time_base = Fraction(1, 1000) if not is_regular else Fraction(1, 25)
        if codec != "libvpx":
            stream.codec_context.max_b_frames = 2
        for time in times:
            pixels = rng.integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            if is_regular:
                frame.pts, frame.time_base = time // 40, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    pixels = iio.imread(tmp_path / name, plugin="pyav")
    with open_image(tmp_path / name) as image:
        assert image.sizes["T"] == 40
        for at in [*range(39, -1, -1), *rng.permutation(40).tolist(), 7, 8, 7]:
            found = image.get_image_data("YXS", T=at)
            np.testing.assert_array_equal(found, pixels[at])


def test_a_video_becomes_a_czi(tmp_path: Path) -> None:
    video("mpeg4")(tmp_path / "in.avi")
    convert(tmp_path / "in.avi", tmp_path / "out.czi")
    with open_image(tmp_path / "out.czi") as image:
        pixels = iio.imread(tmp_path / "in.avi", plugin="pyav")
        np.testing.assert_array_equal(image.get_image_data("TYXS"), pixels)
        assert image.time_interval is not None
        assert image.time_interval.total_seconds() == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.fits", "in.dcm"])
def test_a_file_object_without_a_name_is_known_by_its_bytes(tmp_path: Path, name: str) -> None:
    write, _, axes = KINDS[name]
    write(tmp_path / name)
    with open_image(io.BytesIO((tmp_path / name).read_bytes())) as image:
        found = image.get_image_data(axes)
    with open_image(tmp_path / name) as image:
        np.testing.assert_array_equal(found, image.get_image_data(axes))


def test_each_image_of_a_fits_is_a_scene(tmp_path: Path) -> None:
    astropy = needs("astropy.io.fits")
    units = [astropy.PrimaryHDU(), astropy.ImageHDU(STACK[0]), astropy.ImageHDU(STACK * 0.5)]
    astropy.HDUList(units).writeto(tmp_path / "in.fits")
    with open_image(tmp_path / "in.fits", 1) as image:
        assert image.scenes == ("Image:0", "Image:1")
        np.testing.assert_array_equal(image.get_image_data("ZYX"), STACK * 0.5)


def test_no_program_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of imageio, some plug-ins start ffmpeg, dcmdjpeg or gdcmconv; of Pillow, one gs."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError(f"{arguments} is started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setitem(sys.modules, "av", None)
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 30 30\n"
    others = {
        "in.eps": page,
        "in.ps": page,
        "in.wmv": b"0&\xb2u\x8ef\xcf\x11",
        "in.exr": b"v/1\x01",
    }
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises((UnsupportedDataError, MissingExtraError), match=rf"in\{name[2:]}"):
            open_image(tmp_path / name)


def test_a_video_opens_no_other_file(tmp_path: Path) -> None:
    needs("av")
    video("mpeg2video")(tmp_path / "secret.ts")
    listed = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\n{}\n#EXT-X-ENDLIST\n"
    for name in ("in.mp4", "in.ts"):
        for place in ("secret.ts", (tmp_path / "secret.ts").as_uri()):
            for text in (listed.format(place), f"ffconcat version 1.0\nfile {place}\n"):
                (tmp_path / name).write_text(text)
                with pytest.raises(UnsupportedDataError, match="pyav cannot read"):
                    open_image(tmp_path / name)


def test_the_package_that_would_read_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "in.mp4").write_bytes(b"anything")
    with pytest.raises(MissingExtraError, match=r"imageio reads \.mp4 .*: pip install av"):
        open_image(tmp_path / "in.mp4")


@pytest.mark.parametrize("name", ["in.mp4", "in.spe", "in.fits", "in.nrrd", "in.dcm"])
def test_what_cannot_be_read_is_told_in_the_words_of_the_plug_in(tmp_path: Path, name: str) -> None:
    for module in ("av", "astropy", "SimpleITK", "pydicom"):
        needs(module)
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(
        UnsupportedDataError, match=rf"plug-in {KINDS[name][1]} cannot read .*{name}"
    ):
        open_image(tmp_path / name)


def test_a_damaged_video_is_told_without_credentials(tmp_path: Path) -> None:
    """The errors of PyAV have a filename that cannot be changed."""
    needs("av")
    (tmp_path / "in.exr").write_bytes(b"anything")
    with pytest.raises(CorruptFileError, match=r"frame 0 of .*in\.exr is damaged"):
        open_image(tmp_path / "in.exr")


def test_a_file_object_of_an_unknown_format_is_refused() -> None:
    with pytest.raises((UnsupportedDataError, MissingExtraError), match=r"file object|bioio"):
        open_image(io.BytesIO(b"anything"))


def test_pixels_that_a_small_file_cannot_hold_are_refused(tmp_path: Path) -> None:
    spe(tmp_path / "in.spe", 1, 65_535, 65_535)
    head = {"SIMPLE": "T", "BITPIX": "16", "NAXIS": "2", "NAXIS1": "900000", "NAXIS2": "900000"}
    text = "".join(f"{name:8}= {value:>20}".ljust(80) for name, value in head.items()) + "END"
    needs("astropy")
    (tmp_path / "in.fits").write_bytes(text.ljust(2880).encode() + bytes(2880))
    needs("SimpleITK")
    text = "NRRD0004\ntype: ushort\ndimension: 2\nsizes: 900000 900000\nencoding: gzip\n\n"
    (tmp_path / "in.nrrd").write_bytes(text.encode() + bytes(100))
    for name in ("in.spe", "in.fits", "in.nrrd"):
        with pytest.raises(UnsupportedDataError, match=name):
            open_image(tmp_path / name)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.mp4"):
        open_image(tmp_path / "no.mp4")
