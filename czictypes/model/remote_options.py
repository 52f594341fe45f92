"""The options for reading files behind a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["RemoteOptions"]


@dataclass(frozen=True)
class RemoteOptions:
    """Options to read a remote file: patience, parallel requests, and memory for what was read.

    It is given as ``storage_options={"czictypes": RemoteOptions(...)}``, or as a dictionary of
    some of its fields.

    Parameters
    ----------
    timeout
        Seconds without a single byte after which a request is given up. One to a web server is
        given up after these, too, if it has brought less than 1 kB a second by then.
    retries
        How often a request that failed is sent again.
    backoff
        Seconds before the first of them; each next one waits twice as long, up to 8 s. What a
        server asks for by Retry-After counts, up to `timeout`.
    max_concurrency
        Requests at the same time.
    cache_bytes
        Bytes of the file that are kept in memory at most; a quarter is read ahead.
    block_bytes
        What is fetched and kept is a multiple of this.
    gap_bytes
        Ranges no further apart are fetched by one request.
    request_bytes
        Longer ranges are fetched by several requests in parallel.
    largest_download
        A server that gives no ranges may send the whole file if it has no more bytes than this.

    Raises
    ------
    ValueError
        If a value makes no sense.
    """

    timeout: float = 60.0
    retries: int = 4
    backoff: float = 0.25
    max_concurrency: int = 16
    cache_bytes: int = 128 << 20
    block_bytes: int = 32 << 10
    gap_bytes: int = 64 << 10
    request_bytes: int = 1 << 20
    largest_download: int = 64 << 20

    def __post_init__(self) -> None:
        least = {"timeout": 1e-3, "max_concurrency": 1, "block_bytes": 512}
        for field in fields(self):
            value, minimum = getattr(self, field.name), least.get(field.name, 0)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < minimum:
                raise ValueError(f"RemoteOptions: {field.name}={value!r} is less than {minimum}")

    @classmethod
    def parse(cls, value: Any) -> RemoteOptions:
        """Return the options that a caller gave: None, a dictionary of fields, or options.

        Raises
        ------
        TypeError
            For anything else, and for a field that there is not.
        """
        if value is None:
            return cls()
        if isinstance(value, cls):
            return value
        if isinstance(value, Mapping):
            known = {field.name for field in fields(cls)}
            unknown = sorted(set(value) - known)
            if unknown:
                raise TypeError(
                    f"RemoteOptions has no {', '.join(map(str, unknown))}; it has "
                    f"{', '.join(sorted(known))}"
                )
            return cls(**value)
        raise TypeError(
            "storage_options['czictypes'] must be RemoteOptions or a dictionary of its fields, "
            f"not {type(value).__name__}"
        )
