"""The command line, which stops at a known point: `python stopping.py MODULE.FUNCTION N HOW ARGS…` is `dqsstn ARGS…` until FUNCTION
returns for the N-th time. Nothing has to watch the process and hit it in time, however busy the machine is.

HOW says what it then does: it sends itself a signal (`SIGINT`, `SIGKILL`), or waits for one (`wait`) after making the file `waiting-RANK`,
where RANK is its number among several processes; in `wait-1` only process 1 waits, the others go on."""
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
    if how.startswith("SIG"): os.kill(os.getpid(), signal.Signals[how])
    elif how in ("wait", f"wait-{rank}"):
        Path(f"waiting-{rank}").touch()
        while True: time.sleep(60)  # until the signal that is to come

def stop_after(place, n, how):
    "Let the `n`-th call of a function, `module.function`, end so"
    module, _, name = place.rpartition(".")
    module, calls = importlib.import_module(module), itertools.count(1)
    function = getattr(module, name)
    def counted(*args, **kwargs):
        value = function(*args, **kwargs)
        if next(calls) == n: stop(how)
        return value
    setattr(module, name, counted)

def main(place, n, how, *args):
    from dqsstn.cli import main
    stop_after(place, int(n), how)
    sys.argv[1:] = args
    main()

if __name__ == "__main__": main(*sys.argv[1:])
