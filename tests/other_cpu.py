"""What depends on the CPU's number formats, once more as if the CPU had bf16 when it has none, and the other way round.

`make test` runs it after the suite: a test that takes fp32 for granted is red on every machine, not only on some.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from core.models.device import BF16_SWITCH, cpu_has_bf16

REPO_DIR = Path(__file__).resolve().parent.parent
FOLDERS = ("tests/cli", "tests/models", "tests/vectorize")


def main() -> int:
    other = "0" if cpu_has_bf16() else "1"
    print(f"Again with {BF16_SWITCH}={other}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", *FOLDERS, *sys.argv[1:]]
    return subprocess.run(command, cwd=REPO_DIR, env={**os.environ, BF16_SWITCH: other}).returncode


if __name__ == "__main__":
    sys.exit(main())
