"""``python -m czictypes`` is the command line."""

import sys

from czictypes.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
