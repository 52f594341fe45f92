"""Writes the demo file: a mosaic of synthetic cells with scenes, channels and a pyramid."""

from __future__ import annotations

import io
import itertools
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes import __version__
from czictypes.czi import (
    ChannelDisplaySettingsDataClass,
    ChannelInfo,
    CziWriter,
    DocumentContent,
    GeneralDocumentInfoDto,
    PyramidOptions,
    Rgb8Color,
    Scaling,
    SceneInfo,
    TileInfo,
    TintingMode,
    Well,
)
from czictypes.metadata.scenes import well_name
from czictypes.model.geometry import Size
from czictypes.model.lazy import require

_TILE, _OVERLAP = 256, 32
_STRIDE = _TILE - _OVERLAP
_COARSEST = 350  # the longer side of the pyramid's last level, at most
_MICROMETRES_PER_PIXEL = 0.325
_BLACK, _WHITE = 200 / 65535, 2200 / 65535
_START = datetime(2024, 5, 6, 10, 0, tzinfo=timezone.utc)
_GUID = uuid.UUID("c21c0de5-0000-4000-8000-00000000de30")
_REDUCTION = 8  # of the thumbnail


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
    right, bottom = np.max([(one.x + one.size.w, one.y + one.size.h) for one in _SCENES], 0)
    overview = np.zeros((len(STAINS), bottom // _REDUCTION, right // _REDUCTION))
    with CziWriter(
        str(path),
        "zstd1:PreProcess=HiLoByteUnpack",
        overwrite=True,
        overlap="allow",
        file_guid=_GUID,
        pyramid=PyramidOptions(tile=_TILE, until=_COARSEST),
        only_named_dimensions=True,
    ) as document:
        for scene in _SCENES:
            for channel, stain in enumerate(grow_cells(*scene.size, seed=scene.number + 1)):
                whole = _write_scene(document, scene, channel, stain)
                small = _reduced(whole, _REDUCTION)
                x, y = scene.x // _REDUCTION, scene.y // _REDUCTION
                overview[channel, y : y + small.shape[0], x : x + small.shape[1]] = small
        guid = uuid.uuid5(_GUID, "jpg")
        document.add_attachment("Thumbnail", "JPG", _thumbnail(overview), guid=guid)
        document.write_metadata("Synthetic cells", content=_content())


def _write_scene(
    document: CziWriter, scene: _Scene, channel: int, stain: NDArray[np.float32]
) -> NDArray[np.uint16]:
    """Write a channel of a scene tile by tile; return it as one array."""
    whole = np.zeros(stain.shape, np.uint16)
    places = itertools.product(range(scene.rows), range(scene.columns))
    for m_index, (row, column) in enumerate(places):
        x, y = column * _STRIDE, row * _STRIDE
        window = np.s_[y : y + _TILE, x : x + _TILE]
        pixels = photograph(stain[window], seed=1000 * scene.number + 100 * channel + m_index)
        whole[window] = pixels
        (center_x, center_y), size = scene.center, scene.size
        since = timedelta(seconds=60 * scene.number + 2 * m_index + channel / 2)
        info = TileInfo(
            stage_x=round(center_x + (x + _TILE / 2 - size.w / 2) * _MICROMETRES_PER_PIXEL, 4),
            stage_y=round(center_y + (y + _TILE / 2 - size.h / 2) * _MICROMETRES_PER_PIXEL, 4),
            acquisition_time=_START + since,
            tags={"RetilingId": str(uuid.uuid5(_GUID, f"{scene.number} {channel} {m_index}"))},
        )
        place = (scene.x + x, scene.y + y)
        document.write(pixels, place, {"C": channel}, scene=scene.number, info=info)
    return whole


def _thumbnail(overview: NDArray[np.float64]) -> bytes:
    """Return a small coloured JPEG of all channels."""
    levels = ((overview / 65535 - _BLACK) / (_WHITE - _BLACK)).clip(0, 1)
    colors = np.array([stain.color for stain in STAINS])
    picture = np.tensordot(levels, colors, (0, 0)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    module = require("PIL.Image", extra="cli", doing="the thumbnail")
    module.fromarray(picture).save(file, "JPEG")
    return file.getvalue()


def _reduced(pixels: NDArray[np.uint16], factor: int) -> NDArray[np.float64]:
    """Average squares of pixels; the sides are multiples of the factor."""
    height, width = pixels.shape
    squares = pixels.reshape(height // factor, factor, width // factor, factor)
    reduced: NDArray[np.float64] = np.rint(squares.mean((1, 3)))
    return reduced


def _content() -> DocumentContent:
    pixel = _MICROMETRES_PER_PIXEL * 1e-6
    channels, shown = [], {}
    for index, stain in enumerate(STAINS):
        color = Rgb8Color(*stain.color)
        shown[index] = ChannelDisplaySettingsDataClass(
            True, TintingMode.Color, color, _BLACK, _WHITE
        )
        channels.append(
            ChannelInfo(
                index=index,
                name=stain.name,
                color=color,
                excitation_wavelength=stain.excitation,
                emission_wavelength=stain.emission,
                exposure_time=0.1,
            )
        )
    return DocumentContent(
        info=GeneralDocumentInfoDto(creation_date_time=_START.isoformat()),
        channels=channels,
        scaling=Scaling(x=pixel, y=pixel),
        custom_attributes={"synthetic": True},
        display_settings=shown,
        scenes=[_scene_info(scene) for scene in _SCENES],
        acquisition_date=_START,
        application="czictypes demo",
        application_version=__version__,
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
    """Return the stains of a layer of cells as (channel, height, width), from 0 to 1."""
    rng = np.random.default_rng(seed)
    dish = np.zeros((len(STAINS), height, width), np.float32)
    chromatin = _cloud(rng, height, width, 3.0)
    threads = _cloud(rng, height, width, 3.4)
    for x, y in _places(rng, width, height):
        _add_cell(dish, rng, x, y, chromatin, threads)
    return np.stack([_blurred(stain, 0.9) for stain in dish]).clip(0, 1)


def photograph(stain: Field, seed: int) -> NDArray[np.uint16]:
    """Return the counts of a camera for a stain: an offset, and shot noise."""
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
    """Return the chromatin of a nucleus, or of one in division, and the extent of the nucleus."""
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
    """Convolve with a Gaussian; the values at the edges continue beyond them."""
    margin = int(3 * sigma) + 1
    wide = np.pad(field, margin, mode="edge")
    rows = np.fft.fftfreq(wide.shape[0])[:, np.newaxis]
    columns = np.fft.rfftfreq(wide.shape[1])
    response = np.exp(-2 * (np.pi * sigma) ** 2 * (rows**2 + columns**2))
    blurred = np.fft.irfft2(np.fft.rfft2(wide) * response, wide.shape)
    return np.asarray(blurred[margin:-margin, margin:-margin], np.float32)
