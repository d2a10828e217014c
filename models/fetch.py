"""Downloads one file, going on where an earlier attempt stopped.

usage: fetch.py URL PARTIAL BYTES

PARTIAL grows to BYTES bytes and never further. It is locked meanwhile, so that two downloads don't write to it at once.
Whether these are the right bytes is for the caller to check.
"""

import fcntl
import http.client
import os
import sys
import time
import urllib.error
import urllib.request

ATTEMPTS = 4
BLOCK = 1 << 18
SILENCE_S = 60


def fetch(url, file, wanted):
    """One attempt: appends what is missing."""
    have = file.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"User-Agent": "bertillon"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=SILENCE_S) as answer:
        if have and answer.status != 206:  # This server knows no ranges: from the start again.
            file.truncate(0)
            have = file.seek(0)
        while have < wanted:
            block = answer.read(min(BLOCK, wanted - have))
            if not block:
                raise ConnectionError(f"the connection ended after {have} of {wanted} bytes")
            file.write(block)
            file.flush()
            have += len(block)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: fetch.py URL PARTIAL BYTES")
    url, partial, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(partial, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another download is writing to {partial}")
        for attempt in range(1, ATTEMPTS + 1):
            if file.seek(0, os.SEEK_END) >= wanted:
                break
            try:
                fetch(url, file, wanted)
            except urllib.error.HTTPError as error:
                if error.code < 500 or attempt == ATTEMPTS:
                    sys.exit(f"{url}: the server answers {error.code} {error.reason}")
            except (OSError, http.client.HTTPException) as error:
                if attempt == ATTEMPTS:
                    sys.exit(f"{url}: {error}")
            else:
                break
            time.sleep(attempt)
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    main()
