"""The dimensions of an array: one letter and one size each."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Sequence

__all__ = ["Dimensions"]


class Dimensions:
    """Names and sizes of an array's dimensions, in order.

    A size is an attribute (``dims.X``); several are taken by their names (``dims["Y", "X"]``).

    Parameters
    ----------
    order
        A letter for each dimension, such as ``"TCZYX"``.
    shape
        Their sizes.
    """

    def __init__(self, order: str, shape: Sequence[int]) -> None:
        if len(order) != len(shape):
            raise ValueError(f"{len(order)} dimensions ({order}) have {len(shape)} sizes")
        self._sizes = dict(zip(order, shape))

    @property
    def order(self) -> str:
        """The names, such as ``"TCZYX"``."""
        return "".join(self._sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes."""
        return tuple(self._sizes.values())

    def items(self) -> ItemsView[str, int]:
        """Return pairs of name and size."""
        return self._sizes.items()

    def __getitem__(self, names: str | Sequence[str]) -> tuple[int, ...]:
        """Return the sizes of some dimensions, always as a tuple."""
        missing = [name for name in names if name not in self._sizes]
        if missing:
            raise IndexError(f"there is no dimension {', '.join(missing)}; they are {self.order}")
        return tuple(self._sizes[name] for name in names)

    def __getattr__(self, name: str) -> int:
        try:
            return self.__dict__["_sizes"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"there is no dimension {name}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, name: object) -> bool:
        return name in self._sizes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dimensions):
            return NotImplemented
        return tuple(self.items()) == tuple(other.items())

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        return f"<Dimensions [{', '.join(f'{name}: {size}' for name, size in self.items())}]>"
