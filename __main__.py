"""The headless door: python -m physics_preserver."""

import sys

from physics_preserver.nodes.cli import main

if __name__ == "__main__":
    sys.exit(main())
