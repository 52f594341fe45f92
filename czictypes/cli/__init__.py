"""The command line: one module a command, `main` picks the one that is asked for."""
