"""The metadata of a new document, as plain values.

Reading returns objects of the same classes for channels, scenes and so on, so what was read from
one document can be written to another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from czictypes.metadata.annotations import Annotation, read_annotations
from czictypes.metadata.channels import ChannelInfo, channels, display_settings
from czictypes.metadata.document_info import (
    Axis,
    CustomValue,
    GeneralDocumentInfoDto,
    Objective,
    Scaling,
    Skew,
    axis,
    custom_attributes,
    document_info,
    general_document_info,
    scaling,
    skew,
)
from czictypes.metadata.fields import NodeSource, root_node
from czictypes.metadata.scenes import Plate, SceneInfo, plate, scenes
from czictypes.model.options import ChannelDisplaySettingsDataClass

# Each channel up to the last one gets an element, unless there are more.
_MOST_CHANNELS = 10_000


@dataclass(frozen=True)
class ImageSummary:
    """The properties of the image that follow from the written sub-blocks.

    `width` and `height` are those of the bounding box, `sizes` has the size of each dimension
    (Z C T R S I H V B), `size_m` is one more than the largest M-index less the smallest,
    `channel_start` the smallest C index. `pixel_types` has the number of the pixel type of the
    first sub-block by C index; `pixel_type` is that of the first of all. `display_limits` has what
    is shown as black and as white of a channel, as fractions of the range of its pixel type.
    """

    width: int
    height: int
    sizes: Mapping[str, int] = field(default_factory=dict)
    size_m: int | None = None
    channel_start: int = 0
    pixel_types: Mapping[int, int] = field(default_factory=dict)
    pixel_type: int | None = None
    display_limits: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def channels(self) -> Sequence[int]:
        """The C indices of the image; empty if its sub-blocks have no C.

        These are all from the first to the last one or, if too many, only those of sub-blocks.
        """
        every = range(self.channel_start, self.channel_start + self.sizes.get("C", 0))
        return every if len(every) <= _MOST_CHANNELS else sorted(self.pixel_types)


@dataclass
class DocumentContent:
    """The metadata of a new document; fields that you leave out are not written.

    Parameters
    ----------
    info
        Title, user and so on.
    channels
        Names, colours, wavelengths of channels, by their `index`; `id` is not used, and a
        channel that the image does not have is ignored.
    scaling
        The size of a pixel in metres.
    custom_attributes
        Keys and values; the type of a value is bool, int (32 bits), float or str.
    display_settings
        How channels are shown, by C index. A channel that has a colour but no settings here is
        shown in that colour, between limits that are taken from its pixels.
    scenes
        Names, positions and wells of scenes, by their `index`.
    plate
        The sample carrier that has the wells.
    objective, microscope, microscope_type
        The instrument that the image was taken with.
    acquisition_date
        The time of the first pixel.
    time_axis, depth_axis
        The positions of the planes along T (in seconds) and Z (in micrometres).
    skew
        The skew of the planes along Z.
    application, application_version
        The program that writes the file.
    annotations
        The regions, measurements and texts drawn on the image.

    Examples
    --------
    >>> channel = ChannelInfo(0, name="DAPI", excitation_wavelength=353.0)
    >>> content = DocumentContent(channels=[channel], scaling=Scaling(1e-7, 1e-7))
    >>> imwrite("nuclei.czi", pixels, content=content)  # doctest: +SKIP
    """

    info: GeneralDocumentInfoDto = field(default_factory=GeneralDocumentInfoDto)
    channels: Sequence[ChannelInfo] = ()
    scaling: Scaling = field(default_factory=Scaling)
    custom_attributes: Mapping[str, CustomValue] = field(default_factory=dict)
    display_settings: Mapping[int, ChannelDisplaySettingsDataClass] = field(default_factory=dict)
    scenes: Sequence[SceneInfo] = ()
    plate: Plate | None = None
    objective: Objective | None = None
    microscope: str | None = None
    microscope_type: str | None = None
    acquisition_date: datetime | None = None
    time_axis: Axis | None = None
    depth_axis: Axis | None = None
    skew: Skew | None = None
    application: str | None = None
    application_version: str | None = None
    annotations: Sequence[Annotation] = ()


def read_content(source: NodeSource, channel_start: int = 0) -> DocumentContent:
    """Return the content of a document's metadata, as `build_document` takes it.

    `channel_start` is the C index of the first channel, which the XML does not tell.
    """
    root = root_node(source)
    info = document_info(root)
    return DocumentContent(
        info=general_document_info(root),
        channels=[replace(one, id=None) for one in channels(root, channel_start)],
        scaling=scaling(root),
        custom_attributes=custom_attributes(root) or {},
        display_settings={
            channel_start + position: one for position, one in display_settings(root).items()
        },
        scenes=scenes(root),
        plate=plate(root),
        objective=info.objective,
        microscope=info.microscope,
        microscope_type=info.microscope_type,
        acquisition_date=info.acquisition_date,
        time_axis=axis(root, "T"),
        depth_axis=axis(root, "Z"),
        skew=skew(root),
        application=info.application,
        application_version=info.application_version,
        annotations=read_annotations(root),
    )
