/* Arrays from and to others: DLPack and Arrow. */
#include "check.h"
#include "exchange.h"

static int deleted;

static void delete_tensor(DLManagedTensorVersioned *tensor)
{
    deleted++;
    free(tensor->manager_ctx);
    free(tensor);
}

/* A table of 2 x 3 floats in memory of its own, every second element, the first at an offset. */
static DLManagedTensorVersioned *table(void)
{
    static int64_t shape[2] = {2, 3}, strides[2] = {6, 2};
    DLManagedTensorVersioned *tensor = calloc(1, sizeof *tensor);
    float *values = malloc(16 * sizeof *values);
    for (int i = 0; i < 16; i++)
        values[i] = (float)i;
    tensor->version = (DLPackVersion){1, 0};
    tensor->manager_ctx = values;
    tensor->deleter = delete_tensor;
    tensor->dl_tensor = (DLTensor){values, {1, 0}, 2, {2, 32, 1}, shape, strides, 8};
    return tensor;
}

static void dlpack_in(void)
{
    ufc_ufunc *twice = kernel("pub fn twice(x: f32) -> f32 { x + x }");
    DLManagedTensorVersioned *tensor = table();
    ufc_array *array, *result;
    OK(ufc_array_from_dlpack(tensor, &array));
    ufc_view in = {sizeof in, array}, got = {sizeof got};
    OK(ufc_call_new(twice, &in, 1, &result, 1, NULL));
    OK(ufc_array_get(result, &got));
    CHECK(got.ndim == 2 && got.shape[0] == 2 && got.shape[1] == 3);
    for (int i = 0; i < 6; i++)
        CHECK(((float *)got.data)[i] == 2.0f * (float)(2 + i / 3 * 6 + i % 3 * 2));
    OK(ufc_array_free(result));
    /* Written in place, unless it is read-only. */
    OK(ufc_call(twice, &in, 1, &in, 1, NULL));
    CHECK(((float *)tensor->manager_ctx)[2] == 4 && ((float *)tensor->manager_ctx)[3] == 3);
    CHECK(deleted == 0);
    OK(ufc_array_free(array));
    CHECK(deleted == 1);
    FAILS(UFC_ERROR_HANDLE, "freed before", ufc_array_free(array));
    CHECK(deleted == 1);

    tensor = table();
    tensor->flags = 1;
    OK(ufc_array_from_dlpack(tensor, &array));
    in.array = array;
    FAILS(UFC_ERROR_ARGUMENT, "read-only", ufc_call(twice, &in, 1, &in, 1, NULL));
    OK(ufc_array_free(array));

    /* What cannot be taken over stays the caller's. */
    deleted = 0;
    tensor = table();
    FAILS(UFC_ERROR_NULL, "`tensor`", ufc_array_from_dlpack(NULL, &array));
    tensor->version.major = 2;
    FAILS(UFC_ERROR_UNSUPPORTED, "version 2.0", ufc_array_from_dlpack(tensor, &array));
    tensor->version.major = 1;
    tensor->dl_tensor.device.device_type = 10;
    FAILS(UFC_ERROR_UNSUPPORTED, "type 10", ufc_array_from_dlpack(tensor, &array));
    tensor->dl_tensor.device.device_type = 1;
    tensor->dl_tensor.dtype.lanes = 4;
    FAILS(UFC_ERROR_DTYPE, "4 lanes", ufc_array_from_dlpack(tensor, &array));
    tensor->dl_tensor.dtype = (DLDataType){0, 24, 1};
    FAILS(UFC_ERROR_DTYPE, "24 bits", ufc_array_from_dlpack(tensor, &array));
    tensor->dl_tensor.dtype = (DLDataType){2, 32, 1};
    tensor->dl_tensor.ndim = -1;
    FAILS(UFC_ERROR_SHAPE, "axes", ufc_array_from_dlpack(tensor, &array));
    tensor->dl_tensor.ndim = 2;
    int64_t huge[2] = {INT64_MAX, 3}, *shape = tensor->dl_tensor.shape;
    tensor->dl_tensor.shape = huge;
    FAILS(UFC_ERROR_SHAPE, "", ufc_array_from_dlpack(tensor, &array));
    tensor->dl_tensor.shape = shape;
    tensor->dl_tensor.strides = huge;
    FAILS(UFC_ERROR_SHAPE, "strides", ufc_array_from_dlpack(tensor, &array));
    CHECK(array == NULL && deleted == 0);
    tensor->deleter(tensor);
    /* Without strides the elements lie one after the other. */
    tensor = table();
    tensor->dl_tensor.strides = NULL;
    OK(ufc_array_from_dlpack(tensor, &array));
    OK(ufc_array_get(array, &got));
    CHECK(got.strides[0] == 12 && got.strides[1] == 4 && *(float *)got.data == 2);
    OK(ufc_array_free(array));
    OK(ufc_ufunc_free(twice));
}

static void dlpack_out(void)
{
    int64_t shape[2] = {3, 5};
    DLManagedTensorVersioned *tensor;
    ufc_array *array, *again;
    ufc_view view = {sizeof view};
    OK(ufc_array_new(UFC_C64, 2, shape, &array));
    OK(ufc_array_get(array, &view));
    ((float *)view.data)[29] = 7;
    OK(ufc_array_to_dlpack(array, &tensor));
    OK(ufc_array_free(array));
    /* The memory is there as long as the tensor is. */
    DLTensor *t = &tensor->dl_tensor;
    CHECK(tensor->version.major == 1 && tensor->flags == 0 && t->device.device_type == 1 && t->byte_offset == 0);
    CHECK(t->ndim == 2 && t->shape[0] == 3 && t->shape[1] == 5 && t->strides[0] == 5 && t->strides[1] == 1);
    CHECK(t->dtype.code == 5 && t->dtype.bits == 64 && t->dtype.lanes == 1);
    CHECK(((float *)t->data)[29] == 7);
    /* There and back. */
    OK(ufc_array_from_dlpack(tensor, &again));
    OK(ufc_array_get(again, &view));
    CHECK(view.dtype == UFC_C64 && ((float *)view.data)[29] == 7 && view.strides[0] == 40);
    OK(ufc_array_free(again));
    FAILS(UFC_ERROR_HANDLE, "freed before", ufc_array_to_dlpack(array, &tensor));
    CHECK(tensor == NULL);
}

static int released;

static void release_array(struct ArrowArray *array)
{
    released++;
    array->release = NULL;
}

static void release_schema(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

typedef struct {
    struct ArrowArray array;
    struct ArrowSchema schema;
    const void *buffers[2];
} Column;

static void column(Column *c, const char *format, int64_t length, int64_t offset, const void *bits, const void *data)
{
    memset(c, 0, sizeof *c);
    c->buffers[0] = bits;
    c->buffers[1] = data;
    c->array = (struct ArrowArray){length, bits ? -1 : 0, offset, 2, 0, c->buffers, NULL, NULL, release_array, NULL};
    c->schema = (struct ArrowSchema){format, "", NULL, 2, 0, NULL, NULL, release_schema, NULL};
}

static int bit(const void *bits, int64_t i)
{
    return ((const uint8_t *)bits)[i / 8] >> (i % 8) & 1;
}

/* Nulls come from either side, at any offset, and a single null makes all of them. */
static void arrow_nulls(void)
{
    ufc_ufunc *both = kernel("pub fn both(x: i32, y: i32) -> (i32, bool) { (x * 10 + y, x < y) }");
    static const uint8_t X_BITS[] = {0x5b, 0xe7, 0x3c, 0xff, 0x81}, Y_BITS[] = {0xfd, 0x7e, 0xdb, 0x66, 0xff};
    int32_t x[40], y[40];
    for (int i = 0; i < 40; i++) {
        x[i] = i * 7 % 11;
        y[i] = i * 5 % 13;
    }
    for (int64_t x_offset = 0; x_offset < 10; x_offset += 3)
        for (int64_t y_offset = 0; y_offset < 10; y_offset++)
            for (int64_t n = 0; n <= 30; n++)
                for (int single = 0; single < 2; single++) {
                    Column a, b;
                    column(&a, "i", n, x_offset, X_BITS, x);
                    column(&b, "i", single ? 1 : n, y_offset, Y_BITS, y);
                    const struct ArrowArray *arrays[2] = {&a.array, &b.array};
                    const struct ArrowSchema *schemas[2] = {&a.schema, &b.schema};
                    struct ArrowArray out[2];
                    struct ArrowSchema types[2];
                    OK(ufc_call_arrow(both, arrays, schemas, 2, out, types, 2, NULL));
                    int64_t nulls = 0;
                    for (int64_t i = 0; i < n; i++) {
                        int64_t j = y_offset + (single ? 0 : i);
                        int valid = bit(X_BITS, x_offset + i) && bit(Y_BITS, j);
                        nulls += !valid;
                        for (int r = 0; r < 2; r++)
                            CHECK((out[r].buffers[0] == NULL || bit(out[r].buffers[0], i)) == valid);
                        if (valid) {
                            CHECK(((const int32_t *)out[0].buffers[1])[i] == x[x_offset + i] * 10 + y[j]);
                            CHECK(bit(out[1].buffers[1], i) == (x[x_offset + i] < y[j]));
                        }
                    }
                    for (int r = 0; r < 2; r++) {
                        CHECK(out[r].length == n && out[r].null_count == nulls && out[r].offset == 0);
                        CHECK(out[r].n_buffers == 2 && out[r].n_children == 0 && out[r].dictionary == NULL);
                        CHECK(strcmp(types[r].format, r == 0 ? "i" : "b") == 0);
                        /* Moved elsewhere before it is released, as consumers do. */
                        struct ArrowArray moved = out[r];
                        moved.release(&moved);
                        types[r].release(&types[r]);
                        CHECK(moved.release == NULL && types[r].release == NULL);
                    }
                    CHECK(a.array.release && b.schema.release && released == 0);
                }
    OK(ufc_ufunc_free(both));
}

static void arrow_types(void)
{
    ufc_ufunc *pick = kernel("pub fn pick(c: bool, x: f64) -> f64 { if c { x } else { -x } }");
    static const uint8_t C_BITS[] = {0xa5, 0x0f};
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    Column c, v;
    column(&c, "b", 7, 3, NULL, C_BITS);
    column(&v, "f", 7, 1, NULL, x);
    const struct ArrowArray *arrays[2] = {&c.array, &v.array};
    const struct ArrowSchema *schemas[2] = {&c.schema, &v.schema};
    struct ArrowArray out;
    struct ArrowSchema type;
    OK(ufc_call_arrow(pick, arrays, schemas, 2, &out, NULL, 1, NULL));
    CHECK(out.null_count == 0 && out.buffers[0] == NULL);
    for (int i = 0; i < 7; i++)
        CHECK(((const double *)out.buffers[1])[i] == (bit(C_BITS, i + 3) ? x[i + 1] : -x[i + 1]));
    out.release(&out);

    static const char *REFUSED[] = {"u", "+s", "tdD", "z", "n", "w:4", "vu", ""};
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        v.schema.format = REFUSED[i];
        FAILS(UFC_ERROR_UNSUPPORTED, "input `x`", ufc_call_arrow(pick, arrays, schemas, 2, &out, &type, 1, NULL));
        CHECK(out.release == NULL && type.release == NULL);
    }
    v.schema.format = "f";
    v.schema.dictionary = &c.schema;
    FAILS(UFC_ERROR_UNSUPPORTED, "dictionary", ufc_call_arrow(pick, arrays, schemas, 2, &out, &type, 1, NULL));
    v.schema.dictionary = NULL;
    v.array.length = -1;
    FAILS(UFC_ERROR_SHAPE, "input `x`", ufc_call_arrow(pick, arrays, schemas, 2, &out, &type, 1, NULL));
    v.array.length = 3;
    FAILS(UFC_ERROR_SHAPE, "axis 0", ufc_call_arrow(pick, arrays, schemas, 2, &out, &type, 1, NULL));
    v.array.length = 7;
    v.array.offset = INT64_MAX;
    FAILS(UFC_ERROR_SHAPE, "", ufc_call_arrow(pick, arrays, schemas, 2, &out, &type, 1, NULL));
    v.array.offset = 0;
    v.array.null_count = -2;
    FAILS(UFC_ERROR_SHAPE, "", ufc_call_arrow(pick, arrays, schemas, 2, &out, &type, 1, NULL));
    v.array.null_count = 3;
    FAILS(UFC_ERROR_NULL, "`buffers`", ufc_call_arrow(pick, arrays, schemas, 2, &out, &type, 1, NULL));
    v.array.null_count = 0;
    v.buffers[1] = NULL;
    FAILS(UFC_ERROR_NULL, "`buffers`", ufc_call_arrow(pick, arrays, schemas, 2, &out, &type, 1, NULL));
    v.array.release = NULL;
    FAILS(UFC_ERROR_ARGUMENT, "released before", ufc_call_arrow(pick, arrays, schemas, 2, &out, &type, 1, NULL));
    arrays[1] = NULL;
    FAILS(UFC_ERROR_NULL, "", ufc_call_arrow(pick, arrays, schemas, 2, &out, &type, 1, NULL));
    FAILS(UFC_ERROR_COUNT, "", ufc_call_arrow(pick, arrays, schemas, 1, &out, &type, 1, NULL));
    FAILS(UFC_ERROR_NULL, "`results`", ufc_call_arrow(pick, arrays, schemas, 2, NULL, NULL, 1, NULL));
    OK(ufc_ufunc_free(pick));

    ufc_ufunc *complex = kernel("pub fn f(x: f32) -> (f32, c64) { (x, c64(x, x)) }");
    column(&v, "f", 3, 0, NULL, x);
    arrays[0] = &v.array;
    schemas[0] = &v.schema;
    struct ArrowArray two[2];
    FAILS(UFC_ERROR_UNSUPPORTED, "c64", ufc_call_arrow(complex, arrays, schemas, 1, two, NULL, 2, NULL));
    CHECK(two[0].release == NULL && two[1].release == NULL);
    OK(ufc_ufunc_free(complex));
}

int main(void)
{
    dlpack_in();
    dlpack_out();
    arrow_nulls();
    arrow_types();
    CHECK(released == 0);
    puts("all is well");
    return 0;
}
