"""The command line: `main` runs the commands, which the other modules declare."""
