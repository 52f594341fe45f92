"""OME objects made of values, sound ones and others."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from extras import needs
from hypothesis import given, settings
from hypothesis import strategies as st

from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import DocumentInfo, Objective
from czictypes.metadata.ome_document import build_ome
from czictypes.metadata.ome_facts import DocumentFacts, ImageFacts, PlaneFacts, Sizes
from czictypes.metadata.scenes import Plate, SceneInfo, Well
from czictypes.model.errors import MetadataWarning, UnsupportedDataError
from czictypes.model.options import Rgb8Color

model = needs("ome_types.model", "ome")
needs("lxml")


def image(**more: Any) -> ImageFacts:
    """Return an image of one channel."""
    fields: dict[str, Any] = {"sizes": Sizes(5, 4, 3, 1, 2), "channel_names": ["A"], **more}
    return ImageFacts(**{"name": "scene", "dtype": np.dtype("u2"), **fields})


def written(facts: DocumentFacts) -> Any:
    """Return the OME of some facts, which the schema must allow."""
    from ome_types import validate_xml

    ome = build_ome(facts)
    validate_xml(ome.to_xml())
    return ome


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        ("u1", "uint8"),
        ("u2", "uint16"),
        ("u4", "uint32"),
        ("f4", "float"),
        ("f8", "double"),
        ("c8", "complex"),
        ("c16", "double-complex"),
    ],
)
def test_pixel_types(dtype: str, name: str) -> None:
    ome = written(DocumentFacts(images=[image(dtype=np.dtype(dtype))]))
    assert ome.images[0].pixels.type.value == name


def test_a_colour_image_counts_samples_as_channels() -> None:
    sizes = Sizes(5, 4, 1, 2, 1)
    facts = image(samples=3, sizes=sizes, channel_names=["A", "B"])
    pixels = written(DocumentFacts(images=[facts])).images[0].pixels
    assert (pixels.size_c, len(pixels.channels), pixels.interleaved) == (6, 2, True)


def test_what_ome_has_no_name_for_is_other() -> None:
    channel = ChannelInfo(
        0,
        acquisition_mode="LatticeLightsheet",
        contrast_method="fluorescence",
        illumination_type="?",
        detector="camera",
        binning="3,3",
    )
    ome = written(
        DocumentFacts(
            DocumentInfo(microscope_type="Sideways", objective=Objective(immersion="Honey")),
            images=[image(channels=[channel])],
        )
    )
    (found,) = ome.images[0].pixels.channels
    assert found.acquisition_mode.value == "Other"
    assert found.contrast_method.value == "Fluorescence"
    assert found.illumination_type.value == "Other"
    assert found.detector_settings.binning.value == "Other"
    assert ome.instruments[0].microscope.type.value == "Other"
    assert ome.instruments[0].objectives[0].immersion.value == "Other"


@pytest.mark.parametrize(
    ("channel", "field"),
    [
        (ChannelInfo(0, excitation_wavelength=-488.0), "excitation_wavelength"),
        (ChannelInfo(0, emission_wavelength=1e-60), "emission_wavelength"),
        (ChannelInfo(0, component_bit_count=99), "ComponentBitCount"),
    ],
)
def test_what_the_schema_does_not_allow_is_left_out_with_a_warning(
    channel: ChannelInfo, field: str
) -> None:
    with pytest.warns(MetadataWarning, match=f"{field} of .* which OME does not allow"):
        ome = build_ome(DocumentFacts(images=[image(channels=[channel])]))
    pixels = ome.images[0].pixels
    assert pixels.channels[0].name == "A"
    assert pixels.channels[0].excitation_wavelength is None
    assert pixels.significant_bits is None


def test_an_image_that_is_too_large_for_ome_is_refused_in_words() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetadataWarning)
        with pytest.raises(UnsupportedDataError, match="cannot describe the pixels of 'scene'"):
            build_ome(DocumentFacts(images=[image(sizes=Sizes(2**31, 4, 1, 1, 1))]))


def test_dates_are_in_utc() -> None:
    date = datetime(2024, 5, 6, 1, 0, tzinfo=timezone(timedelta(hours=-23)))
    ome = written(DocumentFacts(DocumentInfo(acquisition_date=date), images=[image()]))
    assert ome.images[0].acquisition_date == datetime(2024, 5, 7, tzinfo=timezone.utc)


def test_text_that_xml_cannot_store_is_replaced() -> None:
    facts = image(name="a\x00b\ud800")
    assert written(DocumentFacts(images=[facts])).images[0].name == "a\ufffdb\ufffd"


def test_a_plate_is_as_large_as_its_wells_need() -> None:
    scene = SceneInfo(0, well=Well("C4", 3, 4))
    (plate,) = written(DocumentFacts(plate=Plate("p", 2, 2), images=[image(scene=scene)])).plates
    assert (plate.rows, plate.columns) == (3, 4)


def test_planes_leave_out_what_is_unknown() -> None:
    nothing, one = np.array([np.nan]), np.array([1.5])
    planes = PlaneFacts(
        np.array([2]), np.array([0]), np.array([1]), one, nothing, nothing, one, nothing
    )
    (plane,) = written(DocumentFacts(images=[image(planes=planes)])).images[0].pixels.planes
    assert (plane.the_z, plane.the_t, plane.delta_t) == (2, 1, 1.5)
    assert (plane.exposure_time, plane.position_x, plane.position_y) == (None, None, 1.5)


NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.none() | st.integers(-(2**70), 2**70)
TEXT = st.none() | st.text(max_size=8)
DATES = st.none() | st.datetimes(timezones=st.none() | st.timezones())
CHANNELS = st.builds(
    ChannelInfo,
    st.just(0),
    color=st.none() | st.builds(Rgb8Color, *[st.integers(0, 255)] * 3),
    component_bit_count=WHOLE,
    excitation_wavelength=NUMBERS,
    emission_wavelength=NUMBERS,
    dye=TEXT,
    acquisition_mode=TEXT,
    detector=TEXT,
    binning=TEXT,
)
OBJECTIVES = st.builds(
    Objective, st.just(None), TEXT, NUMBERS, NUMBERS, TEXT, NUMBERS, NUMBERS
)  # fmt: skip
WELLS = st.none() | st.builds(Well, TEXT, WHOLE, WHOLE)
SCENES = st.builds(
    SceneInfo, st.just(0), TEXT, st.none() | st.tuples(*[st.floats(-1e300, 1e300)] * 2), well=WELLS
)


@settings(max_examples=60)
@given(
    channel=CHANNELS,
    objective=st.none() | OBJECTIVES,
    scene=SCENES,
    date=DATES,
    texts=st.tuples(*[TEXT] * 4),
    pixel=st.tuples(*[NUMBERS] * 3),
    interval=NUMBERS,
    plate=st.none() | st.builds(Plate, TEXT, st.integers(1, 2**40), st.integers(1, 2**40)),
)
def test_any_values_give_what_the_schema_allows(
    channel: ChannelInfo,
    objective: Objective | None,
    scene: SceneInfo,
    date: datetime | None,
    texts: tuple[str | None, ...],
    pixel: Any,
    interval: float | None,
    plate: Plate | None,
) -> None:
    info = DocumentInfo(
        acquisition_date=date,
        objective=objective,
        description=texts[0],
        microscope=texts[1],
        microscope_type=texts[2],
    )
    one = image(
        name=texts[3] or "x", channels=[channel], scene=scene, pixel=pixel, interval=interval
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", MetadataWarning)
        ome = written(DocumentFacts(info, plate, [one, one]))
    assert [len(found.pixels.channels) for found in ome.images] == [1, 1]
