"""Movies: the planes along a dimension as GIF or MP4."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import frees_at_once, needs

from czictypes import CziImage, czi, write_movie
from czictypes.exchange import movie as movies
from czictypes.exchange.panels import time_texts
from czictypes.model.errors import (
    InvalidArgumentError,
    MissingExtraError,
    OutOfBoundsError,
    UnsupportedDataError,
)

LIMITS = (0, 4000)
PLAIN: dict[str, Any] = {"labels": False, "scale_bar": False, "contrast": LIMITS}
COLORS = {"channel_names": ["DAPI", "GFP"], "channel_colors": ["#FF0000", "#00FF00"]}


def written(
    path: Path, axes: str, *sizes: int, side: tuple[int, int] = (40, 60), **how: Any
) -> Path:
    """Write smooth pictures that differ."""
    y, x = np.indices(side)
    planes = [
        2000 + 1900 * np.sin((x + 3 * at) / 9) * np.cos((y - at) / 7)
        for at in range(int(np.prod(sizes)))
    ]
    pixels = np.array(planes).reshape(*sizes, *side).astype("u2")
    czi.imwrite(path, pixels, axes, pixel_size=(1e-6, 1e-6, 2e-6), **how)
    return path


def frames_of(path: Path) -> tuple[list[Any], list[int]]:
    """Return the frames of a GIF and how many milliseconds each is shown."""
    with needs("PIL.Image", "cli").open(path) as opened:
        assert opened.info["loop"] == 0
        frames, durations = [], []
        for at in range(opened.n_frames):
            opened.seek(at)
            frames.append(np.array(opened.convert("RGB")))
            durations.append(opened.info["duration"])
    return frames, durations


def test_a_gif_has_a_frame_for_each_time(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    path = written(tmp_path / "times.czi", "TYX", 5)
    done = write_movie(path, tmp_path / "out.gif", fps=8, size=60, **PLAIN)
    assert done == (60, 40, 5, 8.0, "T")
    frames, durations = frames_of(tmp_path / "out.gif")
    with CziImage(path) as image:
        expected = [image.to_rgb(T=t, contrast=LIMITS) for t in range(5)]
    assert np.array_equal(frames, expected)
    assert (sum(durations), set(durations)) == (620, {120, 130})  # hundredths, an eighth together


def test_a_gif_has_the_colours_of_the_channels(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    path = written(tmp_path / "colours.czi", "TCYX", 3, 2, **COLORS)
    write_movie(path, tmp_path / "out.gif", size=60, **PLAIN)
    frames, _ = frames_of(tmp_path / "out.gif")
    with CziImage(path) as image:
        for t, frame in enumerate(frames):
            expected = image.to_rgb(T=t, contrast=LIMITS).astype(int)
            assert abs(expected - frame).mean() < 5


@pytest.mark.parametrize("side", [(40, 60), (41, 63)])
def test_an_mp4_has_a_frame_for_each_time(tmp_path: Path, side: tuple[int, int]) -> None:
    needs("PIL.Image", "cli")
    av = needs("av", "movie")
    path = written(tmp_path / "colours.czi", "TCYX", 6, 2, side=side, **COLORS)
    write_movie(path, tmp_path / "out.mp4", fps=12.5, size=side[1], **PLAIN)
    with av.open(str(tmp_path / "out.mp4")) as opened:
        track = opened.streams.video[0]
        assert (track.average_rate, track.codec_context.name) == (Fraction(25, 2), "h264")
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert (len(frames), frames[0].shape) == (6, (side[0] + side[0] % 2, side[1] + side[1] % 2, 3))
    with CziImage(path) as image:
        for t, frame in enumerate(frames):
            expected = image.to_rgb(T=t, contrast=LIMITS).astype(int)
            assert abs(expected - frame[: side[0], : side[1]]).mean() < 12


@pytest.mark.parametrize(
    ("sizes", "options", "along", "count"),
    [
        ({"T": 3, "Z": 4}, {}, "T", 3),
        ({"T": 1, "Z": 4}, {}, "Z", 4),
        ({"T": 3, "Z": 4}, {"along": "Z", "plane": {"T": 2}}, "Z", 4),
        ({"T": 3, "Z": 4}, {"plane": {"T": 2}}, "Z", 4),
        ({"T": 9, "Z": 1}, {"plane": {"T": range(0, 9, 2)}}, "T", 5),
        ({"H": 3, "T": 1}, {}, "H", 3),
        ({"C": 3, "T": 1}, {"along": "C"}, "C", 3),
    ],
)
def test_it_goes_along_the_dimension_with_places(
    tmp_path: Path, sizes: dict[str, int], options: dict[str, Any], along: str, count: int
) -> None:
    needs("PIL.Image", "cli")
    path = written(tmp_path / "a.czi", "".join(sizes) + "YX", *sizes.values())
    done = write_movie(path, tmp_path / "out.gif", size=60, **PLAIN, **options)
    assert (done.along, done.frames) == (along, count)
    frames, _ = frames_of(tmp_path / "out.gif")
    with CziImage(path) as image:
        places = options.get("plane", {}).get(along, range(count))
        fixed = {"T": 2} if along == "Z" and sizes["T"] > 1 else {}
        for frame, at in zip(frames, places):
            expected = image.to_rgb(**fixed, **{along: at}, contrast=LIMITS).astype(int)
            assert abs(expected - frame).mean() < 5


def test_all_frames_have_one_contrast(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    ramp = np.linspace(1, 100, 2400).reshape(40, 60)
    pixels = np.stack([ramp, 40 * ramp, ramp]).astype("f4")
    czi.imwrite(tmp_path / "flash.czi", pixels, "TYX")
    options = {**PLAIN, "contrast": "auto"}
    write_movie(tmp_path / "flash.czi", tmp_path / "out.gif", size=60, **options)
    first, flash, last = frames_of(tmp_path / "out.gif")[0]
    assert (first.max() < 20, flash.max(), np.array_equal(first, last)) == (True, 255, True)


def test_frames_have_a_time_and_a_scale_bar(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    pixels = np.full((2, 150, 200), 9, "u1")
    czi.imwrite(tmp_path / "a.czi", pixels, "TYX", pixel_size=(1e-6, 1e-6), times=[0.0, 7.5])
    write_movie(tmp_path / "a.czi", tmp_path / "out.gif", contrast=(0, 255), scale_bar=60, size=200)
    first, second = frames_of(tmp_path / "out.gif")[0]
    changed = (first != second).any(-1)
    assert changed[:20, :60].any()
    assert not changed[20:].any()
    assert (second[100:] == 255).all(-1).sum(1).max() == 60  # pixels of 1 um


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ([10.0, 12.0, 14.0], ["0.0 s", "2.0 s", "4.0 s"]),
        ([0.0, 0.05, 0.1], ["0.00 s", "0.05 s", "0.10 s"]),
        ([0.0, 59.999, 3000.0], ["0:00 min", "1:00 min", "50:00 min"]),
        ([0.0, 0.5, 100.0], ["0:00.0 min", "0:00.5 min", "1:40.0 min"]),
        ([0.0, 3600.0, 90000.0], ["0:00:00 h", "1:00:00 h", "25:00:00 h"]),
        ([0.0, float("nan"), 2.0], ["0.0 s", "", "2.0 s"]),
        ([float("nan")], [""]),
    ],
)
def test_times_are_as_exact_as_they_need(times: list[float], shown: list[str]) -> None:
    assert time_texts(times, range(len(times))) == shown


def test_short_movies_last_two_seconds(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    path = written(tmp_path / "times.czi", "TYX", 3)
    assert write_movie(path, tmp_path / "short.gif").fps == 1.5
    path = written(tmp_path / "longer.czi", "TYX", 30)
    assert write_movie(path, tmp_path / "longer.gif").fps == 10


def test_stacks_are_projected(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    path = written(tmp_path / "stack.czi", "TZYX", 2, 3)
    write_movie(path, tmp_path / "out.gif", project="max", size=60, **PLAIN)
    with CziImage(path) as image:
        highest = np.clip(image.data[:, 0].max(axis=1) / 4000, 0, 1) * 255
    for frame, expected in zip(frames_of(tmp_path / "out.gif")[0], highest):
        np.testing.assert_allclose(frame[..., 0], expected, atol=1)


def test_the_scene_of_an_open_image_is_shown(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    with czi.create_czi(tmp_path / "scenes.czi") as writer:
        for t in range(2):
            writer.write(np.full((30, 30), 1000, "u2"), (0, 0), {"T": t}, scene=0)
            writer.write(np.full((20, 50), 4000, "u2"), (100, 0), {"T": t}, scene=1)
    with CziImage(tmp_path / "scenes.czi") as image:
        write_movie(image.scene(1), tmp_path / "view.gif", size=50, **PLAIN)
        write_movie(image, tmp_path / "named.gif", scene=1, size=50, **PLAIN)
        assert not image.closed
    for name in ("view.gif", "named.gif"):
        frames, _ = frames_of(tmp_path / name)
        assert (frames[0].shape, int(frames[0].min())) == ((20, 50, 3), 255)


@frees_at_once
def test_one_frame_is_in_memory_at_a_time(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    pytest.importorskip("_tracemalloc", reason="PyPy cannot trace memory: run it on CPython")
    import tracemalloc

    frame, count = np.random.default_rng(1).integers(0, 255, (300, 300), dtype="u1"), 60

    def frames() -> Any:
        for at in range(count):
            yield np.dstack([np.roll(frame, at)] * 3)

    with (tmp_path / "out.gif").open("wb") as stream:
        tracemalloc.start()
        movies._write_gif(stream, frames(), (300, 300), Fraction(10))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < 15 * 3 * frame.nbytes < count * frame.nbytes
    assert len(frames_of(tmp_path / "out.gif")[0]) == count


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"along": "H"}, InvalidArgumentError, "none of T, C, Z"),
        ({"along": "C"}, InvalidArgumentError, "one picture only along C"),
        ({"plane": {"Z": [0, 1]}}, InvalidArgumentError, "several places along Z"),
        ({"plane": {"T": 0, "Z": 0}}, InvalidArgumentError, "one picture only"),
        ({"fps": 100}, InvalidArgumentError, "0.01 to 50"),
        ({"fps": 0}, InvalidArgumentError, "fps=0"),
        ({"fps": "fast"}, InvalidArgumentError, "fps='fast'"),
        ({"scene": "B7"}, OutOfBoundsError, "B7"),
        ({"size": 30_000}, UnsupportedDataError, "give size="),
    ],
)
def test_what_cannot_be_shown_is_refused(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    needs("PIL.Image", "cli")
    path = written(tmp_path / "stack.czi", "TZYX", 2, 3)
    with pytest.raises(error, match=said):
        write_movie(path, tmp_path / "out.gif", **options)
    assert not (tmp_path / "out.gif").exists()


def test_other_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"out\.avi: a movie is a \.gif or an \.mp4"):
        write_movie("none.czi", tmp_path / "out.avi")


def test_a_movie_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    path = written(tmp_path / "times.czi", "TYX", 3)
    (tmp_path / "out.gif").write_bytes(b"mine")

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_movie(path, tmp_path / "out.gif", overwrite=True, progress=stop)
    assert (tmp_path / "out.gif").read_bytes() == b"mine"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out.gif", "times.czi"]


def test_an_mp4_needs_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    path = written(tmp_path / "times.czi", "TYX", 3)
    with pytest.raises(MissingExtraError, match=r"czictypes\[movie\]"):
        write_movie(path, tmp_path / "out.mp4")


@pytest.mark.parametrize("side", [(1, 3000), (3000, 1), (2, 3)])
def test_lines_and_tiny_images_are_shown(tmp_path: Path, side: tuple[int, int]) -> None:
    needs("PIL.Image", "cli")
    path = written(tmp_path / "times.czi", "TYX", 3, side=side)
    done = write_movie(path, tmp_path / "out.gif", size=300, contrast="auto")
    assert (done.width, done.height, done.frames) == {
        (1, 3000): (300, 1, 3), (3000, 1): (1, 300, 3), (2, 3): (300, 200, 3),
    }[side]  # fmt: skip
    assert len(frames_of(tmp_path / "out.gif")[0]) == 3
