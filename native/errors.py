"""The one error of the native build."""

__all__ = ["BuildError"]


class BuildError(Exception):
    """The library cannot be built; the message is one sentence for the person who asked."""
