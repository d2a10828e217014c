"""A contender: a process that answers searches, one JSON object a line, and times them inside.

All of them speak the same protocol, Bertillon too, so that nobody's start-up, pipe or parsing is on the clock.
"""

import json
import os
import selectors
import subprocess
import time


class Lost(Exception):
    """A contender that is not there, or that stopped answering; says why."""


def environment(threads):
    """As many threads for everybody's pools, none of which may spin while others are measured."""
    named = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(named, str(threads)), "OMP_WAIT_POLICY": "passive", "PYTHONDONTWRITEBYTECODE": "1"}


class Contender:
    """One running process. `ready` holds what it said of itself."""

    def __init__(self, identity, command, threads, log, ready_within_s=3600):
        self.identity = identity
        # Engines that answered timed searches: a card that is lost half way must not pass for one that was fast.
        self.answered = set()
        self.log = open(log, "w+", encoding="utf-8")
        pipe = subprocess.PIPE
        try:
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self.log, env=environment(threads))
        except OSError as error:
            raise Lost(str(error)) from error
        self.waiting = b""
        try:
            self.ready = self._line(ready_within_s)
        except Lost:
            self.close()
            raise
        if not self.ready.get("ready"):
            self.close()
            raise Lost(self.ready.get("error", "said something else than that it is ready"))

    def ask(self, within_s=1800, **request):
        """Sends a request and gives the answer."""
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Lost(self._last_words()) from error
        reply = self._line(within_s)
        if "error" in reply:
            raise Lost(reply["error"])
        return reply

    def _line(self, within_s):
        """The next line. A process that says nothing for too long is given up."""
        deadline = time.monotonic() + within_s
        pieces = [self.waiting]
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in pieces[-1]:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise Lost(f"no answer within {within_s} s")
                piece = os.read(self.process.stdout.fileno(), 1 << 20)
                if not piece:
                    raise Lost(self._last_words())
                pieces.append(piece)
        line, self.waiting = b"".join(pieces).split(b"\n", 1)
        try:
            return json.loads(line)
        except ValueError as error:
            raise Lost(f"not JSON: {line[:200]!r}") from error

    def _last_words(self):
        self.log.flush()
        self.log.seek(0)
        words = [line.strip() for line in self.log if line.strip()]
        return words[-1][-300:] if words else "ended without a word"

    def resident_bytes(self):
        """What the kernel says is resident, mapped files apart."""
        found = {}
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                name, _, value = line.partition(":")
                if name in ("RssAnon", "RssShmem", "RssFile"):
                    found[name] = int(value.split()[0]) * 1024
        return {"beyond_mapped": found.get("RssAnon", 0) + found.get("RssShmem", 0), "mapped": found.get("RssFile", 0)}

    def close(self):
        """Ends the process; its standard input ending is how it is told."""
        try:
            self.process.stdin.close()
            self.process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
