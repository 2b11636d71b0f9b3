"""`python -m dmesr_core`: the command `dmesr`."""

import sys

from dmesr_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
