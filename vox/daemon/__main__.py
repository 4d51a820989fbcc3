"""`python -m vox.daemon`: the daemon in the foreground, for service managers."""

import sys

from .main import main

sys.exit(main())
