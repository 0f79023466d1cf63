"""`python -m rowforge`."""

import sys

from rowforge.cli import main

sys.exit(main())
