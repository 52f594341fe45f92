"""Options that several commands have, and the conversion of their values."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from glob import glob
from typing import TYPE_CHECKING, Any

from czictypes.model.errors import InvalidArgumentError
from czictypes.model.geometry import PLANE_DIMENSIONS, Rectangle, seconds_of

if TYPE_CHECKING:
    from czictypes.remote.part_files import Parts

#: Declares a command by its name and what runs it, with texts as argparse takes them.
AddCommand = Callable[..., argparse.ArgumentParser]

_COORDINATE = re.compile(r"([A-Za-z])\s*=\s*(-?\d+)")
_CHANNEL = re.compile(r"[Cc]\s*=\s*(\S.*)")
_PLACES = re.compile(r"(\d+)(?:-(\d+)(?:/([1-9]\d*))?)?")
_DIMENSION = re.compile(r"\s*,\s*(?=[A-Za-z]\s*=)")
_NUMBERED = re.compile(r"(\d+)=(.+)", re.DOTALL)
_NEGATIVE = re.compile(r"-\d")
_WILDCARD = re.compile(r"[*?]")


def join_negative_values(arguments: Sequence[str]) -> list[str]:
    """Turn ``--roi -5,0,9,9``, which argparse takes for two options, into ``--roi=-5,0,9,9``."""
    joined: list[str] = []
    for argument in arguments:
        if (
            joined
            and joined[-1] in ("--roi", "--scene", "--contrast")
            and _NEGATIVE.match(argument)
        ):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def expand_wildcards(arguments: Sequence[str]) -> list[str]:
    """Put the names of files in the place of patterns such as ``*.czi``, as other shells do."""
    found: list[str] = []
    for argument in arguments:
        is_pattern = _WILDCARD.search(argument) and not argument.startswith("-")
        # file names may have brackets, and Windows' own programs take them as they are
        names = sorted(glob(argument.replace("[", "[[]"))) if is_pattern else []  # noqa: PTH207
        found += names or [argument]
    return found


def add_on_error(parser: argparse.ArgumentParser) -> None:
    """Declare --on-error."""
    parser.add_argument(
        "--on-error",
        choices=("raise", "blank"),
        default="raise",
        help="blank: leave out tiles that cannot be read, and warn of each; default: stop",
    )


def add_contrast(parser: argparse.ArgumentParser) -> None:
    """Declare --contrast."""
    parser.add_argument(
        "--contrast",
        action="append",
        type=contrast,
        metavar="HOW",
        help="which values a PNG shows as black and as white: file, auto, full or LOW,HIGH; of one "
        "channel, by number or name: DAPI=auto; may be repeated",
    )


def add_scenes(parser: argparse.ArgumentParser) -> None:
    """Declare --scene for several scenes of an image of any format."""
    parser.add_argument(
        "--scene",
        nargs="+",
        action="extend",
        type=scene,
        metavar="S",
        help="only these scenes, by number or name; default: all",
    )


def add_excerpt(parser: argparse.ArgumentParser) -> None:
    """Declare --roi and --project for an image of any format."""
    parser.add_argument(
        "--roi",
        type=roi,
        metavar="X,Y,W,H",
        help="only this region: in pixels of the document for a CZI, of each image otherwise",
    )
    parser.add_argument(
        "--project",
        nargs="+",
        action="extend",
        type=projection,
        metavar="HOW",
        help="project planes by max, mean or sum along Z, or along another dimension: T=max",
    )


def add_only_named(parser: argparse.ArgumentParser) -> None:
    """Declare --only-named-dimensions."""
    parser.add_argument(
        "--only-named-dimensions",
        action="store_true",
        help="for a CZI: leave out Z, C, T... where there is one place only; OpenSlide reads no "
        "file with Z or T",
    )


def add_overwrite(parser: Any) -> None:
    """Declare --overwrite."""
    parser.add_argument("--overwrite", action="store_true", help="replace DST if it is there")
    add_former(parser, "--force", dest="overwrite", action="store_true")


def add_former(parser: Any, flag: str, **how: Any) -> None:
    """Declare the former name of an option, which works and is not shown."""
    parser.add_argument(flag, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **how)


def add_parts(parser: argparse.ArgumentParser) -> None:
    """Declare --parts."""
    parser.add_argument(
        "--parts",
        nargs="+",
        action="extend",
        type=_part,
        metavar="FILE",
        help="the other files of a CZI in several files, if they are not beside it as "
        "'NAME (1).czi': FILE or, with their numbers (needed for URLs), 1=FILE 2=FILE",
    )


def parts(
    given: Sequence[tuple[int | None, str]] | None, files: Sequence[str] = ()
) -> Parts | None:
    """Return what was given as ``--parts``, as `open_czi` takes it.

    Raises
    ------
    InvalidArgumentError
        If some have a number and others have none, or two have the same; or if there is more than
        one document that they could belong to.
    """
    if given is None:
        return None
    if len(files) > 1:
        raise InvalidArgumentError(
            "--parts names the other files of one document, so give one FILE"
        )
    numbered = {number: file for number, file in given if number is not None}
    if not numbered:
        return [file for _, file in given]
    if len(numbered) < len(given):
        raise InvalidArgumentError(
            "--parts: number all files, each with its own number (1=b.czi 2=c.czi), or none"
        )
    return numbered


def _part(text: str) -> tuple[int | None, str]:
    match = _NUMBERED.fullmatch(text)
    return (None, text) if match is None else (int(match.group(1)), match.group(2))


def add_stored_resolution(parser: argparse.ArgumentParser) -> None:
    """Declare --stored-resolution."""
    parser.add_argument(
        "--stored-resolution",
        action="store_true",
        help="read every stored pixel of tiles that have more of them than they cover (PALM), and "
        "magnify all others to match",
    )


def count(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def whole(text: str) -> int:
    """Return a whole number."""
    if re.fullmatch(r"-?\d+", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def roi(text: str) -> Rectangle:
    """Return ``X,Y,W,H`` as a rectangle."""
    try:
        x, y, w, h = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not X,Y,W,H, four whole numbers such as 0,0,512,512"
        ) from None
    if w < 1 or h < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is empty: W and H must be at least 1")
    return Rectangle(x, y, w, h)


def scene(text: str) -> int | str:
    """Return the number of a scene, or its name."""
    return int(text) if text.lstrip("-").isdigit() else text


def plane(text: str) -> dict[str, int | str]:
    """Return ``C=DAPI,Z=3`` as a coordinate."""
    coordinate: dict[str, int | str] = {}
    for part in text.split(","):
        match = _COORDINATE.fullmatch(part.strip())
        channel = _CHANNEL.fullmatch(part.strip())
        if match is None and channel is not None and "C" not in coordinate:
            coordinate["C"] = channel.group(1)
            continue
        if match is None:
            raise argparse.ArgumentTypeError(f"{text!r} is not a plane such as C=0,Z=3")
        name = match.group(1).upper()
        check_dimension(name)
        if name in coordinate:
            raise argparse.ArgumentTypeError(f"{text!r} has {name} twice")
        coordinate[name] = int(match.group(2))
    return coordinate


def places(text: str) -> tuple[str, list[int | str]]:
    """Return ``Z=2-5,8`` or ``C=DAPI`` as a dimension and its places."""
    letter, equals, listed = text.partition("=")
    letter = letter.strip().upper()
    matches = [_PLACES.fullmatch(part.strip()) for part in listed.split(",")]
    if equals and letter == "C" and None in matches:
        return letter, [part.strip() for part in listed.split(",")]
    if not equals or None in matches:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form C=0,1 or Z=2-5 or T=0-99/10")
    check_dimension(letter)
    found: list[int | str] = []
    for match in matches:
        assert match is not None
        first, last, step = (None if part is None else int(part) for part in match.groups())
        assert first is not None
        last = first if last is None else last
        if last < first:
            raise argparse.ArgumentTypeError(f"{text!r} ends before it begins")
        found += range(first, last + 1, step or 1)
    return letter, found


def planes(text: str) -> dict[str, Any]:
    """Return ``C=DAPI,GFP,Z=2-5`` as places by dimension; a single place stands alone."""
    found: dict[str, Any] = {}
    for part in _DIMENSION.split(text.strip()):
        letter, listed = places(part.strip())
        if letter in found:
            raise argparse.ArgumentTypeError(f"{text!r} has {letter} twice")
        found[letter] = listed[0] if len(listed) == 1 else listed
    return found


def check_dimension(letter: str) -> None:
    """Refuse letters that are not dimensions of planes."""
    if letter == "S":
        raise argparse.ArgumentTypeError("a scene is not part of a plane; use --scene")
    if letter not in PLANE_DIMENSIONS:
        allowed = ", ".join(PLANE_DIMENSIONS)
        raise argparse.ArgumentTypeError(f"there is no dimension {letter}; use {allowed}")


_LENGTH = re.compile(r"(\d+\.?\d*(?:e-?\d+)?|\.\d+)\s*([a-z\u00b5\u03bc]*)", re.IGNORECASE)
_METRES = {
    "nm": 1e-9,
    "um": 1e-6,
    "\u00b5m": 1e-6,
    "\u03bcm": 1e-6,
    "mm": 1e-3,
    "cm": 1e-2,
    "m": 1.0,
}


def length(text: str) -> float:
    """Return a length such as ``0.325um`` in metres; without a unit it is in micrometres."""
    match = _LENGTH.fullmatch(text.strip())
    metres = _METRES.get((match.group(2) or "um").lower()) if match else None
    if match is None or metres is None or not float(match.group(1)) > 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a length such as 0.325um, 325nm or 0.001mm"
        )
    return float(f"{float(match.group(1)) * metres:.15g}")


def pixel_length(text: str) -> float:
    """Return the size of a pixel, or a distance of planes, in metres: less than 1 cm."""
    from czictypes.metadata.document_info import LARGEST_PIXEL

    found = length(text)
    if found >= LARGEST_PIXEL:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size of a pixel, which is below 1 cm; without a unit it is in um"
        )
    return found


def lengths(text: str) -> list[float]:
    """Return ``0.325um`` or ``0.2um,0.2um,1um`` in metres; a single one is for x and y."""
    found = [pixel_length(part) for part in text.split(",")]
    if len(found) > 3:
        raise argparse.ArgumentTypeError(f"{text!r} has more than X,Y,Z")
    return found * 2 if len(found) == 1 else found


def duration(text: str) -> float:
    """Return a time such as ``2.5s`` in seconds, which a number without a unit has, too."""
    match = _LENGTH.fullmatch(text.strip())
    unit = None if match is None else seconds_of(match.group(2) or "s")
    if match is None or unit is None or not float(match.group(1)) > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2.5s, 200ms or 5min")
    return float(f"{float(match.group(1)) * unit:.15g}")


def projection(text: str) -> dict[str, str]:
    """Return ``max`` (along Z) or ``T=mean`` as a method by dimension."""
    letter, _, method = text.rpartition("=")
    letter = letter.strip().upper() or "Z"
    if method not in ("max", "mean", "sum"):
        raise argparse.ArgumentTypeError(f"{text!r} is not max, mean, sum, or one such as T=max")
    check_dimension(letter)
    return {letter: method}


def projections(given: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return the method by dimension of all --project."""
    return {letter: method for one in given or () for letter, method in one.items()}


def zoom(text: str) -> float:
    """Return a number above 0 and up to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and up to 1")
    return value


def contrast(text: str) -> tuple[int | str | None, Any]:
    """Return ``auto`` or ``100,4000`` as a contrast, and the channel of ``DAPI=auto``."""
    channel, equals, chosen = text.rpartition("=")
    if chosen not in ("file", "auto", "full"):
        try:
            low, high = (float(part) for part in chosen.split(","))
        except ValueError:
            low, high = math.nan, math.nan
        if not -math.inf < low < high < math.inf:
            raise argparse.ArgumentTypeError(
                f"{chosen!r} is not file, auto, full or LOW,HIGH, two values such as 100,4000"
            )
        return (scene(channel) if equals else None), (low, high)
    return (scene(channel) if equals else None), chosen


def contrasts(given: Sequence[tuple[int | str | None, Any]] | None) -> Any:
    """Return what was given as ``--contrast``, as `CziReader.composite` takes it.

    Raises
    ------
    InvalidArgumentError
        If there are several for all channels, or for one.
    """
    found: dict[Any, Any] = dict(given or [(None, "file")])
    if len(found) < len(given or ()) or (None in found and len(found) > 1):
        raise InvalidArgumentError(
            "--contrast: give one for all channels, or one for each, such as DAPI=auto"
        )
    return found.get(None, found)
