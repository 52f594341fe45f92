"""libCZI reads the same values from the XML of real files."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from libczi.oracle import FullReader

from czictypes.libczi.bitmap import composition_channel
from czictypes.libczi.streams import InputStream
from czictypes.metadata.channels import display_settings
from czictypes.metadata.document_info import general_document_info, scaling
from czictypes.model.options import TintingMode


@contextmanager
def opinion(path):
    stream = InputStream.from_path(path)
    with FullReader.open(stream) as reader, reader.metadata_segment() as segment:
        with segment.document_info() as info:
            yield info


def test_general_document_info(any_real):
    with opinion(any_real.path) as info:
        theirs = info.general()
    ours = vars(general_document_info(any_real.xml))
    assert {name: value for name, value in ours.items() if value is not None} == theirs


def test_scaling(any_real):
    with opinion(any_real.path) as info:
        theirs = info.scaling()
    # A scale of 0 says nothing, so here it is None.
    assert scaling(any_real.xml) == tuple(value or None for value in theirs)


def test_display_settings(any_real):
    ours = display_settings(any_real.xml)
    with opinion(any_real.path) as info:
        handle = info.display_settings()
        if handle is None:
            assert ours == {}
            return
        with handle:
            assert sorted(ours) == list(range(handle.channel_count))
            for index, setting in ours.items():
                assert_same(setting, composition_channel(handle, index, sixteen_bit=True))


def assert_same(setting, theirs):
    assert (theirs.weight > 0) == setting.is_enabled
    if not setting.is_enabled:
        return  # libCZI tells nothing else of a channel that is not shown
    color = setting.tinting_color
    tinted = setting.tinting_mode is TintingMode.Color
    assert theirs.tinting == ((color.r, color.g, color.b) if tinted else None)
    assert theirs.black_point == pytest.approx(setting.black_point, abs=1e-7)
    assert theirs.white_point == pytest.approx(setting.white_point, abs=1e-7)
