"""Our own native library, which chooses and paints tiles: find it, load it, call it."""
