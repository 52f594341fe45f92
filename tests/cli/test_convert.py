"""``czictypes convert``: what it prints, and its exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import CziImage, imread
from czictypes.cli import convert_many
from czictypes.czi import imwrite, open_czi


@pytest.fixture(autouse=True)
def _tiff() -> None:
    needs("tifffile", "ome-tiff")
    needs("ome_types", "ome-tiff")


def test_there_and_back(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    source, there, back = made("stack").path, tmp_path / "out.ome.tif", tmp_path / "back.czi"
    result = run("convert", source, there)
    assert result.code == 0, result.err
    assert "1 OME-TIFF image" in result.out
    assert "T 3, C 2, Z 4, Y 15, X 21, uint16" in result.out
    needs("zarr", "ome-tiff")  # which reads parts of a TIFF
    assert run("convert", there, back).code == 0
    np.testing.assert_array_equal(imread(back), imread(source))


def test_a_dry_run_as_json(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    target = tmp_path / "out.ome.tif"
    found = run("convert", made("stack").path, target, "--dry-run", "--json").json
    assert (found["dest"], found["format"], found["written"]) == (str(target), "OME-TIFF", False)
    assert found["images"][0]["shape"] == [3, 2, 4, 15, 21]
    assert not target.exists()


def test_scenes_by_number_and_by_name(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    source = made("multi_scene_pyramid").path
    options = "--scene", "1", "Image:0", "--dry-run", "--json"
    found = run("convert", source, tmp_path / "out.tif", *options)
    assert [one["name"] for one in found.json["images"]] == ["Image:1", "Image:0"], found.err


def test_a_target_that_exists_has_an_exit_code_of_its_own(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    (tmp_path / "out.tif").touch()
    result = run("convert", made("stack").path, tmp_path / "out.tif")
    assert result.code == 3
    assert "--overwrite" in result.err
    assert run("convert", made("stack").path, tmp_path / "out.tif", "--overwrite").code == 0


def test_what_does_not_fit_fails_in_one_line(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    result = run("convert", made("stack").path, tmp_path / "out.tif", "--shards", "512")
    assert result.code == 2
    assert "shards" in result.err
    assert len(result.err.splitlines()) == 1
    assert run("convert", made("stack").path, tmp_path / "out.tif", "--levels", "0").code == 2


def test_a_projection_of_a_region_of_some_planes(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    source, target = made("stack").path, tmp_path / "out.czi"
    how = "--roi", "3,2,10,8", "--project", "max", "--plane", "C=1,T=0-1"
    result = run("convert", source, target, *how)
    assert result.code == 0, result.err
    whole = imread(source)
    x, y = made("stack").box[:2]
    expected = whole[:2, 1:2, :, 2 - y : 10 - y, 3 - x : 13 - x].max(2)
    np.testing.assert_array_equal(imread(target)[:, :, 0], expected)


def test_a_projection_along_another_dimension(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    result = run("convert", made("stack").path, tmp_path / "out.czi", "--project", "T=mean")
    assert "T 1, C 2, Z 4" in result.out, result.err


def test_a_file_for_each_scene(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    source = made("multi_scene_pyramid").path
    result = run("convert", source, tmp_path / "out.czi", "--split-scenes", "--scene", 0, 2)
    assert result.code == 0, result.err
    names = ["out_Image_0.czi", "out_Image_2.czi"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all(name in result.out for name in names)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--project", "median", "is not max, mean, sum"),
        ("--project", "Q=max", "there is no dimension Q"),
        ("--plane", "Z=a", "is not of the form"),
        ("--plane", "Z=1,Z=2", "has Z twice"),
    ],
)
def test_an_excerpt_that_cannot_be_read_is_wrong_usage(
    run: Callable[..., Any], tmp_path: Path, option: str, value: str, message: str
) -> None:
    result = run("convert", tmp_path / "in.czi", tmp_path / "out.czi", option, value)
    assert result.code == 2
    assert message in result.err


def write_stack(path: Path, shape: tuple[int, ...] = (7, 20, 30)) -> np.ndarray[Any, Any]:
    pixels = np.random.default_rng(3).integers(0, 4096, shape).astype(np.uint16)
    needs("tifffile", "ome-tiff").imwrite(path, pixels)
    return pixels


def test_what_a_stack_does_not_tell_is_given_with_units(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    needs("zarr", "ome-tiff")
    pixels = write_stack(tmp_path / "in.tif", (3, 2, 20, 30))
    result = run(
        *("convert", tmp_path / "in.tif", tmp_path / "out.czi", "--axes", "TCYX"),
        *("--pixel-size", "325nm", "--z-step", "2um", "--time-step", "500 ms"),
        *("--channel-names", "DAPI,GFP"),
    )
    assert result.code == 0, result.err
    with CziImage(tmp_path / "out.czi") as image:
        np.testing.assert_array_equal(image.get_image_data("TCYX"), pixels)
        assert image.channel_names == ["DAPI", "GFP"]
        assert pytest.approx((2, 0.325, 0.325)) == tuple(image.physical_pixel_sizes)
        assert image.time_interval is not None
        assert image.time_interval.total_seconds() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pixel-size", "0.3s"], "'0.3s' is not a length such as 0.325um"),
        (["--pixel-size", "1um,1um,1um", "--z-step", "1um"], "both give the size along Z"),
        (["--time-step", "2um"], "is not a time such as 2.5s"),
        (["--axes", "YX"], "axes 'YX' has 2 letters for an array of shape (7, 20, 30)"),
        (["--channel-names", "a", "b"], "--channel-names has 2 values for 1 channels"),
    ],
)
def test_descriptions_that_do_not_fit(
    run: Callable[..., Any], tmp_path: Path, options: list[str], message: str
) -> None:
    needs("zarr", "ome-tiff")
    write_stack(tmp_path / "in.tif")
    result = run("convert", tmp_path / "in.tif", tmp_path / "out.czi", *options)
    assert result.code == 2
    assert message in result.err
    assert not (tmp_path / "out.czi").exists()


@pytest.mark.parametrize(
    ("dest", "options", "message"),
    [
        ("a.jpg", [], "a.jpg does not end in the name of a format"),
        ("a.ome.tif", ["--shards", "512"], "--shards cannot be used to convert CZI to OME-TIFF"),
        ("a.tif", ["--resume"], "--resume cannot be used"),
        ("a.tif", ["--stored-resolution", "--dtype", "uint8"], "--dtype cannot be used"),
        ("a.tif", ["--pixel-size", "1um"], "--pixel-size cannot be used to convert CZI"),
        ("a.tif", ["--pixel-size", "5cm"], "'5cm' is no size of a pixel, which is below 1 cm"),
        ("a.tif", ["--z-step", "1m"], "'1m' is no size of a pixel, which is below 1 cm"),
        ("a.tif", ["--z-step", "1um"], "czictypes edit --pixel-size or --z-step changes it"),
        ("a.czi", ["--channel-names", "a"], "czictypes edit --channel-name changes it in place"),
        ("a.tif", ["--compression", "foo"], "there is no compression 'foo' for TIFF"),
        ("a.czi", ["--compression", "foo"], "compression options 'foo'"),
        ("a.tif", ["--scene", "9"], "there is no scene 9"),
        ("a.tif", ["--scene", "X9"], "there is no scene 'X9'"),
        ("a.tif", ["--dest", "x"], "--dest and --workers need --to"),
        ("a.png", [], "a PNG holds one scene; name one of "),
        ("a.png", [], "or give --split-scenes for a file of each"),
    ],
)
def test_wrong_usage_is_2_in_words_of_the_command_line(
    run: Callable[..., Any],
    made: Callable[[str], Made],
    tmp_path: Path,
    dest: str,
    options: list[str],
    message: str,
) -> None:
    result = run("convert", made("multi_scene_pyramid").path, tmp_path / dest, *options)
    assert result.code == 2
    assert message in result.err
    assert "=" not in result.err.replace("key=value", "").replace("=N", "").replace("=HiLo", "")


def test_a_png_of_a_stack_needs_a_plane(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    result = run("convert", made("stack").path, tmp_path / "a.png")
    assert result.code == 2
    assert result.err.rstrip().endswith("places) with --plane")


def test_three_files_need_a_format(run: Callable[..., Any], made: Callable[[str], Made]) -> None:
    path = made("stack").path
    result = run("convert", path, path, "out.tif")
    assert result.code == 2
    assert "--to FORMAT -o DIR converts several" in result.err


@pytest.fixture
def files(made: Callable[[str], Made], tmp_path: Path) -> list[Path]:
    """Give two files that can be converted, and one between them that cannot."""
    folder = tmp_path / "in"
    folder.mkdir()
    paths = [folder / name for name in ("a.czi", "b.czi", "c.ome.tif")]
    paths[0].write_bytes(made("stack").path.read_bytes())
    paths[1].write_bytes(b"no CZI at all" * 100)
    needs("zarr", "ome-tiff")
    write_stack(paths[2])
    return paths


@pytest.mark.parametrize("workers", [1, 2])
def test_many_files_succeed_and_fail_one_by_one(
    run: Callable[..., Any], files: list[Path], tmp_path: Path, workers: int
) -> None:
    result = run(
        "convert", *files, "--to", "ome-tiff", "-o", tmp_path / "out", "--workers", workers
    )
    assert result.code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.ome.tif", "c.ome.tif"]
    assert result.out.splitlines()[-1].startswith("3 files: 2 converted, 1 failed")
    (line,) = result.err.splitlines()
    assert str(files[1]) in line
    np.testing.assert_array_equal(imread(tmp_path / "out" / "a.ome.tif"), imread(files[0]))


def test_many_files_to_ome_zarr_go_on(
    run: Callable[..., Any], files: list[Path], tmp_path: Path
) -> None:
    needs("zarr.abc.store", "ome-zarr")
    needs("ngff_zarr", "ome-zarr")
    out, whole = tmp_path / "out", [files[0], files[2]]
    assert run("convert", files[0], "--to", "ome-zarr", "-o", out).code == 0
    assert run("convert", *whole, "--to", "ome-zarr", "-o", out).code == 3  # for the first one
    result = run("convert", *whole, "--to", "ome-zarr", "-o", out, "--resume", "--json")
    assert result.code == 0, result.err
    assert [one["status"] for one in result.json] == ["already there", "already there"]


def test_many_files_may_go_on_for_every_format(
    run: Callable[..., Any], files: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run("convert", files[0], "--to", "tiff", "-o", out).code == 0
    before = (out / "a.tif").stat().st_mtime_ns
    result = run("convert", files[0], files[2], "--to", "tiff", "-o", out, "--resume", "--json")
    assert [one["status"] for one in result.json] == ["already there", "converted"]
    assert (out / "a.tif").stat().st_mtime_ns == before


def test_files_that_would_replace_each_other_are_refused(
    run: Callable[..., Any], files: list[Path], tmp_path: Path
) -> None:
    other = tmp_path / "a.czi"
    other.write_bytes(files[0].read_bytes())
    result = run("convert", files[0], other, "--to", "tiff", "-o", tmp_path / "out")
    assert result.code == 2
    assert "would both become" in result.err
    assert not (tmp_path / "out").exists()
    assert run("convert", other, "--to", "czi").code == 2  # beside itself, so over itself


def test_a_dry_run_of_many_writes_nothing(
    run: Callable[..., Any], files: list[Path], tmp_path: Path
) -> None:
    result = run("convert", files[0], "--to", "tiff", "-o", tmp_path / "out", "--dry-run")
    assert result.code == 0
    assert "1 file: 1 to convert" in result.out
    assert not (tmp_path / "out").exists()


class Dying:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> Any:
        return os._exit, (7,)


def test_a_process_that_dies_fails_its_file_alone(files: list[Path], tmp_path: Path) -> None:
    job = convert_many._Job(str(files[0]), str(tmp_path / "out.tif"), {})
    dying = job._replace(options={"levels": Dying()})
    outcome = convert_many._in_process(dying, convert_many._Processes())
    assert outcome.code == 1
    assert "ended with code 7" in outcome.reason


def test_no_process_starts_after_an_interrupt(files: list[Path], tmp_path: Path) -> None:
    processes = convert_many._Processes()
    processes.end()
    outcome = convert_many._in_process(
        convert_many._Job(str(files[0]), str(tmp_path / "out.tif"), {}), processes
    )
    assert outcome.code == 1
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot interrupt others on Windows")
@pytest.mark.parametrize("send", [os.kill, os.killpg] if sys.platform != "win32" else [None])
def test_an_interrupt_ends_all_processes_and_leaves_nothing_behind(
    environment: dict[str, str], tmp_path: Path, send: Callable[[int, int], None]
) -> None:
    source, out = tmp_path / "0.czi", tmp_path / "out"
    pixels = np.random.default_rng(1).integers(0, 4000, (20, 512, 512)).astype(np.uint16)
    imwrite(source, pixels, "ZYX")
    others = [tmp_path / f"{number}.czi" for number in range(1, 20)]
    for other in others:
        os.link(source, other)
    program = (  # also where this process ignores Ctrl-C, as what runs in the background does
        "import signal, sys; from czictypes.cli import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main.program())"
    )
    call = [sys.executable, "-c", program, "convert", *others, "--to", "ome-tiff", "-o", out]
    with subprocess.Popen(
        [*map(str, call), "--workers", "2"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while process.poll() is None and not list(out.glob(".*.writing")):
            time.sleep(0.01)
        send(process.pid, signal.SIGINT)
        _, errors = process.communicate()  # which waits for all who have its end of the pipes
    assert (process.returncode, errors) == (130, "czictypes: error: interrupted\n")
    assert not list(out.glob(".*"))
    assert len(list(out.iterdir())) < len(others)


def test_scenes_that_are_missing_are_converted_when_it_goes_on(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    call = ["convert", made("multi_scene_pyramid").path, "--to", "tiff", "-o", tmp_path / "out"]
    assert run(*call, "--split-scenes").code == 0
    first, *_ = sorted((tmp_path / "out").iterdir())
    pixels = first.read_bytes()
    first.unlink()
    result = run(*call, "--split-scenes", "--resume", "--json")
    assert [one["status"] for one in result.json] == ["converted"], result.err
    assert first.read_bytes() == pixels
    result = run(*call, "--split-scenes", "--resume", "--json")
    assert [one["status"] for one in result.json] == ["already there"]


def test_a_file_in_the_place_of_the_folder_is_refused(
    run: Callable[..., Any], files: list[Path]
) -> None:
    for folder in (files[2], files[2] / "below"):
        result = run("convert", files[0], "--to", "tiff", "-o", folder)
        assert result.code == 2
        assert f"--dest {folder}: a file is there; name a folder" in result.err


def test_a_file_in_the_place_of_an_ome_zarr_is_not_already_there(
    run: Callable[..., Any], files: list[Path], tmp_path: Path
) -> None:
    needs("ngff_zarr", "ome-zarr")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.ome.zarr").touch()
    result = run("convert", files[0], "--to", "ome-zarr", "-o", tmp_path / "out", "--resume")
    assert result.code == 1
    assert "is a file, not a folder" in result.err


def test_a_missing_file_is_named_once(run: Callable[..., Any], tmp_path: Path) -> None:
    result = run("convert", tmp_path / "no.czi", "--to", "tiff", "-o", tmp_path / "out")
    assert result.err == f"czictypes: error: {tmp_path / 'no.czi'}: No such file or directory\n"


def test_dimensions_of_one_place_are_left_out(
    run: Callable[..., Any], tmp_path: Path, extra: Callable[[str], Any]
) -> None:
    pixels = np.random.default_rng(3).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    extra("PIL.Image").fromarray(pixels).save(tmp_path / "a.png")
    full, bare, copied = tmp_path / "full.czi", tmp_path / "bare.czi", tmp_path / "copied.czi"
    option = "--only-named-dimensions"
    for source in (tmp_path / "a.png", full):
        assert run("convert", source, bare, option, "--overwrite").code == 0
        np.testing.assert_array_equal(imread(bare).squeeze(), pixels)
        assert dimensions(bare) <= {"S"}
        if source != full:
            assert run("convert", source, full).code == 0
    assert dimensions(full) >= {"C", "T", "Z"}
    assert run("copy", full, copied, option).code == 0
    assert dimensions(copied) <= {"S"}
    result = run("convert", full, tmp_path / "b.png", option)
    assert (result.code, f"{option} cannot be used to convert" in result.err) == (2, True)


def dimensions(path: Path) -> set[str]:
    """Return the letters that sub-blocks have."""
    with open_czi(path) as document:
        return set(document.read_subblock(0).info.coordinate)
