"""Makes small CZI files whose every pixel, tile and attachment is known beforehand.

`files.recipe.build(name, folder)` writes one of the named files (`files.recipe.RECIPES`), and
`files.builder.write_czi` one of your own; the fixture `made` of the test suite keeps what it built.
"""
