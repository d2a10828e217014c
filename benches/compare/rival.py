"""One Python rival behind the protocol of `contender.py`: `rival.py NAME GALLERY.f32 PROBES.f32 SETTINGS.json`.

A request {"op": "search", "first", "count", "k", "ef", "lists"} is timed around the library's own call, lists made afterwards.
The gallery is mapped, not read; an index that copies it does so before the clock.
"""

import json
import sys
import time

import numpy


def load(path, dimension):
    """Rows of a raw file of little-endian f32."""
    return numpy.memmap(path, dtype="<f4", mode="r").reshape(-1, dimension)


class Rival:
    """Builds an index of `gallery` and searches it. `told` goes into the record: version, settings."""

    def __init__(self, gallery, probes, settings):
        self.gallery, self.probes = gallery, probes
        self.threads = settings["threads"]
        self.settings = settings
        self.told = self.build()

    def build(self):
        raise NotImplementedError

    def search(self, probes, k, ef):
        raise NotImplementedError

    def rows(self, found):
        """Row numbers of what `search` gave, a list a probe; -1 where a library fills up."""
        return [[int(row) for row in rows if row >= 0] for rows in numpy.asarray(found)]

    def answer(self, asked):
        probes = numpy.ascontiguousarray(self.probes[asked["first"] : asked["first"] + asked["count"]])
        if len(probes) != asked["count"]:
            raise ValueError("so many probes were not written")
        begun = time.perf_counter()
        found = self.search(probes, asked["k"], asked.get("ef"))
        seconds = time.perf_counter() - begun
        return {"seconds": seconds, "rows": self.rows(found)} if asked.get("lists") else {"seconds": seconds}


class Faiss(Rival):
    """What all of faiss has in common."""

    def faiss(self):
        import faiss

        faiss.omp_set_num_threads(self.threads)
        # The wheel comes with 128000 and would then not use BLAS for batches such as ours: many times slower.
        faiss.cvar.distance_compute_blas_threshold = 20
        return faiss

    def add(self, index, what, rows=None):
        for start in range(0, len(self.gallery), 1 << 16):
            index.add(numpy.ascontiguousarray(self.gallery[start : start + (1 << 16)]) if rows is None else rows(start))
        self.index = index
        return {"version": self.faiss().__version__, "settings": what}

    def search(self, probes, k, ef):
        return self.index.search(probes, k)[1]


class FaissFlat(Faiss):
    def build(self):
        faiss = self.faiss()
        return self.add(faiss.IndexFlatIP(self.gallery.shape[1]), "IndexFlatIP, f32, distance_compute_blas_threshold=20")


class FaissSq8(Faiss):
    def build(self):
        faiss = self.faiss()
        quantizer = faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexScalarQuantizer(self.gallery.shape[1], quantizer, faiss.METRIC_INNER_PRODUCT)
        index.train(numpy.ascontiguousarray(self.gallery[:100_000]))
        return self.add(index, "IndexScalarQuantizer QT_8bit, trained on the first 100,000 rows")


class FaissSq8Direct(Faiss):
    """Codes as they are: rows scaled so that the largest number of all becomes 127."""

    def build(self):
        faiss = self.faiss()
        largest = max(float(numpy.abs(self.gallery[at : at + (1 << 16)]).max()) for at in range(0, len(self.gallery), 1 << 16))
        scale = numpy.float32(127.0 / largest)
        quantizer = faiss.ScalarQuantizer.QT_8bit_direct_signed
        index = faiss.IndexScalarQuantizer(self.gallery.shape[1], quantizer, faiss.METRIC_INNER_PRODUCT)
        coded = lambda start: numpy.rint(self.gallery[start : start + (1 << 16)] * scale)
        return self.add(index, "IndexScalarQuantizer QT_8bit_direct_signed, one scale for all rows", coded)

    def search(self, probes, k, ef):
        # Probes are taken as whole numbers too; each has a scale of its own, which changes no order.
        coded = numpy.rint(probes * (127.0 / numpy.abs(probes).max(axis=1, keepdims=True))).astype(numpy.float32)
        return self.index.search(coded, k)[1]


class FaissHnsw(Faiss):
    def build(self):
        faiss = self.faiss()
        index = faiss.IndexHNSWFlat(self.gallery.shape[1], self.settings["m"], faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.settings["ef_construction"]
        told = self.add(index, f"IndexHNSWFlat, M {self.settings['m']}, efConstruction {self.settings['ef_construction']}, f32")
        faiss.omp_set_num_threads(1)
        return told

    def search(self, probes, k, ef):
        self.index.hnsw.efSearch = ef
        return self.index.search(probes, k)[1]


class UsearchExact(Rival):
    """`usearch.index.search(..., exact=True)` over codes of 8 bits or over f32."""

    def build(self):
        import usearch
        from usearch.index import MetricKind, search

        self.call, self.metric = search, MetricKind.IP
        if self.settings["codes"] == "i8":
            largest = max(float(numpy.abs(self.gallery[at : at + (1 << 16)]).max()) for at in range(0, len(self.gallery), 1 << 16))
            self.code = lambda values: numpy.rint(values * numpy.float32(127.0 / largest)).clip(-127, 127).astype(numpy.int8)
            # The cosine of codes: usearch's inner product of integers is 1 - ip, in which rounding would lose all order.
            self.metric = MetricKind.Cos
            self.data = numpy.empty(self.gallery.shape, numpy.int8)
            for start in range(0, len(self.gallery), 1 << 16):
                self.data[start : start + (1 << 16)] = self.code(self.gallery[start : start + (1 << 16)])
        else:
            self.code, self.data = (lambda values: values), numpy.ascontiguousarray(self.gallery)
        return {"version": usearch.__version__, "settings": f"exact=True, {self.settings['codes']}"}

    def search(self, probes, k, ef):
        return self.call(self.data, self.code(probes), k, self.metric, exact=True, threads=self.threads).keys

    def rows(self, found):
        return super().rows(numpy.asarray(found).astype(numpy.int64).reshape(-1, numpy.asarray(found).shape[-1]))


class UsearchHnsw(Rival):
    def build(self):
        import usearch
        from usearch.index import Index

        m, ef_construction = self.settings["m"], self.settings["ef_construction"]
        self.index = Index(ndim=self.gallery.shape[1], metric="ip", dtype="f32", connectivity=m, expansion_add=ef_construction)
        self.index.add(numpy.arange(len(self.gallery)), numpy.ascontiguousarray(self.gallery), threads=self.threads)
        return {"version": usearch.__version__, "settings": f"connectivity {m}, expansion_add {ef_construction}, f32"}

    def search(self, probes, k, ef):
        self.index.expansion_search = ef
        return self.index.search(probes, k, threads=1).keys

    def rows(self, found):
        return super().rows(numpy.asarray(found).astype(numpy.int64).reshape(-1, numpy.asarray(found).shape[-1]))


class Hnswlib(Rival):
    def build(self):
        import importlib.metadata

        import hnswlib

        m, ef_construction = self.settings["m"], self.settings["ef_construction"]
        self.index = hnswlib.Index(space="ip", dim=self.gallery.shape[1])
        self.index.init_index(max_elements=len(self.gallery), M=m, ef_construction=ef_construction, random_seed=1)
        self.index.add_items(numpy.ascontiguousarray(self.gallery), num_threads=self.threads)
        return {"version": importlib.metadata.version("hnswlib"), "settings": f"M {m}, ef_construction {ef_construction}, f32"}

    def search(self, probes, k, ef):
        self.index.set_ef(max(ef, k))
        return self.index.knn_query(probes, k=k, num_threads=1)[0].astype(numpy.int64)


class Numpy(Rival):
    """Matrix product and argpartition, in blocks of rows, the best of which are merged."""

    BLOCK = 1 << 17

    def build(self):
        return {"version": numpy.__version__, "settings": f"matmul and argpartition in blocks of {self.BLOCK} rows, f32"}

    def search(self, probes, k, ef):
        scores, rows = None, None
        for start in range(0, len(self.gallery), self.BLOCK):
            block = probes @ self.gallery[start : start + self.BLOCK].T
            kept = min(k, block.shape[1])
            best = numpy.argpartition(-block, kept - 1, axis=1)[:, :kept]
            found = numpy.take_along_axis(block, best, axis=1)
            best = best + start
            scores = found if scores is None else numpy.hstack([scores, found])
            rows = best if rows is None else numpy.hstack([rows, best])
        order = numpy.argsort(-scores, axis=1, kind="stable")[:, :k]
        return numpy.take_along_axis(rows, order, axis=1)


RIVALS = {
    "faiss-flat": FaissFlat,
    "faiss-sq8": FaissSq8,
    "faiss-sq8-direct": FaissSq8Direct,
    "faiss-hnsw": FaissHnsw,
    "usearch-exact-i8": UsearchExact,
    "usearch-exact-f32": UsearchExact,
    "usearch-hnsw": UsearchHnsw,
    "hnswlib": Hnswlib,
    "numpy": Numpy,
}


def find(name):
    """The class behind a name; those that need rare things live in modules of their own."""
    if name.startswith("pgvector"):
        import rival_postgres

        return rival_postgres.Pgvector
    if name in ("torch-bf16", "torch-f16", "faiss-gpu", "cuvs"):
        import rival_gpu

        return rival_gpu.RIVALS[name]
    return RIVALS[name]


def say(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main():
    name, gallery, probes, settings = sys.argv[1:]
    settings = json.loads(settings)
    rival = None
    try:
        begun = time.perf_counter()
        dimension = settings["dimension"]
        rival = find(name)(load(gallery, dimension), load(probes, dimension), settings)
        say({"ready": True, "name": name, "threads": settings["threads"], "build_s": time.perf_counter() - begun, **rival.told})
        for line in sys.stdin:
            try:
                say(rival.answer(json.loads(line)))
            except Exception as error:  # whatever a library throws is the answer
                say({"error": f"{type(error).__name__}: {error}"})
    except Exception as error:
        say({"ready": False, "error": f"{type(error).__name__}: {error}"})
    finally:
        if hasattr(rival, "close"):
            rival.close()


if __name__ == "__main__":
    main()
