"""Cells that were never alive: fluorescence pictures for the demo, computed from a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["STAINS", "Stain", "grow_cells", "photograph"]

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
