"""The bioio reader: bioio_base's own checks, and the same pixels as bioio-czi."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from container.czi_bytes import Tile, build_parts
from described import image_xml, write_described
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.recipes import Made
from files.xml import subblock_xml

from czictypes import czi
from czictypes.arrays.image import CziImage

needs("bioio_base", "bioio")
checks = needs("bioio_base.test_utilities", "bioio")
exceptions = needs("bioio_base.exceptions", "bioio")
plugin = needs("czictypes.plugins.bioio", "bioio")
Reader = plugin.Reader

TR1 = ("TR1", "P1", "TR2")
UM = 1.0833333333333333


@pytest.mark.parametrize(
    ("name", "scene", "scenes", "shape", "dtype", "order", "channels", "sizes"),
    [
        ("mosaic_test.czi", "TR1", ("TR1",), (1, 1, 1, 2, 624, 924), "uint16", "TCZMYX",
         ["EGFP"], (1.0, UM, UM)),
        ("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi", "P1", TR1, (2, 2, 3, 1, 64, 64), "uint16", "TCZMYX",
         ["DAPI", "EGFP"], (1.0, 1.6, 1.6)),
        ("RGB-8bit.czi", "Image:0", ("Image:0",), (1, 1, 1, 624, 924, 3), "uint8", "TCZYXS",
         None, (None, UM, UM)),
    ],
    ids=["mosaic", "scenes", "colour"],
)  # fmt: skip
def test_bioio_checks_pass_on_real_files(
    real_file: Callable[[str], Path],
    name: str,
    scene: str,
    scenes: tuple[str, ...],
    shape: tuple[int, ...],
    dtype: str,
    order: str,
    channels: list[str] | None,
    sizes: tuple[float | None, float | None, float | None],
) -> None:
    checks.run_image_file_checks(
        Reader,
        real_file(name),
        set_scene=scene,
        expected_scenes=scenes,
        expected_current_scene=scene,
        expected_shape=shape,
        expected_dtype=np.dtype(dtype),
        expected_dims_order=order,
        expected_channel_names=channels,
        expected_physical_pixel_sizes=sizes,
        expected_metadata_type=ET.Element,
    )


@pytest.mark.parametrize(("level", "shape"), [(0, (1, 2, 1, 4, 32, 32)), (1, (1, 2, 1, 32, 32))])
def test_bioio_checks_pass_on_every_level(
    made: Callable[[str], Made], level: int, shape: tuple[int, ...]
) -> None:
    """Smaller levels are stitched."""
    checks.run_image_file_checks(
        Reader,
        made("multi_scene_pyramid").path,
        set_scene="Image:1",
        expected_scenes=("Image:0", "Image:1", "Image:2"),
        expected_current_scene="Image:1",
        expected_shape=shape,
        expected_dtype=np.dtype("uint16"),
        expected_dims_order="TCZMYX" if level == 0 else "TCZYX",
        expected_channel_names=["DAPI", "GFP"],
        expected_physical_pixel_sizes=(None, None, None),
        expected_metadata_type=ET.Element,
        set_resolution_level=level,
        expected_current_resolution_level=level,
        expected_resolution_levels=(0, 1, 2),
    )


def test_bioio_checks_pass_when_scenes_change(real_file: Callable[[str], Path]) -> None:
    checks.run_multi_scene_image_read_checks(
        Reader,
        real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi"),
        first_scene_id=0,
        first_scene_shape=(2, 2, 3, 10, 64, 64),
        first_scene_dtype=np.dtype("uint16"),
        second_scene_id="P1",
        second_scene_shape=(2, 2, 3, 1, 64, 64),
        second_scene_dtype=np.dtype("uint16"),
        allow_same_scene_data=False,
    )


def test_tiles_are_stitched_to_the_plane_of_the_file(
    real_file: Callable[[str], Path], tmp_path: Path
) -> None:
    """Compare with a file that holds the stitched image as one tile."""
    path = real_file("mosaic_test.czi")
    with CziImage(path) as image:
        czi.imwrite(tmp_path / "stitched.czi", image.asarray(), axes="TCZYX")
    checks.run_reader_mosaic_checks(
        Reader(path), Reader(tmp_path / "stitched.czi"), "TR1", "Image:0"
    )


@pytest.fixture
def in_memory(made: Callable[[str], Made]) -> Iterator[Callable[[str], str]]:
    """Give the URL of a copy in fsspec's file system in memory."""
    fs = needs("fsspec").filesystem("memory")

    def copied(name: str) -> str:
        fs.pipe(f"/bioio/{name}.czi", made(name).path.read_bytes())
        return f"memory://bioio/{name}.czi"

    yield copied
    fs.rm("/bioio", recursive=True)


def test_bioio_checks_pass_on_a_file_system_in_memory(
    in_memory: Callable[[str], str],
) -> None:
    checks.run_image_file_checks(
        Reader,
        in_memory("stack"),
        set_scene="Image:0",
        expected_scenes=("Image:0",),
        expected_current_scene="Image:0",
        expected_shape=(3, 2, 4, 15, 21),
        expected_dtype=np.dtype("uint16"),
        expected_dims_order="TCZYX",
        expected_channel_names=["A", "B"],
        expected_physical_pixel_sizes=(None, None, None),
        expected_metadata_type=ET.Element,
        reader_kwargs={},
    )


def test_a_document_elsewhere_is_opened_once(
    in_memory: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    real = plugin.CziReader
    monkeypatch.setattr(plugin, "CziReader", lambda *one, **more: opened.append(one) or real(*one))
    reader = Reader(in_memory("stack"))
    assert reader.shape == (3, 2, 4, 15, 21)
    assert reader.channel_names == ["A", "B"]
    assert reader.standard_metadata.image_size_z == 4
    assert reader.get_image_data("YX", T=1).shape == (15, 21)
    assert len(opened) == 1


def test_bioio_finds_the_pixels_of_bioio_czi(every_real_file: Path) -> None:
    """RGB is in the order red, green, blue here, in bioio-czi blue comes first."""
    bioio = needs("bioio")
    other = needs("bioio_czi")
    ours = bioio.BioImage(every_real_file, reader=Reader)
    theirs = bioio.BioImage(every_real_file, reader=other.Reader)
    assert ours.scenes == theirs.scenes
    if every_real_file.name == "DAPI_GFP.czi":  # bioio-czi needs a pixel size, but for parts
        where = {"C": 1, "Y": slice(30, 50)}
        parts = (image.reader.get_image_data("TYX", **where) for image in (ours, theirs))
        np.testing.assert_array_equal(*parts)
        return
    for scene in range(len(ours.scenes)):
        ours.set_scene(scene)
        theirs.set_scene(scene)
        assert ours.dims.order == theirs.dims.order
        expected = theirs.data
        if "S" in theirs.dims.order:
            expected = expected[..., ::-1]
        np.testing.assert_array_equal(ours.data, expected)


FIELDS = ("channel_names", "physical_pixel_sizes", "time_interval", "scale", "acquisition_times")


def test_bioio_finds_the_metadata_of_bioio_czi(every_real_file: Path) -> None:
    """What bioio-czi tells, without the axes of size 1 that are always there here."""
    other = needs("bioio_czi")
    ours, theirs = Reader(every_real_file), other.Reader(every_real_file)
    assert ours.scenes == theirs.scenes
    for scene in theirs.scenes:
        ours.set_scene(scene)
        theirs.set_scene(scene)
        assert theirs.acquisition_times == ours.acquisition_times
        if every_real_file.name == "DAPI_GFP.czi":
            continue  # bioio-czi reads no metadata without a pixel size
        if every_real_file.name.endswith("comp1.czi"):
            continue  # whose XML has sizes of 0 and names without a letter, which are none here
        if every_real_file.name != "LLS7_small.czi":  # whose time stamps bioio-czi does not read
            for name in FIELDS:
                assert getattr(ours, name) == getattr(theirs, name), name
        own, wanted = (reader.standard_metadata.to_dict() for reader in (ours, theirs))
        known = {name: value for name, value in wanted.items() if value is not None}
        del known["Dimensions Present"]
        assert {name: own[name] for name in known} == known


def test_a_colour_image_without_channels_has_no_names(real_file: Callable[[str], Path]) -> None:
    image = needs("bioio").BioImage(real_file("RGB-8bit.czi"), reader=Reader)
    before = image.channel_names
    assert image.xarray_dask_data.C.values.tolist() == before == ["Channel:0:0"]


def test_scenes_go_by_their_names_with_wells_and_without(
    real_file: Callable[[str], Path], tmp_path: Path
) -> None:
    reader = Reader(real_file("nuc_small.czi"))
    for name in ("P1-A1", "P1", 0):
        reader.set_scene(name)
        assert reader.current_scene == "P1-A1"
    with pytest.raises(IndexError, match="P2"):
        reader.set_scene("P2")
    wells = [czi.Well("D4", 3, 3), czi.Well("D4", 3, 3), czi.Well("B2", 1, 1)]
    scenes = [
        czi.SceneInfo(number, name=f"P{number + 1}", well=well) for number, well in enumerate(wells)
    ]
    with czi.create_czi(tmp_path / "plate.czi") as document:
        for number in range(3):
            document.write(
                np.full((4, 5), number, np.uint8), location=(9 * number, 0), scene=number
            )
        document.write_metadata(content=czi.DocumentContent(scenes=scenes))
    reader = Reader(tmp_path / "plate.czi")
    assert reader.scenes == ("P1-D4", "P2-D4", "P3-B2")
    for name, expected in (("P2", 1), ("P3-B2", 2), ("P1", 0)):
        reader.set_scene(name)
        assert reader.get_image_data("YX").max() == expected
        assert reader.standard_metadata.position_index == expected + 1


def test_arguments_of_bioio_czi(real_file: Callable[[str], Path]) -> None:
    path = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
    assert "M" in Reader(path, use_aicspylibczi=True).dims.order
    stitched = Reader(path, use_aicspylibczi=False)
    assert stitched.dims.order == "TCZYX"
    np.testing.assert_array_equal(stitched.data, Reader(path).mosaic_data)
    chunked = Reader(path, chunk_dims="zm").dask_data
    assert chunked.chunksize == (1, 1, 3, 10, 64, 64)
    with pytest.raises(TypeError, match="chunks or chunk_dims, not both"):
        Reader(path, chunks=3, chunk_dims="Z")
    with pytest.raises(TypeError, match="fs_kwargs"):
        Reader(path, stream_options={"timeout": 60})
    with pytest.raises(TypeError, match=r"no argument colour; .* it takes cache_options"):
        Reader(path, colour=3)


def test_the_only_scene_of_a_document_without_scenes_has_its_well(tmp_path: Path) -> None:
    xml = image_xml(
        dimensions='<S><Scenes><Scene Index="4" Name="P1"><Shape Name="A1">'
        "<RowIndex>1</RowIndex><ColumnIndex>1</ColumnIndex></Shape></Scene></Scenes></S>"
    )
    reader = Reader(write_described(tmp_path, xml))
    assert reader.scenes == ("P1-A1",)
    assert reader.standard_metadata.position_index == 1


def test_parts_of_a_document_elsewhere(tmp_path: Path) -> None:
    tiles = [Tile(w=4, h=4, coordinates={"T": t}, data=bytes([t + 1]) * 16) for t in range(2)]
    master, part = build_parts(tiles[:1], tiles[1:])
    elsewhere = part.write(tmp_path / "elsewhere.czi")
    reader = Reader(master.write(tmp_path / "scan.czi"), parts=[elsewhere])
    for data in (reader.data, reader.dask_data.compute(), reader.get_image_data("TCZYX")):
        np.testing.assert_array_equal(data[:, 0, 0, 0, 0], [1, 2])


@pytest.mark.parametrize("where", [{}, {"T": 1, "C": 0, "Z": 2}, {"M": 3, "T": 0}])
def test_metadata_of_sub_blocks(real_file: Callable[[str], Path], where: dict[str, int]) -> None:
    path, other = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi"), needs("bioio_czi")
    options = {"include_subblock_metadata": True}
    ours, theirs = Reader(path, **options), other.Reader(path, **options)
    found, expected = (reader.get_subblock_metadata(**where) for reader in (ours, theirs))
    assert ET.canonicalize(ET.tostring(found)) == ET.canonicalize(ET.tostring(expected))
    assert len(ours.get_subblock_metadata(T=5)) == 0
    assert [part.tag for part in ours.metadata] == ["Metadata", "Subblocks"]
    assert len(ours.metadata[1]) == len(theirs.metadata[1]) == 336
    with pytest.raises(ValueError, match="set_scene"):
        ours.get_subblock_metadata(S=1)


def test_a_sub_block_of_several_planes_tells_of_the_first(tmp_path: Path) -> None:
    blocks = [
        Block(
            np.zeros((4, 6), "u1"),
            plane={"T": start},
            payload=bytes(3 * 4 * 6),
            sizes={"T": 3},
            metadata=subblock_xml({"AcquisitionTime": f"2024-05-06T07:08:{at:02}Z"}),
        )
        for at, start in enumerate((0, 3))
    ]
    reader = Reader(write_czi(tmp_path / "lines.czi", blocks))
    assert [(one["T"], one["acquisition_time"].second) for one in reader.acquisition_times] == [
        (0, 0),
        (3, 1),
    ]
    assert [one.get("T") for one in reader.get_subblock_metadata(T=4)] == ["4"]
    assert len(reader.get_subblock_metadata()) == 2


def test_a_part_is_read_by_itself(real_file: Callable[[str], Path]) -> None:
    path = real_file("CellDivision_T3_Z5_CH2_X240_Y170.czi")
    whole = Reader(path).data
    reader = Reader(path)
    with mock.patch.object(Reader, "_read_immediate") as everything:
        part = reader.get_image_data("ZXY", C=1, T=2, Z=[4, 0], X=slice(9, 30, 3))
        np.testing.assert_array_equal(part, whole[2, 1, [4, 0], :, 9:30:3].transpose(0, 2, 1))
    assert not everything.called


def test_what_was_read_is_not_read_again(made: Callable[[str], Made]) -> None:
    reader = Reader(made("stack").path)
    whole = reader.data
    with mock.patch.object(Reader, "_opened", side_effect=AssertionError("opened again")):
        np.testing.assert_array_equal(reader.get_image_data("YX", T=1, C=1, Z=2), whole[1, 1, 2])


def test_tiles_and_their_positions(real_file: Callable[[str], Path]) -> None:
    reader = Reader(real_file("mosaic_test.czi"))
    assert reader.get_mosaic_tile_positions() == [(0, 0), (0, 832)]
    assert reader.get_mosaic_tile_position(1, C=0) == (0, 832)
    assert reader.mosaic_tile_dims is not None
    assert reader.mosaic_tile_dims["Y", "X"] == (624, 924)
    with pytest.raises(IndexError):
        reader.get_mosaic_tile_position(2)
    with pytest.raises(exceptions.UnexpectedShapeError):
        Reader(real_file("RGB-8bit.czi")).get_mosaic_tile_position(0)


def test_scale_units_and_times(real_file: Callable[[str], Path]) -> None:
    reader = Reader(real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi"))
    assert reader.time_interval is not None
    assert pytest.approx(reader.time_interval.total_seconds()) == reader.scale.T
    assert reader.scale[1:] == (None, 1.0, 1.6, 1.6)
    properties = reader.dimension_properties
    assert (properties.T.type, str(properties.T.unit)) == ("time", "second")
    assert (properties.X.type, str(properties.X.unit)) == ("space", "micrometer")
    assert (properties.C.type, properties.C.unit) == ("channel", None)


def test_the_size_of_a_pixel_is_that_of_the_level(made: Callable[[str], Made]) -> None:
    reader = Reader(made("multi_scene_pyramid").path)
    with mock.patch.object(CziImage, "physical_pixel_sizes", (3.0, 2.0, 1.0)):
        assert reader.physical_pixel_sizes == (3.0, 2.0, 1.0)
        reader.set_resolution_level(2)
        assert reader.physical_pixel_sizes == (3.0, 8.0, 4.0)


def test_standard_metadata_of_a_well(real_file: Callable[[str], Path]) -> None:
    found = Reader(real_file("WellD6_S1.czi")).standard_metadata
    assert (found.row, found.column) == ("4", "6")
    assert (found.stage_position_x, found.stage_position_y) == (49500.0, 35500.0)
    assert found.objective == "5x/0.35Air"
    assert found.imaging_datetime is not None


def test_ome_metadata_has_an_image_for_each_scene(
    real_file: Callable[[str], Path],
) -> None:
    reader = Reader(real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi"))
    assert len(reader.ome_metadata.images) == len(reader.scenes)


def test_chunks_may_be_chosen(made: Callable[[str], Made]) -> None:
    reader = Reader(made("stack").path, chunks={"Z": 2, "Y": 7})
    assert reader.dask_data.chunks == ((1, 1, 1), (1, 1), (2, 2), (7, 7, 1), (21,))
    np.testing.assert_array_equal(reader.dask_data.compute(), Reader(made("stack").path).data)


def test_what_is_no_czi_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.czi"
    other.write_bytes(b"not a CZI at all")
    with pytest.raises(exceptions.UnsupportedFileFormatError, match="It is no CZI"):
        Reader(other)
    with pytest.raises(FileNotFoundError):
        Reader(tmp_path / "missing.czi")


def test_bioio_is_told_the_extension_and_the_reader() -> None:
    metadata: Any = plugin.ReaderMetadata
    assert metadata.get_supported_extensions() == ["czi"]
    assert metadata.get_reader() is Reader


def test_no_error_shows_the_credentials_of_a_url() -> None:
    needs("fsspec.implementations.http", "remote")
    url = "http://user:s3cr3t-99@127.0.0.1:1/image.czi?sig=s3cr3t-99"
    for open_it in (Reader, Reader.is_supported_image):
        with pytest.raises(OSError, match="127") as caught:
            open_it(url)
        shown = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
        assert "s3cr3t-99" not in shown
