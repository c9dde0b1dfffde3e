"""Kill a small training at random moments and resume it each time; compare what it leaves with what an undisturbed
training leaves, bit by bit.

`make soak` kills 25 times; the exit code is 1 if anything differs. A warm process that has imported everything
forks each training, so that a kill strikes training and not the import of torch."""
import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SMALL = [
    "--config", "demo", "--sample", "--n-train", "100", "--n-test", "30",
    "--set", "view_size=32,source_size=48,horizon=4,batch_size=16,epochs=2,pretrain_epochs=2,classifier_epochs=2",
    "--set", "mixture=true,dropout=0.2,capacity=300,flip=true,device=cpu"]
JOINTLY = "classifier_training=joint,classifier_schedule=constant,reward=combined"
KINDS = {"Q-learning, then the classifiers": [], "classifier and agent jointly, its loss as reward": ["--set", JOINTLY]}

def command(args, folder, cache):
    "What a child does: the command line `dqsstn ARGS` in `folder`, silently"
    os.chdir(folder)
    os.environ["DQSSTN_CACHE"] = str(cache)
    for number in (1, 2): os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    from dqsstn.cli import app
    app(args, prog_name="dqsstn")

def saved(run):
    "What tells one state of a run folder from the next"
    return {p.name: p.stat().st_mtime_ns for p in run.glob("checkpoint/*.pt") if p.exists()}

def contents(folder):
    "Every file in a folder, with its bytes"
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

def going_on(run, args):
    "The command for what is in a run folder"
    begun = any((run/name).is_file() for name in ("checkpoint/training.json", "unmeasured.json", "results.json"))
    return ["train", "--resume", "run"] if begun else args

class Trainings:
    "Starts trainings in processes of their own"
    def __init__(self, folder):
        self.folder, self.context = Path(folder), multiprocessing.get_context("forkserver")
        os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}  # of the warm process and all that it forks
        self.context.set_forkserver_preload(["dqsstn.cli", "dqsstn.runs", "seaborn"])

    def start(self, where, args):
        (self.folder/where).mkdir(exist_ok=True)
        process = self.context.Process(target=command, args=(args, self.folder/where, self.folder/"cache"))
        process.start()
        return process

    def finish(self, where, args):
        "Wait for a training; a `RuntimeError` if it fails"
        process = self.start(where, args)
        process.join()
        if process.exitcode: raise RuntimeError(f"{where}: dqsstn {' '.join(args)} ended with {process.exitcode}")

    def kill_once(self, where, args, rng):
        "Start or resume, and kill at a random moment after a few more checkpoints; whether it was alive until then"
        run, more, delay = self.folder/where/"run", rng.randrange(17), rng.random() ** 2 / 10
        process, states, latest = self.start(where, going_on(run, args)), 0, saved(run)
        while process.is_alive() and states < more:
            process.join(0.002)
            try: now = saved(run)
            except FileNotFoundError: continue  # renamed while being looked at
            states, latest = states + (now != latest), now
        process.join(delay)
        process.kill()
        process.join()
        if process.exitcode not in (0, -9): raise RuntimeError(f"{where}: ended with {process.exitcode}")
        return process.exitcode == -9

def soak(kills, seed=0, say=print):
    "The number of kills, and the files that differ in the end"
    rng, done, different = random.Random(seed), 0, []  # noqa: S311  these are moments, not secrets
    with tempfile.TemporaryDirectory(prefix="dqsstn-soak-") as folder:
        trainings = Trainings(folder)
        for k, (kind, settings) in enumerate(KINDS.items()):
            args, start = ["train", *SMALL, *settings, "--save-every", "0", "--out", "run"], time.monotonic()
            trainings.finish(f"whole{k}", args)
            whole, rounds, wanted = contents(Path(folder, f"whole{k}")), 0, (kills * (k + 1)) // len(KINDS)
            while done < wanted:
                where, rounds = f"killed{k}_{rounds}", rounds + 1
                while done < wanted and trainings.kill_once(where, args, rng): done += 1
                trainings.finish(where, going_on(Path(folder, where, "run"), args))  # if it is over: shows results
                killed = contents(Path(folder, where))
                names = whole.keys() | killed.keys()
                different += [f"{kind}: {name}" for name in names if whole.get(name) != killed.get(name)]
            seconds = time.monotonic() - start
            say(f"{kind}: {done} kills so far, {rounds} trainings, {len(whole)} files each, {seconds:.0f} s")
    return done, different

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25, help="how often")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    done, different = soak(args.kills, args.seed, lambda text: print(text, flush=True))
    for name in different: print(f"differs: {name}")
    print(f"{done} kills, {len(different)} differences")
    return int(bool(different) or done < args.kills)

if __name__ == "__main__": sys.exit(main())
