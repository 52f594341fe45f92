"""Servers on the loopback interface: the web's protocol, and that of S3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from extras import needs

from remote.server import RangeServer, serving

#: Faults are answered at once.
EAGER = {"czictypes": {"backoff": 0.0, "retries": 2}}


@pytest.fixture
def server() -> Iterator[RangeServer]:
    """Give a web server without files."""
    needs("fsspec.implementations.http")
    with serving() as running:
        yield running


@pytest.fixture
def eager() -> dict[str, Any]:
    """Give storage options that try again twice, without a pause."""
    return {"czictypes": dict(EAGER["czictypes"])}


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Give the URL of a server that speaks the protocol of S3."""
    needs("s3fs")
    server = needs("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    names = {"AWS_DEFAULT_REGION": "us-east-1"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def _s3_own(s3_endpoint: str) -> dict[str, Any]:
    return {"key": "testing-key", "secret": "testing-secret", "endpoint_url": s3_endpoint}


@pytest.fixture
def s3_options(_s3_own: dict[str, Any]) -> dict[str, Any]:
    """Give the storage options for that server."""
    return {**_s3_own, "czictypes": {"backoff": 0.0}}


@pytest.fixture(scope="session")
def bucket(_s3_own: dict[str, Any]) -> Any:
    """Give s3fs's filesystem, which has a bucket of the name "images"."""
    system = needs("s3fs").S3FileSystem(**_s3_own, skip_instance_cache=True)
    system.mkdir("images")
    return system
