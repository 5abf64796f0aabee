#!/usr/bin/env python3
"""Measures ufc's kernels on GPUs beside the same functions in the Python libraries that are there.

Usage: gpu-compare.py UFC FOLDER TARGET..., as scripts/gpu-check calls it. Prints a table and writes FOLDER/gpu-check.json. A library
that is not there, or fails, is named with the reason; nothing is installed. UFC_GPU_CHECK_SIZE is the number of elements.
"""

import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time

try:
    import numpy as np
except ImportError:
    np = None

SIZE = int(os.environ.get("UFC_GPU_CHECK_SIZE") or 0)
LARGE = SIZE or 1 << 24

# What ufc measures: name in the table, kernel, inputs that replace those of the kernel's own workload.
EXP = "pub fn exp_f32(x: f32) -> f32 { x.exp() }\n"
SIN = "pub fn sin_f32(x: f32) -> f32 { x.sin() }\n"
KERNELS = [
    ("mandelbrot", "mandelbrot", []),
    ("black_scholes", "black_scholes", []),
    ("saxpy", "saxpy", []),
    ("exp", "exp.ufk", [f"x=random({LARGE}, 1, -10.0, 10.0)"]),
    ("sin", "sin.ufk", [f"x=random({LARGE}, 1, -100.0, 100.0)"]),
    ("hash", "murmur_hash:murmur_hash", []),
]


def ufc_rows(ufc, folder, targets):
    """What `ufc bench` measures, a row for each kernel, target and place of the data."""
    for name, text in (("exp.ufk", EXP), ("sin.ufk", SIN)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("/// Measured against other libraries.\n" + text)
    rows, failed = [], False
    for name, kernel, inputs in KERNELS:
        if kernel.endswith(".ufk"):
            kernel = os.path.join(folder, kernel)
        command = [ufc, "bench", kernel, *inputs, "--target", ",".join(["cpu", *targets]), "--json"]
        if SIZE and not inputs:
            command += ["--size", str(SIZE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        sys.stderr.write(done.stderr)
        failed |= done.returncode != 0
        try:
            measured = json.loads(done.stdout)
        except ValueError:
            print(f"ufc bench {name} failed with code {done.returncode}")
            continue
        for row in measured:
            if "missing" in row:
                print(f"{name} on {row['target']}: {row['missing']}")
                continue
            rows.append({
                "kernel": name,
                "by": f"ufc {row['target']}:{row['device']}",
                "data": row["data"],
                "n": row["n"],
                "seconds": row["median_ns"] * 1e-9,
                "verified": row["verified"],
            })
    return rows, failed


def median_time(job):
    """The middle time of a job's runs over about half a second, after two to warm up."""
    job()
    job()
    times, begin = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < 0.5:
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def workloads():
    """Inputs of each kernel, as many and of the same dtypes as ufc's."""
    random = np.random.default_rng(1)

    def uniform(n, low, high):
        return (low + (high - low) * random.random(n, dtype=np.float32)).astype(np.float32)

    width, height = (int(SIZE**0.5), int(SIZE**0.5)) if SIZE else (2000, 1500)
    re = np.linspace(-2.0, 1.0, width, dtype=np.float32)
    im = np.linspace(-1.0, 1.0, height, dtype=np.float32)
    options = SIZE or 4_000_000
    re, im = (np.ascontiguousarray(a).reshape(-1) for a in np.meshgrid(re, im))
    return {
        "mandelbrot": (re, im),
        "black_scholes": (uniform(options, 5, 30), uniform(options, 1, 100), uniform(options, 0.25, 10)),
        "saxpy": (uniform(LARGE, 0, 1), uniform(LARGE, 0, 1)),
        "exp": (uniform(LARGE, -10, 10),),
        "sin": (uniform(LARGE, -100, 100),),
        "hash": (np.arange(LARGE, dtype=np.uint32),),
    }


def black_scholes_with(m, where, spot, strike, years):
    """The example kernel in the operations of an array library."""
    def cdf(x):
        t = 1.0 / (1.0 + 0.2316419 * m.abs(x))
        poly = ((((1.330274429 * t - 1.821255978) * t + 1.781477937) * t - 0.356563782) * t + 0.319381530) * t
        tail = 0.3989422804 * m.exp(-0.5 * x * x) * poly
        return where(x > 0.0, 1.0 - tail, tail)
    spread = 0.3 * m.sqrt(years)
    d1 = (m.log(spot / strike) + (0.02 + 0.045) * years) / spread
    d2 = d1 - spread
    discounted = strike * m.exp(-0.02 * years)
    cdf1, cdf2 = cdf(d1), cdf(d2)
    return spot * cdf1 - discounted * cdf2, discounted * (1.0 - cdf2) - spot * (1.0 - cdf1)


class Library:
    """A library: how to put arrays on the GPU, to bring them back, to wait, and its form of each kernel."""

    def __init__(self, to_gpu, to_host, wait, kernels):
        self.to_gpu, self.to_host, self.wait, self.kernels = to_gpu, to_host, wait, kernels


def numba_library():
    from numba import cuda, float32, uint32, uint8
    import math

    def launch(kernel, n, *args):
        kernel[(n + 255) // 256, 256](*args)

    @cuda.jit
    def mandelbrot(re, im, out):
        i = cuda.grid(1)
        if i < out.size:
            x, y, steps = float32(0.0), float32(0.0), uint8(255)
            for k in range(255):
                x, y = x * x - y * y + re[i], x * y + x * y + im[i]
                if x * x + y * y >= float32(4.0):
                    steps = uint8(k)
                    break
            out[i] = steps

    @cuda.jit(device=True)
    def cdf(x):
        t = float32(1.0) / (float32(1.0) + float32(0.2316419) * abs(x))
        poly = ((((float32(1.330274429) * t - float32(1.821255978)) * t + float32(1.781477937)) * t
                 - float32(0.356563782)) * t + float32(0.319381530)) * t
        tail = float32(0.3989422804) * math.exp(float32(-0.5) * x * x) * poly
        return float32(1.0) - tail if x > float32(0.0) else tail

    @cuda.jit
    def black_scholes(spot, strike, years, call, put):
        i = cuda.grid(1)
        if i < call.size:
            s, k, y = spot[i], strike[i], years[i]
            spread = float32(0.3) * math.sqrt(y)
            d1 = (math.log(s / k) + float32(0.065) * y) / spread
            d2 = d1 - spread
            discounted = k * math.exp(float32(-0.02) * y)
            c1, c2 = cdf(d1), cdf(d2)
            call[i] = s * c1 - discounted * c2
            put[i] = discounted * (float32(1.0) - c2) - s * (float32(1.0) - c1)

    @cuda.jit
    def saxpy(x, y, out):
        i = cuda.grid(1)
        if i < out.size:
            out[i] = float32(2.5) * x[i] + y[i]

    @cuda.jit
    def exp(x, out):
        i = cuda.grid(1)
        if i < out.size:
            out[i] = math.exp(x[i])

    @cuda.jit
    def sin(x, out):
        i = cuda.grid(1)
        if i < out.size:
            out[i] = math.sin(x[i])

    @cuda.jit
    def mix(key, out):
        i = cuda.grid(1)
        if i < out.size:
            h = key[i]
            h = uint32((h ^ (h >> uint32(16))) * uint32(0x85EBCA6B))
            h = uint32((h ^ (h >> uint32(13))) * uint32(0xC2B2AE35))
            out[i] = h ^ (h >> uint32(16))

    def caller(kernel, dtypes):
        # The results' memory is allocated once, as ufc's is.
        kept = {}

        def call(*args):
            n = args[0].size
            if n not in kept:
                kept[n] = [cuda.device_array(n, dtype) for dtype in dtypes]
            launch(kernel, n, *args, *kept[n])
            return kept[n]
        return call

    f32, u32, u8 = np.float32, np.uint32, np.uint8
    return Library(cuda.to_device, lambda a: a.copy_to_host(), cuda.synchronize, {
        "mandelbrot": caller(mandelbrot, [u8]),
        "black_scholes": caller(black_scholes, [f32, f32]),
        "saxpy": caller(saxpy, [f32]),
        "exp": caller(exp, [f32]),
        "sin": caller(sin, [f32]),
        "hash": caller(mix, [u32]),
    })


def cupy_library():
    import cupy

    mandelbrot = cupy.ElementwiseKernel("float32 re, float32 im", "uint8 out", """
        float x = 0, y = 0; out = 255;
        for (int k = 0; k < 255; ++k) {
            float t = x * x - y * y + re; y = x * y + x * y + im; x = t;
            if (x * x + y * y >= 4.0f) { out = k; break; }
        }""", "mandelbrot")
    mix = cupy.ElementwiseKernel("uint32 key", "uint32 out", """
        unsigned h = key;
        h = (h ^ (h >> 16)) * 0x85ebca6bu; h = (h ^ (h >> 13)) * 0xc2b2ae35u;
        out = h ^ (h >> 16);""", "mix")
    saxpy = cupy.ElementwiseKernel("float32 x, float32 y", "float32 out", "out = 2.5f * x + y", "saxpy")
    fused = cupy.fuse(lambda s, k, y: black_scholes_with(cupy, cupy.where, s, k, y))
    return Library(cupy.asarray, cupy.asnumpy, lambda: cupy.cuda.get_current_stream().synchronize(), {
        "mandelbrot": lambda re, im: [mandelbrot(re, im)],
        "black_scholes": lambda *a: list(fused(*a)),
        "saxpy": lambda x, y: [saxpy(x, y)],
        "exp": lambda x: [cupy.exp(x)],
        "sin": lambda x: [cupy.sin(x)],
        "hash": lambda key: [mix(key)],
    })


def torch_library():
    import torch

    if not torch.cuda.is_available():
        raise RuntimeError("torch has no CUDA here")
    compiled = torch.compile(lambda s, k, y: black_scholes_with(torch, torch.where, s, k, y))
    saxpy = torch.compile(lambda x, y: 2.5 * x + y)
    return Library(lambda a: torch.from_numpy(a).cuda(), lambda a: a.cpu().numpy(), torch.cuda.synchronize, {
        "black_scholes": lambda *a: list(compiled(*a)),
        "saxpy": lambda x, y: [saxpy(x, y)],
        "exp": lambda x: [torch.exp(x)],
        "sin": lambda x: [torch.sin(x)],
    })


def jax_library():
    import jax
    import jax.numpy as jnp

    gpus = [d for d in jax.devices() if d.platform in ("gpu", "cuda")]
    if not gpus:
        raise RuntimeError("jax has no GPU here")

    @jax.jit
    def mandelbrot(re, im):
        def turn(k, state):
            x, y, steps = state
            x, y = x * x - y * y + re, 2 * x * y + im
            left = (steps == 255) & (x * x + y * y >= 4.0)
            return x, y, jnp.where(left, k.astype(jnp.uint8), steps)
        start = (jnp.zeros_like(re), jnp.zeros_like(re), jnp.full(re.shape, 255, jnp.uint8))
        return jax.lax.fori_loop(0, 255, turn, start)[2]

    @jax.jit
    def mix(h):
        h = (h ^ (h >> 16)) * jnp.uint32(0x85EBCA6B)
        h = (h ^ (h >> 13)) * jnp.uint32(0xC2B2AE35)
        return h ^ (h >> 16)

    black_scholes = jax.jit(lambda s, k, y: black_scholes_with(jnp, jnp.where, s, k, y))
    saxpy, exp, sin = jax.jit(lambda x, y: 2.5 * x + y), jax.jit(jnp.exp), jax.jit(jnp.sin)
    last = []

    def kept(results):
        last[:] = results
        return results

    return Library(lambda a: jax.device_put(a, gpus[0]), np.asarray, lambda: [a.block_until_ready() for a in last], {
        "mandelbrot": lambda re, im: kept([mandelbrot(re, im)]),
        "black_scholes": lambda *a: kept(list(black_scholes(*a))),
        "saxpy": lambda x, y: kept([saxpy(x, y)]),
        "exp": lambda x: kept([exp(x)]),
        "sin": lambda x: kept([sin(x)]),
        "hash": lambda key: kept([mix(key)]),
    })


def triton_library():
    import torch
    import triton
    import triton.language as tl

    @triton.jit
    def saxpy(x, y, out, n, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        inside = at < n
        tl.store(out + at, 2.5 * tl.load(x + at, inside) + tl.load(y + at, inside), inside)

    @triton.jit
    def exp(x, out, n, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        tl.store(out + at, tl.exp(tl.load(x + at, at < n)), at < n)

    @triton.jit
    def sin(x, out, n, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        tl.store(out + at, tl.sin(tl.load(x + at, at < n)), at < n)

    def caller(kernel):
        def call(*args):
            out, n = torch.empty_like(args[0]), args[0].numel()
            kernel[(triton.cdiv(n, 1024),)](*args, out, n, BLOCK=1024)
            return [out]
        return call

    base = torch_library()
    return Library(base.to_gpu, base.to_host, base.wait, {
        "saxpy": caller(saxpy), "exp": caller(exp), "sin": caller(sin),
    })


LIBRARIES = [
    ("numba", "Numba CUDA", numba_library),
    ("cupy", "CuPy", cupy_library),
    ("torch", "PyTorch", torch_library),
    ("jax", "JAX", jax_library),
    ("triton", "Triton", triton_library),
]


def library_rows(module, name, make, inputs):
    """What one library takes for each kernel that it has; and why it has none."""
    try:
        version = getattr(importlib.import_module(module), "__version__", "")
        library = make()
    except Exception as error:  # Whatever a library throws must not end the others' turn.
        return [], f"{name}: {type(error).__name__}: {error}"
    rows, notes = [], []
    for kernel, arrays in inputs.items():
        call = library.kernels.get(kernel)
        if call is None:
            continue

        def resident():
            results = call(*there)
            library.wait()
            return results

        def copied():
            return [library.to_host(a) for a in call(*[library.to_gpu(a) for a in arrays])]

        try:
            there = [library.to_gpu(a) for a in arrays]
            for data, job in (("resident", resident), ("copied", copied)):
                rows.append({
                    "kernel": kernel,
                    "by": f"{name} {version}".strip(),
                    "data": data,
                    "n": int(arrays[0].size),
                    "seconds": median_time(job),
                    "verified": None,
                })
        except Exception as error:
            notes.append(f"{name} {kernel}: {type(error).__name__}: {error}")
    return rows, "; ".join(notes) or None


def show(rows):
    """A table, each kernel's rows together, the fastest of ufc's GPU rows with resident data being 1."""
    line = "{:<14} {:<34} {:<9} {:>11} {:>13} {:>7}  {}"
    print(line.format("kernel", "by", "data", "n", "time", "ratio", "verified"))
    for kernel, _, _ in KERNELS:
        ours = [r for r in rows if r["kernel"] == kernel]
        base = [r["seconds"] for r in ours if r["by"].startswith("ufc") and r["data"] == "resident"]
        for row in sorted(ours, key=lambda r: (r["data"], r["seconds"])):
            ratio = f"{row['seconds'] / min(base):.2f}" if base else "-"
            verified = {True: "yes", False: "NO", None: ""}[row["verified"]]
            time_text = f"{row['seconds'] * 1e6:,.1f} us"
            print(line.format(kernel, row["by"][:34], row["data"], row["n"], time_text, ratio, verified))


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    ufc, folder, targets = sys.argv[1], sys.argv[2], sys.argv[3:]
    rows, failed = ufc_rows(ufc, folder, targets)
    notes = []
    if np is None:
        notes.append("numpy is not there, so there is nothing to compare with")
    else:
        inputs = workloads()
        for module, name, make in LIBRARIES:
            measured, note = library_rows(module, name, make, inputs)
            rows.extend(measured)
            notes.extend([note] if note else [])
    show(rows)
    for note in notes:
        print(note)
    with open(os.path.join(folder, "targets.json"), encoding="utf-8") as file:
        about = json.load(file)
    limits = []
    for target in targets:
        path = os.path.join(folder, f"limits-{target}.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                limits.extend(json.load(file))
    result = {"machine": platform.platform(), "gpus": targets, "targets": about, "limits": limits, "rows": rows, "notes": notes}
    with open(os.path.join(folder, "gpu-check.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    sys.exit(1 if failed or any(row["verified"] is False for row in rows) else 0)


if __name__ == "__main__":
    main()
