"""All recipes, registered."""

from __future__ import annotations

from files import documents, layouts, pixels
from files.recipe import RECIPES, Contents, Made, build

__all__ = ["RECIPES", "Contents", "Made", "build", "documents", "layouts", "pixels"]
