"""Gets a pinned source from the cache, or from the package index through pip.

pip runs as a program, because only it knows the user's configuration: index and mirrors, local
folders, proxies, certificates, passwords. It requires a package's metadata before it keeps a source
distribution, which would run the package's own build; the folder stand_in_backend prevents that.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from native.cache import cache_folder, sha256_of
from native.errors import BuildError
from native.sources import Source

__all__ = ["fetch"]

STAND_IN = Path(__file__).resolve().with_name("stand_in_backend")

# These would make pip refuse or replace the one version that is asked for.
_MISLEADING = ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT", "PIP_REQUIREMENT", "PIP_TARGET")

_MISMATCH = re.compile(r"DO NOT MATCH THE HASHES.*?Got\s+([0-9a-f]{64})", re.DOTALL)
_UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ConnectionError|Max retries exceeded"
    r"|Could not fetch URL|connection broken by|ProxyError"
)


def fetch(source: Source, cache: Path | None = None) -> Path:
    """Return the path of the file of `source`, its SHA-256 verified.

    Parameters
    ----------
    source
        What to get.
    cache
        The folder to look in first and to keep the file in; by default `downloads` in the cache
        folder.

    Raises
    ------
    BuildError
        The file cannot be had, or its SHA-256 is not the pinned one.
    """
    cache = cache_folder() / "downloads" if cache is None else cache
    target = cache / source.file
    if target.is_file() and sha256_of(target) == source.sha256:
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=str(cache), prefix=".incoming-") as folder:
        arrived = _download(source, Path(folder), cache)
        found = sha256_of(arrived)
        if found != source.sha256:
            raise _mismatch(source, found)
        arrived.replace(target)
    return target


def _download(source: Source, folder: Path, cache: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(
        f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8"
    )
    done = subprocess.run(
        _pip_command(source, requirements, folder),
        env=_pip_environment(),
        cwd=str(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    arrived = folder / source.file
    if done.returncode == 0 and arrived.is_file():
        return arrived
    raise _explain(source, done.stdout, cache)


def _pip_command(source: Source, requirements: Path, folder: Path) -> list[str]:
    kind = "--only-binary" if source.is_wheel else "--no-binary"
    return [
        sys.executable, "-m", "pip", "--disable-pip-version-check", "download",
        "--no-deps", "--ignore-requires-python", kind, source.package,
        "--no-build-isolation", "--use-pep517",
        "--dest", str(folder), "--requirement", str(requirements),
    ]  # fmt: skip


def _pip_environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    paths = [str(STAND_IN), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    environment["PYTHONIOENCODING"] = "utf-8"
    return environment


def _explain(source: Source, output: str, cache: Path) -> BuildError:
    mismatch = _MISMATCH.search(output)
    if mismatch:
        return _mismatch(source, mismatch.group(1))
    by_hand = f"or put {source.file} into {cache} by hand."
    if "No module named pip" in output:
        return BuildError(
            f"pip is needed to download {source}, and {sys.executable} has none: "
            f"run `{sys.executable} -m ensurepip`, {by_hand}"
        )
    if "no such option" in output:
        return BuildError(
            f"{source} cannot be downloaded because pip is older than 21.2: run "
            f"`{sys.executable} -m pip install --upgrade pip`, {by_hand}"
        )
    if _UNREACHABLE.search(output):
        return BuildError(
            f"{source} cannot be downloaded because pip reaches no package index: connect to the "
            f"network or check pip's configuration (python -m pip config list), {by_hand}"
        )
    said = next((line for line in output.splitlines() if line.startswith("ERROR:")), "no reason")
    return BuildError(
        f"{source} cannot be downloaded (pip says: {said}): make it available, {by_hand}"
    )


def _mismatch(source: Source, found: str) -> BuildError:
    return BuildError(
        f"{source.file} from the package index is not the pinned file (its SHA-256 is {found}, "
        f"native/sources.toml says {source.sha256}), so it is not used: check the index that pip "
        "is configured for."
    )
