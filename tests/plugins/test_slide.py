"""`CziSlide` has OpenSlide's interface; OpenSlide itself is the oracle where it opens the file."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.layouts import pyramid_tiles
from files.patterns import noise
from files.recipes import Made
from slides import SCENES, slide_blocks, write_slide

from czictypes import CziImage, CziSlide, convert, czi, open_image
from czictypes.model.errors import ClosedError
from czictypes.model.options import CacheOptions
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.reader import CziReader

needs("PIL.Image", "cli")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slide(tmp_path_factory.mktemp("slide") / "slide.czi")


@pytest.fixture
def slide(path: Path) -> Iterator[CziSlide]:
    with CziSlide(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def oracle(path: Path) -> Iterator[Any]:
    needs("openslide_bin")
    with needs("openslide").OpenSlide(path) as opened:
        yield opened


def test_levels_are_those_of_openslide(slide: CziSlide, oracle: Any) -> None:
    assert slide.level_count == oracle.level_count == 3
    assert slide.dimensions == oracle.dimensions == (608, 348)
    assert slide.level_dimensions == oracle.level_dimensions
    assert slide.level_downsamples == oracle.level_downsamples
    for downsample in (0.5, 1, 1.9, 2, 3.5, 4, 100):
        best = slide.get_best_level_for_downsample(downsample)
        assert best == oracle.get_best_level_for_downsample(downsample)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_regions_are_those_of_openslide(
    slide: CziSlide, oracle: Any, rng: np.random.Generator, level: int
) -> None:
    """Also beyond the edges, and where the file has no pixels."""
    factor = 2**level
    for x, y in rng.integers((-60, -60), (650, 380), (25, 2)).tolist():
        corner = x // factor * factor, y // factor * factor
        ours = slide.read_region(corner, level, (41, 33))
        theirs = oracle.read_region(corner, level, (41, 33))
        assert (ours.mode, ours.size) == ("RGBA", (41, 33))
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


XML = """<ImageDocument><Metadata>
  <AttachmentInfos><AttachmentInfo Id="Label"><Path/></AttachmentInfo></AttachmentInfos>
  <DisplaySetting><Channels><Channel Id="Channel:0"><Gamma>0.45</Gamma></Channel></Channels>
  </DisplaySetting>
  <Experiment><Secret>not told</Secret></Experiment>
  <Information xmlns:q="urn:q"><User q:kind="x" Empty="">me<!-- a note --></User>
    <Image><SizeX>{width}</SizeX><SizeY>{height}</SizeY><SizeS>2</SizeS>
      <ObjectiveSettings><ObjectiveRef Id="Objective:2"/></ObjectiveSettings>
      <Twice>1</Twice><Twice>2</Twice> <Dimensions><Tracks><Track><A>no name</A></Track></Tracks>
      <Channels><Channel Id="c" Name="n"><B> blank </B></Channel><Channel Name="m"/></Channels>
      </Dimensions></Image>
    <Instrument><Objectives>
      <Objective Id="Objective:1"><NominalMagnification>5</NominalMagnification></Objective>
      <Objective Id="Objective:2"><NominalMagnification>63.5</NominalMagnification></Objective>
    </Objectives></Instrument></Information>
  <Scaling><Items><Distance Id="X"><Value>1.0833333333333333E-07</Value></Distance>
    <Distance Id="Y"><Value>3E-07</Value></Distance><Distance Id="Z"/></Items></Scaling>
</Metadata></ImageDocument>"""


def jpeg() -> bytes:
    """Return a JPEG with a colour profile."""
    cms, stream = needs("PIL.ImageCms", "cli"), io.BytesIO()
    picture = needs("PIL.Image", "cli").fromarray(noise(PixelType.Bgr24, 20, 30, 1))
    profile = cms.ImageCmsProfile(cms.createProfile("sRGB")).tobytes()
    picture.save(stream, "JPEG", icc_profile=profile)
    return stream.getvalue()


def variant(path: Path, name: str) -> Path:
    """Write a slide that OpenSlide opens."""
    attachments = [AttachmentSpec("Thumbnail", "JPG", jpeg())]
    kind = PixelType.Bgr48 if name == "16 bits" else PixelType.Bgr24
    blocks = list(slide_blocks(kind))
    if name == "odd":
        big, small = (noise(kind, *size, 1) for size in ((203, 301), (77, 133)))
        blocks = [
            *pyramid_tiles(big, 0, 0, {"C": 0, "S": 0}, tile=50, levels=4),
            *pyramid_tiles(small, 500, 400, {"C": 0, "S": 1}, tile=50, levels=2),
        ]
    if name == "one scene":
        blocks = list(pyramid_tiles(noise(kind, 203, 301, 1), -7, 9, {}, tile=64, levels=2))
    full = [block.rectangle for block in blocks if block.is_layer0]
    width = max(box.x + box.w for box in full) - min(box.x for box in full)
    height = max(box.y + box.h for box in full) - min(box.y for box in full)
    xml = XML.format(width=width, height=height)
    if name == "one scene":
        xml = xml.replace("<SizeS>2</SizeS>", "").replace('Ref Id="Objective:2"', "Ref")
    return write_czi(path, blocks, metadata=xml.encode() + b"\0 more", attachments=attachments)


@pytest.mark.parametrize("name", ["plain", "odd", "16 bits", "one scene"])
def test_properties_and_levels_are_those_of_openslide(tmp_path: Path, name: str) -> None:
    needs("openslide_bin")
    path = variant(tmp_path / "slide.czi", name)
    with needs("openslide").OpenSlide(path) as oracle, CziSlide(path) as slide:
        assert dict(slide.properties) == dict(oracle.properties)
        assert slide.level_dimensions == oracle.level_dimensions
        assert slide.level_downsamples == oracle.level_downsamples
        assert list(slide.associated_images) == list(oracle.associated_images)
        thumbnail, wanted = (one.associated_images["thumbnail"] for one in (slide, oracle))
        assert np.abs(np.asarray(thumbnail).astype(int) - np.asarray(wanted)).max() < 8
        for level in range(slide.level_count):
            regions = (one.read_region((8, 8), level, (90, 60)) for one in (slide, oracle))
            np.testing.assert_array_equal(*map(np.asarray, regions))


@pytest.mark.parametrize(
    ("compression", "dtype"), [("zstd1:", "u1"), ("uncompressed:", "u2"), ("zstd0:", "u1")]
)
def test_a_file_of_ours_is_the_same_in_openslide(
    tmp_path: Path, rng: np.random.Generator, compression: str, dtype: str
) -> None:
    needs("openslide_bin")
    colours = rng.integers(0, np.iinfo(dtype).max, (349, 611, 3)).astype(dtype)
    czi.imwrite(
        tmp_path / "own.czi",
        colours,
        axes="YXS",
        pixel_size=(1.1e-7, 2.3e-7),
        compression=compression,
        pyramid=czi.PyramidOptions(tile=128, until=100),
        only_named_dimensions=True,
    )
    with (
        needs("openslide").OpenSlide(tmp_path / "own.czi") as oracle,
        CziSlide(tmp_path / "own.czi") as slide,
    ):
        assert dict(slide.properties) == dict(oracle.properties)
        assert slide.level_dimensions == oracle.level_dimensions
        if dtype == "u1":
            for level in range(slide.level_count):
                regions = (one.read_region((8, 8), level, (90, 60)) for one in (slide, oracle))
                np.testing.assert_array_equal(*map(np.asarray, regions))


def test_a_slide_of_ours_with_label_and_preview_opens_in_openslide(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    needs("openslide_bin")
    colours = rng.integers(0, 255, (349, 611, 3)).astype("u1")
    pictures = [rng.integers(0, 255, (30, 40, 3)).astype("u1") for _ in range(2)]
    pyramid = czi.PyramidOptions(tile=128, until=100)
    with czi.create_czi(
        tmp_path / "own.czi", pyramid=pyramid, only_named_dimensions=True
    ) as document:
        document.write(colours[..., ::-1])
        document.add_label(pictures[0])
        document.add_preview(pictures[1])
    with needs("openslide").OpenSlide(tmp_path / "own.czi") as oracle:
        assert oracle.level_dimensions[:2] == ((611, 349), (305, 174))
        region = np.asarray(oracle.read_region((0, 0), 0, (611, 349)))
        assert np.array_equal(region[..., :3], colours)
        for name, picture in zip(("label", "macro"), pictures):
            assert np.array_equal(np.asarray(oracle.associated_images[name])[..., :3], picture)


def opens_in_openslide(path: Path, colours: Any) -> bool:
    with needs("openslide").OpenSlide(path) as slide:
        width, height = slide.dimensions
        region = np.asarray(slide.read_region((0, 0), 0, (width, height)))[..., :3]
    return np.array_equal(region, colours)


@pytest.fixture
def colours(rng: np.random.Generator) -> Any:
    needs("openslide_bin")
    return rng.integers(0, 255, (90, 130, 3)).astype("u1")


def open_other(path: Path, kind: str) -> Any:
    """Write the CZI in another format, and open that."""
    for module in {"ome.tif": ["tifffile", "ome_types", "zarr"], "ome.zarr": ["zarr"]}.get(
        kind, []
    ):
        needs(module, kind.replace("ome.tif", "ome-tiff").replace(".", "-"))
    convert(path, path.with_suffix(f".{kind}"))
    return open_image(path.with_suffix(f".{kind}"))


@pytest.mark.parametrize("how", ["convert", "save"])
@pytest.mark.parametrize("kind", ["png", "ome.tif", "ome.zarr", "czi"])
def test_a_conversion_without_dimensions_of_one_place_opens_in_openslide(
    tmp_path: Path, colours: Any, kind: str, how: str
) -> None:
    czi.imwrite(tmp_path / "a.czi", colours, "YXS")
    image = CziImage(tmp_path / "a.czi") if kind == "czi" else open_other(tmp_path / "a.czi", kind)
    with image:
        for name, only in (("full.czi", False), ("bare.czi", True)):
            target = tmp_path / name
            if how == "save":
                image.save(target, only_named_dimensions=only)
            else:
                convert(image, target, only_named_dimensions=only)
    assert opens_in_openslide(tmp_path / "bare.czi", colours)
    with pytest.raises(needs("openslide").OpenSlideError, match="dimension"):
        opens_in_openslide(tmp_path / "full.czi", colours)
    with CziImage(tmp_path / "bare.czi") as image:
        np.testing.assert_array_equal(image.data[0, 0, 0], colours)
    assert czi.check(tmp_path / "bare.czi").worst is None


@pytest.mark.parametrize(
    "options", [{"project": "max"}, {"plane": {"Z": 2}}, {"plane": {"Z": 2}, "roi": (5, 6, 40, 30)}]
)
def test_what_is_left_of_a_stack_opens_in_openslide(
    tmp_path: Path, colours: Any, options: dict[str, Any]
) -> None:
    czi.imwrite(tmp_path / "a.czi", np.stack([colours * 0, colours // 2, colours]), "ZYXS")
    convert(tmp_path / "a.czi", tmp_path / "b.czi", only_named_dimensions=True, **options)
    expected = colours[6:36, 5:45] if "roi" in options else colours
    assert opens_in_openslide(tmp_path / "b.czi", expected)


def test_a_copy_without_dimensions_of_one_place_opens_in_openslide(
    tmp_path: Path, colours: Any
) -> None:
    czi.imwrite(tmp_path / "a.czi", colours, "YXS", pyramid=czi.PyramidOptions(2, 32, 40))
    czi.copy(tmp_path / "a.czi", tmp_path / "b.czi", only_named_dimensions=True)
    assert opens_in_openslide(tmp_path / "b.czi", colours)
    czi.copy(tmp_path / "b.czi", tmp_path / "c.czi")
    czi.add_pyramid(tmp_path / "c.czi", czi.PyramidOptions(3, 32, 30))
    assert opens_in_openslide(tmp_path / "c.czi", colours)


def test_a_file_without_attachments_opens_in_openslide(tmp_path: Path, colours: Any) -> None:
    path = tmp_path / "a.czi"
    czi.imwrite(path, colours, "YXS", only_named_dimensions=True, thumbnail=False)
    assert opens_in_openslide(path, colours)
    czi.add_pyramid(path, czi.PyramidOptions(2, 32, 40))
    assert opens_in_openslide(path, colours)
    czi.copy(path, tmp_path / "b.czi")
    assert opens_in_openslide(tmp_path / "b.czi", colours)


def test_an_objective_that_nothing_refers_to_is_told_if_it_is_the_only_one(
    slide: CziSlide, oracle: Any
) -> None:
    own = {"openslide.objective-power": "20"}
    assert dict(slide.properties) == {**oracle.properties, **own}
    with pytest.raises(KeyError):
        slide.properties["openslide.associated.macro.width"]


@pytest.mark.parametrize("level", [-1, 0, 1, 2, 3, 99])
@pytest.mark.parametrize("x", [-1000, -64, -3, -1, 0, 560, 600, 700, 10**7])
def test_out_of_range_is_as_in_openslide(slide: CziSlide, oracle: Any, level: int, x: int) -> None:
    """At places between the pixels of a level OpenSlide mixes pixels."""
    x = x if level < 1 or x < 0 else x // 4 * 4
    ours = np.asarray(slide.read_region((x, 0), level, (70, 10)))
    theirs = np.asarray(oracle.read_region((x, 0), level, (70, 10)))
    np.testing.assert_array_equal(ours, theirs)


def test_it_is_a_slide_of_openslide(slide: CziSlide, tmp_path: Path) -> None:
    openslide = needs("openslide")
    assert isinstance(slide, openslide.AbstractSlide)
    assert isinstance(slide, CziSlide)
    assert not isinstance(slide, openslide.OpenSlide)
    assert slide.__class__ is CziSlide
    public = {name for name in dir(openslide.OpenSlide) if not name.startswith("_")}
    assert public <= set(dir(slide))


def test_openslide_is_not_imported_for_it(path: Path) -> None:
    """But is known from then on, when somebody else imports it, and not missed where it lacks."""
    needs("openslide")
    program = f"""
import sys
from czictypes import CziSlide
slide = CziSlide({str(path)!r})
assert slide.dimensions == (608, 348) and "openslide" not in sys.modules
assert isinstance(slide, CziSlide) and not isinstance(slide, dict)
import openslide
assert isinstance(slide, openslide.AbstractSlide)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_cache_keeps_tiles(tmp_path: Path) -> None:
    openslide = needs("openslide")
    tiles = [replace(block, compression=Compression.Zstd1) for block in slide_blocks()]
    path = write_czi(tmp_path / "zstd.czi", tiles)
    with path.open("rb") as file, CziSlide(file) as slide:
        before = slide.read_region_array((0, 0), 0, (100, 100))
        assert slide.reader.get_cache_info().elements_count == 0
        slide.set_cache(openslide.OpenSlideCache(1 << 20))
        for _ in range(2):
            np.testing.assert_array_equal(slide.read_region_array((0, 0), 0, (100, 100)), before)
        assert 0 < slide.reader.get_cache_info().memory_usage <= 1 << 20
        slide.set_cache(CacheOptions(max_sub_block_count=1))
        slide.read_region_array((0, 0), 0, (100, 100))
        assert slide.reader.get_cache_info().elements_count == 1
        with pytest.raises(TypeError, match="OpenSlideCache or CacheOptions, not 5"):
            slide.set_cache(5)
    with (
        CziSlide(path, cache_options=CacheOptions()) as slide,
        pickle.loads(pickle.dumps(slide)) as again,
    ):
        again.read_region_array((0, 0), 0, (100, 100))
        assert again.reader.get_cache_info().elements_count > 0


def test_where_the_file_has_no_pixels_it_is_transparent(slide: CziSlide) -> None:
    between = slide.read_region_array((320, 10), 0, (20, 20))
    assert not between.any()
    assert slide.read_region_array((0, 0), 0, (20, 20))[..., 3].all()


def test_the_label_is_an_associated_image(slide: CziSlide) -> None:
    assert list(slide.associated_images) == ["label"]
    label = slide.associated_images["label"]
    assert (label.mode, label.size) == ("RGBA", (30, 20))
    assert label.getpixel((3, 3)) == (250, 10, 30, 255)


def test_a_thumbnail_keeps_the_proportions(slide: CziSlide) -> None:
    thumbnail = slide.get_thumbnail((100, 100))
    assert (thumbnail.mode, thumbnail.size) == ("RGB", (100, 57))
    assert thumbnail.getpixel((57, 4)) == (255, 255, 255)


def test_a_scene_alone(path: Path) -> None:
    with CziSlide(path, scene=1) as slide, CziSlide(path) as whole:
        assert slide.dimensions == SCENES[1][2:]
        np.testing.assert_array_equal(
            slide.read_region_array((5, 6), 0, (50, 40)),
            whole.read_region_array((453, 134), 0, (50, 40)),
        )
        assert slide.properties["openslide.region[0].width"] == "160"


def test_a_slide_without_a_pyramid_has_one_level(made: Callable[[str], Made]) -> None:
    with CziSlide(made("overlapping").path) as slide:
        assert slide.level_count == 1
        assert slide.get_best_level_for_downsample(8) == 0
        assert slide.get_thumbnail((10, 10)).size == (10, 8)
        with pytest.raises(ValueError, match="must be above 0"):
            slide.get_thumbnail((0, 10))


@pytest.mark.parametrize("stored_look", [True, False])
def test_channels_are_blended_alike_in_every_region(tmp_path: Path, stored_look: bool) -> None:
    """A window that each region found for itself would show where regions meet."""
    target = write_czi(tmp_path / "two.czi", slide_blocks(PixelType.Gray16, 2))
    if stored_look:
        white = czi.Rgb8Color(255, 255, 0), czi.Rgb8Color(0, 0, 255)
        with czi.edit_czi(target) as editor, editor.edit_session() as builder:
            builder.set_display_settings(
                {
                    channel: czi.ChannelDisplaySettingsDataClass(
                        True, czi.TintingMode.Color, color, 0.1, 0.8
                    )
                    for channel, color in enumerate(white)
                }
            )
    with CziSlide(target) as slide:
        whole = slide.read_region_array((0, 0), 0, (300, 200))
        part = slide.read_region_array((37, 51), 0, (8, 9))
        np.testing.assert_array_equal(part, whole[51:60, 37:45])
        assert len(np.unique(whole[..., :3])) > 100


@pytest.mark.parametrize("kind", list(PixelType))
def test_any_pixel_type_is_shown_alike_in_every_region(tmp_path: Path, kind: PixelType) -> None:
    with CziSlide(write_czi(tmp_path / "slide.czi", slide_blocks(kind))) as slide:
        check_that_parts_are_the_whole(slide)


@pytest.mark.parametrize("name", ["channels_with_a_gap", "plain_pixel_types"])
def test_channels_of_several_types_are_shown_alike(made: Callable[[str], Made], name: str) -> None:
    with CziSlide(made(name).path) as slide:
        check_that_parts_are_the_whole(slide)


def check_that_parts_are_the_whole(slide: CziSlide) -> None:
    width, height = slide.dimensions
    whole = slide.read_region_array((0, 0), 0, (width, height))
    part = slide.read_region_array((3, 2), 0, (width - 5, height - 4))
    np.testing.assert_array_equal(part, whole[2 : height - 2, 3 : width - 2])
    assert len(np.unique(whole[..., :3])) > 20


@pytest.mark.parametrize("kind", list(PixelType))
def test_pictures_beside_the_slide_may_be_of_any_pixel_type(
    tmp_path: Path, kind: PixelType
) -> None:
    """Those of 16 bits are as in OpenSlide, which reads no gray ones, and none of more bits."""
    noisy = noise(kind, 20, 30, 5)
    path = write_slide(tmp_path / "slide.czi", {"SlidePreview": noisy, "Label": noisy[:9]})
    with CziSlide(path) as slide:
        label, macro = slide.associated_images["label"], slide.associated_images["macro"]
        assert (label.mode, label.size) == ("RGBA", (30, 9))
        assert len(np.unique(macro)) > 100
        if kind in (PixelType.Bgr24, PixelType.Bgr48):
            needs("openslide_bin")
            with needs("openslide").OpenSlide(path) as oracle:
                np.testing.assert_array_equal(macro, oracle.associated_images["macro"])


def test_a_url_is_opened(path: Path) -> None:
    fs = needs("fsspec", "remote").filesystem("memory")
    fs.pipe("/slides/slide.czi", path.read_bytes())
    with CziSlide("memory://slides/slide.czi") as far, CziSlide(path) as near:
        np.testing.assert_array_equal(
            far.read_region_array((0, 0), 1, (50, 50)), near.read_region_array((0, 0), 1, (50, 50))
        )
    fs.rm("/slides", recursive=True)


def test_a_plane_and_display_settings_may_be_chosen(made: Callable[[str], Made]) -> None:
    green = czi.ChannelDisplaySettingsDataClass(
        True, czi.TintingMode.Color, czi.Rgb8Color(0, 255, 0)
    )
    path, plane = made("stack").path, {"T": 1, "Z": 2}
    with CziSlide(path, plane=plane, display_settings={1: green}) as slide:
        region = slide.read_region_array((0, 0), 0, slide.dimensions)
    with czi.open_czi(path) as document:
        expected = document.read(plane={**plane, "C": 1})[..., 0]
    assert not region[..., [0, 2]].any()
    np.testing.assert_allclose(region[..., 1], expected / 257, atol=1)


def test_it_pickles(slide: CziSlide) -> None:
    with pickle.loads(pickle.dumps(slide)) as again:
        np.testing.assert_array_equal(
            again.read_region_array((0, 0), 1, (30, 30)),
            slide.read_region_array((0, 0), 1, (30, 30)),
        )


def test_a_reader_stays_open(path: Path) -> None:
    with czi.open_czi(path) as document:
        CziSlide(document).close()
        assert not document.closed


def test_only_a_czi_is_recognised(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.svs"
    other.write_bytes(b"II*\0")
    assert CziSlide.detect_format(path) == "zeiss"
    assert CziSlide.detect_format(other) is None


def test_a_negative_size_is_refused(slide: CziSlide) -> None:
    for level in (0, 9):
        with pytest.raises(ValueError, match="cannot be -1 x 1 pixels"):
            slide.read_region((0, 0), level, (-1, 1))
    assert slide.read_region((0, 0), 0, (0, 4)).size == (0, 4)


@pytest.mark.parametrize("alpha", [0, 200])
def test_an_alpha_is_shown_unless_it_is_zero_everywhere(tmp_path: Path, alpha: int) -> None:
    pixels = noise(PixelType.Bgra32, 40, 60, 1)
    pixels[..., 3] = alpha
    blocks = [Block(pixels, m=0), Block(pixels, x=80, m=1)]
    with CziSlide(write_czi(tmp_path / "bgra.czi", blocks)) as slide:
        region = np.asarray(slide.read_region((0, 0), 0, (140, 40)))
        thumbnail = np.asarray(slide.get_thumbnail((140, 40)))
    on_white = 255 + (pixels[..., 2::-1] - 255.0) * (alpha or 255) / 255
    assert np.abs(thumbnail[:, :60] - on_white).max() <= 1
    assert np.array_equal(region[:, :60, :3], pixels[..., 2::-1])
    assert (region[:, :60, 3] == (alpha or 255)).all()
    assert (region[:, 60:80] == 0).all()


def test_the_contrast_of_a_line_takes_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = noise(PixelType.Gray8, 6, 24, 1)
    line = Block(pixels, plane={"C": 0}, logical=(2**27, 6), pyramid_type=0)
    sizes = []
    read = CziReader.read

    def noted(self: CziReader, *args: Any, **options: Any) -> Any:
        found = read(self, *args, **options)
        sizes.append(found.size)
        return found

    monkeypatch.setattr(CziReader, "read", noted)
    with CziSlide(write_czi(tmp_path / "line.czi", [line])) as slide:
        assert slide.dimensions == (2**27, 6)
    assert sizes
    assert max(sizes) <= 2**17


@pytest.mark.parametrize("scene", [0, 1, -1, "all"])
def test_a_scene_of_a_slide_is_a_slide_of_this_scene(
    slide: CziSlide, path: Path, scene: int | str
) -> None:
    with CziSlide(path, scene) as alone:
        view = slide.scene(scene)
        assert view.level_dimensions == alone.level_dimensions
        for level in range(alone.level_count):
            where = (-4, 8), level, (90, 70)
            expected = alone.read_region_array(*where)
            np.testing.assert_array_equal(slide.read_region_array(*where, scene=scene), expected)
            np.testing.assert_array_equal(np.asarray(view.read_region(*where)), expected)
        for read in ("get_thumbnail", "read_resized"):
            roi = () if read == "get_thumbnail" else ((3, 5, 100, 80),)
            found = getattr(slide, read)(*roi, (40, 30), scene=scene)
            assert found == getattr(alone, read)(*roi, (40, 30))


def test_threads_read_scenes_of_one_slide(slide: CziSlide) -> None:
    expected = [slide.scene(at).read_region_array((0, 0), 1, (60, 50)) for at in (0, 1)]

    def is_right(at: int) -> bool:
        found = slide.read_region_array((0, 0), 1, (60, 50), scene=slide.scenes[at % 2])
        return np.array_equal(found, expected[at % 2])

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(is_right, range(60)))


def test_a_scene_of_a_slide_shares_its_file_and_display(path: Path) -> None:
    settings = {0: czi.ChannelDisplaySettingsDataClass(True, czi.TintingMode.none, None, 0.0, 0.5)}
    with CziSlide(path, display_settings=settings) as slide:
        view = slide.scene(1)
        with slide.scene(1):
            pass
        assert view.reader is slide.reader
        with CziSlide(path, 1, display_settings=settings) as alone:
            expected = alone.read_region_array((0, 0), 0, (50, 40))
        np.testing.assert_array_equal(view.read_region_array((0, 0), 0, (50, 40)), expected)
    with pytest.raises(ClosedError):
        view.read_region_array((0, 0), 0, (50, 40))


@pytest.mark.parametrize("scene", [7, "B9", 1.0, None, True, [0, 1]])
def test_a_slide_has_only_its_scenes(slide: CziSlide, scene: Any) -> None:
    with pytest.raises(ValueError, match="scene"):
        slide.scene(scene)


def test_another_cache_gives_new_views(path: Path) -> None:
    with CziSlide(path) as slide:
        before = slide.scene(0).read_region_array((0, 0), 0, (50, 40))
        slide.set_cache(CacheOptions(max_sub_block_count=5))
        after = slide.scene(0)
        assert after.reader is slide.reader
        np.testing.assert_array_equal(after.read_region_array((0, 0), 0, (50, 40)), before)
