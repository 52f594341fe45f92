"""The names of the scenes and channels of a document, and the numbers that they stand for."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.scenes import SceneInfo
from czictypes.model.errors import (
    CorruptFileError,
    InvalidArgumentError,
    MetadataWarning,
    OutOfBoundsError,
)
from czictypes.model.geometry import whole_number
from czictypes.model.options import ChannelDisplaySettingsDataClass, DisplaySettings
from czictypes.model.public import warn_caller

if TYPE_CHECKING:
    from czictypes.reading.document import OpenDocument
    from czictypes.reading.table import SubBlockTable

T = TypeVar("T")
NumberedSettings = dict[int, ChannelDisplaySettingsDataClass]

_MOST_LISTED = 8


def metadata_or(document: OpenDocument, read: Callable[[OpenDocument], T], otherwise: T) -> T:
    """Return metadata of a document; `otherwise`, with a warning, where they are damaged.

    Single fields never fail; this is for XML, or a directory of attachments, that cannot be read
    at all. Pixels have nothing to do with either.
    """
    try:
        return read(document)
    except CorruptFileError as error:
        warn_caller(
            f"metadata of {document.name!r}: {error}; they are taken as missing", MetadataWarning
        )
        return otherwise


# Scenes


def scene_infos(document: OpenDocument) -> dict[int | None, SceneInfo]:
    """Return the metadata of the scenes by their numbers.

    In a document whose sub-blocks have no S, the scene of None is the one that the metadata list,
    if there is exactly one.
    """
    return document.cached("scenes by number", lambda: _scene_infos(document))


def _scene_infos(document: OpenDocument) -> dict[int | None, SceneInfo]:
    nothing: list[SceneInfo] = []
    listed = metadata_or(document, lambda document: document.scenes, nothing)
    if document.table.scene_rectangles:
        return {scene.index: scene for scene in reversed(listed)}
    return {None: listed[0]} if len(listed) == 1 else {}


def scene_names(document: OpenDocument) -> tuple[str, ...]:
    """Return a name for each scene that the document has tiles of; no two are equal."""
    return document.cached(
        "names of scenes",
        lambda: names_of_scenes(_scene_numbers(document), scene_infos(document)),
    )


def names_of_scenes(
    numbers: Sequence[int | None], known: Mapping[int | None, SceneInfo]
) -> tuple[str, ...]:
    """Return a name for each scene, given by its number (None without S); no two are equal.

    It is that of the metadata, with the well where several have the same name, or ``Image:0``.
    """
    infos = [known.get(number) for number in numbers]
    names = [(info and info.name) or f"Image:{number or 0}" for info, number in zip(infos, numbers)]
    wells = [info.well.name if info and info.well else None for info in infos]
    names = _distinct(names, [f"-{well}" if well else "" for well in wells])
    return tuple(_distinct(names, [f" ({number})" for number in numbers]))


def _scene_numbers(document: OpenDocument) -> list[int | None]:
    return list(document.table.scene_rectangles) or [None]


def _distinct(names: list[str], endings: list[str]) -> list[str]:
    """Add the endings to names that there are several of."""
    counts = Counter(names)
    return [name if counts[name] == 1 else name + end for name, end in zip(names, endings)]


# Channels


def channel_infos(document: OpenDocument, channels: Iterable[int]) -> list[ChannelInfo]:
    """Return the metadata of each channel that there are pixels of.

    Metadata of more or fewer channels are warned of, once for a document.
    """
    nothing: list[ChannelInfo] = []
    listed = metadata_or(document, lambda document: document.channels, nothing)
    numbers = list(channels)
    if listed and len(listed) != len(numbers):
        document.cached("number of channels", lambda: _warn(len(listed), len(numbers)))
    known = {info.index: info for info in listed}
    return [known.get(channel) or ChannelInfo(channel) for channel in numbers]


def _warn(listed: int, present: int) -> None:
    warn_caller(
        f"metadata: they list {listed} channels, but there are pixels of {present}; what is "
        "listed is taken for the first ones",
        MetadataWarning,
    )


def channel_names(infos: Iterable[ChannelInfo]) -> list[str]:
    """Return a name for each channel; no two are equal.

    It is the name in the metadata, else the Id there, else ``"Channel:0"`` with the channel's
    number. A name that was taken before has its count behind it: ``"DAPI (2)"``.
    """
    names: list[str] = []
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for plain in map(_plain_channel, infos):
        name = plain
        while name in taken:
            counts[plain] = counts.get(plain, 1) + 1
            name = f"{plain} ({counts[plain]})"
        taken.add(name)
        names.append(name)
    return names


def _plain_channel(info: ChannelInfo) -> str:
    return info.name or info.id or f"Channel:{info.index}"


# From names to numbers


class NamedList(list[T]):
    """A list whose entries can also be taken by name, and whose errors say what there is.

    Parameters
    ----------
    entries
        The entries.
    what
        The word for an entry in errors: ``"scene"``.
    names
        The name of each entry.
    """

    def __init__(self, entries: Iterable[T], what: str, names: Iterable[str]) -> None:
        super().__init__(entries)
        self._what, self._names = what, tuple(names)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle as the arguments."""
        return type(self), (list(self), self._what, self._names)

    @overload
    def __getitem__(self, key: SupportsIndex | str) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> list[T]: ...
    def __getitem__(self, key: SupportsIndex | str | slice) -> T | list[T]:
        """Return the entry at a position or of a name, or a part of the list.

        Raises
        ------
        OutOfBoundsError
            If there is no such entry; the message lists some that there are.
        """
        if isinstance(key, slice):
            return super().__getitem__(key)
        if isinstance(key, str):
            return super().__getitem__(find_name(self._names, key, self._what))
        try:
            return super().__getitem__(whole_number(key, f"the position of a {self._what}"))
        except IndexError:
            raise _unknown(self._names, key, self._what) from None


def find_scene(names: Sequence[str], scene: int | str) -> int:
    """Return the index of a scene given by its name or index.

    Raises
    ------
    OutOfBoundsError
        If there is no such scene; the message lists some that there are.
    InvalidArgumentError
        If it is neither a name nor an index.
    """
    if isinstance(scene, str):
        return find_name(names, scene, "scene")
    try:
        index = whole_number(scene)
    except TypeError:
        raise InvalidArgumentError(
            f"a scene is given by its index or its name, one at a time, not by {scene!r}"
        ) from None
    if -len(names) <= index < len(names):
        return index % len(names)
    raise _unknown(names, scene, "scene")


def find_channels(infos: Sequence[ChannelInfo], wanted: Any) -> Any:
    """Return a selection of channels with the indices of those that are given by name.

    A selection without names is returned as it is.
    """
    if isinstance(wanted, str):
        plain = [_plain_channel(info) for info in infos]
        return find_name(channel_names(infos), wanted, "channel", plain)
    if has_names(wanted):
        return [find_channels(infos, one) if isinstance(one, str) else one for one in wanted]
    return wanted


def has_names(wanted: Any) -> bool:
    """Tell whether there is a name in what a caller chooses along a dimension."""
    if isinstance(wanted, str):
        return True
    if isinstance(wanted, (int, slice, range)) or not isinstance(wanted, Iterable):
        return False
    is_one = getattr(wanted, "ndim", 1) == 0  # an array of numpy that is one index
    return not is_one and any(isinstance(one, str) for one in wanted)


def find_name(
    names: Sequence[str], wanted: str, what: str, plain: Sequence[str] | None = None
) -> int:
    """Return the position of a name; `plain` are the names before equal ones were told apart.

    Raises
    ------
    OutOfBoundsError
        If there is no such name; the message lists some that there are.
    InvalidArgumentError
        If there are several.
    """
    same = [index for index, name in enumerate(plain or names) if name == wanted]
    if len(same) > 1:
        listed = ", ".join(repr(names[index]) for index in same[:_MOST_LISTED])
        raise InvalidArgumentError(
            f"there are {len(same)} {what}s {wanted!r} ({listed}); give the number of one"
        )
    if wanted in names:
        return names.index(wanted)
    raise _unknown(names, wanted, what)


def _unknown(names: Sequence[str], wanted: object, what: str) -> OutOfBoundsError:
    if not names:
        return OutOfBoundsError(f"there is no {what} {wanted!r}; there are no {what}s")
    some = ", ".join(repr(name) for name in names[:_MOST_LISTED])
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return OutOfBoundsError(f"there is no {what} {wanted!r}; the {what}s are {some}{more}")


class DocumentNames:
    """Finds the scenes and channels of a document by their names, which it reads when asked."""

    def __init__(self, document: OpenDocument) -> None:
        self._document = weakref.ref(document)  # which holds the table, which holds this

    def number(self, dimension: str, name: str) -> int | None:
        """Return the S or C of a name; None for the only scene of a document without S.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene or channel.
        InvalidArgumentError
            If several have this name.
        """
        document = self._document()
        assert document is not None
        if dimension == "S":
            return _scene_numbers(document)[find_scene(scene_names(document), name)]
        numbers = channel_numbers(document)
        found: int = numbers[find_channels(channel_infos(document, numbers), name)]
        return found


def channel_numbers(document: OpenDocument) -> list[int]:
    """Return the numbers of the channels: those of the tiles, and those of the XML among them."""
    first, size = document.table.plane_bounds.get("C", (0, 1))
    nothing: list[ChannelInfo] = []
    listed = metadata_or(document, lambda document: document.channels, nothing)
    known = {info.index for info in listed if first <= info.index < first + size}
    return sorted({first, *document.table.channel_pixel_types, *known})


def numbers_of(table: SubBlockTable, dimension: str, wanted: Any) -> Any:
    """Return what is chosen along S or C with numbers in the place of names.

    A choice without names is returned as it is. Other dimensions have no names.
    """
    if dimension not in ("S", "C") or table.names is None or not has_names(wanted):
        return wanted
    if isinstance(wanted, str):
        return table.names.number(dimension, wanted)
    return [numbers_of(table, dimension, one) for one in wanted]


def chosen_channels(
    table: SubBlockTable, wanted: int | str | Sequence[int | str], known: Sequence[int]
) -> list[int]:
    """Return the numbers of one or some channels; an OutOfBoundsError names one there is not."""
    is_one = isinstance(wanted, str) or not isinstance(wanted, Iterable)
    given: Iterable[Any] = [wanted] if is_one else wanted  # type: ignore[assignment]
    numbers = (numbers_of(table, "C", channel) for channel in given)
    chosen = [whole_number(number, "the number of a channel") for number in numbers]
    if not chosen:
        raise InvalidArgumentError("channels is empty; leave it out for all that are enabled")
    for channel in chosen:
        if channel not in known:
            raise OutOfBoundsError(
                f"there is no channel {channel}; C goes from {known[0]} to {known[-1]}"
            )
    return chosen


def numbered_settings(table: SubBlockTable, settings: DisplaySettings) -> NumberedSettings:
    """Return display settings by the numbers of the channels that they are for."""
    return _by_number(settings, lambda channel: numbers_of(table, "C", channel))


def listed_settings(
    infos: Sequence[ChannelInfo], settings: DisplaySettings, numbers: Sequence[int] = ()
) -> NumberedSettings:
    """Return display settings by the numbers of channels, which may be named as in `infos`.

    `numbers` are those of the channels in `infos`, by default their indices.
    """
    numbers = numbers or [info.index for info in infos]
    return _by_number(
        settings,
        lambda channel: (
            numbers[find_channels(infos, channel)] if isinstance(channel, str) else channel
        ),
    )


def _by_number(settings: DisplaySettings, number: Callable[[Any], Any]) -> NumberedSettings:
    if not isinstance(settings, Mapping):
        raise TypeError(
            f"display_settings must map channels, by number or name, to their settings, not "
            f"{settings!r}"
        )
    found = {number(channel): one for channel, one in settings.items()}
    if len(found) < len(settings):
        raise InvalidArgumentError("display_settings has a channel twice, by number and by name")
    return found


def numbered_plane(table: SubBlockTable, plane: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plane with numbers in the place of names."""
    return {name: numbers_of(table, name, value) for name, value in plane.items()}
