"""What the record says of the machine."""

import os
import platform
import shutil
import subprocess


def _first(path, name):
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip() == name:
                    return value.strip()
    except OSError:
        pass
    return None


def gpus():
    """Names of the NVIDIA cards here, with memory and driver; an empty list where there is none."""
    if not shutil.which("nvidia-smi"):
        return []
    asked = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def describe():
    """Processor, cores, vector instructions, memory, kernel, load, cards."""
    flags = (_first("/proc/cpuinfo", "flags") or _first("/proc/cpuinfo", "Features") or "").split()
    told = ("avx2", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp")
    memory = _first("/proc/meminfo", "MemTotal")
    return {
        "cpu": _first("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": [flag for flag in told if flag in flags],
        "memory_bytes": int(memory.split()[0]) * 1024 if memory else None,
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "gpus": gpus(),
        "load_average": list(os.getloadavg()),
    }
