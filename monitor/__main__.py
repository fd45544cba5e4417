"""`python -m monitor`: the same as `joinwatch`."""

import sys

from monitor.cli import main

sys.exit(main())
