"""Run the command line and die, as by kill -9, in the middle of the n-th call of a function of the package.

python killed.py MODULE FUNCTION N -- ARGUMENTS...
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any


def main() -> None:
    module, function, last = importlib.import_module(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    owner, _, name = function.rpartition(".")
    place = getattr(module, owner) if owner else module
    whole = getattr(place, name)
    calls = 0

    def deadly(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*args, **options)

    setattr(place, name, deadly)
    from physics_preserver.nodes.cli import main as command

    sys.exit(command(sys.argv[5:]))


if __name__ == "__main__":
    main()
