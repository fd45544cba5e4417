"""`python -m docs.make`."""

import sys

from docs.make import main

sys.exit(main(sys.argv[1:]))
