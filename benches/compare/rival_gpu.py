"""Rivals on a CUDA card: torch's matmul and topk, faiss-gpu, cuVS. Needs requirements-gpu.txt; without a card nobody is built.

The gallery is copied to the card before the clock; a search is timed from probes in main memory to lists in main memory.
"""

import numpy

from rival import Faiss, Rival

# Rows that go to the card at a time.
PART = 1 << 18


class Torch(Rival):
    TYPE = None

    def build(self):
        import torch

        if not torch.cuda.is_available():
            raise RuntimeError("torch finds no CUDA device")
        self.torch, self.type = torch, getattr(torch, self.TYPE)
        count, dimension = self.gallery.shape
        self.data = torch.empty((count, dimension), dtype=self.type, device="cuda")
        for start in range(0, count, PART):
            part = torch.from_numpy(numpy.array(self.gallery[start : start + PART]))
            self.data[start : start + PART] = part.to("cuda").to(self.type)
        torch.cuda.synchronize()
        return {"version": torch.__version__, "settings": f"matmul and topk, {self.TYPE}, {torch.cuda.get_device_name()}"}

    def search(self, probes, k, ef):
        asked = self.torch.from_numpy(probes).to("cuda").to(self.type)
        return self.torch.topk(asked @ self.data.T, k, dim=1).indices.cpu().numpy()


class TorchBf16(Torch):
    TYPE = "bfloat16"


class TorchF16(Torch):
    TYPE = "float16"


class FaissGpu(Faiss):
    def build(self):
        faiss = self.faiss()
        if not hasattr(faiss, "StandardGpuResources") or faiss.get_num_gpus() == 0:
            raise RuntimeError("faiss finds no CUDA device")
        self.resources = faiss.StandardGpuResources()
        config = faiss.GpuIndexFlatConfig()
        config.useFloat16 = True
        return self.add(faiss.GpuIndexFlatIP(self.resources, self.gallery.shape[1], config), "GpuIndexFlatIP, storage f16")


class Cuvs(Rival):
    def build(self):
        import cupy
        import cuvs
        from cuvs.neighbors import brute_force

        self.cupy, self.brute_force = cupy, brute_force
        data = cupy.empty(self.gallery.shape, dtype=cupy.float16)
        for start in range(0, len(self.gallery), PART):
            data[start : start + PART] = cupy.asarray(self.gallery[start : start + PART], dtype=cupy.float16)
        self.index = brute_force.build(data, metric="inner_product")
        cupy.cuda.runtime.deviceSynchronize()
        return {"version": cuvs.__version__, "settings": "brute_force, inner_product, f16"}

    def search(self, probes, k, ef):
        asked = self.cupy.asarray(probes, dtype=self.cupy.float16)
        return self.cupy.asnumpy(self.cupy.asarray(self.brute_force.search(self.index, asked, k)[1]))


RIVALS = {"torch-bf16": TorchBf16, "torch-f16": TorchF16, "faiss-gpu": FaissGpu, "cuvs": Cuvs}
