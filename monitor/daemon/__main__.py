"""A role of the daemon as a process: started by the tree, or by systemd."""

import sys

from monitor.daemon.roles import main

sys.exit(main(sys.argv[1:]))
