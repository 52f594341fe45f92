"""The call table, the C declarations and the code that calls agree with each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import czictypes
from czictypes.libczi.functions import FIRST_VERSION, FUNCTIONS, format_version
from czictypes.libczi.library import Status, get_library

PACKAGE = Path(czictypes.__file__).parent
ROOT = Path(__file__).resolve().parents[2]  # the package may be an installed one
ORACLES = [Path(__file__).with_name(name) for name in ("oracle.py", "writer.py")]
HEADER = ROOT / "native" / "libczi_c_api" / "libczi_c_api.h"
TABLE = PACKAGE / "libczi" / "functions.py"
DECLARATIONS = PACKAGE / "libczi" / "_declarations.py"
CALLERS = sorted({*PACKAGE.glob("libczi/*.py"), *ORACLES} - {TABLE, DECLARATIONS})


def strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def called() -> set[str]:
    return {text for path in CALLERS for text in strings(path) if text in FUNCTIONS}


def test_the_table_lists_what_the_header_declares() -> None:
    declared = re.findall(r"\b(libCZI_\w+)\(", HEADER.read_text(encoding="utf-8"))
    assert sorted(declared) == sorted(FUNCTIONS)


def test_every_function_is_called_or_left_out_with_a_reason() -> None:
    left_out = {name for name, function in FUNCTIONS.items() if function.left_out}
    assert called() | left_out == set(FUNCTIONS)
    assert called() & left_out == set()


def test_release_functions_are_named_by_handle_classes_only() -> None:
    for path in CALLERS:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = [
            node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "_release"
            and isinstance(node.value, ast.Constant)
        ]
        releases = [text for text in strings(path) if text.startswith("libCZI_Release")]
        assert named == releases


def test_functions_that_every_version_has_are_required() -> None:
    optional = {name for name, function in FUNCTIONS.items() if function.since > FIRST_VERSION}
    assert optional == {"libCZI_AllocateMemory", "libCZI_TryGetSubBlockInfoForIndex"}
    assert all(FUNCTIONS[name].optional for name in optional)


def test_status_codes_are_those_of_the_header() -> None:
    lib = get_library().lib
    in_header = {
        name[len("CZICTYPES_") :]: getattr(lib, name)
        for name in dir(lib)
        if name.startswith("CZICTYPES_")
    }
    assert in_header == {status.name: status.value for status in Status}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("AccessorOptionsInterop", 24),
        ("AddAttachmentInfoInterop", 116),
        ("AddSubBlockInfoInterop", 120),
        ("AttachmentInfoInterop", 292),
        ("BitmapInfoInterop", 12),
        ("BitmapLockInfoInterop", 28),
        ("CompositionChannelInfoInterop", 28),
        ("ExternalInputStreamStructInterop", 32),
        ("ExternalOutputStreamStructInterop", 32),
        ("ExternalStreamErrorInfoInterop", 12),
        ("FileHeaderInfoInterop", 24),
        ("MetadataAsXmlInterop", 16),
        ("ScalingInfoInterop", 24),
        ("SubBlockInfoInterop", 76),
        ("SubBlockStatisticsInterop", 120),
        ("SubBlockStatisticsInteropEx", 124),
        ("WriteMetadataInfoInterop", 12),
    ],
)
def test_structures_have_the_size_they_have_in_libczi(name: str, size: int) -> None:
    ffi = get_library().ffi
    if ffi.sizeof("void *") != 8:
        pytest.skip("the sizes are known for 64 bits only; run on a 64-bit Python")
    assert ffi.sizeof(f"struct {name}") == size


def test_versions_read_as_people_write_them() -> None:
    assert format_version((0, 67, 4)) == "0.67.4"
