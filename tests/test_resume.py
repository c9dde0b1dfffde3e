"""Training that was stopped, killed, or could not write: it goes on to the very same bits, or says what is wrong."""
import errno
import json
import os
import random
import resource
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, SMALL, TINY, call, contents, make_voc, start

from dqsstn.checkpoint import read_checkpoint
from dqsstn.config import CONFIGS, override
from dqsstn.data import sample_items
from dqsstn.train import state_files, train_run

sys.path.insert(0, str(ROOT/"scripts"))
import soak

TRAIN = f"train --config demo --sample {TINY} {SMALL} --save-every 0"

def test_killed_three_times_and_the_same_bits():
    done, different = soak.soak(3)
    assert (done, different) == (3, [])

@pytest.mark.slow
def test_killed_many_times_and_the_same_bits():
    done, different = soak.soak(22, seed=1)
    assert (done, different) == (22, [])
