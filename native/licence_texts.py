"""Collects the licence texts of the code inside the library, which are installed beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

from native.errors import BuildError
from native.toolchain import Toolchain

__all__ = ["OWN_TEXTS", "add_compiler_licences", "add_licences", "collect_licences"]

OWN_TEXTS = Path(__file__).resolve().with_name("licenses")

# jxrlib comes without a licence file: the text is the comment at the top of each source file.
_JXRLIB_FILE = Path("Src/JxrDecode/jxrlib/image/decode/decode.c")


def collect_licences(folders: dict[str, tuple[Path, tuple[str, ...]]], target: Path) -> None:
    """Copy licence texts to the folder `target`, which is emptied first.

    Parameters
    ----------
    folders
        By component (`libczi`, `eigen`, ...): its unpacked folder, and the paths of the texts in
        it. Texts of a libCZI checkout that are not there are passed over, as other versions name
        them differently; at least one must be there.
    target
        Gets `<component>-<name of the text>` for each, `jxrlib-LICENSE.txt`, and NOTICE.txt.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copyfile(OWN_TEXTS / "NOTICE.txt", target / "NOTICE.txt")
    for component, (folder, names) in folders.items():
        add_licences(component, folder, names, target)
    jxrlib = folders["libczi"][0] / _JXRLIB_FILE
    (target / "jxrlib-LICENSE.txt").write_text(_leading_comment(jxrlib), encoding="utf-8")


def add_licences(component: str, folder: Path, names: tuple[str, ...], target: Path) -> None:
    """Add the licence texts of one component, and ours of its name, to the folder `target`."""
    present = [folder / name for name in names if (folder / name).is_file()]
    if names and not present:
        raise BuildError(f"{folder} has none of its licence texts ({', '.join(names)}).")
    target.mkdir(parents=True, exist_ok=True)
    for text in present:
        shutil.copyfile(text, target / f"{component}-{text.name}")
    for text in OWN_TEXTS.glob(f"{component}-*"):
        shutil.copyfile(text, target / text.name)


def add_compiler_licences(tools: Toolchain, target: Path) -> None:
    """Add to the folder `target` the licence texts of what the compiler zig puts into a library."""
    if tools.zig is None or tools.target is None:
        return
    zig = Path(tools.zig).parent
    parts = {
        "zig": (zig, "LICENSE"),
        "libcxx": (zig / "lib" / "libcxx", "LICENSE.TXT"),
        "libunwind": (zig / "lib" / "libunwind", "LICENSE.TXT"),
    }
    if tools.target.system == "Windows":
        parts["mingw"] = (zig / "lib" / "libc" / "mingw", "COPYING")
    for component, (folder, name) in parts.items():
        add_licences(component, folder, (name,), target)


def _leading_comment(path: Path) -> str:
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("//"):
            break
        lines.append("" if line.startswith("//*@@@") else line[2:].strip())
    text = "\n".join(lines).strip()
    if "Redistribution" not in text:
        raise BuildError(f"{path} does not begin with jxrlib's licence any more.")
    return text + "\n"
