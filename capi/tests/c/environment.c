/* What the caller set up stays: rounding, flushing, traps, flags, signal handlers. And none of it changes a bit. */
#define _GNU_SOURCE
#include "check.h"

#include <fenv.h>
#include <signal.h>

#define N 1003

static const char *SOURCE = "pub fn f(x: f64, y: f64) -> f64 { sin(x) / y + x * 1e-310 + 0.1 * y }\n";
static double x[N], y[N];
static float narrow[N];

/* Everything that computes: compiling, the quick way, threads, conversions, the interpreter, the raw loop. */
static void compute(double *out, float *half)
{
    ufc_ufunc *f = kernel(SOURCE);
    int64_t n = N, few = 7;
    ufc_view in[2] = {view1(x, UFC_F64, &n), view1(y, UFC_F64, &n)}, to = view1(out, UFC_F64, &n);
    OK(ufc_call(f, in, 2, &to, 1, NULL));
    in[0].shape = in[1].shape = to.shape = &few;
    to.data = out + N;
    OK(ufc_call(f, in, 2, &to, 1, NULL));
    ufc_call_options interp = {sizeof interp, "interp"};
    to.data = out + 2 * N;
    OK(ufc_call(f, in, 2, &to, 1, &interp));
    in[0] = view1(narrow, UFC_F32, &n);
    in[1].shape = to.shape = &n;
    to.data = out + 3 * N;
    OK(ufc_call(f, in, 2, &to, 1, NULL));
    ufc_view lesser = view1(half, UFC_F32, &n);
    OK(ufc_call(f, in, 2, &lesser, 1, NULL));
    ufc_loop *loop;
    int32_t dtypes[2] = {UFC_F64, UFC_F64};
    ufc_loop_info info = {sizeof info};
    OK(ufc_ufunc_loop(f, dtypes, 2, NULL, &loop));
    OK(ufc_loop_get(loop, &info));
    char *args[3] = {(char *)x, (char *)y, (char *)(out + 4 * N)};
    intptr_t count = N, steps[3] = {8, 8, 8};
    info.function(args, &count, steps, NULL);
    OK(ufc_loop_free(loop));
    OK(ufc_ufunc_free(f));
}

static uint32_t control(void)
{
#ifdef __x86_64__
    return __builtin_ia32_stmxcsr();
#else
    return 0;
#endif
}

int main(void)
{
    static double want[5 * N], got[5 * N];
    static float want_half[N], got_half[N];
    struct sigaction before[65], after;
    for (int s = 1; s < 65; s++)
        if (sigaction(s, NULL, &before[s]) != 0)
            memset(&before[s], 0, sizeof before[s]);
    for (int i = 0; i < N; i++) {
        x[i] = (i - 500) * 1e-309;
        y[i] = i % 5 == 0 ? 0.0 : i * 0.37;
        narrow[i] = (float)(i * 1e-38);
    }
    compute(want, want_half);
    CHECK(want[1] != 0 && want[N - 1] != 0);
#ifdef __x86_64__
    /* Subnormals flushed and taken as zero, each rounding, traps on for all but what the program itself does. */
    static const uint32_t ODD[] = {0x9fc0, 0x3f80, 0x5f80, 0x7f80, 0xffc0, 0x1d00, 0x1f80, 0x1fbf, 0xfd40};
    for (size_t i = 0; i < sizeof ODD / sizeof *ODD; i++) {
        for (int k = 0; k < 5 * N; k++)
            got[k] = -77;
        uint32_t old = control();
        __builtin_ia32_ldmxcsr(ODD[i]);
        compute(got, got_half);
        uint32_t left = control();
        __builtin_ia32_ldmxcsr(old);
        CHECK(left == ODD[i]);
        /* Bytes are compared, not numbers: NaNs and the sign of zeros count. */
        for (int k = 0; k < 5 * N; k++)
            if (k % N < 7 || k < N || k >= 3 * N)
                CHECK(memcmp(&got[k], &want[k], 8) == 0);
        CHECK(memcmp(got_half, want_half, sizeof want_half) == 0);
    }
#else
    compute(got, got_half);
    CHECK(control() == 0 && memcmp(got_half, want_half, sizeof want_half) == 0);
#endif
    CHECK(fegetround() == FE_TONEAREST);
    for (int s = 1; s < 65; s++)
        if (sigaction(s, NULL, &after) == 0)
            CHECK(after.sa_handler == before[s].sa_handler && after.sa_flags == before[s].sa_flags);
    puts("all is well");
    return 0;
}
