"""What bioio-czi says of real files is what an image says, where bioio-czi can say it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from extras import needs

from czictypes import CziImage

pytestmark = [
    # deprecated calls of the peer's own, and of what it imports
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CELLS = "CellDivision_T3_Z5_CH2_X240_Y170.czi"
SCENES = "S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi"
#: Not those without a scale, of which it reads nothing, or a size of 0.
SCALED = [CELLS, SCENES, "100x100.czi", "LLS7_small.czi", "WellD6_S1.czi", "mosaic_test.czi"]

RealFile = Callable[[str], Path]


def peer_of(path: Path) -> Any:
    return needs("bioio_czi").Reader(path, use_aicspylibczi=True)


@pytest.mark.parametrize("name", [*SCALED, "nuc_small.czi", "RGB-8bit.czi"])
def test_pixel_sizes(real_file: RealFile, name: str) -> None:
    with CziImage(real_file(name)) as image:
        theirs = tuple(peer_of(real_file(name)).physical_pixel_sizes)
        assert image.physical_pixel_sizes == pytest.approx(theirs)


@pytest.mark.parametrize("name", [*SCALED, "nuc_small.czi"])
def test_channel_names(real_file: RealFile, name: str) -> None:
    with CziImage(real_file(name)) as image:
        assert image.channel_names == list(map(str, peer_of(real_file(name)).channel_names))


@pytest.mark.parametrize("name", [CELLS, SCENES])
def test_time_interval(real_file: RealFile, name: str) -> None:
    with CziImage(real_file(name)) as image:
        ours = image.time_interval
    theirs = peer_of(real_file(name)).time_interval
    assert ours is not None
    # theirs is that of the first tiles, ours that of the time stamps
    assert ours.total_seconds() == pytest.approx(theirs.total_seconds(), rel=2e-3)


@pytest.mark.parametrize("name", [*SCALED, "nuc_small.czi"])
def test_wells_and_dates(real_file: RealFile, name: str) -> None:
    theirs = peer_of(real_file(name)).standard_metadata
    with CziImage(real_file(name)) as image:
        well, date = image.well, image.acquisition_date
    place = (None, None) if well is None else (str(well.row), str(well.column))
    assert (theirs.row, theirs.column) == place
    if theirs.objective is not None:  # it has no date either where there is no objective
        assert theirs.imaging_datetime == date
