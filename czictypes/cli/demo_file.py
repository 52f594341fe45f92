"""Writes the demo file: a mosaic of synthetic cells with scenes, channels and a pyramid."""

from __future__ import annotations

import io
import itertools
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes import __version__
from czictypes.metadata.axes import Scaling
from czictypes.metadata.builder import build_document
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import GeneralDocumentInfoDto
from czictypes.metadata.scenes import SceneInfo, Well, well_name
from czictypes.metadata.subblock_tags import build_subblock_metadata
from czictypes.model.geometry import Rectangle, Size
from czictypes.model.lazy import require
from czictypes.model.options import ChannelDisplaySettingsDataClass, Rgb8Color, TintingMode
from czictypes.model.pixel_types import PixelType
from czictypes.writing.assembly import MULTI_TILE_PYRAMID, Assembly, EncodedSubBlock
from czictypes.writing.compression import encode, parse_compression
from czictypes.writing.new_metadata import WrittenSummary

__all__ = [
    "STAINS",
    "Stain",
    "grow_cells",
    "photograph",
    "write_demo",
]


_TILE, _OVERLAP = 256, 32
_STRIDE = _TILE - _OVERLAP
_REDUCTIONS = (2, 4)
_MICROMETRES_PER_PIXEL = 0.325
_BLACK, _WHITE = 200 / 65535, 2200 / 65535
_COMPRESSION = parse_compression("zstd1:PreProcess=HiLoByteUnpack")
_START = datetime(2024, 5, 6, 10, 0, tzinfo=timezone.utc)
_GUID = uuid.UUID("c21c0de5-0000-4000-8000-00000000de30")
_THUMBNAIL_REDUCTION = 8

Counts = NDArray[np.uint16]


class _Scene(NamedTuple):
    """A region of the slide: its place in pixels, its tiles, the well that it lies in."""

    number: int
    x: int
    y: int
    columns: int
    rows: int
    well: tuple[int, int]

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(*(count * _STRIDE + _OVERLAP for count in (self.columns, self.rows)))

    @property
    def center(self) -> tuple[float, float]:
        """The centre on the stage in micrometres: wells lie 9 mm apart."""
        row, column = self.well
        return 9000.0 * column, 9000.0 * row

    def tiles(self) -> Iterator[tuple[int, int, int]]:
        """Give the M-index of each tile, and where it begins in the scene."""
        places = itertools.product(range(self.rows), range(self.columns))
        for m_index, (row, column) in enumerate(places):
            yield m_index, column * _STRIDE, row * _STRIDE


_SCENES = (
    _Scene(0, 0, 0, 4, 3, (1, 1)),
    _Scene(1, 992, 0, 2, 3, (1, 2)),
    _Scene(2, 48, 768, 6, 2, (2, 1)),
)


def write_demo(path: Path) -> None:
    """Write the demo file; one that is there is replaced.

    Raises
    ------
    OSError
        If it cannot be written.
    MissingExtraError
        Without Pillow, which makes the thumbnail.
    """
    written = WrittenSummary()
    assembly = Assembly(path, exist_ok=True, file_guid=_GUID)
    try:
        mosaic = _Mosaic(assembly, written)
        for scene in _SCENES:
            cells = grow_cells(*scene.size, seed=scene.number + 1)
            for channel, stain in enumerate(cells):
                mosaic.add(scene, channel, stain)
        assembly.add_attachment("Thumbnail", "JPG", mosaic.thumbnail(), uuid.uuid5(_GUID, "jpg"))
        assembly.write_metadata(build_document(written.image(), _content()))
        assembly.commit()
    except BaseException:
        assembly.abort()
        raise


class _Mosaic:
    """Photographs scenes tile by tile, and keeps a small copy of everything."""

    def __init__(self, assembly: Assembly, written: WrittenSummary) -> None:
        self._assembly = assembly
        self._written = written
        right, bottom = np.max([(one.x + one.size.w, one.y + one.size.h) for one in _SCENES], 0)
        small = (bottom // _THUMBNAIL_REDUCTION, right // _THUMBNAIL_REDUCTION)
        self._small = np.zeros((len(STAINS), *small), np.uint16)

    def add(self, scene: _Scene, channel: int, stain: NDArray[np.float32]) -> None:
        """Write a channel of a scene: its tiles, then its pyramid."""
        whole = np.zeros(stain.shape, np.uint16)
        for m_index, x, y in scene.tiles():
            window = np.s_[y : y + _TILE, x : x + _TILE]
            pixels = photograph(stain[window], seed=1000 * scene.number + 100 * channel + m_index)
            whole[window] = pixels
            self._write(scene, channel, m_index, x, y, pixels, 1)
        for reduction in _REDUCTIONS:
            reduced = _reduced(whole, reduction)
            places = itertools.product(*(range(0, side, _TILE) for side in reduced.shape))
            for y, x in places:
                pixels = reduced[y : y + _TILE, x : x + _TILE]
                self._write(scene, channel, None, x * reduction, y * reduction, pixels, reduction)
        small = _reduced(whole, _THUMBNAIL_REDUCTION)
        x, y = scene.x // _THUMBNAIL_REDUCTION, scene.y // _THUMBNAIL_REDUCTION
        self._small[channel, y : y + small.shape[0], x : x + small.shape[1]] = small

    def thumbnail(self) -> bytes:
        """Return a small coloured picture of everything, as JPEG."""
        levels = ((self._small / 65535 - _BLACK) / (_WHITE - _BLACK)).clip(0, 1)
        colors = np.array([stain.color for stain in STAINS])
        picture = np.tensordot(levels, colors, (0, 0)).clip(0, 255).astype(np.uint8)
        file = io.BytesIO()
        require("PIL.Image", extra="cli", doing="the thumbnail").fromarray(picture).save(
            file, "JPEG"
        )
        return file.getvalue()

    def _write(
        self,
        scene: _Scene,
        channel: int,
        m_index: int | None,  # tiles of the pyramid have none
        x: int,
        y: int,
        pixels: Counts,
        reduction: int,
    ) -> None:
        height, width = pixels.shape
        area = Rectangle(scene.x + x, scene.y + y, width * reduction, height * reduction)
        coordinate = {"C": channel, "S": scene.number}
        metadata = b""
        m_range = None
        if m_index is not None:
            metadata = _tile_metadata(scene, channel, m_index, x, y)
            m_range = (m_index, m_index)
        self._written.add(coordinate, area, PixelType.Gray16, m_range)
        self._assembly.add(
            EncodedSubBlock(
                coordinate=coordinate,
                rectangle=area,
                size=Size(width, height),
                pixel_type=PixelType.Gray16,
                compression=_COMPRESSION.method,
                data=encode(pixels[..., np.newaxis], _COMPRESSION, PixelType.Gray16),
                m_index=m_index,
                pyramid_type=0 if reduction == 1 else MULTI_TILE_PYRAMID,
                metadata=metadata,
            )
        )


def _reduced(pixels: Counts, factor: int) -> Counts:
    """Average squares of pixels; the sides are multiples of the factor."""
    height, width = pixels.shape
    squares = pixels.reshape(height // factor, factor, width // factor, factor)
    reduced: Counts = np.rint(squares.mean((1, 3))).astype(np.uint16)
    return reduced


def _tile_metadata(scene: _Scene, channel: int, m_index: int, x: int, y: int) -> bytes:
    """Return a tile's XML: where the stage stood, and when the camera took the picture."""
    size, center = scene.size, scene.center
    return build_subblock_metadata(
        stage_x=round(center[0] + (x + _TILE / 2 - size.w / 2) * _MICROMETRES_PER_PIXEL, 4),
        stage_y=round(center[1] + (y + _TILE / 2 - size.h / 2) * _MICROMETRES_PER_PIXEL, 4),
        acquisition_time=_START + timedelta(seconds=60 * scene.number + 2 * m_index + channel / 2),
    )


def _content() -> DocumentContent:
    pixel = _MICROMETRES_PER_PIXEL * 1e-6
    colors = [Rgb8Color(*stain.color) for stain in STAINS]
    return DocumentContent(
        info=GeneralDocumentInfoDto(title="Synthetic cells", creation_date_time=_START.isoformat()),
        channels=[_channel(index, stain) for index, stain in enumerate(STAINS)],
        scaling=Scaling(x=pixel, y=pixel),
        custom_attributes={"synthetic": True},
        display_settings={
            index: ChannelDisplaySettingsDataClass(True, TintingMode.Color, color, _BLACK, _WHITE)
            for index, color in enumerate(colors)
        },
        scenes=[_scene_info(scene) for scene in _SCENES],
        acquisition_date=_START,
        application="czictypes demo",
        application_version=__version__,
    )


def _channel(index: int, stain: Stain) -> ChannelInfo:
    return ChannelInfo(
        index=index,
        name=stain.name,
        color=Rgb8Color(*stain.color),
        excitation_wavelength=stain.excitation,
        emission_wavelength=stain.emission,
        exposure_time=0.1,
    )


def _scene_info(scene: _Scene) -> SceneInfo:
    name = well_name(*scene.well)
    width, height = (side * _MICROMETRES_PER_PIXEL for side in scene.size)
    return SceneInfo(
        index=scene.number,
        name=name,
        center=scene.center,
        size=(round(width, 4), round(height, 4)),
        contour="Rectangle",
        well=Well(name, *scene.well, center=scene.center),
    )


Field = NDArray[np.float32]

_SPACING, _PITCH = 66.0, 57.0  # pixels from cell to cell, and from row to row
_REACH = 70  # pixels from a cell's centre in which it is drawn


class Stain(NamedTuple):
    """A fluorescent dye: the channel's name, its colour, its wavelengths in nanometres."""

    name: str
    color: tuple[int, int, int]
    excitation: float
    emission: float


#: The channels in the order of the arrays.
STAINS = (
    Stain("DAPI (nuclei)", (64, 112, 255), 353, 465),
    Stain("Phalloidin (actin)", (32, 230, 120), 493, 517),
    Stain("MitoTracker (mitochondria)", (255, 96, 32), 577, 603),
)


def grow_cells(width: int, height: int, seed: int) -> Field:
    """Return the stains of a monolayer of cells as (channel, height, width), from 0 up to 1."""
    rng = np.random.default_rng(seed)
    dish = np.zeros((len(STAINS), height, width), np.float32)
    chromatin = _cloud(rng, height, width, 3.0)
    threads = _cloud(rng, height, width, 3.4)
    for x, y in _places(rng, width, height):
        _add_cell(dish, rng, x, y, chromatin, threads)
    return np.stack([_blurred(stain, 0.9) for stain in dish]).clip(0, 1)


def photograph(stain: Field, seed: int) -> NDArray[np.uint16]:
    """Return what a camera makes of a stain: counts above an offset, with shot noise."""
    rng = np.random.default_rng(seed)
    photons = 24 + 3600 * stain.astype(np.float64)
    noise = rng.standard_normal(stain.shape) * np.sqrt(photons) * 1.5
    return np.rint(160 + photons + noise).clip(1, 65535).astype(np.uint16)


def _places(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """Return the centres of cells: a shaken hexagonal lattice with gaps."""
    rows, columns = int(height / _PITCH) + 2, int(width / _SPACING) + 2
    row, column = np.mgrid[:rows, :columns]
    x = (column + 0.5 * (row % 2)) * _SPACING
    y = row * _PITCH
    places = np.column_stack([x.ravel(), y.ravel()])
    places += rng.normal(0, 0.17 * _SPACING, places.shape)
    thinned: NDArray[np.float64] = places[rng.random(len(places)) < 0.86]
    return thinned


def _add_cell(
    dish: Field, rng: np.random.Generator, x: float, y: float, chromatin: Field, threads: Field
) -> None:
    """Draw one cell into all channels."""
    top, left = max(int(y) - _REACH, 0), max(int(x) - _REACH, 0)
    window = np.s_[top : int(y) + _REACH, left : int(x) + _REACH]
    height, width = chromatin[window].shape
    dy, dx = np.mgrid[top : top + height, left : left + width].astype(np.float32)
    dx, dy = dx - np.float32(x), dy - np.float32(y)
    tilt = rng.uniform(0, np.pi)
    along, across = dx * np.cos(tilt) + dy * np.sin(tilt), dy * np.cos(tilt) - dx * np.sin(tilt)
    depth = _depth_in_outline(rng, along, across)
    body = _step(depth * 12)
    nucleus = _nucleus(rng, along, across, chromatin[window])
    around = np.exp(-(((np.hypot(along, across * 1.2) - 17) / 10) ** 2))
    network = np.exp(-((threads[window] / 0.22) ** 2)) * (around + 0.12) * body * (1 - nucleus[1])
    brightness = rng.uniform(0.65, 1, len(STAINS))
    actin = _actin(rng, along, across, depth, threads[window]) * body * (1 - 0.75 * nucleus[1])
    stains = (nucleus[0], actin, network)
    for channel, (stain, level) in enumerate(zip(stains, brightness)):
        part = dish[channel][window]
        np.maximum(part, level * stain, out=part)


def _depth_in_outline(rng: np.random.Generator, along: Field, across: Field) -> Field:
    """Return how deep a pixel lies in the cell, 0 at its wavy outline and 1 in the middle."""
    angle = np.arctan2(across * 1.25, along)
    outline = np.full_like(along, rng.uniform(33, 44))
    for wave in range(2, 7):
        size, phase = rng.normal(0, 0.3 / wave), rng.uniform(0, 2 * np.pi)
        outline *= 1 + np.float32(size) * np.cos(wave * angle + np.float32(phase))
    depth: Field = 1 - np.hypot(along, across * 1.25) / outline
    return depth


def _nucleus(
    rng: np.random.Generator, along: Field, across: Field, chromatin: Field
) -> tuple[Field, Field]:
    """Return the chromatin of a cell, or now and then its plate of chromosomes, and its room."""
    if rng.random() < 0.05:  # in division
        plate = _step((1 - np.hypot(along / 4, across / 13)) * 4)
        return plate * (0.9 + 0.1 * chromatin), plate
    long, short = rng.uniform(12.5, 15.5), rng.uniform(9.5, 11.5)
    room = _step((1 - np.hypot(along / long, across / short)) * 7)
    texture = 0.62 + 0.13 * chromatin
    for _ in range(rng.integers(1, 4)):  # nucleoli take no stain
        x, y = rng.uniform(-0.45, 0.45, 2) * (long, short)
        texture -= 0.35 * np.exp(-((along - x) ** 2 + (across - y) ** 2) / 5)
    return room * texture.clip(0, 1), room


def _actin(
    rng: np.random.Generator, along: Field, across: Field, depth: Field, swirl: Field
) -> Field:
    """Return the actin of a cell: its cortex, and fibres along it."""
    bend = np.float32(rng.uniform(-0.008, 0.008))
    lines = (across + bend * along**2 + 0.6 * swirl) * np.float32(rng.uniform(0.8, 1.1))
    fibres = (0.5 + 0.5 * np.sin(lines + 1.1 * np.sin(lines * 0.37))) ** 4
    ends = 0.3 + 0.7 * np.cos(along / np.float32(rng.uniform(14, 22)) + swirl * 0.3) ** 2
    cortex = np.exp(-((depth / 0.045) ** 2)) * (0.55 + 0.12 * swirl)
    actin: Field = 0.1 + 0.5 * fibres * ends + cortex.clip(0, 1)
    return actin


def _step(value: Field) -> Field:
    """Rise smoothly from 0 to 1 around 0."""
    return np.asarray(0.5 + 0.5 * np.tanh(value), np.float32)


def _cloud(rng: np.random.Generator, height: int, width: int, grain: float) -> Field:
    """Return smooth noise of mean 0 and variance 1; `grain` is its coarseness in pixels."""
    field = _blurred(rng.standard_normal((height, width)).astype(np.float32), grain)
    normal: Field = (field - field.mean()) / field.std()
    return normal


def _blurred(field: Field, sigma: float) -> Field:
    """Convolve with a Gaussian; beyond its edges the field goes on as it is there."""
    margin = int(3 * sigma) + 1
    wide = np.pad(field, margin, mode="edge")
    rows = np.fft.fftfreq(wide.shape[0])[:, np.newaxis]
    columns = np.fft.rfftfreq(wide.shape[1])
    response = np.exp(-2 * (np.pi * sigma) ** 2 * (rows**2 + columns**2))
    blurred = np.fft.irfft2(np.fft.rfft2(wide) * response, wide.shape)
    return np.asarray(blurred[margin:-margin, margin:-margin], np.float32)
