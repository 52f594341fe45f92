"""Units of length and time, by the symbols and words that file formats and packages have.

The symbols are those of the OME model (``UnitsLength``, ``UnitsTime``), the words those of
OME-Zarr; ImageJ, xarray and others have some more.
"""

from __future__ import annotations

__all__ = ["metres_of", "seconds_of"]

#: Symbol, word, size.
_PREFIXES = (
    *(("Y", "yotta", 1e24), ("Z", "zetta", 1e21), ("E", "exa", 1e18), ("P", "peta", 1e15)),
    *(("T", "tera", 1e12), ("G", "giga", 1e9), ("M", "mega", 1e6), ("k", "kilo", 1e3)),
    *(("h", "hecto", 1e2), ("da", "deca", 1e1), ("", "", 1.0), ("d", "deci", 1e-1)),
    *(("c", "centi", 1e-2), ("m", "milli", 1e-3), ("n", "nano", 1e-9), ("p", "pico", 1e-12)),
    *(("f", "femto", 1e-15), ("a", "atto", 1e-18), ("z", "zepto", 1e-21), ("y", "yocto", 1e-24)),
    *(("\u00b5", "micro", 1e-6), ("\u03bc", "micro", 1e-6), ("u", "micro", 1e-6)),
)


def _prefixed(symbol: str, *words: str) -> dict[str, float]:
    """Return a unit with each prefix, by its symbol and its words."""
    return {
        prefix + unit: size
        for short, long, size in _PREFIXES
        for prefix, units in ((short, (symbol,)), (long, words))
        for unit in units
    }


_LENGTHS = {
    **_prefixed("m", "meter", "meters", "metre", "metres"),
    **dict.fromkeys(("micron", "microns"), 1e-6),
    **dict.fromkeys(("\u00c5", "angstrom"), 1e-10),
    **dict.fromkeys(("in", "inch"), 0.0254),
    **{"foot": 0.3048, "yard": 0.9144, "mile": 1609.344, "parsec": 3.0856775814913673e16},
}
_TIMES = {
    **_prefixed("s", "second", "seconds"),
    "sec": 1.0,
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}


def metres_of(unit: str, *, any_case: bool = False) -> float | None:
    """Return how many metres a unit is; None if it is no length that is known.

    Parameters
    ----------
    unit
        Its symbol or its name.
    any_case
        Whether upper and lower case are equal: ``UM`` is a micrometre, and ``Mm`` a millimetre.
        Else it is a megametre.
    """
    return _found(_LENGTHS, unit, any_case=any_case)


def seconds_of(unit: str, *, any_case: bool = False) -> float | None:
    """Return how many seconds a unit is; None if it is no time that is known.

    The parameters are those of `metres_of`.
    """
    return _found(_TIMES, unit, any_case=any_case)


def _found(table: dict[str, float], unit: str, *, any_case: bool) -> float | None:
    lower = table.get(unit.lower()) if any_case else None
    return table.get(unit) if lower is None else lower
