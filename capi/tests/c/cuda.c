/* Arrays in the memory of CUDA devices, given to others and taken over by DLPack: next to a program's own calls of the driver, of
 * which the first in the folders of libraries is taken. It must have two devices. */
#include <dlfcn.h>

#include "check.h"
#include "exchange.h"

typedef uint64_t Address;
typedef void *Context;
typedef void *Stream;

#define FUNCTIONS(X) \
    X(cuInit, (unsigned)) \
    X(cuDevicePrimaryCtxRetain, (Context *, int)) \
    X(cuCtxCreate_v2, (Context *, unsigned, int)) \
    X(cuCtxSetCurrent, (Context)) \
    X(cuCtxGetCurrent, (Context *)) \
    X(cuMemAlloc_v2, (Address *, size_t)) \
    X(cuMemAllocManaged, (Address *, size_t, unsigned)) \
    X(cuMemFree_v2, (Address)) \
    X(cuMemHostAlloc, (void **, size_t, unsigned)) \
    X(cuMemFreeHost, (void *)) \
    X(cuStreamCreate, (Stream *, unsigned)) \
    X(cuStreamSynchronize, (Stream)) \
    X(cuMemcpyHtoDAsync_v2, (Address, const void *, size_t, Stream)) \
    X(cuMemcpyDtoHAsync_v2, (void *, Address, size_t, Stream))

#define DECLARE(name, parameters) static int(*name) parameters;
FUNCTIONS(DECLARE)

static void load(void)
{
    void *library = dlopen("libcuda.so", RTLD_NOW);
    CHECK(library != NULL);
#define FIND(name, parameters) \
    *(void **)&name = dlsym(library, #name); \
    CHECK(name != NULL);
    FUNCTIONS(FIND)
}

#define CUDA(call) CHECK((call) == 0)

static Context contexts[2], other;
static Stream stream, streams[2];

/* Makes a device's primary context, or another, the thread's; our calls go to a stream of it. */
static void use(int device)
{
    CUDA(cuCtxSetCurrent(contexts[device]));
    stream = streams[device];
}

static int deleted;

/* A tensor of ours; its deleter counts. */
typedef struct {
    DLManagedTensorVersioned managed;
    int64_t shape[4], strides[4];
} Tensor;

static void delete_tensor(DLManagedTensorVersioned *tensor)
{
    deleted++;
    free(tensor);
}

/* A line of f32 at an address of a device. */
static Tensor *line(Address data, int device, int64_t length, int64_t step)
{
    Tensor *tensor = calloc(1, sizeof *tensor);
    tensor->shape[0] = length;
    tensor->strides[0] = step;
    tensor->managed.version = (DLPackVersion){1, 1};
    tensor->managed.deleter = delete_tensor;
    tensor->managed.dl_tensor =
        (DLTensor){(void *)(uintptr_t)data, {2, device}, 1, {2, 32, 1}, tensor->shape, tensor->strides, 0};
    return tensor;
}

static ufc_array *take(Tensor *tensor)
{
    ufc_array *array;
    OK(ufc_array_from_dlpack(&tensor->managed, &array));
    return array;
}

#define REFUSED(status, text, tensor) \
    do { \
        ufc_array *none; \
        int before = deleted; \
        FAILS(status, text, ufc_array_from_dlpack(&(tensor)->managed, &none)); \
        CHECK(none == NULL && deleted == before); \
    } while (0)

static void send(Address to, const float *from, int64_t count)
{
    CUDA(cuMemcpyHtoDAsync_v2(to, from, (size_t)count * sizeof *from, stream));
}

static void receive(float *to, Address from, int64_t count)
{
    CUDA(cuMemcpyDtoHAsync_v2(to, from, (size_t)count * sizeof *to, stream));
    CUDA(cuStreamSynchronize(stream));
}

static const char *place_of(const ufc_array *array)
{
    ufc_array_info info = {sizeof info};
    OK(ufc_array_describe(array, &info));
    return info.place;
}

static ufc_ufunc *twice;

#define N 300
static float values[N], got[N];

/* Elements of a table with steps, an offset, and copies that are still under way; results of the host, in place, and there. */
static void in_and_out(int device)
{
    use(device);
    Address memory;
    CUDA(cuMemAlloc_v2(&memory, N * sizeof(float)));
    send(memory, values, N);
    Tensor *tensor = line(memory, device, 3, 40);
    tensor->shape[1] = 5;
    tensor->strides[1] = -2;
    tensor->managed.dl_tensor.ndim = 2;
    tensor->managed.dl_tensor.byte_offset = 60;
    /* The element at (r, c) is value 15 + 40 r - 2 c. */
    ufc_array *array = take(tensor), *result, *back;
    CHECK(strcmp(place_of(array), device == 0 ? "cuda:0" : "cuda:1") == 0);
    ufc_array_info info = {sizeof info};
    OK(ufc_array_describe(array, &info));
    CHECK(info.ndim == 2 && info.shape[1] == 5 && info.strides[0] == 160 && info.strides[1] == -8);

    ufc_view in = {sizeof in, array}, seen = {sizeof seen};
    OK(ufc_call_new(twice, &in, 1, &result, 1, NULL));
    OK(ufc_array_get(result, &seen));
    for (int i = 0; i < 15; i++)
        CHECK(((float *)seen.data)[i] == 2 * values[15 + 40 * (i / 5) - 2 * (i % 5)]);
    OK(ufc_array_free(result));

    /* What a call writes into memory of ours is there when the call returns. */
    OK(ufc_call(twice, &in, 1, &in, 1, NULL));
    receive(got, memory, N);
    for (int i = 0; i < N; i++) {
        int r = i / 40, c = 15 + 40 * r - i;
        int is_element = r < 3 && c >= 0 && c < 10 && c % 2 == 0;
        CHECK(got[i] == (is_element ? 2 : 1) * values[i]);
    }
    /* It runs where the array is, and leaves the results there if told so. */
    ufc_call_options options = {sizeof options};
    ufc_text *text;
    const char *words;
    OK(ufc_explain(twice, &in, 1, NULL, &text));
    OK(ufc_text_get(text, &words, NULL));
    CHECK(strstr(words, device == 0 ? "cuda:0" : "cuda:1") != NULL);
    OK(ufc_text_free(text));
    options.flags = UFC_CALL_ON_DEVICE;
    OK(ufc_call_new(twice, &in, 1, &result, 1, &options));
    CHECK(strcmp(place_of(result), place_of(array)) == 0);

    /* Given away: the device's address, with everything done that writes there. */
    DLManagedTensorVersioned *given, *again;
    OK(ufc_array_to_dlpack(result, &given));
    OK(ufc_array_free(result));
    DLTensor *t = &given->dl_tensor;
    CHECK(t->device.device_type == 2 && t->device.device_id == device && t->ndim == 2 && given->flags == 0);
    CHECK(t->shape[0] == 3 && t->shape[1] == 5 && t->strides[0] == 5 && t->strides[1] == 1);
    receive(got, (Address)(uintptr_t)t->data + t->byte_offset, 15);
    for (int i = 0; i < 15; i++)
        CHECK(got[i] == 4 * values[15 + 40 * (i / 5) - 2 * (i % 5)]);
    /* And taken again: ours is called once theirs is gone, and theirs once ours is. */
    OK(ufc_array_from_dlpack(given, &result));
    in.array = result;
    OK(ufc_call(twice, &in, 1, &in, 1, NULL));
    OK(ufc_array_to_host(result, &back));
    OK(ufc_array_get(back, &seen));
    CHECK(((float *)seen.data)[7] == 8 * values[15 + 40 - 4]);
    OK(ufc_array_free(back));
    OK(ufc_array_free(result));

    OK(ufc_array_to_dlpack(array, &again));
    CHECK(again->dl_tensor.data == (void *)(uintptr_t)(memory + 60) && again->dl_tensor.strides[1] == -2);
    OK(ufc_array_free(array));
    FAILS(UFC_ERROR_HANDLE, "freed before", ufc_array_free(array));
    CHECK(deleted == 0);
    again->deleter(again);
    CHECK(deleted == 1);
    deleted = 0;
    CUDA(cuMemFree_v2(memory));
}

/* Two tensors of the same memory, one element apart: the call sees the input as it was. */
static void overlapping(void)
{
    use(0);
    Address memory;
    CUDA(cuMemAlloc_v2(&memory, N * sizeof(float)));
    for (int by = -1; by <= 1; by += 2) {
        send(memory, values, N);
        int64_t from = by < 0 ? 1 : 0;
        ufc_array *x = take(line(memory + 4 * (Address)from, 0, N - 1, 1));
        ufc_array *y = take(line(memory + 4 * (Address)(from + by), 0, N - 1, 1));
        ufc_view in = {sizeof in, x}, out = {sizeof out, y};
        OK(ufc_call(twice, &in, 1, &out, 1, NULL));
        OK(ufc_array_synchronize(y));
        receive(got, memory, N);
        for (int i = 0; i < N - 1; i++)
            CHECK(got[i + from + by] == 2 * values[i + from]);
        OK(ufc_array_free(x));
        OK(ufc_array_free(y));
    }
    CHECK(deleted == 4);
    deleted = 0;
    CUDA(cuMemFree_v2(memory));
}

/* Read-only memory, memory that moves, memory of the host, no memory at all. */
static void kinds(void)
{
    use(0);
    Address memory;
    CUDA(cuMemAlloc_v2(&memory, 40));
    send(memory, values, 10);
    Tensor *tensor = line(memory, 0, 10, 1);
    tensor->managed.flags = 1;
    ufc_array *array = take(tensor), *result;
    ufc_view in = {sizeof in, array}, seen = {sizeof seen};
    FAILS(UFC_ERROR_ARGUMENT, "output 0 cannot be written", ufc_call(twice, &in, 1, &in, 1, NULL));
    OK(ufc_call_new(twice, &in, 1, &result, 1, NULL));
    OK(ufc_array_free(result));
    DLManagedTensorVersioned *given;
    OK(ufc_array_to_dlpack(array, &given));
    CHECK(given->flags == 1);
    given->deleter(given);
    OK(ufc_array_free(array));
    CUDA(cuMemFree_v2(memory));

    CUDA(cuMemAllocManaged(&memory, 40, 1));
    send(memory, values, 10);
    tensor = line(memory, 0, 10, 1);
    tensor->managed.dl_tensor.device.device_type = 13;
    array = take(tensor);
    CHECK(strcmp(place_of(array), "cuda:0") == 0);
    in.array = array;
    OK(ufc_call(twice, &in, 1, &in, 1, NULL));
    OK(ufc_array_free(array));
    receive(got, memory, 10);
    CHECK(got[9] == 2 * values[9]);
    CUDA(cuMemFree_v2(memory));

    void *pinned;
    CUDA(cuMemHostAlloc(&pinned, 40, 0));
    memcpy(pinned, values, 40);
    tensor = line((Address)(uintptr_t)pinned, 0, 10, 1);
    REFUSED(UFC_ERROR_UNSUPPORTED, "the host's", tensor);
    tensor->managed.dl_tensor.device.device_type = 3;
    array = take(tensor);
    CHECK(strcmp(place_of(array), "host") == 0);
    in.array = array;
    OK(ufc_call(twice, &in, 1, &in, 1, NULL));
    CHECK(((float *)pinned)[9] == 2 * values[9]);
    OK(ufc_array_free(array));
    CUDA(cuMemFreeHost(pinned));

    array = take(line(0, 1, 0, 1));
    CHECK(strcmp(place_of(array), "cuda:1") == 0);
    in.array = array;
    OK(ufc_call_new(twice, &in, 1, &result, 1, NULL));
    OK(ufc_array_get(result, &seen));
    CHECK(seen.ndim == 1 && seen.shape[0] == 0);
    OK(ufc_array_free(result));
    OK(ufc_array_free(array));
    CHECK(deleted == 4);
    deleted = 0;

    /* Nobody wants to hear of it. */
    CUDA(cuMemAlloc_v2(&memory, 40));
    tensor = line(memory, 0, 10, 1);
    tensor->managed.deleter = NULL;
    OK(ufc_array_free(take(tensor)));
    free(tensor);
    CUDA(cuMemFree_v2(memory));
}

/* What cannot be taken over stays the caller's. */
static void refused(void)
{
    use(0);
    Address memory, strange;
    CUDA(cuMemAlloc_v2(&memory, 40));
    CUDA(cuCtxSetCurrent(other));
    CUDA(cuMemAlloc_v2(&strange, 40));
    use(0);
    Tensor *tensor = line(memory, 0, 10, 1);
    DLTensor *t = &tensor->managed.dl_tensor;
    t->device.device_id = 1;
    REFUSED(UFC_ERROR_UNSUPPORTED, "which is `cuda:0`'s, not `cuda:1`'s", tensor);
    t->device.device_id = 7;
    REFUSED(UFC_ERROR_TARGET, "cuda:7", tensor);
    t->device.device_id = -1;
    REFUSED(UFC_ERROR_TARGET, "", tensor);
    t->device = (DLDevice){10, 0};
    REFUSED(UFC_ERROR_UNSUPPORTED, "type 10", tensor);
    t->device = (DLDevice){2, 0};
    t->data = (void *)(uintptr_t)strange;
    REFUSED(UFC_ERROR_UNSUPPORTED, "another context", tensor);
    t->data = (void *)(uintptr_t)0x1234;
    REFUSED(UFC_ERROR_UNSUPPORTED, "0x1234, of which the driver knows nothing", tensor);
    t->data = NULL;
    REFUSED(UFC_ERROR_NULL, "", tensor);
    t->data = (void *)(uintptr_t)memory;
    /* The last element, then the first, is not there. */
    tensor->shape[0] = 11;
    REFUSED(UFC_ERROR_UNSUPPORTED, "knows nothing", tensor);
    tensor->shape[0] = 2;
    tensor->strides[0] = -1;
    REFUSED(UFC_ERROR_UNSUPPORTED, "knows nothing", tensor);
    tensor->shape[0] = 10;
    tensor->strides[0] = INT64_MAX / 4;
    REFUSED(UFC_ERROR_SHAPE, "", tensor);
    tensor->strides[0] = INT64_MAX;
    REFUSED(UFC_ERROR_SHAPE, "strides", tensor);
    tensor->strides[0] = 1;
    t->byte_offset = UINT64_MAX;
    REFUSED(UFC_ERROR_SHAPE, "offset", tensor);
    t->byte_offset = 0;
    t->ndim = 65;
    REFUSED(UFC_ERROR_SHAPE, "axes", tensor);
    t->ndim = 1;
    t->dtype.lanes = 2;
    REFUSED(UFC_ERROR_DTYPE, "2 lanes", tensor);
    t->dtype = (DLDataType){2, 128, 1};
    REFUSED(UFC_ERROR_DTYPE, "128 bits", tensor);
    t->dtype = (DLDataType){2, 32, 1};
    tensor->managed.version.major = 2;
    REFUSED(UFC_ERROR_UNSUPPORTED, "version 2.1", tensor);
    tensor->managed.version.major = 1;
    /* Nothing of all that was the tensor's own fault. */
    send(memory, values, 10);
    OK(ufc_array_free(take(tensor)));
    CHECK(deleted == 1);
    deleted = 0;
    CUDA(cuMemFree_v2(memory));
    CUDA(cuCtxSetCurrent(other));
    CUDA(cuMemFree_v2(strange));
}

/* A thread's own context stays its own, whatever it is. */
static void own_context(void)
{
    Context own[4] = {NULL, contexts[0], contexts[1], other}, now;
    ufc_view host = view1(values, UFC_F32, &(int64_t){N});
    ufc_call_options options = {sizeof options};
    for (int i = 0; i < 4; i++)
        for (int device = 0; device < 2; device++) {
            CUDA(cuCtxSetCurrent(own[i]));
#define STAYS(call) \
    OK(call); \
    CUDA(cuCtxGetCurrent(&now)); \
    CHECK(now == own[i])
            ufc_array *array, *result, *back;
            DLManagedTensorVersioned *given;
            options.target = device == 0 ? "cuda:0" : "cuda:1";
            STAYS(ufc_array_to_device(&host, options.target, &array));
            ufc_view in = {sizeof in, array};
            STAYS(ufc_call_new(twice, &in, 1, &result, 1, NULL));
            STAYS(ufc_array_free(result));
            STAYS(ufc_call_new(twice, &host, 1, &result, 1, &options));
            STAYS(ufc_array_free(result));
            STAYS(ufc_array_to_host(array, &back));
            STAYS(ufc_array_free(back));
            STAYS(ufc_array_synchronize(array));
            STAYS(ufc_array_to_dlpack(array, &given));
            STAYS(ufc_array_free(array));
            STAYS(ufc_array_from_dlpack(given, &array));
            STAYS(ufc_array_free(array));
        }
}

int main(void)
{
    load();
    CUDA(cuInit(0));
    for (int device = 0; device < 2; device++) {
        CUDA(cuDevicePrimaryCtxRetain(&contexts[device], device));
        CUDA(cuCtxSetCurrent(contexts[device]));
        /* CU_STREAM_NON_BLOCKING, so that nothing waits for it by itself. */
        CUDA(cuStreamCreate(&streams[device], 1));
    }
    CUDA(cuCtxCreate_v2(&other, 0, 0));
    for (int i = 0; i < N; i++)
        values[i] = (float)(i * 7 % 101) - 3.5f;
    twice = kernel("pub fn twice(x: f32) -> f32 { x + x }");
    in_and_out(0);
    in_and_out(1);
    overlapping();
    kinds();
    refused();
    own_context();
    OK(ufc_ufunc_free(twice));
    puts("all is well");
    return 0;
}
