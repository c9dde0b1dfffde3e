"""How long a user waits for `dqsstn --help`; runs when nothing else does."""
import subprocess
import sys
import time

def test_help_is_quick():
    def seconds():
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "from dqsstn.cli import main; main()", "--help"], check=True, capture_output=True)
        return time.perf_counter() - start
    assert min(seconds() for _ in range(5)) < 0.5
