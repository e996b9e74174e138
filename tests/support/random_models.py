"""The frame of the comparisons by random models (tests/integration/test_random_*.py): models from a seed on, each scored by the trainer and by `ride score`."""
import os
import sys
import tempfile
from pathlib import Path

COUNT = int(os.environ.get("RIDE_RANDOM_MODELS", "40"))


def first_seed():
    return int(sys.argv[1]) if len(sys.argv) > 1 else 0


def run(one, said):
    """one(seed, folder) gives (was it trained, what is wrong or None). The exit code: 0 when nothing is wrong and most could be trained."""
    trained = 0
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(first_seed(), first_seed() + COUNT):
            was_trained, found = one(seed, Path(scratch))
            trained += was_trained
            if found:
                print(found)
                return 1
    print(f"{trained} random models of {said}")
    return 0 if trained > COUNT // 2 else 1
