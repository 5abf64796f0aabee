/* ufc: a compiler for universal functions. docs/c.md tells how to use this interface.
 *
 * Written by cbindgen from the sources in capi; do not edit.
 *
 * Functions return UFC_OK or another ufc_status, whose words ufc_last_error_message has. They change neither
 * the floating-point environment nor signal handlers. All of them may be called from any thread at any time.
 * Texts are UTF-8.
 *
 * Objects are held through handles, which look like pointers but are none: a handle that is NULL, was freed
 * before or is of another kind is an error. Structs that begin with `struct_size` must have it set before
 * they are passed, also those to be filled.
 */


#ifndef UFC_H
#define UFC_H

#include <stddef.h>
#include <stdint.h>

/* Given as the length of a text: it ends with a NUL. */
#define UFC_NUL_TERMINATED ((size_t)-1)

/* DLPack's and Arrow's own structs: include their headers to use the functions that take them. */
struct DLManagedTensorVersioned;
struct ArrowArray;
struct ArrowSchema;


// The version of this interface that the header describes. It is raised when a program that was compiled before
// would not work any more.
#define UFC_ABI_VERSION 1



// The text is one expression, such as `a*x + sqrt(y)`: its free names are the inputs, in order of first use.
#define UFC_COMPILE_EXPRESSION 1

// The bytes of each element are in the other order than this machine's.
#define UFC_VIEW_BYTE_SWAPPED 1

// A number without a dtype of its own, as Python's are: it takes the dtype of the operands it meets. Only for
// inputs without axes of the dtypes bool, i64, u64, f64 and c128.
#define UFC_VIEW_WEAK 2

// The elements must not be written: the view cannot be an output.
#define UFC_VIEW_READ_ONLY 4

// The results of `ufc_call_new` stay in the memory of the device that computes them.
#define UFC_CALL_ON_DEVICE 1

// Nothing that is compiled for this call is kept in the cache folder for other processes.
#define UFC_CALL_NO_CACHE 2

// What a function returns. `ufc_last_error_message` has the words.
enum ufc_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Done.
    UFC_OK = 0,
    // A pointer or handle that is needed is NULL.
    UFC_ERROR_NULL = 1,
    // A handle is not one: freed before, of another kind, or never given out.
    UFC_ERROR_HANDLE = 2,
    // The `struct_size` of a struct is not one that this library knows.
    UFC_ERROR_STRUCT_SIZE = 3,
    // An argument has a value that it must not have.
    UFC_ERROR_ARGUMENT = 4,
    // Text is not UTF-8.
    UFC_ERROR_UTF8 = 5,
    // The kernel text has mistakes; the diagnostics list them.
    UFC_ERROR_SOURCE = 6,
    // The bytes are not those of a module.
    UFC_ERROR_BYTES = 7,
    // There is no such kernel.
    UFC_ERROR_NO_KERNEL = 8,
    // A dtype is unknown, or the kernel has no loop for it, or the casting rule does not allow what it would take.
    UFC_ERROR_DTYPE = 9,
    // Shapes or strides do not fit each other or the kernel, or are too large.
    UFC_ERROR_SHAPE = 10,
    // The wrong number of inputs or outputs.
    UFC_ERROR_COUNT = 11,
    // There is not enough memory.
    UFC_ERROR_MEMORY = 12,
    // There is no such target, or it is not there.
    UFC_ERROR_TARGET = 13,
    // The target or this function cannot do that.
    UFC_ERROR_UNSUPPORTED = 14,
    // Running a loop failed; the outputs are partly written.
    UFC_ERROR_LAUNCH = 15,
    // The call was cancelled; the outputs are partly written.
    UFC_ERROR_CANCELLED = 16,
    // A file could not be read.
    UFC_ERROR_IO = 17,
    // The program was compiled for another version of this interface.
    UFC_ERROR_ABI = 18,
    // A mistake in ufc, found by its own checks.
    UFC_ERROR_INTERNAL = 19,
    // A mistake in ufc that its own checks did not find.
    UFC_ERROR_PANIC = 20,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ufc_status ufc_status;
#else
typedef int32_t ufc_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The type of an element.
enum ufc_dtype
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // One byte, 0 or 1.
    UFC_BOOL = 1,
    // A signed integer.
    UFC_I8 = 2,
    // A signed integer.
    UFC_I16 = 3,
    // A signed integer.
    UFC_I32 = 4,
    // A signed integer.
    UFC_I64 = 5,
    // An unsigned integer.
    UFC_U8 = 6,
    // An unsigned integer.
    UFC_U16 = 7,
    // An unsigned integer.
    UFC_U32 = 8,
    // An unsigned integer.
    UFC_U64 = 9,
    // A float of IEEE 754, binary16.
    UFC_F16 = 10,
    // The upper half of an f32.
    UFC_BF16 = 11,
    // A float of IEEE 754, binary32.
    UFC_F32 = 12,
    // A float of IEEE 754, binary64.
    UFC_F64 = 13,
    // A complex number: two f32, the real part first.
    UFC_C64 = 14,
    // A complex number: two f64, the real part first.
    UFC_C128 = 15,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ufc_dtype ufc_dtype;
#else
typedef int32_t ufc_dtype;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Which conversions of operands a call may do by itself, as in NumPy.
enum ufc_casting
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // `UFC_CASTING_SAME_KIND`.
    UFC_CASTING_DEFAULT = 0,
    // None, not even of the byte order.
    UFC_CASTING_NO = 1,
    // Byte order only.
    UFC_CASTING_EQUIV = 2,
    // Those that keep every value.
    UFC_CASTING_SAFE = 3,
    // Safe ones and those within a kind, such as f64 to f32.
    UFC_CASTING_SAME_KIND = 4,
    // All.
    UFC_CASTING_UNSAFE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ufc_casting ufc_casting;
#else
typedef int32_t ufc_casting;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How bad a finding is.
enum ufc_severity
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The kernel cannot be compiled.
    UFC_SEVERITY_ERROR = 1,
    // It can, but the author should look.
    UFC_SEVERITY_WARNING = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ufc_severity ufc_severity;
#else
typedef int32_t ufc_severity;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// An array whose memory ufc keeps.
typedef struct ufc_array ufc_array;

// A way to stop calls from another thread.
typedef struct ufc_cancel ufc_cancel;

// What was found wrong with a text, or is worth a look.
typedef struct ufc_diagnostics ufc_diagnostics;

// A kernel compiled for certain dtypes, as a function.
typedef struct ufc_loop ufc_loop;

// A module: the kernels of one text.
typedef struct ufc_module ufc_module;

// A text made for the caller.
typedef struct ufc_text ufc_text;

// One kernel, to be called on arrays.
typedef struct ufc_ufunc ufc_ufunc;

// A place in a kernel text.
typedef struct ufc_span {
    // Offset of its first byte.
    size_t start;
    // Offset past its last byte.
    size_t end;
    // Line of its start, from 1.
    size_t line;
    // Column of its start, from 1, in characters.
    size_t column;
    // Line of its end.
    size_t end_line;
    // Column of its end.
    size_t end_column;
} ufc_span;

// One finding. Texts are valid until the diagnostics are freed; those that there are not are NULL.
typedef struct ufc_diagnostic {
    // `sizeof(ufc_diagnostic)`.
    size_t struct_size;
    // The code, such as "UFC0302"; `docs/errors` has a page for each.
    const char *code;
    // One line that names what it is about.
    const char *message;
    // The name that the kernel text was given.
    const char *file;
    // The place.
    struct ufc_span span;
    // What is wrong at the place; may be empty.
    const char *label;
    // A fact that helps to understand, or NULL.
    const char *note;
    // What to do about it, or NULL.
    const char *help;
    // Text to put at `fix_span` as the repair, or NULL.
    const char *fix;
    // What the repair replaces; all zeros if there is none.
    struct ufc_span fix_span;
    // How many other places play a part: see `ufc_diagnostics_related`.
    size_t related_count;
    // A `ufc_severity`.
    int32_t severity;
    // Always 0.
    uint32_t reserved;
} ufc_diagnostic;

// Another place that plays a part in a finding.
typedef struct ufc_related {
    // `sizeof(ufc_related)`.
    size_t struct_size;
    // The place.
    struct ufc_span span;
    // What is said about it; may be empty. Valid until the diagnostics are freed.
    const char *label;
} ufc_related;

// How a text is to be compiled. All zeros, apart from the size, is a good choice.
typedef struct ufc_compile_options {
    // `sizeof(ufc_compile_options)`.
    size_t struct_size;
    // What messages call the text, such as a file's name; NULL for "<source>".
    const char *name;
    // `UFC_COMPILE_EXPRESSION`, or 0.
    uint32_t flags;
    // Must be 0.
    uint32_t reserved;
} ufc_compile_options;

// Elements somewhere in memory: of the caller's, or of a `ufc_array`.
typedef struct ufc_view {
    // `sizeof(ufc_view)`.
    size_t struct_size;
    // If not NULL, the elements are those of this array, and no other field is looked at.
    const struct ufc_array *array;
    // The first element, at any alignment. May be NULL if there are no elements.
    void *data;
    // `ndim` lengths, outermost first. May be NULL if `ndim` is 0.
    const int64_t *shape;
    // `ndim` steps in bytes, of any sign; NULL if the elements lie one after the other, the last axis fastest.
    const int64_t *strides;
    // How many axes there are: 0 for a single value, at most 64.
    int32_t ndim;
    // A `ufc_dtype`.
    int32_t dtype;
    // `UFC_VIEW_` bits, or 0.
    uint32_t flags;
    // Must be 0.
    uint32_t reserved;
} ufc_view;

// What an array is, wherever it is. Lists and texts are valid until the array is freed.
typedef struct ufc_array_info {
    // `sizeof(ufc_array_info)`.
    size_t struct_size;
    // Where its elements are: "host", or a device such as "cuda:0".
    const char *place;
    // `ndim` lengths, outermost first.
    const int64_t *shape;
    // `ndim` steps in bytes.
    const int64_t *strides;
    // How many axes there are.
    int32_t ndim;
    // A `ufc_dtype`.
    int32_t dtype;
} ufc_array_info;

// What a ufunc is. Texts are valid until the ufunc is freed.
typedef struct ufc_ufunc_info {
    // `sizeof(ufc_ufunc_info)`.
    size_t struct_size;
    // The kernel's name.
    const char *name;
    // Its documentation comment; may be empty.
    const char *doc;
    // Its head, such as "mandelbrot(re: f32, im: f32, iters: u32) -> u8".
    const char *signature;
    // How many inputs it takes.
    size_t nin;
    // How many outputs it has.
    size_t nout;
} ufc_ufunc_info;

// What an input of a ufunc is. Valid until the ufunc is freed.
typedef struct ufc_param_info {
    // `sizeof(ufc_param_info)`.
    size_t struct_size;
    // Its name.
    const char *name;
    // Each `ufc_dtype` that it may have.
    const int32_t *dtypes;
    // How many these are.
    size_t dtype_count;
    // Inputs with the same number here have the same dtype; -1 if it has one dtype only.
    int32_t generic;
    // Always 0.
    uint32_t reserved;
} ufc_param_info;

// How a call is to run. All zeros, apart from the size, is a good choice.
typedef struct ufc_call_options {
    // `sizeof(ufc_call_options)`.
    size_t struct_size;
    // Where to run: "auto", "cpu", "gpu", "cuda", "wgpu", "interp", or with a device as "cpu:avx2". NULL for "auto",
    // where the environment variable UFC_TARGET decides if it is set.
    const char *target;
    // At most so many threads; 0 for UFC_NUM_THREADS, or all that there are.
    size_t threads;
    // NULL, or what `ufc_cancel_set` stops the call with.
    const struct ufc_cancel *cancel;
    // A `ufc_casting`.
    int32_t casting;
    // `UFC_CALL_` bits, or 0.
    uint32_t flags;
} ufc_call_options;

// A compiled loop, with NumPy's inner-loop ABI: `args` has a pointer for each input, then for each output,
// `dims[0]` is the number of elements, `steps` has a step in bytes for each operand (any; 0 repeats one element),
// and `data` points at one `ufc_index` for each position that the kernel asks for, else it is not looked at.
//
// It trusts its arguments. Any alignment will do. An output may share memory with an input only if both are at the
// same addresses for every element. It may run on many threads at once.
typedef void (*ufc_inner_loop)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data);

// What a loop is. Lists are valid until the loop is freed.
typedef struct ufc_loop_info {
    // `sizeof(ufc_loop_info)`.
    size_t struct_size;
    // The loop as a function. It may be called until both this loop and the ufunc that it is from are freed.
    ufc_inner_loop function;
    // How many inputs there are.
    size_t nin;
    // How many outputs there are.
    size_t nout;
    // A `ufc_dtype` for each input, then for each output.
    const int32_t *dtypes;
    // How many positions the kernel asks for.
    size_t position_count;
    // Which they are, in the order in which `data` has them: an axis, or -1 for the position in C order.
    const int32_t *positions;
} ufc_loop_info;

// A device of a target, or a target that has none. Texts are valid for ever.
typedef struct ufc_target_info {
    // `sizeof(ufc_target_info)`.
    size_t struct_size;
    // The target's word, such as "cpu".
    const char *target;
    // The device's name; "TARGET:DEVICE" asks for it in `ufc_call_options`. NULL if the target is not there.
    const char *device;
    // What a person calls it, such as the processor's model; NULL if the target is not there.
    const char *description;
    // What is worth knowing, a line each; NULL if the target is not there.
    const char *notes;
    // Why the target is not there; NULL if it is.
    const char *reason;
} ufc_target_info;

// A position of the elements: that of element `i` is `base + i * step`.
typedef struct ufc_index {
    // Position of the first element.
    int64_t base;
    // How far it moves from one element to the next.
    int64_t step;
} ufc_index;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The status of the last function that failed on this thread; `UFC_OK` if none has. Success does not change it.
ufc_status ufc_last_error_code(void);

// What happened, in words, in the last function that failed on this thread; empty if none has. Never NULL. The text
// is valid until the next function that fails on this thread.
const char *ufc_last_error_message(void);

// The name of a status, such as "UFC_ERROR_SHAPE"; "unknown" for numbers that are none. Valid for ever.
const char *ufc_status_name(int32_t status);

// The version of the interface that this library has.
uint32_t ufc_abi_version(void);

// Whether this library fits a program: call it first, as `ufc_abi_check(UFC_ABI_VERSION)`.
ufc_status ufc_abi_check(uint32_t version);

// The version of ufc, such as "0.1.0". Valid for ever.
const char *ufc_version(void);

// Where a text is, ended by a NUL, and its length in bytes without that (`length` may be NULL). Valid until the text is freed.
ufc_status ufc_text_get(const struct ufc_text *text,
                        const char **data,
                        size_t *length);

// Frees a text.
ufc_status ufc_text_free(struct ufc_text *text);

// How many findings there are.
ufc_status ufc_diagnostics_count(const struct ufc_diagnostics *diagnostics, size_t *count);

// The finding of this number, from 0, in the order of the text.
ufc_status ufc_diagnostics_get(const struct ufc_diagnostics *diagnostics,
                               size_t index,
                               struct ufc_diagnostic *diagnostic);

// Another place that plays a part in a finding, by the numbers of both, from 0.
ufc_status ufc_diagnostics_related(const struct ufc_diagnostics *diagnostics,
                                   size_t index,
                                   size_t number,
                                   struct ufc_related *related);

// All findings as a person reads them in a terminal. Valid until the diagnostics are freed.
ufc_status ufc_diagnostics_text(const struct ufc_diagnostics *diagnostics, const char **text);

// Frees diagnostics.
ufc_status ufc_diagnostics_free(struct ufc_diagnostics *diagnostics);

// Checks a kernel text of so many bytes, or `UFC_NUL_TERMINATED`, and gives a module. `options` may be NULL.
//
// If `diagnostics` is not NULL, it gets what was found: all mistakes if the status is UFC_ERROR_SOURCE, warnings (or
// none) if it is UFC_OK, else NULL. The caller frees it.
ufc_status ufc_module_from_source(const char *source,
                                  size_t length,
                                  const struct ufc_compile_options *options,
                                  struct ufc_module **module,
                                  struct ufc_diagnostics **diagnostics);

// As `ufc_module_from_source`, from a file.
ufc_status ufc_module_from_file(const char *path,
                                struct ufc_module **module,
                                struct ufc_diagnostics **diagnostics);

// A module of one kernel from the bytes of its IR, made by `ufc_module_to_ir` or by ufc's Rust interface. Nothing is
// parsed, everything is verified. UFC_ERROR_BYTES if they are damaged or of another version of ufc.
ufc_status ufc_module_from_ir(const void *bytes,
                              size_t size,
                              struct ufc_module **module);

// The IR of a kernel (NULL for the only one) as bytes, for `choices` choices of its type parameters: `dtypes` has a
// `ufc_dtype` for each parameter of the first choice, then of the next. A kernel without type parameters has one
// choice and no dtypes. The caller frees the result; `ufc_text_get` gives the bytes.
ufc_status ufc_module_to_ir(const struct ufc_module *module,
                            const char *kernel,
                            const int32_t *dtypes,
                            size_t choices,
                            struct ufc_text **result);

// How many kernels a module has.
ufc_status ufc_module_kernel_count(const struct ufc_module *module, size_t *count);

// The kernel of this name as a ufunc; NULL for the only one. The caller frees it, before or after the module. Two ufuncs
// of one kernel share nothing: each compiles its own loops.
ufc_status ufc_module_ufunc(const struct ufc_module *module,
                            const char *name,
                            struct ufc_ufunc **ufunc);

// The kernel of this number, from 0, as a ufunc. The caller frees it.
ufc_status ufc_module_ufunc_at(const struct ufc_module *module, size_t index, struct ufc_ufunc **ufunc);

// Frees a module. Its ufuncs stay.
ufc_status ufc_module_free(struct ufc_module *module);

// The name of a dtype in the kernel language, such as "f32"; NULL for numbers that are none. Valid for ever.
const char *ufc_dtype_name(int32_t dtype);

// The size of an element in bytes; 0 for numbers that are no dtype.
size_t ufc_dtype_size(int32_t dtype);

// A new array of zeros in C order. The caller frees it.
ufc_status ufc_array_new(int32_t dtype, int32_t ndim, const int64_t *shape, struct ufc_array **array);

// An array's elements as a view, which is valid until the array is freed. UFC_ERROR_UNSUPPORTED if it is on a device.
ufc_status ufc_array_get(const struct ufc_array *array,
                         struct ufc_view *view);

// What an array is.
ufc_status ufc_array_describe(const struct ufc_array *array, struct ufc_array_info *info);

// Copies elements to a device, such as "gpu" or "cuda:0"; NULL for any GPU. The caller frees the result.
ufc_status ufc_array_to_device(const struct ufc_view *view, const char *target, struct ufc_array **result);

// Waits until everything that ufc was asked to do on an array's device is done, so that others may look at memory that
// they were given. Returns at once for arrays in the host's memory.
ufc_status ufc_array_synchronize(const struct ufc_array *array);

// Copies an array to the host's memory, once everything that writes it is done. The caller frees the result.
ufc_status ufc_array_to_host(const struct ufc_array *array, struct ufc_array **result);

// Frees an array.
ufc_status ufc_array_free(struct ufc_array *array);

// What a ufunc is.
ufc_status ufc_ufunc_get(const struct ufc_ufunc *ufunc, struct ufc_ufunc_info *info);

// What the input of this number, from 0, is.
ufc_status ufc_ufunc_param(const struct ufc_ufunc *ufunc, size_t index, struct ufc_param_info *info);

// Calls a ufunc: broadcasts the inputs as NumPy does, converts them to the kernel's dtypes as far as the casting rule
// allows, and writes the outputs, whose shape is that of the results. `options` may be NULL.
//
// Inputs and outputs may overlap in any way; outputs must not overlap each other. Arrays on a device may be inputs anywhere, and
// outputs if all outputs are; the call runs on their device unless a target is named. Where a status other than
// UFC_OK is about running, outputs may be partly written; else nothing was.
ufc_status ufc_call(const struct ufc_ufunc *ufunc,
                    const struct ufc_view *inputs,
                    size_t nin,
                    const struct ufc_view *outputs,
                    size_t nout,
                    const struct ufc_call_options *options);

// As `ufc_call`, with the `nout` results in new arrays, which the caller frees. If it fails, they are all NULL.
ufc_status ufc_call_new(const struct ufc_ufunc *ufunc,
                        const struct ufc_view *inputs,
                        size_t nin,
                        struct ufc_array **results,
                        size_t nout,
                        const struct ufc_call_options *options);

// What a call with these inputs would do, and why: target, loop, conversions, threads. The caller frees the text.
ufc_status ufc_explain(const struct ufc_ufunc *ufunc,
                       const struct ufc_view *inputs,
                       size_t nin,
                       const struct ufc_call_options *options,
                       struct ufc_text **text);

// Frees a ufunc, and the functions of its loops that no `ufc_loop` keeps.
ufc_status ufc_ufunc_free(struct ufc_ufunc *ufunc);

// A new way to stop calls from another thread. The caller frees it.
ufc_status ufc_cancel_new(struct ufc_cancel **cancel);

// Stops calls that run with this (`is_set` not 0), or lets further calls run (0). Calls stop soon, between blocks of elements.
ufc_status ufc_cancel_set(const struct ufc_cancel *cancel,
                          int32_t is_set);

// Frees it. Calls that run with it go on.
ufc_status ufc_cancel_free(struct ufc_cancel *cancel);

// The loop for inputs of exactly these dtypes (`count` of `ufc_dtype`), compiled now if it has not been before. The
// target in `options` must be one that runs on the processor; `options` may be NULL. The caller frees it.
ufc_status ufc_ufunc_loop(const struct ufc_ufunc *ufunc,
                          const int32_t *dtypes,
                          size_t count,
                          const struct ufc_call_options *options,
                          struct ufc_loop **result);

// What a loop is.
ufc_status ufc_loop_get(const struct ufc_loop *kernel_loop, struct ufc_loop_info *info);

// Frees a loop. Its function stays as long as the ufunc does.
ufc_status ufc_loop_free(struct ufc_loop *kernel_loop);

// How many devices there are, counting one for each target that has none.
ufc_status ufc_target_count(size_t *count);

// The device of this number, from 0.
ufc_status ufc_target_get(size_t index, struct ufc_target_info *info);

// Takes over a tensor of DLPack's version 1 as an array, in memory of the processor or of a CUDA device; once that is freed
// and no call uses it any more, the tensor's deleter is called. What the tensor's maker asked of a CUDA device before is
// waited for. On an error the tensor is still the caller's.
ufc_status ufc_array_from_dlpack(struct DLManagedTensorVersioned *tensor,
                                 struct ufc_array **array);

// Gives an array to others as a tensor of DLPack's version 1. The array's memory stays until both the array is freed and
// the tensor's deleter was called, which its receiver does.
ufc_status ufc_array_to_dlpack(const struct ufc_array *array,
                               struct DLManagedTensorVersioned **tensor);

// Calls a ufunc on `nin` primitive arrays of Arrow (no dictionaries; bools are bits). All have one length, or length 1,
// which is repeated. A result is null where any input is.
//
// Inputs are used during the call only, and not released. `results` has room for `nout` arrays, `result_schemas` for as
// many schemas unless it is NULL; both are the caller's to release. If the call fails, their `release` is NULL.
ufc_status ufc_call_arrow(const struct ufc_ufunc *ufunc,
                          const struct ArrowArray *const *inputs,
                          const struct ArrowSchema *const *schemas,
                          size_t nin,
                          struct ArrowArray *results,
                          struct ArrowSchema *result_schemas,
                          size_t nout,
                          const struct ufc_call_options *options);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* UFC_H */
