"""`python -m sw_driver`: the driver's command."""

import sys

from sw_driver.command import main

if __name__ == "__main__":
    sys.exit(main())
