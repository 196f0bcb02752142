"""The machine: what it is, how fast it is at the moment, and what else is busy on it."""

import hashlib
import os
import platform
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1
YARDSTICK = bytes(64 << 20)


def describe() -> str:
    cpu = next((line.split(":")[1].strip() for line in lines("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = int(lines("/proc/meminfo")[0].split()[1]) / (1 << 20)
    load = " ".join(lines("/proc/loadavg")[0].split()[:3])
    began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return (
        f"# Lanthorn beside its peers, {began}\n\n"
        f"{CORES} cores ({cpu}), {memory:.0f} GiB, Linux {platform.release()}, load before {load}. "
        "Client and server share the cores; all traffic is on loopback. "
        "Median (min–max) of interleaved rounds. Ratios above 1.00 mean that Lanthorn is ahead."
    )


def lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()


def busy_seconds() -> float:
    """Seconds all cores together have worked since the machine started."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, lines("/proc/stat")[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def stolen_seconds() -> float:
    """Seconds the host gave to other machines while this one wanted to work."""
    return int(lines("/proc/stat")[0].split()[8]) / TICKS


def yardstick_ms() -> float:
    """Milliseconds for a fixed piece of work on one core: SHA-256 of 64 MiB."""
    begun = time.perf_counter()
    hashlib.sha256(YARDSTICK).digest()
    return (time.perf_counter() - begun) * 1000


class Noise:
    """How evenly the machine ran during a workload."""

    def __init__(self) -> None:
        self.begun, self.stolen = time.monotonic(), stolen_seconds()
        self.before = [yardstick_ms() for _ in range(5)]

    def describe(self) -> str:
        all_times = sorted(self.before + [yardstick_ms() for _ in range(5)])
        seconds = time.monotonic() - self.begun
        stolen = 100 * (stolen_seconds() - self.stolen) / (seconds * CORES)
        load = lines("/proc/loadavg")[0].split()[0]
        return (
            f"*Noise: SHA-256 of 64 MiB before and after took {all_times[len(all_times) // 2]:.0f} ms "
            f"({all_times[0]:.0f}–{all_times[-1]:.0f}); stolen by the host {stolen:.1f} %; load after {load}; "
            f"{seconds:.0f} s in all.*\n"
        )
