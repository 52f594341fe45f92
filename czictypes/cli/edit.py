"""``czictypes edit``: change the metadata of a file in place."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.numbers import scene_index, scene_numbers
from czictypes.cli.output import named_refusals, printable
from czictypes.model.errors import InvalidArgumentError, OutOfBoundsError

if TYPE_CHECKING:
    from czictypes import CziImage
    from czictypes.czi import CziMetadataBuilder, Rgb8Color

_EDIT = """\
Change the metadata of a CZI: names, colours and wavelengths of channels, names of scenes, the size
of a pixel, title and so on, custom attributes. The file is changed in place, all at once; no pixel
is touched, however large the file is. `czictypes copy` makes a copy to try it on."""

_EXAMPLES = """\
examples:
  czictypes edit cells.czi --channel-name 0=DAPI 1=GFP --channel-color 0=#0000FF 1=green
  czictypes edit cells.czi --pixel-size 0.325um --z-step 1um --title "Cells at noon"
  czictypes edit plate.czi --scene-name 0=control --attribute checked=true rounds=3"""

_CHANNEL = {
    "channel_name": ("name", "NAME", "names of channels: 0=DAPI, or DAPI=Hoechst"),
    "channel_color": ("color", "COLOR", "colours of channels: 0=#0000FF or 1=green"),
    "channel_description": ("description", "TEXT", "descriptions of channels"),
    "dye": ("dye", "NAME", "the dyes of channels"),
    "excitation": ("excitation_wavelength", "NM", "wavelengths of excitation in nanometres"),
    "emission": ("emission_wavelength", "NM", "wavelengths of emission in nanometres"),
}
_DOCUMENT = {
    "name": "the name of the document",
    "title": "its title",
    "user_name": "who made it",
    "description": "its description",
    "comment": "a comment",
    "keywords": "keywords",
    "rating": "a rating, a whole number",
    "creation_date": "when it was made: 2024-05-06T07:08:09Z",
}
_NUMBERS = range(-(2**31), 2**31)

Change = Callable[["CziMetadataBuilder"], None]


def add_edit(add: arguments.AddCommand) -> None:
    """Declare ``edit``."""
    parser = add(
        "edit",
        _run_edit,
        help="change names, colours, pixel sizes and other metadata",
        description=_EDIT,
        epilog=_EXAMPLES,
    )
    parser.add_argument("file", metavar="FILE", help="a CZI file on this machine")
    kinds: Mapping[str, Callable[[str], Any]] = {
        "channel_color": _color,
        "excitation": _wavelength,
        "emission": _wavelength,
    }
    for option, (_, value, text) in _CHANNEL.items():
        _add_pairs(parser, option, f"CHANNEL={value}", text, kinds.get(option, str))
    _add_pairs(parser, "scene_name", "SCENE=NAME", "names of scenes: 0=control, or A1=control", str)
    parser.add_argument(
        "--pixel-size",
        type=_pixel_size,
        metavar="X[,Y]",
        help="the size of a pixel: 0.325um, or 0.325um,0.33um along X and Y",
    )
    parser.add_argument(
        "--z-step",
        type=arguments.pixel_length,
        metavar="Z",
        help="the distance of planes along Z: 1um",
    )
    of_document: Mapping[str, Callable[[str], Any]] = {
        "rating": arguments.whole,
        "creation_date": _date,
    }
    for option, text in _DOCUMENT.items():
        parser.add_argument(
            f"--{option.replace('_', '-')}",
            type=of_document.get(option, str),
            metavar="N" if option == "rating" else "TEXT",
            help=text,
        )
    _add_pairs(
        parser, "attribute", "KEY=VALUE", "custom attributes: true and numbers as such", _value
    )


def _add_pairs(
    parser: argparse.ArgumentParser,
    option: str,
    metavar: str,
    text: str,
    kind: Callable[[str], Any],
) -> None:
    """Declare an option that takes several ``KEY=VALUE``."""

    def pair(given: str) -> tuple[str, Any]:
        key, equals, value = given.partition("=")
        if not equals or not key.strip():
            raise argparse.ArgumentTypeError(f"{given!r} is not of the form {metavar}")
        return key.strip(), kind(value)

    parser.add_argument(
        f"--{option.replace('_', '-')}",
        nargs="+",
        action="extend",
        type=pair,
        metavar=metavar,
        default=[],
        help=text,
    )


def _color(text: str) -> Rgb8Color:
    from czictypes.metadata.colors import as_color

    try:
        return as_color(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _wavelength(text: str) -> float:
    try:
        value = float(text.strip().lower())
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a wavelength in nanometres such as 488")
    return value


def _date(text: str) -> str:
    from czictypes.metadata.fields import parse_datetime

    try:
        parse_datetime(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _pixel_size(text: str) -> tuple[float, float]:
    """Return the size along X and Y in metres."""
    sizes = [arguments.pixel_length(part) for part in text.split(",")]
    if len(sizes) > 2:
        raise argparse.ArgumentTypeError(f"{text!r} has more than two sizes; use X or X,Y")
    return sizes[0], sizes[-1]


def _value(text: str) -> bool | int | float | str:
    """Return a value by its look: true, a whole number of 32 bits, another number, else text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if kind is float or number in _NUMBERS:
            return number
    return text


def _run_edit(args: argparse.Namespace) -> int:
    """Make all changes at once, and print them."""
    with named_refusals(args.file, args.file), _file_named(args.file):
        changed = _edit(args)
    for said in changed:
        print(printable(f"{args.file}: {said}"))
    return 0


def _edit(args: argparse.Namespace) -> list[str]:
    """Make all changes; return what is said of each."""
    from czictypes import CziImage
    from czictypes.czi import edit_czi

    with edit_czi(args.file) as editor:
        with CziImage(args.file) as image:
            changes = [*_channel_changes(args, image), *_scene_changes(args, image), *_others(args)]
        if not changes:
            raise InvalidArgumentError(
                f"{args.file}: nothing to change; --help lists what can be changed"
            )
        with editor.edit_session() as builder:
            for _, change in changes:
                change(builder)
    return [said for said, _ in changes]


@contextmanager
def _file_named(file: str) -> Iterator[None]:
    """Add the file to errors about scenes and channels that it does not have."""
    try:
        yield
    except OutOfBoundsError as error:
        raise OutOfBoundsError(f"{file}: {error}") from None


def _channel_changes(args: argparse.Namespace, image: CziImage) -> Iterator[tuple[str, Change]]:
    for option, (field, _, _) in _CHANNEL.items():
        for key, value in getattr(args, option):
            said = f"{option.replace('_', ' ')} {key} = {_shown(value)}"
            yield said, _of_channel(_channel(key, image), field, value)


def _channel(key: str, image: CziImage) -> int:
    """Return the index of a channel, given by its number or name, in the metadata."""
    from czictypes.reading.names import find_channels

    start, end = image.reader.total_bounding_box["C"]
    if not key.isdecimal():
        index: int = find_channels(image.channels, key)
        return index
    if not start <= int(key) < end:
        known = f"{start} to {end - 1}" if end - start > 1 else str(start)
        raise OutOfBoundsError(f"there is no channel {key}; the numbers of channels are {known}")
    return int(key) - start


def _scene_changes(args: argparse.Namespace, image: CziImage) -> Iterator[tuple[str, Change]]:
    numbers = scene_numbers(image)
    for key, name in args.scene_name:
        scene = numbers[scene_index(image, arguments.scene(key))]
        yield f"scene name {key} = {name}", _of_scene(scene, name)


def _of_channel(channel: int, field: str, value: Any) -> Change:
    return lambda builder: builder.set_channel_info(channel, **{field: value})


def _others(args: argparse.Namespace) -> list[tuple[str, Change]]:
    found: list[tuple[str, Change]] = []
    if args.pixel_size is not None:
        found.append((f"pixel size = {_sizes(args.pixel_size)}", _scaling(*args.pixel_size)))
    if args.z_step is not None:
        found.append((f"z step = {_sizes([args.z_step])}", _scaling(z=args.z_step)))
    for option in _DOCUMENT:
        value = getattr(args, option)
        if value is not None:
            found.append((f"{option.replace('_', ' ')} = {value}", _of_document(option, value)))
    for key, value in args.attribute:
        found.append((f"attribute {key} = {_shown(value)}", _attribute(key, value)))
    return found


def _of_scene(scene: int, name: str) -> Change:
    return lambda builder: builder.set_scene_name(scene, name)


def _scaling(x: float | None = None, y: float | None = None, z: float | None = None) -> Change:
    return lambda builder: builder.set_scaling_info(scale_x=x, scale_y=y, scale_z=z)


def _of_document(option: str, value: Any) -> Change:
    field = "creation_date_time" if option == "creation_date" else option
    return lambda builder: builder.set_general_document_info(**{field: value})


def _attribute(key: str, value: Any) -> Change:
    return lambda builder: builder.set_custom_key_value(key, value)


def _sizes(metres: Sequence[float]) -> str:
    return " x ".join(f"{size * 1e6:.12g} \u00b5m" for size in metres)


def _shown(value: Any) -> str:
    if isinstance(value, (bool, str)):
        return str(value).lower() if isinstance(value, bool) else value
    if isinstance(value, (int, float)):
        return f"{value:g}"
    return f"#{int(value.r):02X}{int(value.g):02X}{int(value.b):02X}"
