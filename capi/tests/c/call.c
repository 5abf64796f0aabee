/* Modules, ufuncs and calls of them on arrays of every layout. */
#include "check.h"

static const char *SOURCE = "/// a*x + y.\n"
                            "pub fn axpy(a: f32, x: f32, y: f32) -> f32 { a * x + y }\n"
                            "/// The sum and the difference.\n"
                            "pub fn both<T: Num>(x: T, y: T) -> (T, T) { (x + y, x - y) }\n"
                            "pub fn not(b: bool) -> bool { !b }\n"
                            "pub fn place(x: i64) -> i64 { x * 100 + index(0) * 10 + index(1) }\n";

static ufc_module *module;

static ufc_ufunc *named(const char *name)
{
    ufc_ufunc *ufunc;
    OK(ufc_module_ufunc(module, name, &ufunc));
    return ufunc;
}

static void lists_kernels(void)
{
    static const char *NAMES[] = {"axpy", "both", "not", "place"};
    static const char *SIGNATURES[] = {"axpy(a: f32, x: f32, y: f32) -> f32",
                                       "both<T: Num>(x: T, y: T) -> (T, T)", "not(b: bool) -> bool",
                                       "place(x: i64) -> i64"};
    size_t count;
    OK(ufc_module_kernel_count(module, &count));
    CHECK(count == 4);
    for (size_t i = 0; i < count; i++) {
        ufc_ufunc *ufunc;
        ufc_ufunc_info info = {sizeof info};
        OK(ufc_module_ufunc_at(module, i, &ufunc));
        OK(ufc_ufunc_get(ufunc, &info));
        CHECK(strcmp(info.name, NAMES[i]) == 0);
        CHECK(strcmp(info.signature, SIGNATURES[i]) == 0);
        CHECK(info.nin == (i == 0 ? 3 : i == 1 ? 2 : 1) && info.nout == (i == 1 ? 2 : 1));
        CHECK(strcmp(info.doc, i == 0 ? "a*x + y." : i == 1 ? "The sum and the difference." : "") == 0);
        OK(ufc_ufunc_free(ufunc));
    }
    ufc_ufunc *both = named("both");
    ufc_param_info param = {sizeof param};
    OK(ufc_ufunc_param(both, 1, &param));
    CHECK(strcmp(param.name, "y") == 0 && param.generic == 0 && param.dtype_count == 14);
    CHECK(param.dtypes[0] == UFC_I8 && param.dtypes[13] == UFC_C128);
    OK(ufc_ufunc_free(both));
    ufc_ufunc *axpy = named("axpy");
    OK(ufc_ufunc_param(axpy, 2, &param));
    CHECK(param.generic == -1 && param.dtype_count == 1 && param.dtypes[0] == UFC_F32);
    OK(ufc_ufunc_free(axpy));
}

/* A number, an axis backwards and one that is every second element of a larger array; first the long way, then the short. */
static void calls_on_steps(void)
{
    ufc_ufunc *axpy = named("axpy");
    for (int64_t n = 0; n < 40; n++) {
        float a = 1.5f, x[40], y[80], out[120];
        for (int i = 0; i < 80; i++) {
            y[i] = (float)(i * 3 % 7);
            if (i < 40)
                x[i] = (float)i;
        }
        int64_t back = -(int64_t)sizeof(float), second = 2 * sizeof(float), third = 3 * sizeof(float);
        ufc_view in[3] = {value(&a, UFC_F32), view1(x + (n ? n - 1 : 0), UFC_F32, &n), view1(y, UFC_F32, &n)};
        ufc_view to = view1(out, UFC_F32, &n);
        in[1].strides = &back;
        in[2].strides = &second;
        to.strides = &third;
        for (int again = 0; again < 2; again++) {
            for (int i = 0; i < 120; i++)
                out[i] = -1;
            OK(ufc_call(axpy, in, 3, &to, 1, NULL));
            for (int64_t i = 0; i < 120; i++) {
                int64_t k = i / 3;
                float want = i % 3 == 0 && k < n ? a * x[n - 1 - k] + y[2 * k] : -1;
                CHECK(out[i] == want);
            }
        }
    }
    OK(ufc_ufunc_free(axpy));
}

/* A column and a row make a table; inputs of other dtypes are converted; the other byte order is read and written. */
static void broadcasts_and_converts(void)
{
    ufc_ufunc *both = named("both");
    int64_t column_shape[2] = {3, 1}, row_shape[1] = {4};
    int32_t column[3] = {10, 20, 30};
    double row[4] = {1, 2, 3, 4};
    ufc_view in[2] = {view1(column, UFC_I32, column_shape), view1(row, UFC_F64, row_shape)};
    in[0].ndim = 2;
    ufc_array *results[2];
    OK(ufc_call_new(both, in, 2, results, 2, NULL));
    for (int r = 0; r < 2; r++) {
        ufc_view got = {sizeof got};
        OK(ufc_array_get(results[r], &got));
        CHECK(got.ndim == 2 && got.shape[0] == 3 && got.shape[1] == 4 && got.dtype == UFC_F64);
        CHECK(got.strides[0] == 32 && got.strides[1] == 8 && got.flags == 0);
        for (int i = 0; i < 12; i++) {
            double x = column[i / 4], y = row[i % 4];
            CHECK(((double *)got.data)[i] == (r == 0 ? x + y : x - y));
        }
    }
    /* An array as an input, and as an output at the same time. */
    ufc_view again[2] = {{sizeof(ufc_view), results[0]}, {sizeof(ufc_view), results[1]}};
    OK(ufc_call(both, again, 2, again, 2, NULL));
    ufc_view got = {sizeof got};
    OK(ufc_array_get(results[0], &got));
    for (int i = 0; i < 12; i++)
        CHECK(((double *)got.data)[i] == 2.0 * column[i / 4]);
    OK(ufc_array_free(results[0]));
    OK(ufc_array_free(results[1]));

    unsigned char swapped[8] = {0, 0, 0, 5, 0, 0, 1, 0};
    int64_t two = 2;
    int32_t one = 1, sum[2], difference[2];
    ufc_view mixed[2] = {view1(swapped, UFC_I32, &two), value(&one, UFC_I32)};
    ufc_view to[2] = {view1(sum, UFC_I32, &two), view1(difference, UFC_I32, &two)};
    mixed[0].flags = UFC_VIEW_BYTE_SWAPPED;
    OK(ufc_call(both, mixed, 2, to, 2, NULL));
    CHECK(sum[0] == 6 && sum[1] == 257 && difference[0] == 4 && difference[1] == 255);

    /* 300 as a number takes the dtype u8 of the other operand, and does not fit; 3.5 makes it a float. */
    uint8_t bytes[2] = {1, 2};
    int64_t number = 300;
    double real = 3.5;
    ufc_view weak[2] = {view1(bytes, UFC_U8, &two), value(&number, UFC_I64)};
    weak[1].flags = UFC_VIEW_WEAK;
    FAILS(UFC_ERROR_DTYPE, "300", ufc_call_new(both, weak, 2, results, 2, NULL));
    CHECK(results[0] == NULL && results[1] == NULL);
    number = 200;
    OK(ufc_call_new(both, weak, 2, results, 2, NULL));
    OK(ufc_array_get(results[0], &got));
    CHECK(got.dtype == UFC_U8 && ((uint8_t *)got.data)[1] == 202);
    OK(ufc_array_free(results[0]));
    OK(ufc_array_free(results[1]));
    weak[1].data = &real;
    weak[1].dtype = UFC_F64;
    OK(ufc_call_new(both, weak, 2, results, 2, NULL));
    OK(ufc_array_get(results[1], &got));
    CHECK(got.dtype == UFC_F64 && ((double *)got.data)[0] == -2.5);
    OK(ufc_array_free(results[0]));
    OK(ufc_array_free(results[1]));
    OK(ufc_ufunc_free(both));
}

/* Outputs that overlap inputs behave as if the inputs were copied first. */
static void overlaps(void)
{
    ufc_ufunc *axpy = named("axpy");
    float data[65], a = 2, y = 1;
    int64_t n = 64;
    for (int shift = 0; shift < 2; shift++) {
        for (int i = 0; i < 65; i++)
            data[i] = (float)i;
        ufc_view in[3] = {value(&a, UFC_F32), view1(data + 1 - shift, UFC_F32, &n), value(&y, UFC_F32)};
        ufc_view out = view1(data + shift, UFC_F32, &n);
        OK(ufc_call(axpy, in, 3, &out, 1, NULL));
        for (int i = 0; i < 64; i++)
            CHECK(data[i + shift] == 2 * (float)(i + 1 - shift) + 1);
    }
    OK(ufc_ufunc_free(axpy));
}

static void options_are_heeded(void)
{
    ufc_ufunc *axpy = named("axpy");
    double x = 0.1;
    float out = 0;
    ufc_view in[3] = {value(&x, UFC_F64), value(&x, UFC_F64), value(&x, UFC_F64)}, to = value(&out, UFC_F32);
    ufc_call_options options = {sizeof options};
    for (int i = 0; i < 3; i++) {
        options.target = i == 0 ? NULL : i == 1 ? "cpu" : "interp";
        options.threads = (size_t)i;
        out = 0;
        OK(ufc_call(axpy, in, 3, &to, 1, &options));
        CHECK(out == 0.1f * 0.1f + 0.1f);
    }
    options.casting = UFC_CASTING_SAFE;
    FAILS(UFC_ERROR_DTYPE, "`a`", ufc_call(axpy, in, 3, &to, 1, &options));
    options.casting = 6;
    FAILS(UFC_ERROR_ARGUMENT, "6", ufc_call(axpy, in, 3, &to, 1, &options));
    options.casting = UFC_CASTING_DEFAULT;
    options.target = "abacus";
    FAILS(UFC_ERROR_TARGET, "unknown target `abacus`", ufc_call(axpy, in, 3, &to, 1, &options));

    ufc_text *text;
    const char *words;
    size_t length;
    options.target = "cpu";
    OK(ufc_explain(axpy, in, 3, &options, &text));
    OK(ufc_text_get(text, &words, &length));
    CHECK(strlen(words) == length && strstr(words, "asked for as `cpu`") && strstr(words, "`a` is converted"));
    OK(ufc_text_free(text));
    OK(ufc_ufunc_free(axpy));

    size_t count;
    int found = 0;
    OK(ufc_target_count(&count));
    for (size_t i = 0; i < count; i++) {
        ufc_target_info info = {sizeof info};
        OK(ufc_target_get(i, &info));
        CHECK((info.device == NULL) == (info.reason != NULL));
        found += info.device && strcmp(info.target, "cpu") == 0;
    }
    CHECK(found >= 1);
    FAILS(UFC_ERROR_ARGUMENT, "there is no target", ufc_target_get(count, &(ufc_target_info){sizeof(ufc_target_info)}));
}

/* The loop as a function, alone and after the ufunc is gone. */
static void raw_loops(void)
{
    ufc_ufunc *both = named("both");
    int32_t dtypes[2] = {UFC_I16, UFC_I16};
    ufc_loop *loop;
    ufc_loop_info info = {sizeof info};
    FAILS(UFC_ERROR_DTYPE, "", ufc_ufunc_loop(both, (int32_t[]){UFC_I16, UFC_BOOL}, 2, NULL, &loop));
    FAILS(UFC_ERROR_COUNT, "2 inputs", ufc_ufunc_loop(both, dtypes, 1, NULL, &loop));
    ufc_call_options interp = {sizeof interp, "interp"};
    FAILS(UFC_ERROR_UNSUPPORTED, "cpu", ufc_ufunc_loop(both, dtypes, 2, &interp, &loop));
    OK(ufc_ufunc_loop(both, dtypes, 2, NULL, &loop));
    OK(ufc_ufunc_free(both));
    OK(ufc_loop_get(loop, &info));
    CHECK(info.nin == 2 && info.nout == 2 && info.position_count == 0);
    for (int i = 0; i < 4; i++)
        CHECK(info.dtypes[i] == UFC_I16);
    for (intptr_t n = 0; n < 100; n++) {
        int16_t x[100], y = 7, sum[100], difference[100];
        for (int i = 0; i < 100; i++) {
            x[i] = (int16_t)(i * 327);
            sum[i] = difference[i] = -9;
        }
        char *args[4] = {(char *)x, (char *)&y, (char *)sum, (char *)difference};
        intptr_t steps[4] = {2, 0, 2, 2};
        info.function(args, &n, steps, NULL);
        for (int i = 0; i < 100; i++) {
            CHECK(sum[i] == (i < n ? (int16_t)(x[i] + 7) : -9));
            CHECK(difference[i] == (i < n ? (int16_t)(x[i] - 7) : -9));
        }
    }
    OK(ufc_loop_free(loop));

    ufc_ufunc *place = named("place");
    int32_t i64 = UFC_I64;
    OK(ufc_ufunc_loop(place, &i64, 1, NULL, &loop));
    OK(ufc_loop_get(loop, &info));
    CHECK(info.position_count == 2 && info.positions[0] == 0 && info.positions[1] == 1);
    int64_t x[5] = {1, 2, 3, 4, 5}, out[5];
    ufc_index at[2] = {{3, 0}, {2, 1}};
    char *args[2] = {(char *)x, (char *)out};
    info.function(args, &(intptr_t){5}, (intptr_t[]){8, 8}, at);
    for (int i = 0; i < 5; i++)
        CHECK(out[i] == x[i] * 100 + 30 + 2 + i);
    /* The ufunc keeps the loop, too. */
    OK(ufc_loop_free(loop));
    info.function(args, &(intptr_t){5}, (intptr_t[]){8, 8}, at);
    OK(ufc_ufunc_free(place));
}

/* A kernel as IR is called like one as text. */
static void ir_bytes(void)
{
    ufc_text *text;
    const char *bytes;
    size_t size;
    ufc_module *read;
    ufc_ufunc *ufunc;
    int32_t dtypes[2] = {UFC_F32, UFC_U8};
    OK(ufc_module_to_ir(module, "both", dtypes, 2, &text));
    OK(ufc_text_get(text, &bytes, &size));
    OK(ufc_module_from_ir(bytes, size, &read));
    OK(ufc_module_ufunc(read, NULL, &ufunc));
    uint8_t x = 200, y = 100, sum = 0, difference = 0;
    ufc_view in[2] = {value(&x, UFC_U8), value(&y, UFC_U8)};
    ufc_view to[2] = {value(&sum, UFC_U8), value(&difference, UFC_U8)};
    OK(ufc_call(ufunc, in, 2, to, 2, NULL));
    CHECK(sum == 44 && difference == 100);
    OK(ufc_ufunc_free(ufunc));
    OK(ufc_module_free(read));
    char *damaged = malloc(size);
    for (size_t cut = 0; cut < size; cut += 7) {
        memcpy(damaged, bytes, size);
        FAILS(UFC_ERROR_BYTES, "", ufc_module_from_ir(damaged, cut, &read));
        CHECK(read == NULL);
    }
    free(damaged);
    OK(ufc_text_free(text));
    FAILS(UFC_ERROR_NO_KERNEL, "axpy, both", ufc_module_to_ir(module, "no", NULL, 1, &text));
    OK(ufc_module_to_ir(module, "axpy", NULL, 1, &text));
    OK(ufc_text_free(text));
}

static void expressions(void)
{
    ufc_compile_options options = {sizeof options, NULL, UFC_COMPILE_EXPRESSION};
    ufc_module *line;
    ufc_ufunc *ufunc;
    OK(ufc_module_from_source("sqrt(x*x + y*y)", 15, &options, &line, NULL));
    OK(ufc_module_ufunc(line, NULL, &ufunc));
    double x = 3, y = 4, out = 0;
    ufc_view in[2] = {value(&x, UFC_F64), value(&y, UFC_F64)}, to = value(&out, UFC_F64);
    OK(ufc_call(ufunc, in, 2, &to, 1, NULL));
    CHECK(out == 5);
    OK(ufc_ufunc_free(ufunc));
    OK(ufc_module_free(line));
}

static void bools(void)
{
    ufc_ufunc *not = named("not");
    unsigned char in[5] = {0, 1, 1, 0, 2}, out[5] = {9, 9, 9, 9, 9};
    int64_t n = 4;
    ufc_view from = view1(in, UFC_BOOL, &n), to = view1(out, UFC_BOOL, &n);
    OK(ufc_call(not, &from, 1, &to, 1, NULL));
    CHECK(memcmp(out, "\1\0\0\1\11", 5) == 0);
    n = 5;
    FAILS(UFC_ERROR_ARGUMENT, "2", ufc_call(not, &from, 1, &to, 1, NULL));
    OK(ufc_ufunc_free(not));
}

int main(void)
{
    OK(ufc_abi_check(UFC_ABI_VERSION));
    CHECK(ufc_abi_version() == UFC_ABI_VERSION && strchr(ufc_version(), '.'));
    OK(ufc_module_from_source(SOURCE, UFC_NUL_TERMINATED, NULL, &module, NULL));
    lists_kernels();
    calls_on_steps();
    broadcasts_and_converts();
    overlaps();
    options_are_heeded();
    raw_loops();
    ir_bytes();
    expressions();
    bools();
    OK(ufc_module_free(module));
    CHECK(ufc_dtype_size(UFC_C128) == 16 && strcmp(ufc_dtype_name(UFC_BF16), "bf16") == 0);
    CHECK(ufc_dtype_size(0) == 0 && ufc_dtype_name(99) == NULL);
    puts("all is well");
    return 0;
}
