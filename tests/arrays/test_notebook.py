"""What notebooks show: small, safe, and never in the way."""

from __future__ import annotations

import base64
import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.patterns import noise
from files.recipes import Made
from files.wild import WILD_FILES

from czictypes import CziImage, czi
from czictypes.model.pixel_types import PixelType
from czictypes.reading.reader import CziReader

MARKUP = "<script>alert(1)</script>&\"'"
VOID = {"img", "br"}


class Page(HTMLParser):
    """Reads HTML strictly: every element is closed, in order; its text and elements are kept."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"

    @property
    def pictures(self) -> list[bytes]:
        sources = [attrs["src"] or "" for tag, attrs in self.elements if tag == "img"]
        return [base64.b64decode(one.partition("base64,")[2]) for one in sources]


def shown(thing: Any) -> Page:
    html = thing._repr_html_()
    assert len(html) < 100_000
    return Page(html)


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Write two scenes in wells, two channels with colours, a thumbnail; markup in all names."""
    path = tmp_path / "plate.czi"
    content = czi.DocumentContent(
        channels=[
            czi.ChannelInfo(
                0, name=MARKUP, color=czi.Rgb8Color(1, 2, 255), excitation_wavelength=358
            ),
            czi.ChannelInfo(1, name="GFP", color=czi.Rgb8Color(0, 255, 0)),
        ],
        scaling=czi.Scaling(5e-7, 2.5e-7, 1e-6),
        scenes=[
            czi.SceneInfo(0, name="P1" + MARKUP, well=czi.Well("B3")),
            czi.SceneInfo(1, name="P2", well=czi.Well("C4" + MARKUP)),
        ],
        objective=czi.Objective(name="20x" + MARKUP),
    )
    with czi.create_czi(path) as document:
        for scene in range(2):
            for channel in range(2):
                pixels = np.full((20, 40), 60000 * (channel == scene), np.uint16)
                document.write(pixels, location=(100 * scene, 0), plane={"C": channel}, scene=scene)
        document.add_attachment("Notes" + MARKUP, "TXT", b"x")
        document.write_metadata("plate", content=content)
    return path


def test_an_image_shows_what_it_is(plate: Path) -> None:
    with CziImage(plate, "P2") as image:
        page = shown(image)
    for said in (
        "CziImage",
        "plate.czi",
        "T 1 \u00d7 C 2 \u00d7 Z 1 \u00d7 Y 20 \u00d7 X 40",
        "uint16",
        "P2",
    ):
        assert said in page.text
    assert "X 0.5 \u00b5m \u00d7 Y 0.25 \u00b5m \u00d7 Z 1 \u00b5m" in page.text
    assert "358/? nm" in page.text
    backgrounds = " ".join(str(attrs.get("style")) for _, attrs in page.elements)
    assert "rgb(1,2,255)" in backgrounds
    assert "rgb(0,255,0)" in backgrounds


def test_a_reader_shows_its_scenes_with_their_wells(plate: Path) -> None:
    with CziReader(plate) as reader:
        page = shown(reader)
    for said in ("CziReader", "plate.czi", "Gray16", "P2", "B3", "Notes"):
        assert said in page.text


def test_scenes_are_a_tuple_that_shows_wells(plate: Path) -> None:
    with CziImage(plate) as image:
        scenes = image.scenes
    assert scenes == ("P1" + MARKUP, "P2")
    page = shown(scenes)
    assert "P2" in page.text
    assert "B3" in page.text


def test_attachments_show_names_and_types(plate: Path) -> None:
    with CziReader(plate) as reader:
        page = shown(reader.attachments)
    assert "Notes" in page.text
    assert "TXT" in page.text


def test_markup_in_names_is_text(plate: Path) -> None:
    with CziImage(plate) as image:
        for thing in (image, image.reader, image.scenes, image.attachments):
            page = shown(thing)
            assert {tag for tag, _ in page.elements} <= {"div", "span", "b", "img"}
            assert MARKUP in page.text
            for _, attrs in page.elements:
                assert set(attrs) <= {"style", "src", "alt"}


def test_pictures_show_the_current_scene(plate: Path) -> None:
    image_module = needs("PIL.Image", "cli")
    with CziImage(plate) as image:
        for scene, strongest in ((0, 2), (1, 1)):
            image.set_scene(scene)
            (data,) = shown(image).pictures
            picture = np.array(image_module.open(io.BytesIO(data)))
            assert picture.shape == (20, 40, 3)
            assert int(picture[10, 20].argmax()) == strongest
            assert (picture == image.reader.composite(scene=scene)).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (300, 5), (257, 256), (600, 600, 3)])
def test_pictures_of_any_shape_are_small(tmp_path: Path, shape: tuple[int, ...]) -> None:
    image_module = needs("PIL.Image", "cli")
    path = tmp_path / "noise.czi"
    rng = np.random.default_rng(5)
    czi.imwrite(path, rng.integers(0, 256, shape).astype(np.uint8))
    with CziImage(path) as image:
        for data in shown(image).pictures:
            picture = image_module.open(io.BytesIO(data))
            picture.load()
            assert max(picture.size) <= 256


def test_thousands_of_scenes_and_long_names_stay_small() -> None:
    from czictypes.arrays.scene_views import Scenes

    names = [f"{number}<{'x' * 1000}" for number in range(5000)]
    page = shown(Scenes(names, None, ["A1"] * 5000))
    assert "4,976 more" in page.text


def test_a_large_image_without_pyramid_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.czi"
    czi.imwrite(path, np.zeros((4200, 4200), np.uint8), compression="zstd0:")
    with czi.create_czi(tmp_path / "pyramid.czi", pyramid=True) as document:
        document.write(np.zeros((4200, 4200), np.uint8), compression="zstd0:")

    read: list[float | None] = []
    composite = CziReader.composite

    def counted(reader: CziReader, *args: Any, **kwargs: Any) -> Any:
        read.append(args[3])
        return composite(reader, *args, **kwargs)

    monkeypatch.setattr(CziReader, "composite", counted)
    without = tmp_path / "bare.czi"
    czi.copy(path, without, attachments=())
    with CziImage(without) as image:
        assert shown(image).pictures == []
        assert shown(image.reader).pictures == []
    assert read == []
    with CziImage(tmp_path / "pyramid.czi") as image:
        assert len(shown(image).pictures) == 1
    assert len(read) == 1


def test_a_large_image_shows_the_thumbnail_of_the_file(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    with czi.create_czi(tmp_path / "large.czi") as document:
        document.write(np.zeros((4200, 4200), np.uint8), compression="zstd0:")
    with CziImage(tmp_path / "large.czi") as image:
        if image.attachments.thumbnail is None:
            pytest.fail("the file has no thumbnail, so this test shows nothing")
        assert len(shown(image).pictures) == 1


def test_what_is_closed_says_so(plate: Path) -> None:
    with CziImage(plate) as image:
        reader, attachments = image.reader, image.attachments
    assert "plate.czi (closed)" in shown(image).text
    assert "plate.czi (closed)" in shown(reader).text
    assert "Attachments" in shown(attachments).text


def test_every_file_is_shown(every_made: Made) -> None:
    with CziReader(every_made.path) as reader:
        for thing in (reader, reader.attachments, CziImage(reader), CziImage(reader).scenes):
            assert type(thing).__name__ in shown(thing).text


@pytest.mark.filterwarnings("ignore:metadata")
def test_damaged_metadata_and_pictures_leave_the_rest(tmp_path: Path) -> None:
    path = write_czi(
        tmp_path / "odd.czi",
        [Block(noise(PixelType.Gray8, 8, 8, 1))],
        metadata=b"<ImageDocument><Metadata>",
        attachments=[AttachmentSpec("Thumbnail", "JPG", b"\xff\xd8 no picture")],
    )
    with CziImage(path) as image:
        assert "Y 8 \u00d7 X 8" in shown(image).text
        assert "Gray8" in shown(image.reader).text
        assert "Thumbnail" in shown(image.attachments).text


@pytest.mark.parametrize("name", sorted(WILD_FILES))
@pytest.mark.filterwarnings("ignore")
def test_wild_files_raise_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "wild.czi"
    path.write_bytes(WILD_FILES[name]())
    try:
        reader = CziReader(path)
    except Exception:
        pytest.skip("this file is refused when it is opened")
    with reader:
        shown(reader)
        shown(reader.attachments)
        try:
            image = CziImage(reader)
        except Exception:
            return
        shown(image)


def test_a_file_that_vanishes_raises_nothing(plate: Path) -> None:
    with CziImage(plate) as image:
        copy = plate.with_name("moved.czi")
        shutil.copy(plate, copy)
    with CziImage(copy) as image:
        copy.write_bytes(b"")
        page = shown(image)
        assert "CziImage" in page.text


def test_no_credentials_are_shown(plate: Path) -> None:
    fsspec = needs("fsspec", "remote")
    with fsspec.open("memory://plate.czi", "wb") as stream:
        stream.write(plate.read_bytes())
    with CziImage("memory://plate.czi") as image:
        text = shown(image).text
    assert "plate.czi" in text
    assert not re.search(r"memory:|@", text)
