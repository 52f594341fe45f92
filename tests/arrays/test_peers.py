"""Every real file has the dimensions and the pixels that bioio-czi gives, where it gives any.

Differences that are meant: it gives colours as blue, green, red; our arrays always have T, C and Z,
and dimensions of the size 1 do not count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs

from czictypes import CziImage

pytestmark = [
    # deprecated calls of the peer's own, and of what it imports
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


#: It gives nothing of files whose metadata tell no scene or no scaling; those of `tiles` read more.
UNREADABLE = {
    False: ["100x100.czi", "CellDivision_T3_Z5_CH2_X240_Y170_comp1.czi", "DAPI_GFP.czi"],
    True: ["DAPI_GFP.czi"],
}


def peer(path: Path, *, tiles: bool) -> Any:
    """Open a file with bioio-czi; skip what it cannot describe."""
    if path.name in UNREADABLE[tiles]:
        pytest.skip(f"bioio-czi raises UnsupportedMetadataError for {path.name}")
    return needs("bioio_czi").Reader(path, use_aicspylibczi=tiles)


@pytest.mark.parametrize("tiles", [False, True])
def test_scenes_dimensions_and_pixels(every_real_file: Path, tiles: bool) -> None:
    theirs = peer(every_real_file, tiles=tiles)
    with CziImage(every_real_file, mosaic=not tiles) as image:
        assert len(image.scenes) == len(theirs.scenes)
        for index in range(len(image.scenes)):
            image.set_scene(index)
            theirs.set_scene(index)
            expected = theirs.xarray_data
            theirs_of = dict(zip(expected.dims, expected.shape))
            for name in {*theirs_of, *image.dims}:
                assert image.sizes.get(name, 1) == theirs_of.get(name, 1), name
            assert expected.dtype == image.dtype
            pixels = expected.data[..., ::-1] if "S" in image.dims else expected.data
            found = image.get_image_data("".join(expected.dims))
            np.testing.assert_array_equal(found, pixels)
