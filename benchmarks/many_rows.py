"""Memory of filling a long file: at most how much beyond the model, and whether a kill half-way loses anything.

    python benchmarks/many_rows.py [--rows 100000] [--model FOLDER]

A CSV of one-mask sentences goes through `xlmrxl fill --input`; the private memory of the process (USS) is sampled ten
times a second. The command is killed with SIGKILL once half of the rows are written, run again, and its output compared
row by row with the input. Beside it stands the memory of the same command with a file of one row: the model.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from measure import Results, make_parser, make_sentences

import xlmrxl


def run_watched(source: Path, target: Path, model: str, kill_at: int | None = None) -> tuple[int, bool]:
    """Run the command; return its highest private memory in bytes, and whether it was killed."""
    command = [sys.executable, "-m", "xlmrxl.cli.main", "fill", "--input", source, "--output", target, "--model", model]
    process = subprocess.Popen([*map(str, command)], stderr=subprocess.DEVNULL)
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_full_info().uss)
        except psutil.NoSuchProcess:
            break
        written = sum(path.stat().st_size for path in target.parent.glob(f"*{target.stem}*") if path != source)
        if kill_at is not None and written > kill_at:
            process.kill()
            process.wait()
            return peak, True
        time.sleep(0.1)
    if process.wait() != 0:
        raise SystemExit(f"the command failed with {process.returncode}")
    return peak, False


def main() -> None:
    """Fill a file, kill the command half-way, go on, and compare."""
    parser = make_parser(__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--model", default="default")
    arguments = parser.parse_args()
    results = Results("Memory of filling a long file")
    session = xlmrxl.load(arguments.model)
    texts = make_sentences(arguments.rows, 16, lambda text: len(session.tokenizer(text)["input_ids"]))
    with tempfile.TemporaryDirectory() as scratch:
        peaks = {}
        for name, count in (("one", 1), ("many", arguments.rows)):
            source, target = Path(scratch) / f"{name}.csv", Path(scratch) / f"{name}-filled.csv"
            with source.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([["text"], *([text] for text in texts[:count])])
            kill_at = source.stat().st_size if name == "many" else None
            peaks[name], killed = run_watched(source, target, arguments.model, kill_at)
            if killed:
                left = sorted(path.name for path in target.parent.glob(f".{target.name}*"))
                print(f"killed half-way; left behind: {', '.join(left)}", flush=True)
                again, _ = run_watched(source, target, arguments.model)
                peaks[name] = max(peaks[name], again)
        with target.open(encoding="utf-8", newline="") as file:
            found = [row["text"] for row in csv.DictReader(file)]
    order = "in the same order" if found == texts else "NOT the same rows"
    title = f"{len(texts):,} rows in, {len(found):,} out after a kill half-way, {order}"
    rows = [["1", peaks["one"] / 1e6], [str(len(texts)), peaks["many"] / 1e6]]
    results.add(title, ["rows", "private memory, MB"], rows)
    results.write(arguments.out)


if __name__ == "__main__":
    main()
