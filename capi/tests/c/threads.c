/* Many threads call at once: one ufunc, modules of their own, large and small arrays, and handles that others free. */
#define _GNU_SOURCE
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define THREADS 8
#define LARGE 300000

static ufc_ufunc *shared;
static _Atomic(ufc_array *) contested;
static atomic_int freed;

static void *work(void *data)
{
    int me = (int)(intptr_t)data;
    float *x = malloc(LARGE * sizeof *x), *out = malloc(LARGE * sizeof *out);
    ufc_call_options options = {sizeof options, NULL, (size_t)(me % 3)};
    for (int turn = 0; turn < 30; turn++) {
        int64_t n = turn % 10 == 0 ? LARGE : turn * 7 + me;
        for (int64_t i = 0; i < n; i++) {
            x[i] = (float)(i % 100 + me);
            out[i] = -1;
        }
        float a = (float)turn;
        ufc_view in[2] = {value(&a, UFC_F32), view1(x, UFC_F32, &n)}, to = view1(out, UFC_F32, &n);
        OK(ufc_call(shared, in, 2, &to, 1, &options));
        for (int64_t i = 0; i < n; i++)
            CHECK(out[i] == (float)((i % 100 + me + turn) * 2));
        /* Errors are each thread's own. */
        char text[64], part[16];
        snprintf(text, sizeof text, "pub fn f(x: f32) -> f32 { x%d }", me);
        snprintf(part, sizeof part, "`x%d`", me);
        ufc_module *module;
        FAILS(UFC_ERROR_SOURCE, part, ufc_module_from_source(text, UFC_NUL_TERMINATED, NULL, &module, NULL));
    }
    for (int turn = 0; turn < 200; turn++) {
        ufc_array *array = contested;
        ufc_view view = {sizeof view};
        ufc_status got = ufc_array_get(array, &view);
        CHECK(got == UFC_OK || got == UFC_ERROR_HANDLE);
        got = ufc_array_free(array);
        CHECK(got == UFC_OK || got == UFC_ERROR_HANDLE);
        if (got == UFC_OK) {
            int64_t three = 3;
            freed++;
            OK(ufc_array_new(UFC_F64, 1, &three, &array));
            contested = array;
        }
    }
    free(x);
    free(out);
    return NULL;
}

static void *cancel_soon(void *cancel)
{
    struct timespec wait = {0, 50 * 1000 * 1000};
    nanosleep(&wait, NULL);
    OK(ufc_cancel_set(cancel, 1));
    return NULL;
}

/* A call that would take very long is stopped from outside. */
static void cancels(void)
{
    ufc_ufunc *slow = kernel("pub fn slow(x: f32) -> f32 { let mut s = x; for i in 0..2000000 { s = sqrt(s + 1.0); } s }");
    ufc_cancel *cancel;
    int64_t shape = 100000;
    ufc_array *array, *result;
    pthread_t thread;
    OK(ufc_cancel_new(&cancel));
    OK(ufc_array_new(UFC_F32, 1, &shape, &array));
    ufc_call_options options = {sizeof options, "cpu", 0, cancel};
    ufc_view in = {sizeof in, array};
    CHECK(pthread_create(&thread, NULL, cancel_soon, cancel) == 0);
    FAILS(UFC_ERROR_CANCELLED, "cancelled", ufc_call_new(slow, &in, 1, &result, 1, &options));
    CHECK(result == NULL && pthread_join(thread, NULL) == 0);
    OK(ufc_cancel_free(cancel));
    FAILS(UFC_ERROR_HANDLE, "`cancel`", ufc_call_new(slow, &in, 1, &result, 1, &options));
    OK(ufc_array_free(array));
    OK(ufc_ufunc_free(slow));
}

int main(void)
{
    pthread_t threads[THREADS];
    int64_t three = 3;
    ufc_array *first;
    shared = kernel("pub fn f(a: f32, x: f32) -> f32 { (a + x) * 2.0 }");
    OK(ufc_array_new(UFC_F64, 1, &three, &first));
    contested = first;
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(freed > 0);
    OK(ufc_array_free(contested));
    OK(ufc_ufunc_free(shared));
    cancels();
    puts("all is well");
    return 0;
}
