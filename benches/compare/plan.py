"""Which questions are asked, of whom, at which size. Every parameter of a figure stands here and in the record."""

M, EF_CONSTRUCTION = 16, 128

EXACT = ["faiss-flat", "faiss-sq8", "faiss-sq8-direct", "usearch-exact-i8", "usearch-exact-f32", "numpy"]
GRAPHS = ["hnsw_rs", "hnswlib", "faiss-hnsw", "usearch-hnsw", "pgvector-hnsw"]
GPU = ["torch-bf16", "torch-f16", "faiss-gpu", "cuvs"]


def questions(full, rows, graph_rows, gpu):
    """The comparisons in order. `turns` are searches a contender does when it is its turn; their median is the round's figure.
    `oracle` is the number of probes whose lists are compared to the bit with the oracle's."""
    rounds = 9 if full else 5
    # Exact search of f32 by usearch takes so long that only the whole comparison has the time.
    exact_rivals = EXACT if full else [name for name in EXACT if name != "usearch-exact-f32"]
    exact = {"kind": "exact", "rows": rows, "k": 100, "rounds": rounds, "oracle": 16 if full else 8}
    asked = [
        {**exact, "id": "exact-64", "title": "64 probes at once, every template", "probes": 64, "turns": 1, "rivals": exact_rivals},
        {**exact, "id": "exact-1", "title": "one probe, every template", "probes": 1, "turns": 7, "rivals": ["reading", *exact_rivals]},
        {**exact, "id": "exact-pg", "title": "one probe, every template, beside PostgreSQL", "probes": 1, "turns": 3,
         "rows": rows if full else graph_rows, "rivals": ["pgvector-exact"]},
        {"id": "graph", "title": "approximate search by HNSW, one thread, a probe at a time", "kind": "graph", "rows": graph_rows,
         "k": 10, "rounds": 3, "turns": 1, "probes": 100, "efs": [50, 200, 800], "oracle": 0, "rivals": GRAPHS},
    ]
    if gpu:
        card = {**exact, "kind": "gpu", "rows": 10_000_000 if full else rows, "oracle": 2}
        asked += [
            {**card, "id": "gpu-360", "title": "360 probes at once, on the graphics card", "probes": 360, "turns": 3, "rivals": GPU},
            {**card, "id": "gpu-1", "title": "one probe, on the graphics card", "probes": 1, "turns": 7, "rivals": GPU},
        ]
    return asked


def measurements(full, rows):
    """Runs of `bertillon bench latency`: ours alone, for percentiles, opening and memory."""
    quick = [
        {"id": "one-probe", "rows": rows, "probes": 1, "repeat": 1200 if full else 300, "seconds": 60},
        {"id": "batch", "rows": rows, "probes": 64, "repeat": 100 if full else 10, "seconds": 60},
    ]
    return quick + ([
        {"id": "retail", "rows": 10_000_000, "probes": 360, "repeat": 3, "seconds": 1},
        {"id": "ten-million", "rows": 10_000_000, "probes": 1, "repeat": 150, "seconds": 120},
    ] if full else [])


def settings(name, question, dimension, threads):
    """What a rival is told before it builds."""
    told = {"dimension": dimension, "threads": threads}
    if name.endswith("i8"):
        told["codes"] = "i8"
    if name.endswith("f32"):
        told["codes"] = "f32"
    if question["kind"] == "graph":
        told |= {"m": M, "ef_construction": EF_CONSTRUCTION}
    if name.startswith("pgvector"):
        told["shared_buffers"] = f"{max(256, question['rows'] * dimension * 5 * 2 // (1 << 20))}MB"
    return told
