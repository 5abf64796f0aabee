#!/usr/bin/env python3
"""Writes tests/fixtures/arrays: what NumPy (and ml_dtypes, for bfloat16) does, for tests/arrays.rs to compare with.

Run it as  scripts/make-fixtures.py ; it makes a virtual environment with both packages in a temporary folder.
The results are committed, so that tests need no Python.
"""

import itertools
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import venv

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "arrays"
PACKAGES = ["numpy==2.4.*", "ml_dtypes==0.6.*"]

try:
    import ml_dtypes
    import numpy as np
except ImportError:
    if "UFC_FIXTURES_VENV" in os.environ:
        raise
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = pathlib.Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        environment = dict(os.environ, UFC_FIXTURES_VENV=folder)
        sys.exit(subprocess.run([python, __file__], env=environment).returncode)

BF16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = {
    "bool": np.dtype(np.bool_),
    **{f"{k}{8 * n}": np.dtype(f"{k}{n}") for k in "iu" for n in (1, 2, 4, 8)},
    "f16": np.dtype(np.float16),
    "bf16": BF16,
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "c64": np.dtype(np.complex64),
    "c128": np.dtype(np.complex128),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write_lines(name, heading, lines):
    text = "".join(f"{line}\n" for line in [f"# {heading}", *lines])
    (FOLDER / name).write_text(text)


def element_bits(array):
    """Every element in C order as a hexadecimal number of its bits."""
    array = np.ascontiguousarray(array)
    native = array.astype(array.dtype.newbyteorder("<"), copy=False)
    size = array.dtype.itemsize
    data = native.tobytes()
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return " ".join(format(int.from_bytes(part, "little"), "x") for part in parts)


def shape_text(shape):
    return "x".join(map(str, shape)) if shape else "scalar"


def promotion():
    lines = []
    for (a, da), (b, db) in itertools.product(DTYPES.items(), repeat=2):
        try:
            lines.append(f"{a} {b} {NAMES[np.promote_types(da, db)]}")
        except TypeError:
            # ml_dtypes leaves bfloat16 with f16 and with wider integers open.
            lines.append(f"{a} {b} undefined")
    write_lines("promote.txt", "promote_types: a, b, result", lines)


def casting():
    rules = ["no", "equiv", "safe", "same_kind", "unsafe"]
    lines = []
    for (a, da), (b, db) in itertools.product(DTYPES.items(), repeat=2):
        allowed = [rule for rule in rules if np.can_cast(da, db, rule)]
        lines.append(f"{a} {b} {' '.join(allowed)}")
    write_lines("can_cast.txt", "can_cast: from, to, the rules that allow it", lines)


def weak_results():
    weak = {"int": 3, "float": 0.5, "complex": 1j, "true": True}
    lines = []
    for (a, da), (word, number) in itertools.product(DTYPES.items(), weak.items()):
        if da == BF16 and word == "float":
            # ml_dtypes 0.6 gives float64 here; NumPy's rule for its own floats is the one to follow.
            continue
        lines.append(f"{a} {word} {NAMES[np.result_type(da, number)]}")
    for a, b in itertools.combinations_with_replacement(weak, 2):
        lines.append(f"{a} {b} {NAMES[np.result_type(weak[a], weak[b])]}")
    for a, b, word in itertools.product(["i8", "u16", "f32"], ["bool", "f16", "i64"], weak):
        result = np.result_type(DTYPES[a], weak[word], DTYPES[b])
        lines.append(f"{a} {word} {b} {NAMES[result]}")
    write_lines("result_type.txt", "result_type: operands, result; words are Python numbers", lines)


def broadcasting():
    random = np.random.default_rng(1)
    cases = [[()], [(), (0,)], [(0,), (1,)], [(0,), (2,)], [(3, 1), (1, 4)], [(2, 3), (3,)], [(2, 3), (2,)]]
    for _ in range(300):
        full = random.integers(0, 4, random.integers(0, 5))
        case = []
        for _ in range(random.integers(1, 5)):
            shape = full[random.integers(0, len(full) + 1) :].copy()
            for axis in range(len(shape)):
                choice = random.integers(0, 20)
                shape[axis] = 1 if choice < 6 else 3 if choice > 17 else shape[axis]
            case.append(tuple(int(n) for n in shape))
        cases.append(case)
    lines = []
    for case in cases:
        try:
            result = shape_text(np.broadcast_shapes(*case))
        except ValueError:
            result = "error"
        lines.append(f"{' '.join(map(shape_text, case))} = {result}")
    write_lines("broadcast.txt", "broadcast_shapes: operands = result", lines)


def conversions():
    numbers = [0, 1, 2, 3, 100, 127, 128, 255, 256, 2048, 2049, 4097, 32767, 65504, 65519, 65520, 65535, 65536]
    numbers += [2**24 + 1, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]
    numbers += [-1, -2, -127, -128, -129, -32768, -(2**31), -(2**53) - 1, -(2**63)]
    reals = [0.5, 1.5, -0.0, 2.75, 1e-8, 6e-8, 5.960464477539063e-08, 1e-40, 1e30, 1e300, 65519.99, 0.1, -1 / 3]
    reals += [1 + 2**-11 + 2**-40, 1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-24 + 2**-50, float("inf"), -float("inf")]
    lines = []
    for (a, da), (b, db) in itertools.product(DTYPES.items(), repeat=2):
        if a == b or da.kind == "c" and db.kind != "c":
            continue
        values = [n for n in numbers if fits(n, da)]
        if da.kind in "fcV":
            values = [*numbers, *reals]
        if da.kind == "c":
            values = [complex(x, 2.5) for x in values]
        with np.errstate(all="ignore"):
            source = np.array(values).astype(da) if da.kind in "fcV" else np.array(values, da)
            if b == "bf16" and da.itemsize >= 4:
                # ml_dtypes rounds twice here, by way of f32.
                source = source[source.astype(np.float32).astype(da) == source]
            if db.kind in "iu" and da.kind not in "b":
                # Conversions that leave the range are undefined in NumPy.
                info = np.iinfo(db)
                exact = [int(x if da.kind in "iu" else float(x)) if np.isfinite(float(x)) else 2**99 for x in source]
                keep = [da.kind in "iu" or info.min <= x <= info.max for x in exact]
                source = source[keep]
            result = source.astype(db)
        lines.append(f"{a} {b} : {element_bits(source)} : {element_bits(result)}")
    write_lines("convert.txt", "astype: from, to : elements' bits : results' bits", lines)


def fits(number, dtype):
    if dtype.kind == "b":
        return number in (0, 1)
    if dtype.kind in "iu":
        return np.iinfo(dtype).min <= number <= np.iinfo(dtype).max
    return True


def views():
    base = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    steps = {
        "transpose": lambda a: a.T,
        "flip 0": lambda a: a[::-1],
        "flip 2": lambda a: a[:, :, ::-1],
        "permute 2 0 1": lambda a: a.transpose(2, 0, 1),
        "slice 1 0 3 2": lambda a: a[:, 0:3:2],
        "slice 2 1 4 -2": lambda a: a[:, :, 1:4][:, :, ::-2],
        "slice 0 1 1 1": lambda a: a[1:1],
        "slice 2 0 1 1": lambda a: a[:, :, 0:1],
    }
    last = {
        "": lambda a: a,
        "insert 0": lambda a: a[None],
        "insert 2": lambda a: a[:, :, None],
        "column": lambda a: a[..., None],
        "broadcast": lambda a: np.broadcast_to(a, (2, *a.shape)),
    }
    lines = []
    for first, second, end in itertools.product(steps, steps, last):
        try:
            result = last[end](steps[second](steps[first](base)))
        except (ValueError, IndexError):
            continue
        words = ", ".join(word for word in (first, second, end) if word)
        if out_of_range(base, first, second, steps):
            continue
        lines.append(f"{words} : {shape_text(result.shape)} : {' '.join(map(str, result.ravel()))}")
    write_lines("views.txt", "views of arange(24) as 2x3x4: steps : shape : elements", lines)


def out_of_range(base, first, second, steps):
    """Whether a slice goes past an axis, which NumPy clips and we refuse."""
    words = second.split()
    return words[0] == "slice" and int(words[3]) > steps[first](base).shape[int(words[1])]


def save(name, array, version=None):
    with open(FOLDER / name, "wb") as file:
        np.lib.format.write_array(file, array, version=version)


def npy_files():
    random = np.random.default_rng(2)
    arrays = {}
    for name, dtype in DTYPES.items():
        values = random.integers(0, 2 if name == "bool" else 100, (2, 3))
        array = values.astype(dtype) + (values * 1j if dtype.kind == "c" else dtype.type(0))
        arrays[f"{name}.npy"] = (array.astype(dtype), None)
        if dtype.itemsize > 1 and dtype != BF16:
            arrays[f"{name}-big.npy"] = (array.astype(dtype.newbyteorder(">")), None)
    cube = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays["fortran.npy"] = (np.asfortranarray(cube), None)
    arrays["fortran-big.npy"] = (np.asfortranarray(cube.astype(">f4")), None)
    arrays["version2.npy"] = (cube, (2, 0))
    arrays["version3.npy"] = (cube, (3, 0))
    arrays["zero-axes.npy"] = (np.array(2.5), None)
    arrays["no-elements.npy"] = (np.zeros((0, 3), np.int16), None)
    lines = []
    for name, (array, version) in arrays.items():
        save(name, array, version)
        dtype = NAMES[array.dtype.newbyteorder("=") if array.dtype != BF16 else BF16]
        lines.append(f"{name} {dtype} {shape_text(array.shape)} : {element_bits(array)}")
    # The data of this one start at an odd address.
    odd = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}  "
    odd += b" " * ((len(odd) + 1) % 2)
    values = np.array([1.5, -2.0])
    (FOLDER / "odd-offset.npy").write_bytes(header(odd) + values.tobytes())
    lines.append(f"odd-offset.npy f64 2 : {element_bits(values)}")
    write_lines("npy.txt", ".npy files: name, dtype, shape : elements' bits", lines)


def header(text, version=1, length=None):
    length = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", length) + text


def damaged_files():
    good = header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }\n")
    big = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }\n"
    files = {
        "empty": (b"", "it is empty"),
        "text": (b"1.0,2.0\n", "does not begin as .npy files do"),
        "signature-only": (b"\x93NUMPY", "ends within the header"),
        "version9": (b"\x93NUMPY\x09\x00" + good[8:], "version 9.0"),
        "header-length": (header(b"{}", 2, 0xFFFFFFF0), "4294967280 bytes"),
        "header-cut": (good[:40], "ends within the header"),
        "cut": (good + bytes(31), "only 31 follow"),
        "no-data": (good, "only 0 follow"),
        "shape-larger": (header((big % "1000000").encode()) + bytes(64), "takes 8000000 bytes"),
        "shape-overflow": (header((big % "4294967296, 4294967296").encode()), "more bytes than memory can address"),
        "shape-huge": (header((big % ("9" * 30)).encode()), "`shape`"),
        "shape-negative": (header((big % "-4").encode()), "`shape`"),
        "not-python": (header(b"{'descr': <f8, 'shape': (1,)}\n"), "not a Python dictionary"),
        "nested": (header(b"(" * 5000), "nests brackets too deeply"),
        "no-shape": (header(b"{'descr': '<f8', 'fortran_order': False}\n"), "does not say `shape`"),
    }
    lines = []
    for name, (data, reason) in files.items():
        (FOLDER / f"damaged-{name}.npy").write_bytes(data)
        lines.append(f"damaged-{name}.npy : {reason}")
    others = {
        "objects": (np.array([None, "a"], object), "Python objects"),
        "structures": (np.zeros(2, [("a", "<f4"), ("b", "<i2")]), "structures, not numbers"),
        "text": (np.array(["ab", "c"]), "`<U2`"),
        "dates": (np.array(["2020-01-01"], "M8[D]"), "M8[D]"),
        "long-double": (np.zeros(1, np.longdouble), "`<f16`"),
    }
    for name, (array, reason) in others.items():
        with open(FOLDER / f"unusable-{name}.npy", "wb") as file:
            np.lib.format.write_array(file, array, allow_pickle=True)
        lines.append(f"unusable-{name}.npy : {reason}")
    write_lines("damaged.txt", "unusable files: name : part of the message", lines)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for make in (promotion, casting, weak_results, broadcasting, conversions, views, npy_files, damaged_files):
        make()
    print(f"wrote {len(list(FOLDER.iterdir()))} files to {FOLDER}, by NumPy {np.__version__}")


main()
