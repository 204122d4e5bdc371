"""How far the estimate of `xlmrxl plan` is from what a model holds once it is loaded and has filled a mask.

    python benchmarks/plan_check.py FOLDER [FOLDER …]        # of a large checkpoint; "default" is measured as well

Each precision is loaded in a process of its own. Measured is what is private to the process (USS) after a fill has
touched every weight; the estimate is the weights and the runtime's share. Prints measured, estimated and their ratio.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

PRECISIONS = ("fp32", "bf16", "fp16", "8bit", "4bit")


def child(folder: str, precision: str) -> dict[str, float]:
    import gc

    import psutil

    from xlmrxl import load
    from xlmrxl.plan import RUNTIME, plan

    session = load(folder, precision=precision, device="cpu", force=True)
    session.fill_mask("The house was <mask>.")
    gc.collect()
    used = psutil.Process().memory_full_info().uss
    return {"measured": used, "estimated": RUNTIME + plan(folder, session.model.config).need(precision).weights}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(arguments.folders[0], arguments.child)))
        return
    print(f"{'model':<28}{'precision':<10}{'measured, GB':>14}{'estimated, GB':>15}{'ratio':>8}")
    for folder in [*arguments.folders, "default"]:
        for precision in arguments.precisions:
            command = [sys.executable, __file__, folder, "--child", precision]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            a, b = found["measured"] / 1e9, found["estimated"] / 1e9
            print(f"{folder[-27:]:<28}{precision:<10}{a:>14.3f}{b:>15.3f}{b / a:>8.3f}", flush=True)


if __name__ == "__main__":
    main()
