"""The CZI file's segments and directories as bytes and numpy: checks, positions, tables."""
