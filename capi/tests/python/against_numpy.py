"""Calls libufc through ctypes on NumPy's arrays, and on Arrow's, and compares with what NumPy gives.

Usage: against_numpy.py LIBRARY. The random numbers have the seed in UFC_SEED, which is printed.
"""

import ctypes
import os
import sys
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_void_p

import nanoarrow as na
import numpy as np
from nanoarrow.c_array import allocate_c_array
from nanoarrow.c_schema import allocate_c_schema

LIBRARY = ctypes.CDLL(sys.argv[1])
SEED = int(os.environ.get("UFC_SEED", np.random.SeedSequence().entropy % 2**32))
RANDOM = np.random.default_rng(SEED)

DTYPES = [
    np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64,
    np.float16, None, np.float32, np.float64, np.complex64, np.complex128,
]  # fmt: skip
CODES = {np.dtype(dtype): code for code, dtype in enumerate(DTYPES, 1) if dtype}
BYTE_SWAPPED, WEAK, READ_ONLY = 1, 2, 4


class View(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("array", c_void_p),
        ("data", c_void_p),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("ndim", c_int32),
        ("dtype", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32),
    ]


class Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("target", c_char_p),
        ("threads", c_size_t),
        ("cancel", c_void_p),
        ("casting", c_int32),
        ("flags", c_uint32),
    ]


class LoopInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("function", c_void_p),
        ("nin", c_size_t),
        ("nout", c_size_t),
        ("dtypes", POINTER(c_int32)),
        ("position_count", c_size_t),
        ("positions", POINTER(c_int32)),
    ]


LIBRARY.ufc_last_error_message.restype = c_char_p


class Error(Exception):
    pass


def check(status):
    if status:
        raise Error(LIBRARY.ufc_last_error_message().decode())


def kernel(text):
    module, ufunc = c_void_p(), c_void_p()
    data = text.encode()
    check(LIBRARY.ufc_module_from_source(data, c_size_t(len(data)), None, byref(module), None))
    check(LIBRARY.ufc_module_ufunc(module, None, byref(ufunc)))
    check(LIBRARY.ufc_module_free(module))
    return ufunc


def views(arrays):
    """NumPy's arrays as views, which the arrays have to outlive."""
    made = (View * len(arrays))()
    for view, array in zip(made, arrays):
        view.struct_size = ctypes.sizeof(View)
        view.data = array.__array_interface__["data"][0]
        view.shape = (c_int64 * array.ndim)(*array.shape)
        view.strides = (c_int64 * array.ndim)(*array.strides)
        view.ndim = array.ndim
        view.dtype = CODES[array.dtype.newbyteorder("=")]
        view.flags = 0 if array.dtype.isnative else BYTE_SWAPPED
    return made


def call(ufunc, inputs, outputs, **options):
    options = Options(ctypes.sizeof(Options), **options)
    inputs = [np.asarray(array) for array in inputs]
    check(
        LIBRARY.ufc_call(
            ufunc, views(inputs), c_size_t(len(inputs)), views(outputs), c_size_t(len(outputs)), byref(options)
        )
    )


def numbers(dtype, shape):
    """Random numbers of any dtype, zeros and the largest and smallest among them."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return RANDOM.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        wide = RANDOM.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
        return np.where(RANDOM.random(shape) < 0.3, wide % 7, wide).astype(dtype)
    if dtype.kind == "f":
        values = RANDOM.normal(0, 10, shape).astype(dtype)
        special = np.array([0, -0.0, np.inf, -np.inf, np.nan, np.finfo(dtype).tiny, np.finfo(dtype).max], dtype)
        return np.where(RANDOM.random(shape) < 0.2, RANDOM.choice(special, shape), values).astype(dtype)
    return (numbers(dtype.type().real.dtype, shape) + 1j * numbers(dtype.type().real.dtype, shape)).astype(dtype)


def layouts(shape, dtype):
    """The same shape in memory in many ways."""
    full = numbers(dtype, shape)
    yield full
    yield np.asfortranarray(full)
    yield full[::-1]
    wide = numbers(dtype, (*shape[:-1], shape[-1] * 3)) if shape else full
    yield wide[..., 1::3] if shape else full
    yield full.astype(full.dtype.newbyteorder())
    odd = np.zeros(full.nbytes + 1, np.uint8)[1:].view(full.dtype).reshape(full.shape)
    odd[...] = full
    yield odd
    if shape:
        yield np.broadcast_to(numbers(dtype, shape[1:]), shape)
        yield np.broadcast_to(numbers(dtype, (*shape[:-1], 1)), shape)


def same(got, want, what):
    np.testing.assert_array_equal(got, want, err_msg=f"{what}, seed {SEED}", strict=True)


def exact_arithmetic():
    """Kernels that NumPy has, too, and that have one right answer."""
    cases = [
        ("x + y", "Num", np.add), ("x - y", "Num", np.subtract), ("min(x, y)", "Int", np.minimum),
        ("x & y", "Int", np.bitwise_and), ("x * y", "Real", np.multiply), ("x / y", "Float", np.divide),
    ]  # fmt: skip
    kinds = {"Num": "iufc", "Real": "iuf", "Int": "iu", "Float": "f"}
    count = 0
    for expression, bound, numpy in cases:
        # `Real` is no bound of the language: whole numbers and floats are two kernels.
        bounds = ["Int", "Float"] if bound == "Real" else [bound]
        for bound in bounds:
            ufunc = kernel(f"pub fn f<T: {bound}>(x: T, y: T) -> T {{ {expression} }}")
            for dtype in CODES:
                if dtype.kind not in kinds[bound]:
                    continue
                for x in layouts((3, 21), dtype):
                    y = RANDOM.choice(list(range(2)))
                    y = numbers(dtype, (21,)) if y else numbers(dtype, (3, 1))
                    out = np.full((3, 21), 99, dtype)
                    call(ufunc, [x, y], [out])
                    same(out, numpy(x, y).astype(dtype), f"{expression} {dtype} {x.strides}")
                    count += 1
            check(LIBRARY.ufc_ufunc_free(ufunc))
    return count


def conversions():
    """Inputs of one dtype for a kernel of another, and outputs of a third."""
    count = 0
    for to in [np.float32, np.float64, np.int64, np.complex128]:
        name = {"f": "f", "i": "i", "c": "c"}[np.dtype(to).kind] + str(np.dtype(to).itemsize * 8)
        ufunc = kernel(f"pub fn same(x: {name}) -> {name} {{ x }}")
        for dtype in CODES:
            x = numbers(dtype, (5, 7))
            out = np.full((5, 7), 3, to)
            if np.can_cast(dtype, to, "same_kind"):
                call(ufunc, [x], [out])
                same(out, x.astype(to), f"{dtype} to {name}")
            else:
                try:
                    call(ufunc, [x], [out])
                except Error as error:
                    assert "same_kind" in str(error), error
                else:
                    raise AssertionError(f"{dtype} was converted to {name}")
            count += 1
        check(LIBRARY.ufc_ufunc_free(ufunc))
    return count


def shapes():
    """Broadcasting as NumPy does it, at random; what NumPy refuses is refused."""
    ufunc = kernel("pub fn f(x: i32, y: i32, z: i32) -> i32 { x * 3 + y * 5 - z }")
    count = 0
    for _ in range(300):
        full = RANDOM.integers(0, 5, RANDOM.integers(0, 5))
        operands = []
        for _ in range(3):
            shape = [1 if RANDOM.random() < 0.3 else n for n in full[RANDOM.integers(0, len(full) + 1) :]]
            if shape and RANDOM.random() < 0.05:
                shape[0] += 1
            operands.append(numbers(np.int32, shape))
        x, y, z = operands
        try:
            want = x * np.int32(3) + y * np.int32(5) - z
        except ValueError:
            try:
                call(ufunc, operands, [np.empty(full, np.int32)])
            except Error:
                continue
            raise AssertionError(f"{[o.shape for o in operands]}, seed {SEED}")
        out = np.full(want.shape, -1, np.int32)
        call(ufunc, operands, [out], threads=int(RANDOM.integers(0, 3)))
        same(out, np.asarray(want), f"{[o.shape for o in operands]}")
        count += 1
    check(LIBRARY.ufc_ufunc_free(ufunc))
    return count


def overlaps():
    """Outputs that share memory with inputs, shifted and reversed, behave as in NumPy."""
    ufunc = kernel("pub fn f(x: i64, y: i64) -> i64 { x * 2 + y }")
    count = 0
    for n in [1, 5, 64, 1000]:
        for source, target in [((0, 1), (1, 1)), ((1, 1), (0, 1)), ((0, 1), (0, 1)), ((-1, -1), (0, 1))]:
            ours, theirs = [np.arange(n + 1, dtype=np.int64) for _ in range(2)]

            def pick(array, place):
                start, step = place
                return array[start:][:n] if step == 1 else array[::-1][:n]

            x, out = pick(ours, source), pick(ours, target)
            call(ufunc, [x, np.int64(7)], [out])
            x, out = pick(theirs, source), pick(theirs, target)
            np.add(x * 2, 7, out=out)
            same(ours, theirs, f"{n} {source} {target}")
            count += 1
    check(LIBRARY.ufc_ufunc_free(ufunc))
    return count


def transcendental():
    """Within an ULP or two of NumPy, whose functions have errors of their own."""
    count = 0
    for name in ["exp", "sin", "cos", "tanh", "log2", "sqrt"]:
        for dtype, kernel_dtype in [(np.float32, "f32"), (np.float64, "f64")]:
            ufunc = kernel(f"pub fn f(x: {kernel_dtype}) -> {kernel_dtype} {{ {name}(x) }}")
            x = RANDOM.uniform(0.01, 20, 4001).astype(dtype)
            out = np.zeros_like(x)
            call(ufunc, [x], [out])
            want = getattr(np, name)(x.astype(np.float64)).astype(dtype)
            np.testing.assert_array_max_ulp(out, want, maxulp=4)
            check(LIBRARY.ufc_ufunc_free(ufunc))
            count += 1
    return count


def inner_loop():
    """The loop as a function, called as NumPy calls its own."""
    ufunc = kernel("pub fn f(x: f64, y: f64) -> f64 { x * y + 1.0 }")
    loop = c_void_p()
    dtypes = (c_int32 * 2)(CODES[np.dtype(np.float64)], CODES[np.dtype(np.float64)])
    check(LIBRARY.ufc_ufunc_loop(ufunc, dtypes, c_size_t(2), None, byref(loop)))
    info = LoopInfo(ctypes.sizeof(LoopInfo))
    check(LIBRARY.ufc_loop_get(loop, byref(info)))
    function = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_void_p, c_void_p)(info.function)
    x, y, out = RANDOM.normal(size=(40, 2)), RANDOM.normal(size=40), np.zeros(40)
    args = (c_void_p * 3)(x.ctypes.data, y.ctypes.data, out.ctypes.data)
    function(args, (c_int64 * 1)(40), (c_int64 * 3)(16, 8, 8), None)
    same(out, x[:, 0] * y + 1.0, "the loop")
    check(LIBRARY.ufc_loop_free(loop))
    check(LIBRARY.ufc_ufunc_free(ufunc))
    return 1


class Tensor:
    """Gives NumPy an array of ufc's, as a capsule of DLPack 1."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, **_):
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [c_void_p, c_char_p, c_void_p]
        return new(self.tensor, NAME, None)


NAME = b"dltensor_versioned"


def dlpack():
    """NumPy's arrays to ufc and back again, without a copy."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = c_void_p, [ctypes.py_object, c_char_p]
    rename = ctypes.pythonapi.PyCapsule_SetName
    rename.restype, rename.argtypes = ctypes.c_int, [ctypes.py_object, c_char_p]
    count = 0
    used = b"used_dltensor_versioned"
    for dtype in CODES:
        for source in [numbers(dtype, (4, 6)), numbers(dtype, (4, 6))[::-1, 1::2], np.asarray(numbers(dtype, ()))]:
            want = source.copy()
            capsule = source.__dlpack__(max_version=(1, 0))
            array, tensor, view = c_void_p(), c_void_p(), View(ctypes.sizeof(View))
            check(LIBRARY.ufc_array_from_dlpack(c_void_p(get(capsule, NAME)), byref(array)))
            rename(capsule, used)
            check(LIBRARY.ufc_array_get(array, byref(view)))
            assert view.data == source.ctypes.data and view.dtype == CODES[dtype]
            assert view.ndim == source.ndim and list(view.shape[: view.ndim]) == list(source.shape)
            # NumPy does not say what the strides of single elements are.
            if source.size > 1:
                assert list(view.strides[: view.ndim]) == list(source.strides)
            check(LIBRARY.ufc_array_to_dlpack(array, byref(tensor)))
            check(LIBRARY.ufc_array_free(array))
            back = np.from_dlpack(Tensor(tensor.value))
            assert back.ctypes.data == source.ctypes.data
            del source, capsule
            same(back, want, f"DLPack {dtype}")
            count += 1
    return count


def arrow():
    """Arrow's arrays, with nulls and offsets, as the package nanoarrow makes and reads them."""
    ufunc = kernel("pub fn f(x: i32, y: f64) -> (f64, bool) { (x as f64 * y, y > 0.0) }")
    count = 0
    for n in [0, 1, 7, 8, 9, 64, 100]:
        for offset in [0, 1, 5, 8, 13]:
            for share in [0.0, 0.3, 1.0]:
                lists = [RANDOM.integers(-9, 9, n + offset).tolist(), RANDOM.normal(size=n + offset).tolist()]
                for values in lists:
                    values[:] = [None if RANDOM.random() < share else value for value in values]
                types = [na.int32(), na.float64()]
                inputs = [na.c_array(values, ty)[offset:] for values, ty in zip(lists, types)]
                arrays = (c_void_p * 2)(*[array._addr() for array in inputs])
                schemas = (c_void_p * 2)(*[array.schema._addr() for array in inputs])
                outputs, types = (ctypes.c_byte * 160)(), (ctypes.c_byte * 144)()
                check(LIBRARY.ufc_call_arrow(ufunc, arrays, schemas, c_size_t(2), outputs, types, c_size_t(2), None))
                results = []
                for number in range(2):
                    schema = allocate_c_schema()
                    array = allocate_c_array(schema)
                    # Moved, as the interface has it: the bytes go, and the release callback with them.
                    ctypes.memmove(array._addr(), byref(outputs, 80 * number), 80)
                    ctypes.memmove(schema._addr(), byref(types, 72 * number), 72)
                    results.append(na.Array(array).to_pylist())
                pairs = list(zip(*[values[offset:] for values in lists]))
                is_null = [x is None or y is None for x, y in pairs]
                products = [None if null else x * y for null, (x, y) in zip(is_null, pairs)]
                signs = [None if null else y > 0 for null, (x, y) in zip(is_null, pairs)]
                assert results == [products, signs], f"{n} {offset} {share}, seed {SEED}"
                count += 1
    check(LIBRARY.ufc_ufunc_free(ufunc))
    return count


def main():
    print(f"NumPy {np.__version__}, seed {SEED}")
    with np.errstate(all="ignore"):
        for test in [exact_arithmetic, conversions, shapes, overlaps, transcendental, inner_loop, dlpack, arrow]:
            count = test()
            assert count > 0
            print(f"{test.__name__}: {count} as in NumPy")


main()
