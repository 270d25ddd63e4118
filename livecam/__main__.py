"""`python -m livecam` is the command `livecam`."""

import sys

from livecam.cli import main

sys.exit(main())
