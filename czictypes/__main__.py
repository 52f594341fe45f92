"""``python -m czictypes`` is the command line."""

import sys

from czictypes.cli.main import program

if __name__ == "__main__":
    sys.exit(program())
