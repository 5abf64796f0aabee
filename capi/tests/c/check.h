/* What the test programs share: checks that say what failed and where, and short ways to make views. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ufc.h"

#define CHECK(condition)                                                                         \
    do {                                                                                         \
        if (!(condition)) {                                                                      \
            fprintf(stderr, "%s:%d: %s is false; last error: %s\n", __FILE__, __LINE__,          \
                    #condition, ufc_last_error_message());                                       \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

#define OK(call)                                                                                 \
    do {                                                                                         \
        ufc_status status_ = (call);                                                             \
        if (status_ != UFC_OK) {                                                                 \
            fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call,                    \
                    ufc_status_name(status_), ufc_last_error_message());                         \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

/* The call fails with this status, and the message has this part. */
#define FAILS(status, part, call)                                                                \
    do {                                                                                         \
        ufc_status status_ = (call);                                                             \
        if (status_ != (status) || ufc_last_error_code() != (status) ||                          \
            strstr(ufc_last_error_message(), part) == NULL) {                                    \
            fprintf(stderr, "%s:%d: %s gave %s: %s\n", __FILE__, __LINE__, #call,                \
                    ufc_status_name(status_), ufc_last_error_message());                         \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

/* A view of one axis, in order. */
static inline ufc_view view1(void *data, int32_t dtype, const int64_t *length)
{
    ufc_view view;
    memset(&view, 0, sizeof view);
    view.struct_size = sizeof view;
    view.data = data;
    view.shape = length;
    view.ndim = 1;
    view.dtype = dtype;
    return view;
}

/* A view of one value. */
static inline ufc_view value(void *data, int32_t dtype)
{
    ufc_view view = view1(data, dtype, NULL);
    view.ndim = 0;
    return view;
}

/* The only kernel of a text. */
static inline ufc_ufunc *kernel(const char *source)
{
    ufc_module *module;
    ufc_ufunc *ufunc;
    OK(ufc_module_from_source(source, UFC_NUL_TERMINATED, NULL, &module, NULL));
    OK(ufc_module_ufunc(module, NULL, &ufunc));
    OK(ufc_module_free(module));
    return ufunc;
}

#endif
