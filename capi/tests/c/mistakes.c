/* Whatever a program does wrong is an error with words, and never a crash. */
#include "check.h"

#include <limits.h>

static void handles(void)
{
    ufc_module *module, *other;
    ufc_ufunc *ufunc;
    ufc_diagnostics *diagnostics;
    size_t count;
    int local = 0;
    OK(ufc_module_from_source("pub fn f(x: f32) -> f32 { x }", UFC_NUL_TERMINATED, NULL, &module, &diagnostics));
    OK(ufc_module_ufunc(module, "f", &ufunc));
    /* NULL. */
    FAILS(UFC_ERROR_NULL, "`module` is NULL", ufc_module_free(NULL));
    FAILS(UFC_ERROR_NULL, "`ufunc` is NULL", ufc_ufunc_free(NULL));
    FAILS(UFC_ERROR_NULL, "`diagnostics` is NULL", ufc_diagnostics_free(NULL));
    FAILS(UFC_ERROR_NULL, "`array` is NULL", ufc_array_free(NULL));
    FAILS(UFC_ERROR_NULL, "`text` is NULL", ufc_text_free(NULL));
    FAILS(UFC_ERROR_NULL, "`kernel_loop` is NULL", ufc_loop_free(NULL));
    FAILS(UFC_ERROR_NULL, "`cancel` is NULL", ufc_cancel_free(NULL));
    FAILS(UFC_ERROR_NULL, "`count` is NULL", ufc_module_kernel_count(module, NULL));
    FAILS(UFC_ERROR_NULL, "`ufunc` is NULL", ufc_call(NULL, NULL, 0, NULL, 0, NULL));
    FAILS(UFC_ERROR_NULL, "`source` is NULL", ufc_module_from_source(NULL, 3, NULL, &other, NULL));
    FAILS(UFC_ERROR_NULL, "`module` is NULL", ufc_module_from_source("", 0, NULL, NULL, NULL));
    /* Of another kind. */
    FAILS(UFC_ERROR_HANDLE, "`module` is the handle of a ufunc, not of a module",
          ufc_module_kernel_count((ufc_module *)ufunc, &count));
    FAILS(UFC_ERROR_HANDLE, "`ufunc` is the handle of diagnostics", ufc_ufunc_free((ufc_ufunc *)diagnostics));
    /* Never given out. */
    FAILS(UFC_ERROR_HANDLE, "not a handle at all", ufc_module_free((ufc_module *)&local));
    FAILS(UFC_ERROR_HANDLE, "", ufc_module_free((ufc_module *)((char *)&local + 1)));
    FAILS(UFC_ERROR_HANDLE, "", ufc_module_free((ufc_module *)(intptr_t)1));
    FAILS(UFC_ERROR_HANDLE, "", ufc_module_free((ufc_module *)(intptr_t)-1));
    FAILS(UFC_ERROR_HANDLE, "", ufc_module_free((ufc_module *)((char *)module + ((intptr_t)1 << 40))));
    char *heap = malloc(64);
    for (int i = 0; i < 64; i++)
        FAILS(UFC_ERROR_HANDLE, "", ufc_array_free((ufc_array *)(heap + i)));
    free(heap);
    /* Freed, and freed again, also after others took the place. */
    OK(ufc_module_free(module));
    FAILS(UFC_ERROR_HANDLE, "freed before", ufc_module_free(module));
    FAILS(UFC_ERROR_HANDLE, "freed before", ufc_module_kernel_count(module, &count));
    for (int i = 0; i < 300; i++) {
        int64_t shape = 3;
        ufc_array *array;
        OK(ufc_array_new(UFC_F32, 1, &shape, &array));
        CHECK((void *)array != (void *)module);
        FAILS(UFC_ERROR_HANDLE, "freed before", ufc_module_free(module));
        OK(ufc_array_free(array));
        FAILS(UFC_ERROR_HANDLE, "freed before", ufc_array_free(array));
    }
    /* The ufunc is there without its module. */
    float x = 2, out = 0;
    ufc_view in = value(&x, UFC_F32), to = value(&out, UFC_F32);
    OK(ufc_call(ufunc, &in, 1, &to, 1, NULL));
    CHECK(out == 2);
    ufc_view freed = {sizeof freed, (ufc_array *)module};
    FAILS(UFC_ERROR_HANDLE, "`array`", ufc_call(ufunc, &freed, 1, &to, 1, NULL));
    OK(ufc_ufunc_free(ufunc));
    FAILS(UFC_ERROR_HANDLE, "freed before", ufc_call(ufunc, &in, 1, &to, 1, NULL));
    OK(ufc_diagnostics_free(diagnostics));
}

static void sizes_of_structs(void)
{
    ufc_ufunc *ufunc = kernel("pub fn f(x: f32) -> f32 { x }");
    struct {
        ufc_ufunc_info info;
        size_t later;
    } info = {{0}};
    info.later = 77;
    FAILS(UFC_ERROR_STRUCT_SIZE, "`struct_size` of `info` is 0: set it to `sizeof(ufc_ufunc_info)`",
          ufc_ufunc_get(ufunc, &info.info));
    size_t wrong[] = {1, sizeof info.info - 1, 5000, SIZE_MAX};
    for (int i = 0; i < 4; i++) {
        info.info.struct_size = wrong[i];
        FAILS(UFC_ERROR_STRUCT_SIZE, "", ufc_ufunc_get(ufunc, &info.info));
    }
    /* A program made for a later version, with a larger struct. */
    info.info.struct_size = sizeof info;
    OK(ufc_ufunc_get(ufunc, &info.info));
    CHECK(info.later == 0 && info.info.nin == 1 && info.info.struct_size == sizeof info);
    struct {
        ufc_call_options options;
        size_t later;
    } options = {{0}};
    float x = 1, out = 0;
    ufc_view in = value(&x, UFC_F32), to = value(&out, UFC_F32);
    options.options.struct_size = sizeof options;
    OK(ufc_call(ufunc, &in, 1, &to, 1, &options.options));
    options.later = 1;
    FAILS(UFC_ERROR_STRUCT_SIZE, "does not know", ufc_call(ufunc, &in, 1, &to, 1, &options.options));
    options.options.struct_size = sizeof options.options;
    options.options.flags = 1u << 31;
    FAILS(UFC_ERROR_ARGUMENT, "`flags` of `options`", ufc_call(ufunc, &in, 1, &to, 1, &options.options));
    in.struct_size = 8;
    FAILS(UFC_ERROR_STRUCT_SIZE, "`inputs`", ufc_call(ufunc, &in, 1, &to, 1, NULL));
    in = value(&x, UFC_F32);
    in.reserved = 1;
    FAILS(UFC_ERROR_ARGUMENT, "input `x`", ufc_call(ufunc, &in, 1, &to, 1, NULL));
    in.reserved = 0;
    in.flags = 8;
    FAILS(UFC_ERROR_ARGUMENT, "`flags` of input `x`", ufc_call(ufunc, &in, 1, &to, 1, NULL));
    in.flags = UFC_VIEW_WEAK;
    FAILS(UFC_ERROR_ARGUMENT, "UFC_VIEW_WEAK", ufc_call(ufunc, &in, 1, &to, 1, NULL));
    in.flags = 0;
    to.flags = UFC_VIEW_READ_ONLY;
    FAILS(UFC_ERROR_ARGUMENT, "output 0 cannot be written", ufc_call(ufunc, &in, 1, &to, 1, NULL));
    FAILS(UFC_ERROR_ABI, "version 2", ufc_abi_check(2));
    OK(ufc_ufunc_free(ufunc));
}

static void dtypes_and_shapes(void)
{
    ufc_ufunc *ufunc = kernel("pub fn f(x: f32, y: f32) -> f32 { x + y }");
    float x[4] = {1, 2, 3, 4}, out[4];
    int64_t four = 4, three = 3, zero = 0, negative = -1, huge = INT64_MAX, step = 4;
    ufc_view in[2] = {view1(x, UFC_F32, &four), view1(x, UFC_F32, &four)}, to = view1(out, UFC_F32, &four);
    OK(ufc_call(ufunc, in, 2, &to, 1, NULL));
    FAILS(UFC_ERROR_COUNT, "2 inputs, but 1", ufc_call(ufunc, in, 1, &to, 1, NULL));
    FAILS(UFC_ERROR_COUNT, "2 inputs, but 18446744073709551615", ufc_call(ufunc, in, SIZE_MAX, &to, 1, NULL));
    FAILS(UFC_ERROR_COUNT, "1 outputs, but 0", ufc_call(ufunc, in, 2, &to, 0, NULL));
    FAILS(UFC_ERROR_NULL, "`inputs` is NULL", ufc_call(ufunc, NULL, 2, &to, 1, NULL));
    FAILS(UFC_ERROR_NULL, "`outputs` is NULL", ufc_call(ufunc, in, 2, NULL, 1, NULL));
    int32_t codes[] = {0, -1, 16, INT32_MAX, INT32_MIN};
    for (int i = 0; i < 5; i++) {
        in[0].dtype = codes[i];
        FAILS(UFC_ERROR_DTYPE, "not the number of a dtype", ufc_call(ufunc, in, 2, &to, 1, NULL));
    }
    in[0].dtype = UFC_F64;
    in[0].shape = &zero;
    ufc_array *empty;
    OK(ufc_call_new(ufunc, (ufc_view[]){in[0], in[0]}, 2, &empty, 1, NULL));
    OK(ufc_array_free(empty));
    in[0] = in[1];
    in[0].shape = &three;
    FAILS(UFC_ERROR_SHAPE, "axis 0 is 3 and 4", ufc_call(ufunc, in, 2, &to, 1, NULL));
    in[0].shape = &negative;
    FAILS(UFC_ERROR_SHAPE, "length -1", ufc_call(ufunc, in, 2, &to, 1, NULL));
    in[0].shape = &huge;
    FAILS(UFC_ERROR_SHAPE, "", ufc_call(ufunc, in, 2, &to, 1, NULL));
    in[0].strides = &zero;
    FAILS(UFC_ERROR_SHAPE, "", ufc_call(ufunc, in, 2, &to, 1, NULL));
    in[0].shape = &four;
    in[0].strides = &huge;
    FAILS(UFC_ERROR_SHAPE, "reach beyond all memory", ufc_call(ufunc, in, 2, &to, 1, NULL));
    in[0].strides = &step;
    int32_t dims[] = {-1, 65, INT32_MAX, INT32_MIN};
    for (int i = 0; i < 4; i++) {
        in[0].ndim = dims[i];
        FAILS(UFC_ERROR_SHAPE, "axes", ufc_call(ufunc, in, 2, &to, 1, NULL));
    }
    in[0].ndim = 1;
    in[0].shape = NULL;
    FAILS(UFC_ERROR_NULL, "`shape`", ufc_call(ufunc, in, 2, &to, 1, NULL));
    in[0].shape = (const int64_t *)((const char *)&four + 1);
    FAILS(UFC_ERROR_ARGUMENT, "`shape`", ufc_call(ufunc, in, 2, &to, 1, NULL));
    in[0].shape = &four;
    in[0].data = NULL;
    FAILS(UFC_ERROR_NULL, "input `x`", ufc_call(ufunc, in, 2, &to, 1, NULL));
    in[0].data = x;
    to.strides = &zero;
    FAILS(UFC_ERROR_SHAPE, "share memory", ufc_call(ufunc, in, 2, &to, 1, NULL));
    to.strides = NULL;
    to.shape = &three;
    FAILS(UFC_ERROR_SHAPE, "(3,)", ufc_call(ufunc, in, 2, &to, 1, NULL));
    OK(ufc_ufunc_free(ufunc));

    ufc_array *array;
    int64_t shape[3] = {INT64_MAX, INT64_MAX, 2};
    FAILS(UFC_ERROR_SHAPE, "", ufc_array_new(UFC_U8, 3, shape, &array));
    CHECK(array == NULL);
    FAILS(UFC_ERROR_DTYPE, "", ufc_array_new(99, 1, &four, &array));
    FAILS(UFC_ERROR_NULL, "`array`", ufc_array_new(UFC_U8, 1, &four, NULL));
    shape[0] = (int64_t)1 << 60;
    FAILS(UFC_ERROR_MEMORY, "", ufc_array_new(UFC_U8, 1, shape, &array));
}

static void texts(void)
{
    ufc_module *module;
    ufc_diagnostics *diagnostics = (ufc_diagnostics *)1;
    FAILS(UFC_ERROR_UTF8, "`source` is not UTF-8", ufc_module_from_source("\xff", 1, NULL, &module, &diagnostics));
    CHECK(module == NULL && diagnostics == NULL);
    ufc_ufunc *ufunc = (ufc_ufunc *)1;
    OK(ufc_module_from_source("pub fn f(x: f32) -> f32 { x } trailing", 29, NULL, &module, NULL));
    FAILS(UFC_ERROR_NO_KERNEL, "no kernel `g`", ufc_module_ufunc(module, "g", &ufunc));
    CHECK(ufunc == NULL);
    FAILS(UFC_ERROR_NO_KERNEL, "no kernel 1", ufc_module_ufunc_at(module, 1, &ufunc));
    OK(ufc_module_free(module));
    FAILS(UFC_ERROR_IO, "no/such/file.ufk", ufc_module_from_file("no/such/file.ufk", &module, &diagnostics));
    CHECK(module == NULL && diagnostics == NULL);
    FAILS(UFC_ERROR_BYTES, "", ufc_module_from_ir("abc", 3, &module));

    /* Two mistakes, as records. */
    const char *source = "pub fn f(x: f32, n: u32) -> f32 {\n    x + n\n}\npub fn g(\xc3\xa4: f32) -> f32 { \xc3\xa4 + y }\n";
    ufc_compile_options options = {sizeof options, "two.ufk"};
    FAILS(UFC_ERROR_SOURCE, "two.ufk:2:7",
          ufc_module_from_source(source, UFC_NUL_TERMINATED, &options, &module, &diagnostics));
    size_t count;
    OK(ufc_diagnostics_count(diagnostics, &count));
    CHECK(count == 2);
    ufc_diagnostic d = {sizeof d};
    OK(ufc_diagnostics_get(diagnostics, 0, &d));
    CHECK(d.severity == UFC_SEVERITY_ERROR && strcmp(d.code, "UFC0302") == 0);
    CHECK(strcmp(d.message, "`x` is f32 and `n` is u32") == 0 && strcmp(d.file, "two.ufk") == 0);
    CHECK(d.span.line == 2 && d.span.column == 7 && d.span.end_line == 2 && d.span.end_column == 8);
    CHECK(d.span.start == 40 && d.span.end == 41 && strcmp(d.label, "`+` takes two values of one type") == 0);
    CHECK(strcmp(d.help, "write `n as f32`") == 0 && strcmp(d.fix, "n as f32") == 0);
    CHECK(d.fix_span.start == 42 && d.fix_span.end == 43 && d.related_count == 2);
    ufc_related related = {sizeof related};
    OK(ufc_diagnostics_related(diagnostics, 0, 0, &related));
    CHECK(related.span.column == 5 && strcmp(related.label, "f32") == 0);
    FAILS(UFC_ERROR_ARGUMENT, "no place 2", ufc_diagnostics_related(diagnostics, 0, 2, &related));
    OK(ufc_diagnostics_get(diagnostics, 1, &d));
    CHECK(strcmp(d.code, "UFC0201") == 0 && d.span.line == 4 && d.span.column == 31);
    CHECK(d.fix == NULL && d.fix_span.line == 0);
    FAILS(UFC_ERROR_ARGUMENT, "no finding 2", ufc_diagnostics_get(diagnostics, 2, &d));
    const char *text;
    OK(ufc_diagnostics_text(diagnostics, &text));
    CHECK(strstr(text, "error[UFC0302]") && strstr(text, "error[UFC0201]"));
    OK(ufc_diagnostics_free(diagnostics));
    FAILS(UFC_ERROR_HANDLE, "", ufc_diagnostics_get(diagnostics, 0, &d));
    CHECK(strcmp(ufc_status_name(UFC_ERROR_HANDLE), "UFC_ERROR_HANDLE") == 0);
    CHECK(strcmp(ufc_status_name(-5), "unknown") == 0);
}

int main(void)
{
    CHECK(ufc_last_error_code() == UFC_OK && strcmp(ufc_last_error_message(), "") == 0);
    handles();
    sizes_of_structs();
    dtypes_and_shapes();
    texts();
    puts("all is well");
    return 0;
}
