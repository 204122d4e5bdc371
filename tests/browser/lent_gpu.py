"""Run a Space's app.py as ZeroGPU runs it, by ZeroGPU's own package, where there is neither its scheduler nor a GPU.

`python lent_gpu.py app.py`. The package pretends the GPU while the model is read, writes the weights to the disk, and
forks a process for the work, which it sends pickled. Only what needs the GPU itself is replaced, in that process: the
weights come back from the disk into memory. Each lending is printed.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from urllib.parse import parse_qs, urlsplit

GRANTED = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "none", "allowToken": "granted"}


class Scheduler(BaseHTTPRequestHandler):
    """Lends the GPU to whoever asks."""

    def do_POST(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/schedule":
            print("LENT", parse_qs(asked.query)["durationSeconds"][0], flush=True)
        body = json.dumps(GRANTED if asked.path == "/schedule" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """What is said is for the test."""


def move(callback: object = None) -> None:
    """Put the model's weights where the pretended ones are: on a GPU it would be onto the GPU."""
    import torch
    from spaces.zero.torch import patching

    print("MOVED", os.getpid(), flush=True)
    for pack in patching.tensor_packs:
        with open(pack.path(), "rb") as file:
            for tensor, size, aligned in [*chain(*pack.batches), *pack.big_tensors]:
                stored = torch.frombuffer(bytearray(file.read(aligned))[:size] or bytearray(1), dtype=torch.uint8)
                here = torch.empty(0, dtype=tensor.dtype)
                here.set_(stored.untyped_storage(), 0, tensor.shape, tensor.stride())
                for pretended in pack.fakes[tensor]:
                    pretended.data = here


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scheduler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:  # not in memory: it is written without a cache
        os.environ.update(
            SPACES_ZERO_GPU="true",
            SPACES_ZERO_DEVICE_API_URL=f"http://127.0.0.1:{server.server_address[1]}",
            ZEROGPU_OFFLOAD_DIR=scratch,
        )
        sys.path[0] = os.getcwd()
        import spaces.zero.torch

        spaces.zero.torch.init = lambda uuid: None
        spaces.zero.torch.move = move
        runpy.run_path(sys.argv[1], run_name="__main__")


if __name__ == "__main__":
    main()
