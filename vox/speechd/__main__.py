"""`python -m vox.speechd` is the output module of speech-dispatcher."""

import sys

from .main import main

sys.exit(main())
