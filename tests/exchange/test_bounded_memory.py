"""Large files of other formats are read in memory that does not grow with them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from extras import needs

#: Reads all planes of a file, and prints how much memory that took beyond a first plane.
SCRIPT = """
import sys
from pathlib import Path
from czictypes import open_image

def most():  # unlike ru_maxrss, of this process alone
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10

path, how = sys.argv[1:]
with open_image(path) as image:
    planes = [axis for axis in "TZ" if image.sizes[axis] > 1]
    image.read_block({planes[0]: 0})
    count = image.sizes[planes[0]]
    before = most()
    if how == "plane":
        for at in range(count):
            total = int(image.read_block({planes[0]: at}).max())
    else:
        total = int(image.dask_data.max().compute(num_workers=4))
print(most() - before)
"""
PLANES = 512


def tiff(path: Path) -> None:
    """Write 2 GiB, most of it a hole."""
    made = needs("tifffile", "ome-tiff").memmap(
        path, shape=(PLANES, 1024, 2048), dtype=np.uint16, bigtiff=True, photometric="minisblack"
    )
    made[::100, 5] = 7


def packed_tiff(path: Path) -> None:
    pixels = np.arange(1024 * 1024, dtype=np.uint16).reshape(1024, 1024)
    planes, shape = (pixels for _ in range(160)), (160, 1024, 1024)
    tifffile = needs("tifffile", "ome-tiff")
    tifffile.imwrite(path, planes, shape=shape, dtype=np.uint16, compression="zlib", bigtiff=True)


def gif(path: Path) -> None:
    pictures = needs("PIL.Image", "cli")
    frames = [pictures.new("P", (1000, 1000), at) for at in range(120)]
    for at, frame in enumerate(frames):
        frame.putpalette([*range(256)] * 3)
        frame.putpixel((at, at), 255)
    frames[0].save(path, save_all=True, append_images=frames[1:], optimize=False)


def video(path: Path) -> None:
    needs("av")
    frame = np.zeros((480, 640, 3), np.uint8)
    with needs("imageio.v3", "imageio").imopen(path, "w", plugin="pyav") as file:
        file.init_video_stream("mpeg4", fps=25)
        for at in range(400):
            file.write_frame(frame + np.uint8(at % 200))


WRITERS: dict[str, Callable[[Path], None]] = {
    "in.tif": tiff, "packed.tif": packed_tiff, "in.gif": gif, "in.avi": video
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own count is Linux's")
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("in.tif", "plane"), ("in.tif", "dask"), ("packed.tif", "dask"), ("in.gif", "dask"),
        ("in.avi", "dask"),
    ],
)  # fmt: skip
def test_all_planes_are_read_in_the_memory_of_few(tmp_path: Path, name: str, how: str) -> None:
    needs("dask.array", "dask")
    WRITERS[name](tmp_path / name)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / name), how]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 256 << 20  # of 320 MiB to 2 GiB
