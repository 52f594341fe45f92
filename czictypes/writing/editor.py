"""CziEditor: edits the metadata of an existing file in place, with pylibCZIrw's methods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from czictypes.container.directory import read_directory
from czictypes.container.edit import EditableFile, read_metadata, replace_metadata
from czictypes.container.segments import read_file_header
from czictypes.metadata.channels import channels, display_channel_nodes, display_settings
from czictypes.metadata.colors import ColorLike
from czictypes.metadata.document_info import (
    CustomValue,
    ScalingInfoDto,
    custom_attribute,
    general_document_info,
    scaling,
)
from czictypes.metadata.fields import root_node
from czictypes.metadata.scenes import SceneInfo, scenes
from czictypes.metadata.xml import to_text
from czictypes.metadata.xml_editor import XmlEditor, rename_scene
from czictypes.model.errors import ClosedError, OutOfBoundsError
from czictypes.model.geometry import ABSENT
from czictypes.model.options import (
    ChannelDisplaySettingsDataClassWithNameAndDescription,
    DisplaySettings,
    Rgb8Color,
    TintingMode,
)
from czictypes.model.public import Closable, defended, renamed
from czictypes.reading.names import (
    find_channels,
    find_scene,
    listed_settings,
    names_of_scenes,
)
from czictypes.remote.urls import refuse_url
from czictypes.writing.atomic import PathType


class CziMetadataBuilder(XmlEditor):
    """The metadata of a file while they are edited; nothing is written before `commit`.

    Made by `CziEditor.create_metadata_builder`.
    """

    def __init__(self, editor: CziEditor) -> None:
        super().__init__(editor.read_metadata_bytes())
        self._editor = editor

    def set_display_settings(self, display_settings: DisplaySettings) -> None:
        """Change how the given channels are shown; the others stay as they are.

        Parameters
        ----------
        display_settings
            The settings by channel: by its index, as `CziEditor.read_display_settings` has it, or
            by its name in the metadata. A name or description in them that is None or empty stays
            as it is.

        Raises
        ------
        ValueError
            The document has no such channel, or several of that name; the message lists those
            that there are. Or a value cannot be written.
        """
        infos = channels(self.root)
        ids = [node.attribute("Id") for node in display_channel_nodes(root_node(self.root))]
        indices = [ids.index(one.id) if one.id in ids else one.index for one in infos]
        super().set_display_settings(listed_settings(infos, display_settings, indices))

    def set_channel_info(
        self,
        channel: int | str,
        *,
        name: str | None = None,
        description: str | None = None,
        dye: str | None = None,
        color: ColorLike | None = None,
        excitation_wavelength: float | None = None,
        emission_wavelength: float | None = None,
    ) -> None:
        """Change name, colour, wavelengths and so on of a channel; what is None stays as it is.

        A channel is described twice, for the image and for its display; both are changed.

        Parameters
        ----------
        channel
            The index of the channel in the metadata, or its name there.
        name, description, dye
            Text. A name is not empty.
        color
            The colour in which the channel is shown, which is tinted from then on: an `Rgb8Color`,
            ``"#00FF00"``, a name such as ``"green"``, or red, green and blue from 0 to 255.
        excitation_wavelength, emission_wavelength
            In nanometres.

        Raises
        ------
        OutOfBoundsError
            If there is no such channel.
        InvalidArgumentError
            If several channels have this name.
        ValueError
            If a value cannot be written: an empty name, a wavelength that is not above 0, text
            with a character that XML cannot store.
        """
        super().set_channel_info(
            find_channels(channels(self.root), channel),
            name=name,
            description=description,
            dye=dye,
            color=color,
            excitation_wavelength=excitation_wavelength,
            emission_wavelength=emission_wavelength,
        )

    def set_scene_name(self, scene: int | str, name: str) -> None:
        """Rename a scene.

        Parameters
        ----------
        scene
            The number of the scene in the file, or its name as in `CziImage.scenes`; 0 for the
            only one of a file without scenes.
        name
            Its new name, which is not empty.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene.
        ValueError
            For an empty name, or one with a character that XML cannot store.
        """
        numbers = sorted(self._editor.coordinates("S"))
        named: list[int | None] = [*numbers] or [None]
        listed = scenes(self.root, numbers)
        known: dict[int | None, SceneInfo] = {one.index: one for one in reversed(listed)}
        if not numbers:
            known = {None: listed[0]} if len(listed) == 1 else {}
        if isinstance(scene, str):
            number = named[find_scene(names_of_scenes(named, known), scene)]
        elif scene in named or (not numbers and scene == 0):
            number = scene if numbers else None
        else:
            known_numbers = ", ".join(map(str, numbers)) or "0"
            raise OutOfBoundsError(f"there is no scene {scene}; the scenes are {known_numbers}")
        self._apply(rename_scene, number, name, numbers)

    def _channel_count(self) -> int:
        channels = self._editor.coordinates("C")
        return max(channels) - min(channels) + 1 if channels else 1

    def can_commit(self) -> bool:
        """Tell whether the changes can be written: the editor is still open."""
        return self._editor.is_open

    def commit(self) -> None:
        """Write the metadata to the file; no pixel is touched.

        If the process dies meanwhile, the file has the metadata before or these.

        Raises
        ------
        ClosedError
            If the editor was closed.
        OSError
            If the file cannot be written.
        """
        self._editor.write_metadata_bytes(self.to_bytes())


@defended(lambda editor: editor._file.name)
class CziEditor(Closable):
    """An existing CZI whose metadata are read and edited in place.

    Examples
    --------
    >>> with edit_czi("image.czi") as editor:  # doctest: +SKIP
    ...     with editor.edit_session() as builder:
    ...         builder.set_general_document_info(title="A better title")
    ...         builder.set_scaling_info(scale_x=1.2e-7)

    Parameters
    ----------
    filepath
        The path of the file, which must exist.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If there is no such file, or it cannot be written. A file without any permission to write
        is refused to root, too.
    OSError
        If it is a URL.
    NotCziError
        If the file is no CZI.
    """

    @renamed({"source": "filepath"})
    def __init__(self, filepath: PathType) -> None:
        refuse_url(filepath, "edit a copy on this machine (czi.copy makes one)")
        self._file = EditableFile(filepath)
        try:
            self.read_metadata_bytes()
        except BaseException:
            self._file.close()
            raise

    def __repr__(self) -> str:
        return f"<{'' if self.is_open else 'closed '}CziEditor of {self._file.name!r}>"

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        self._file.close()

    @property
    def is_open(self) -> bool:
        """Whether the editor was not closed yet."""
        return not self._file.closed

    def read_metadata_bytes(self) -> bytes:
        """Return the XML as it is stored; empty where the file has none."""
        self._require_open()
        return read_metadata(self._file)

    def write_metadata_bytes(self, xml: bytes) -> None:
        """Replace the whole XML, unchecked; `CziMetadataBuilder.set_xml` is the safe way."""
        self._require_open()
        replace_metadata(self._file, xml)

    def coordinates(self, dimension: str) -> set[int]:
        """Return the numbers along a dimension (``"C"``, ``"S"``...) that sub-blocks have."""
        self._require_open()
        directory = read_directory(self._file, read_file_header(self._file))
        column = directory.scene if dimension == "S" else directory.coordinates.get(dimension)
        return set() if column is None else set(np.unique(column).tolist()) - {ABSENT}

    def read_metadata_xml(self) -> str:
        """Return the XML as text."""
        return to_text(self.read_metadata_bytes())

    def read_custom_key_value(self, key: str) -> CustomValue | None:
        """Return the custom attribute named `key` as bool, int, float or str; None without one."""
        return custom_attribute(self.read_metadata_bytes(), key)

    def read_general_document_info(self) -> dict[str, Any]:
        """Return the general facts of the document.

        The keys are those of 'name', 'title', 'user_name', 'description', 'comment', 'keywords',
        'rating' and 'creation_date_time' that the file has.
        """
        info = asdict(general_document_info(self.read_metadata_bytes()))
        return {key: value for key, value in info.items() if value is not None}

    def read_scaling_info(self) -> ScalingInfoDto:
        """Return the size of a pixel in metres; None for an axis without one."""
        return ScalingInfoDto(*scaling(self.read_metadata_bytes()))

    def read_display_settings(
        self,
    ) -> dict[int, ChannelDisplaySettingsDataClassWithNameAndDescription]:
        """Return how channels are shown, by channel index; empty where the file does not say."""
        return display_settings(self.read_metadata_bytes())

    def create_metadata_builder(self) -> CziMetadataBuilder:
        """Return a builder that begins with the file's metadata; its `commit` writes them."""
        return CziMetadataBuilder(self)

    def begin_edit(self) -> CziMetadataBuilder:
        """Do the same as `create_metadata_builder`."""
        return self.create_metadata_builder()

    @contextmanager
    def edit_session(self) -> Iterator[CziMetadataBuilder]:
        """Give a builder for a ``with`` block; commit at its end unless an error left it."""
        builder = self.begin_edit()
        yield builder
        if builder.can_commit():
            builder.commit()

    @staticmethod
    def make_channel_display_setting_with_description(
        is_enabled: bool,
        tinting_mode: TintingMode,
        tinting_color: Rgb8Color,
        black_point: float,
        white_point: float,
        description: str,
    ) -> ChannelDisplaySettingsDataClassWithNameAndDescription:
        """Return display settings with a description and no name."""
        return ChannelDisplaySettingsDataClassWithNameAndDescription(
            is_enabled, tinting_mode, tinting_color, black_point, white_point, None, description
        )

    def _require_open(self) -> None:
        if not self.is_open:
            raise ClosedError(f"the editor of {self._file.name} is closed; open the file again")


@renamed({"source": "filepath"})
def edit_czi(filepath: PathType) -> CziEditor:
    """Open an existing CZI to edit its metadata in place; use it in a ``with`` block.

    Parameters
    ----------
    filepath
        The path of the file, which must exist.

    Returns
    -------
    CziEditor
        The open file; nothing is written before a builder's `CziMetadataBuilder.commit`.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If there is no such file, or it cannot be written. A file without any permission to write
        is refused to root, too.
    OSError
        If it is a URL.
    NotCziError
        If the file is no CZI.

    Examples
    --------
    >>> with edit_czi("image.czi") as editor:  # doctest: +SKIP
    ...     with editor.edit_session() as builder:
    ...         builder.set_scaling_info(scale_x=1.2e-7)
    """
    return CziEditor(filepath)
