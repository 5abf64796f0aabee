/* What a call on one element costs: through ufc_call, and through the loop as a plain function.
 *
 *     cc -O2 latency.c $(pkg-config --cflags --libs ufc) -o latency && ./latency
 *
 * Prints the median of many short rounds in nanoseconds, and for scale what a call of a C function through a pointer costs.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <ufc.h>

#define ROUNDS 3001
#define CALLS 500

static void check(ufc_status status)
{
    if (status != UFC_OK) {
        fprintf(stderr, "%s\n", ufc_last_error_message());
        exit(1);
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ufc_ufunc *axpy;
static ufc_loop_info loop_info = {.struct_size = sizeof loop_info};
/* Far from the end of mapped memory: a masked vector that reaches into a page that is not there costs 150 ns on a Zen 5. */
#define ALONE __attribute__((aligned(256)))
static ALONE float a = 2, x = 3, y = 1, out;
static int64_t one = 1;
static ufc_view inputs[3], output;

static void plain(char **args, const intptr_t *dims, const intptr_t *steps, void *data)
{
    (void)steps, (void)data;
    for (intptr_t i = 0; i < dims[0]; i++)
        *(float *)args[3] = *(float *)args[0] * *(float *)args[1] + *(float *)args[2];
}

static void by_call(void)
{
    check(ufc_call(axpy, inputs, 3, &output, 1, NULL));
}

static void by_loop(void)
{
    char *args[4] = {(char *)&a, (char *)&x, (char *)&y, (char *)&out};
    intptr_t n = 1, steps[4] = {4, 4, 4, 4};
    loop_info.function(args, &n, steps, NULL);
}

static void by_pointer(void)
{
    static void (*volatile function)(char **, const intptr_t *, const intptr_t *, void *) = plain;
    char *args[4] = {(char *)&a, (char *)&x, (char *)&y, (char *)&out};
    intptr_t n = 1, steps[4] = {4, 4, 4, 4};
    function(args, &n, steps, NULL);
}

static void measure(const char *name, void (*call)(void))
{
    static double times[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        out = 0;
        double start = now();
        for (int i = 0; i < CALLS; i++)
            call();
        times[round] = (now() - start) / CALLS;
        if (out != 7) {
            fprintf(stderr, "%s gave %g\n", name, (double)out);
            exit(1);
        }
    }
    qsort(times, ROUNDS, sizeof *times, compare);
    printf("%-24s %6.1f ns\n", name, times[ROUNDS / 2]);
}

int main(void)
{
    ufc_module *module;
    ufc_loop *loop;
    int32_t dtypes[3] = {UFC_F32, UFC_F32, UFC_F32};
    check(ufc_module_from_source("pub fn axpy(a: f32, x: f32, y: f32) -> f32 { a * x + y }",
                                 UFC_NUL_TERMINATED, NULL, &module, NULL));
    check(ufc_module_ufunc(module, NULL, &axpy));
    check(ufc_ufunc_loop(axpy, dtypes, 3, NULL, &loop));
    check(ufc_loop_get(loop, &loop_info));
    float *data[3] = {&a, &x, &y};
    for (int i = 0; i < 3; i++)
        inputs[i] = (ufc_view){.struct_size = sizeof(ufc_view), .data = data[i], .dtype = UFC_F32, .ndim = 1, .shape = &one};
    output = (ufc_view){.struct_size = sizeof output, .data = &out, .dtype = UFC_F32, .ndim = 1, .shape = &one};
    measure("ufc_call, n = 1", by_call);
    measure("the loop, n = 1", by_loop);
    measure("a C function, n = 1", by_pointer);
    check(ufc_loop_free(loop));
    check(ufc_ufunc_free(axpy));
    check(ufc_module_free(module));
    return 0;
}
