"""`python -m monitor` is `joinwatch`."""

import sys

from monitor.cli import main

sys.exit(main())
