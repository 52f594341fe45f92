"""Read ranges of an object in S3, or in a store with the same protocol, with s3fs.

Each request has an If-Match header with the ETag of the first answer, so that the server refuses
ranges of another version.
"""

from __future__ import annotations

import re
from typing import Any

from czictypes.model.errors import RangesNotSupportedError
from czictypes.model.options import RemoteOptions
from czictypes.remote.transport import AsyncTransport, AttemptError, Failure, Opening
from czictypes.remote.urls import Redactor

_TOTAL = re.compile(r"bytes\s+\d+-\d+/(\d+)", re.IGNORECASE)


class S3Transport(AsyncTransport):
    """An object in S3.

    `fs` is the S3FileSystem of s3fs, which also repeats failed requests itself; `path` is the
    bucket and the key.
    """

    def __init__(self, fs: Any, path: str, redact: Redactor, options: RemoteOptions) -> None:
        super().__init__(fs, redact, options)
        bucket, key, version = fs.split_path(path)
        self._object = {"Bucket": bucket, "Key": key}
        if version:
            self._object["VersionId"] = version
        self._size = -1
        self._etag = ""

    async def first(self, count: int) -> Opening:
        """Fetch the first bytes; the answer has the size and the version."""
        if not self._object["Key"]:
            raise AttemptError(self.missing())
        try:
            answer = await self._get(Range=f"bytes=0-{count - 1}")
        except OSError as error:
            if "InvalidRange" not in f"{error} {_code(error)}":
                raise
            return Opening(0, (0, ""), b"", whole=True)
        total = _TOTAL.match(answer.get("ContentRange") or "")
        size = int(total.group(1)) if total else int(answer["ContentLength"])
        if total is None and size > self.options.largest_download:
            answer["Body"].close()
            raise AttemptError(
                Failure(RangesNotSupportedError(f"the server of {self.name} gives no ranges"))
            )
        self._size, self._etag = size, answer.get("ETag") or ""
        data = await self._body(answer)
        if total is not None and len(data) != min(count, size):
            raise AttemptError(self.short(0, min(count, size), len(data)))
        identity = size, self._etag, str(answer.get("LastModified"))
        return Opening(size, identity, data, whole=total is None)

    async def fetch(self, start: int, end: int) -> bytes:
        """Fetch a range of the version that was opened."""
        condition = {"IfMatch": self._etag} if self._etag else {}
        try:
            answer = await self._get(Range=f"bytes={start}-{end - 1}", **condition)
        except OSError as error:
            code = _code(error)
            if code in ("PreconditionFailed", "412"):
                raise AttemptError(self.changed("it has another ETag")) from None
            if code in ("InvalidRange", "416"):
                raise AttemptError(self.changed(f"it has no byte {end - 1} any more")) from None
            raise
        total = _TOTAL.match(answer.get("ContentRange") or "")
        if answer.get("ETag", self._etag) != self._etag:
            answer["Body"].close()
            raise AttemptError(self.changed("it has another ETag"))
        if total is not None and int(total.group(1)) != self._size:
            answer["Body"].close()
            raise AttemptError(self.changed(f"it has {total.group(1)} bytes, not {self._size}"))
        data = await self._body(answer)
        return data if total is not None else data[start:end]

    async def _get(self, **options: Any) -> Any:
        return await self.fs._call_s3("get_object", **self._object, **options)

    async def _body(self, answer: Any) -> bytes:
        try:
            data: bytes = await answer["Body"].read()
            return data
        finally:
            answer["Body"].close()

    def failure(self, error: BaseException) -> Failure:
        """Translate an exception; retry if the connection broke."""
        found = super().failure(error)
        broken = type(error).__module__.partition(".")[0] in ("aiohttp", "aiobotocore", "botocore")
        known = isinstance(error, (FileNotFoundError, PermissionError, AttemptError))
        return found._replace(again=found.again or (broken and not known))


def _code(error: BaseException) -> str:
    """Return the error code of S3, which s3fs keeps in the cause."""
    response = getattr(error.__cause__, "response", None) or getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
