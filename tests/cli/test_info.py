"""``czictypes info``, ``czictypes metadata`` and ``czictypes library``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import Tile, build_parts, write_parts
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.xml import document_xml

from czictypes import czi, library_info
from czictypes.libczi.library import ENVIRONMENT_VARIABLE, library_names
from czictypes.model.pixel_types import PixelType


@pytest.fixture
def table(run: Callable[..., Any], extra: Callable[[str], Any]) -> Callable[[Path], list[str]]:
    """Give the lines that are printed of a file, several spaces taken for one."""
    extra("rich")

    def lines(path: Path) -> list[str]:
        result = run("info", path)
        assert result.code == 0
        assert result.err == ""
        return [re.sub(r" +", " ", line).strip() for line in result.out.splitlines()]

    return lines


@pytest.fixture
def values(run: Callable[..., Any]) -> Callable[[Path], dict[str, Any]]:
    """Give what the JSON says of a file."""

    def read(path: Path) -> dict[str, Any]:
        result = run("info", "--json", path)
        assert result.code == 0
        (one,) = result.json
        found: dict[str, Any] = one
        return found

    return read


def tiles(count: int) -> list[Block]:
    pixels = noise(PixelType.Gray8, 4, 5, 1)
    return [
        Block(pixels, 10 * number, 0, {"C": 0, "S": number}, m=0, attachment=b"")
        for number in range(count)
    ]


def test_the_table_of_a_described_file(made: Callable[[str], Any], table: Any) -> None:
    lines = table(made("described").path)
    assert "title A title" in lines
    assert "acquired 2024-05-06 07:08:09 UTC" in lines
    assert "pixel size x 150 nm, y 200 nm, z 1 \u00b5m" in lines
    assert "sub-blocks 2, tiles up to 20 x 16" in lines
    assert "X 20 0 to 19 3 \u00b5m" in lines
    assert "C 2 0 to 1" in lines
    assert "0 DAPI Gray16 \u25a0 #0000FF" in lines
    assert "1 Gr\u00fcn Gray16" in lines


def test_the_table_of_scenes_and_a_pyramid(made: Callable[[str], Any], table: Any) -> None:
    lines = table(made("multi_scene_pyramid").path)
    assert "pyramid 3 levels, reduced 1:2, 1:4" in lines
    assert "compression Zstd1" in lines
    assert "scenes 3" in lines
    assert "scene x y width height tiles" in lines
    assert "1 150 10 64 64 8" in lines  # four in each of two planes


def test_the_table_tells_true_positions(made: Callable[[str], Any], table: Any) -> None:
    lines = table(made("negative_planes").path)
    assert "Z 3 -2 to 0" in lines
    assert "T 2 5 to 6" in lines


def test_the_table_of_attachments(made: Callable[[str], Any], table: Any) -> None:
    lines = table(made("attached").path)
    assert "attachments TimeStamps (CZTIMS), EventList (CZEVL), Notes (TXT)" in lines


def test_the_table_of_several_compressions_counts_them(
    made: Callable[[str], Any], table: Any, values: Any
) -> None:
    counts = values(made("compressions").path)["sub_blocks"]["compressions"]
    text = ", ".join(f"{name} ({count})" for name, count in counts.items())
    assert f"compression {text}" in table(made("compressions").path)


def test_the_table_of_an_empty_file(made: Callable[[str], Any], table: Any) -> None:
    lines = table(made("empty").path)
    assert "sub-blocks 0" in lines
    assert "X 0" in lines
    assert "scenes none" in lines


def test_a_table_of_many_scenes_is_cut(tmp_path: Path, table: Any, values: Any) -> None:
    path = write_czi(tmp_path / "plate.czi", tiles(500))
    lines = table(path)
    assert "scenes 500" in lines
    assert "19 190 0 5 4 1" in lines
    assert "20 200 0 5 4 1" not in lines
    assert "and 480 more; --json lists all" in lines
    assert len(lines) < 70
    assert len(values(path)["scenes"]) == 500


def test_a_table_says_that_a_pyramid_is_needed(tmp_path: Path, table: Any, values: Any) -> None:
    pixels = noise(PixelType.Gray8, 4, 5, 1)
    path = write_czi(tmp_path / "wide.czi", [Block(pixels, m=0), Block(pixels, 5000, 0, m=1)])
    assert "pyramid none, and the image is large enough to need one" in table(path)
    assert values(path)["needs_pyramid"] is True


def test_names_are_no_markup(tmp_path: Path, table: Any) -> None:
    block = Block(noise(PixelType.Gray8, 4, 5, 1))
    xml = document_xml(channels=["[red]DAPI[/red] :smile:"])
    lines = table(write_czi(tmp_path / "odd.czi", [block], metadata=xml))
    assert "0 [red]DAPI[/red] :smile: Gray8" in lines


def test_the_json_is_what_the_reader_says(every_made: Any, values: Any) -> None:
    found = values(every_made.path)
    with czi.open_czi(every_made.path) as document:
        assert found["dimensions"] == {
            name: list(limits) for name, limits in document.total_bounding_box.items()
        }
        assert found["bounding_rectangle"] == list(document.total_bounding_rectangle)
        assert found["pixel_size_in_metres"] == document.scaling._asdict()
        assert found["sub_blocks"]["count"] == len(document.subblocks)
        assert {one["index"]: one["pixel_type"] for one in found["channels"]} == (
            document.pixel_types
        )
        assert {one["index"]: one["rectangle"] for one in found["scenes"]} == {
            number: list(box) for number, box in document.scenes_bounding_rectangle.items()
        }
        assert len(found["pyramid_levels"]) == len(document.pyramid_levels())
        assert found["needs_pyramid"] is document.needs_pyramid
        assert [one["name"] for one in found["attachments"]] == document.attachments.names
    assert found["file_size"] == every_made.path.stat().st_size


def test_the_json_of_a_real_file(real_file: Callable[[str], Path], values: Any) -> None:
    found = values(real_file("WellD6_S1.czi"))
    (channel,) = found["channels"]
    assert channel["name"] == "AF488"
    assert channel["color"] == "#00FF33"
    assert channel["display_settings"]["white_point"] == 0.25
    assert found["scenes"][0]["well"]["name"] == "D6"
    assert found["document"]["objective"]["magnification"] == 5.0
    assert [level["zoom"] for level in found["pyramid_levels"]] == [1.0, 0.5]


def test_every_real_file_can_be_shown(every_real_file: Path, table: Any) -> None:
    assert table(every_real_file)[0].endswith(every_real_file.name)


def test_a_channel_that_does_not_begin_at_0_has_its_name(tmp_path: Path, values: Any) -> None:
    block = Block(noise(PixelType.Gray8, 4, 5, 1), plane={"C": 3})
    path = write_czi(tmp_path / "three.czi", [block], metadata=document_xml(channels=["GFP"]))
    (channel,) = values(path)["channels"]
    assert (channel["index"], channel["name"]) == (3, "GFP")


def test_a_file_that_fails_does_not_stop_the_others(
    made: Callable[[str], Any], tmp_path: Path, run: Callable[..., Any]
) -> None:
    paths = [made("single").path, tmp_path / "missing.czi", made("tiny").path]
    result = run("info", "--json", *paths)
    assert result.code == 1
    assert [one["file"] for one in result.json] == [str(paths[0]), str(paths[2])]
    (line,) = result.err.splitlines()
    assert "missing.czi" in line


def test_what_is_no_czi_names_the_command_for_it(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "notes.txt").write_text("What I did today, in the order in which I did it")
    result = run("info", tmp_path / "notes.txt")
    assert result.code == 1
    assert "is not a CZI file" in result.err
    assert "czictypes convert takes images of other formats" in result.err


def test_without_rich_the_same_is_plain_text(
    made: Callable[[str], Any], missing: Callable[[str], None], run: Callable[..., Any], table: Any
) -> None:
    path = made("described").path
    rich = {line.replace("\u25a0 ", "") for line in table(path)} - {""}
    missing("rich")
    result = run("info", path)
    assert (result.code, result.err) == (0, "")
    plain = [re.sub(r" +", " ", line).strip() for line in result.out.splitlines()]
    assert set(plain) - {""} == {line for line in rich if not line.startswith("\u2500")}


def test_a_truncated_file_is_damaged_in_the_first_lines(
    real_file: Callable[[str], Path], tmp_path: Path, run: Callable[..., Any]
) -> None:
    path = tmp_path / "cut.czi"
    path.write_bytes(real_file("mosaic_test.czi").read_bytes()[:1_000_000])
    result = run("info", path, "--json")
    assert result.code == 1
    assert result.json[0]["check"]["worst"] == "error"
    result = run("info", path)
    assert result.code == 1
    assert re.match(r"damaged +\S", result.out.splitlines()[1])


@pytest.mark.parametrize("name", ["single", "multi_scene_pyramid", "described"])
def test_a_head_of_a_tile_that_is_overwritten_is_damage(
    made: Callable[[str], Any], tmp_path: Path, run: Callable[..., Any], name: str
) -> None:
    path = tmp_path / "overwritten.czi"
    data = bytearray(made(name).path.read_bytes())
    at = data.index(b"ZISRAWSUBBLOCK")
    data[at : at + 8] = b"\0" * 8
    path.write_bytes(data)
    result = run("info", path)
    assert result.code == 1
    assert "damaged" in result.out


def test_what_the_pixels_tell_is_there_without_well_formed_metadata(
    made: Callable[[str], Any], tmp_path: Path, run: Callable[..., Any]
) -> None:
    whole = made("described").path
    path = tmp_path / "torn.czi"
    path.write_bytes(whole.read_bytes().replace(b"<ImageDocument", b"<ImageDocumenT", 1))
    result, before = run("info", path, "--json"), run("info", whole, "--json")
    assert (result.code, before.code) == (1, 0)
    for name in ("dimensions", "sub_blocks", "bounding_rectangle", "pyramid_levels"):
        assert result.json[0][name] == before.json[0][name]
    assert result.json[0]["document"]["title"] is None
    lines = run("info", path).out.splitlines()
    assert re.match(r"damaged +the metadata XML: .* not well-formed", lines[1])


def test_the_size_without_compression(tmp_path: Path, values: Any) -> None:
    pixels = np.zeros((40, 50, 1), np.uint16)
    czi.imwrite(tmp_path / "a.czi", np.zeros((3, 40, 50), np.uint16), "ZYX", thumbnail=False)
    found = values(tmp_path / "a.czi")
    assert found["uncompressed_size"] == 3 * pixels.nbytes
    ratio = 3 * pixels.nbytes / found["file_size"]
    assert found["compression_ratio"] == pytest.approx(ratio, rel=1e-3)


def test_times_bits_and_the_stage(real_file: Callable[[str], Path], table: Any) -> None:
    lines = table(real_file("CellDivision_T3_Z5_CH2_X240_Y170.czi"))
    assert "times every 59.9954 s, 119.991 s from the first to the last" in lines
    assert any(line.startswith("stage x 16,966.3") for line in lines)
    assert any(line.startswith("0 LED555 Gray16 14") for line in lines)


def test_the_other_files_of_a_document_are_listed(tmp_path: Path, run: Callable[..., Any]) -> None:
    path = write_parts(tmp_path / "scan.czi", build_parts([Tile()], [Tile()], [Tile()]))
    path.with_name("scan (2).czi").unlink()
    result = run("info", path, "--json")
    assert result.code == 1  # as a part of the image is not there
    assert result.json[0]["parts"] == {"1": str(path.with_name("scan (1).czi")), "2": None}
    lines = run("info", path).out.splitlines()
    assert any(line.startswith("other parts") and "missing (2)" in line for line in lines)


def test_sub_blocks_of_several_planes_are_counted_once(
    tmp_path: Path, table: Any, values: Any
) -> None:
    pixels = noise(PixelType.Gray8, 4, 5, 1)
    lines = Block(pixels, plane={"T": 0}, sizes={"T": 60}, payload=pixels.tobytes() * 60)
    path = write_czi(tmp_path / "lines.czi", [lines])
    assert "sub-blocks 1 with 60 planes, tiles up to 5 x 4" in table(path)
    blocks = values(path)["sub_blocks"]
    assert (blocks["count"], blocks["planes"]) == (1, 60)
    assert blocks["pixel_types"] == {"Gray8": 1}


@pytest.fixture
def described(made: Callable[[str], Any]) -> Path:
    """A file with much to tell."""
    path: Path = made("described").path
    return path


@pytest.fixture
def find(
    run: Callable[..., Any], extra: Callable[[str], Any], described: Path
) -> Callable[..., Any]:
    """Run ``metadata --path`` on that file."""
    extra("elementpath")
    return lambda path, *more: run("metadata", described, "--path", path, *more)


@pytest.mark.parametrize("option", [[], ["--xml"]])
def test_the_xml_is_printed_as_it_is_stored(
    option: list[str], described: Path, run: Callable[..., Any]
) -> None:
    result = run("metadata", described, *option)
    with czi.open_czi(described) as document:
        assert result.out == document.raw_metadata + "\n"
    assert (result.code, result.err) == (0, "")


def test_the_json_is_the_readers_dictionary(described: Path, run: Callable[..., Any]) -> None:
    result = run("metadata", described, "--json")
    with czi.open_czi(described) as document:
        assert json.loads(result.out) == document.metadata


def test_a_path_finds_attributes(find: Callable[..., Any]) -> None:
    assert find("//Channels/Channel/@Name").out == "DAPI\nGr\u00fcn\n"


def test_a_path_finds_elements(find: Callable[..., Any]) -> None:
    result = find('Metadata/Scaling//Distance[@Id="Y"]')
    assert result.out == '<Distance Id="Y">\n  <Value>2e-07</Value>\n</Distance>\n'


def test_an_absolute_path_begins_at_the_document(find: Callable[..., Any]) -> None:
    result = find("/ImageDocument/Metadata/Information/Document/Title")
    assert result.out == "<Title>A title</Title>\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("//Title/text()", "A title"),
        ("count(//Distance)", "3"),
        ("exists(//Distance)", "true"),
        ("for $c in //Image//Channel return string($c/@Id)", "Channel:0\nChannel:1"),
        ("1.5", "1.5"),
    ],
)
def test_a_path_computes(path: str, text: str, find: Callable[..., Any]) -> None:
    result = find(path)
    assert (result.code, result.out) == (0, text + "\n")


def test_found_as_json(find: Callable[..., Any]) -> None:
    assert find("//Title", "--json").json == [{"Title": "A title"}]
    assert find("//Distance[1]", "--json").json == [{"Distance": {"@Id": "X", "Value": "1.5e-07"}}]
    assert find("count(//Distance)", "--json").json == [3]
    assert find("//Image//Channel/@Id", "--json").json == ["Channel:0", "Channel:1"]


def test_nothing_found_is_1(find: Callable[..., Any]) -> None:
    result = find("//Spam")
    assert (result.code, result.out) == (1, "")
    assert result.err == "czictypes: error: --path '//Spam' finds nothing\n"


@pytest.mark.parametrize("path", ["//[", "spam:eggs()", "//Title["])
def test_no_xpath_is_wrong_usage(path: str, find: Callable[..., Any]) -> None:
    result = find(path)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert line.startswith(f"czictypes: error: --path {path!r}: ")


def test_a_file_without_metadata(tmp_path: Path, run: Callable[..., Any]) -> None:
    path = write_czi(tmp_path / "bare.czi", [Block(noise(PixelType.Gray8, 4, 5, 1))])
    result = run("metadata", path)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"czictypes: error: {path} has no metadata\n"


def test_a_path_without_the_extra_names_it(
    described: Path, missing: Callable[[str], None], run: Callable[..., Any]
) -> None:
    missing("elementpath")
    result = run("metadata", described, "--path", "//Title")
    assert (result.code, result.out) == (1, "")
    assert "pip install 'czictypes[cli]'" in result.err
    assert run("metadata", described).code == 0


def test_paths_work_on_the_metadata_of_real_files(
    every_real_file: Path, run: Callable[..., Any], extra: Callable[[str], Any]
) -> None:
    extra("elementpath")
    result = run("metadata", every_real_file, "--path", "/ImageDocument/Metadata//SizeX")
    assert result.code == 0
    assert result.out.startswith("<SizeX>")


def test_it_tells_what_is_loaded(run: Callable[..., Any]) -> None:
    result = run("library")
    found = library_info()
    assert result.code == 0
    told = dict(line.split(":", 1) for line in result.out.splitlines() if line[0] != " ")
    assert told["path"].strip() == found.path
    assert told["found by"].strip() == found.origin
    assert told["libCZI"].strip() == found.version_text
    assert told["compiler"].strip() == found.compiler
    for one in found.stream_classes:
        assert f"{one.name}: {one.description}" in result.out
    for name, has in found.optional_functions.items():
        assert f"{name}: {'yes' if has else 'no'}" in result.out
    assert int(told["threads"].split()[0]) >= 1


def test_it_tells_of_the_kernel(run: Callable[..., Any]) -> None:
    kernel = library_info().kernel
    if not kernel.path:
        pytest.skip(f"there is no kernel: {kernel.reason}")
    out = run("library").out.splitlines()
    assert f"{'kernel:':<20}{kernel.path}" in out
    assert f"{'kernel version:':<20}{kernel.version}, with zstd {kernel.zstd}" in out


def test_it_tells_why_there_is_no_kernel(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CZICTYPES_KERNEL", "0")
    line = f"{'kernel:':<20}none, so the slower numpy paints: CZICTYPES_KERNEL=0 switches it off"
    assert line in run("library").out.splitlines()


def test_it_needs_nothing_of_the_extra(
    missing: Callable[[str], None], run: Callable[..., Any]
) -> None:
    for module in ("rich", "PIL", "PIL.Image", "elementpath"):
        missing(module)
    assert run("library").code == 0


def test_a_named_library_that_fails_is_an_error(environment: dict[str, str]) -> None:
    environment[ENVIRONMENT_VARIABLE] = "/no/such/libCZIAPI.so"
    done = subprocess.run(
        [sys.executable, "-m", "czictypes", "library"],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "/no/such/libCZIAPI.so, named by CZICTYPES_LIBRARY" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_place_that_was_tried_is_listed(environment: dict[str, str]) -> None:
    environment.pop(ENVIRONMENT_VARIABLE, None)
    code = (
        "import sys, pathlib; from czictypes.libczi import library;"
        "library._BUNDLED = pathlib.Path('/nowhere');"
        "library._registered_names = lambda: iter(());"
        "sys.prefix = '/no-prefix';"
        "from czictypes.cli.main import main; sys.exit(main(['library']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    if done.returncode == 0:
        pytest.skip(f"the system itself has a libCZI with the C API: {done.stdout}")
    assert (done.returncode, done.stdout) == (1, "")
    tried = [line.split(" (")[0].strip() for line in done.stderr.splitlines() if line[0] == " "]
    for name in library_names():
        assert {f"/nowhere/{name}", name} <= set(tried)
    assert "pip install czictypes" in done.stderr
    assert "Traceback" not in done.stderr
