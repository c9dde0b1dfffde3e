"""A process that stops at a known point: a test that watched it from outside would depend on how busy the machine is.

`python stopping.py MODULE.FUNCTION N HOW ARGS…` is `dqsstn ARGS…`, until FUNCTION has returned for the N-th time. HOW
says what happens then. The process sends itself a signal (`SIGINT`, `SIGKILL`), or it makes the file `waiting-RANK` and
waits for a signal (`wait`). RANK is its number among several processes. With `wait-1` only process 1 waits."""
import importlib
import itertools
import os
import signal
import sys
import time
from pathlib import Path

def stop(how):
    "Send this process a signal, or let it wait for one"
    rank = os.environ.get("RANK", "0")
    if how.startswith("SIG"): signal.raise_signal(signal.Signals[how])
    elif how in ("wait", f"wait-{rank}"):
        Path(f"waiting-{rank}").touch()
        while True: time.sleep(60)  # until the signal comes

def stopping(function, n, how):
    "The function, whose `n`-th call ends so"
    calls = itertools.count(1)
    def counted(*args, **kwargs):
        value = function(*args, **kwargs)
        if next(calls) == n: stop(how)
        return value
    return counted

def main(place, n, how, *args):
    from dqsstn.cli import main
    module, _, name = place.rpartition(".")
    module = importlib.import_module(module)
    setattr(module, name, stopping(getattr(module, name), int(n), how))
    sys.argv[1:] = args
    main()

if __name__ == "__main__": main(*sys.argv[1:])
