/* After a fork the child goes on as the parent does: with loops compiled before, new ones, and threads of its own. */
#define _GNU_SOURCE
#include "check.h"

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 3000000

static float *x, *out;

/* A launch of several threads. */
static void parallel(ufc_ufunc *ufunc, float factor)
{
    int64_t n = N;
    ufc_call_options options = {sizeof options, "cpu", 2};
    ufc_view in[2] = {value(&factor, UFC_F32), view1(x, UFC_F32, &n)}, to = view1(out, UFC_F32, &n);
    for (int i = 0; i < N; i++)
        out[i] = -1;
    OK(ufc_call(ufunc, in, 2, &to, 1, &options));
    for (int i = 0; i < N; i++)
        CHECK(out[i] == factor * x[i] + 1);
}

static void in_child(ufc_ufunc *ufunc, int depth)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        /* Whatever hangs is killed, and noticed below. */
        alarm(100);
        parallel(ufunc, 3);
        ufc_ufunc *fresh = kernel("pub fn g(a: f32, x: f32) -> f32 { x * a + 1.0 }");
        parallel(fresh, 4);
        OK(ufc_ufunc_free(fresh));
        if (depth > 0)
            in_child(ufunc, depth - 1);
        OK(ufc_ufunc_free(ufunc));
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    x = malloc(N * sizeof *x);
    out = malloc(N * sizeof *out);
    for (int i = 0; i < N; i++)
        x[i] = (float)(i % 1000);
    ufc_ufunc *ufunc = kernel("pub fn f(a: f32, x: f32) -> f32 { a * x + 1.0 }");
    /* The child is the first to start threads. */
    in_child(ufunc, 0);
    parallel(ufunc, 2);
    /* The parent has threads. */
    in_child(ufunc, 1);
    parallel(ufunc, 5);
    OK(ufc_ufunc_free(ufunc));
    free(x);
    free(out);
    puts("all is well");
    return 0;
}
