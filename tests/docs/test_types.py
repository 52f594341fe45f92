"""`mypy --strict` accepts the code of README and of the guides, but for what is listed here."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import PAGES, code_blocks
from typed import assert_accepted

GUIDES = [one for one in PAGES if one.name != "howto.md" and code_blocks(one, "python")]

#: Lines that no type checker can accept, by page, for one of these reasons:
#: - what a file may tell or not is None if it does not, and the page knows that its file does;
#: - dask, zarr, ngff-zarr and napari give wider types than what is there;
#: - keyword arguments that several calls share have more than one type.
LEFT_OUT = {
    "README.md": [
        "print(document.attachments.names, document.attachments.thumbnail.shape)",
        "print(document.scenes[2].name, document.scenes[2].well.row)",
    ],
    "arrays.md": [
        "chunks=stack.chunksize,",
        "dask.array.store(stack, target, lock=False)",
        'group.attrs["ome"] =',
    ],
    "exchange.md": [
        "in_memory = {}",
        'print(zarr.open_group(in_memory, mode="r").attrs',
        'print(full.dims, full.scale["x"], full.axes_units["x"]',
        "for channel in multiscales.metadata.omero.channels",
    ],
    "faq.md": ["np.array_equal(document.attachments.label, label)", "def spoil(xml):"],
    "images.md": ['save(cells, name, "STCZYX", **names)', 'save(cells, "pyramid.ome.zarr",'],
    "metadata.md": ["print(image.skew.shear,", "print([sample.image_ref.id"],
    "migrating.md": [
        'czi.imwrite("cells.czi", cells,',
        'czi.imwrite("stack.czi", cells[0],',
        'czi.imwrite("photo.czi", photo,',
        'save(cells, "cells.ome.tiff",',
    ],
    "plugins.md": [
        '((levels, options, kind),) = read("cells.czi")',
        'print(sorted(group), group["0"].shape',
        'print(np.array_equal(group["0"][0], cells))',
        'print(group.attrs["ome"]["omero"]',
        "multiscales = ngff_zarr.from_ngff_zarr(store.mapping",
    ],
    "writing.md": [
        "print(np.array_equal(tile.mask, valid))",
        "print(document.attachments.events, document.attachments.label.shape)",
        "document.scenes[0].well.column)",
        "print(document.document_info.objective.name)",
        "print(document.document_info.objective.name, document.channels",
    ],
}


def checked(page: Path) -> str:
    """Return the code of a page; the lines that are left out are marked."""
    lines = "\n".join(code_blocks(page, "python")).splitlines()
    for part in LEFT_OUT.get(page.name, ()):
        found = [at for at, line in enumerate(lines) if part in line]
        assert len(found) == 1, f"{page.name} has {part!r} {len(found)} times"
        lines[found[0]] = lines[found[0]].partition("  # ")[0] + "  # type: ignore"
    return "\n".join(lines)


@pytest.mark.slow
def test_a_type_checker_accepts_the_guides(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    for page in GUIDES:
        (tmp_path / f"page_{page.stem.lower()}.py").write_text(checked(page), encoding="utf-8")
    assert_accepted(
        tmp_path,
        pytestconfig,
        "--allow-untyped-calls",  # of dask
        "--no-warn-unused-ignores",  # what is left out depends on the versions that are there
    )


def test_there_are_guides_to_check() -> None:
    assert len(GUIDES) > 10
    assert set(LEFT_OUT) <= {page.name for page in GUIDES}
