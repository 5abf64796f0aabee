/* Arrays in a device's memory, on the device that the environment variable UFC_SIMULATED makes. */
#include "check.h"
#include "exchange.h"

int main(void)
{
    ufc_ufunc *both = kernel("pub fn both(x: f32, y: f32) -> (f32, f32) { (x + y, x * y) }");
    int64_t shape[2] = {2, 3}, three = 3;
    float x[6] = {1, 2, 3, 4, 5, 6}, y[3] = {10, 20, 30}, sum[6], product[6];
    ufc_view host = view1(x, UFC_F32, shape), row = view1(y, UFC_F32, &three);
    host.ndim = 2;
    ufc_array *device, *results[2], *back;
    OK(ufc_array_to_device(&host, "sim", &device));
    ufc_array_info info = {sizeof info};
    OK(ufc_array_describe(device, &info));
    CHECK(strncmp(info.place, "sim:", 4) == 0 && info.dtype == UFC_F32);
    CHECK(info.ndim == 2 && info.shape[1] == 3 && info.strides[0] == 12 && info.strides[1] == 4);
    FAILS(UFC_ERROR_UNSUPPORTED, "`ufc_array_to_host`", ufc_array_get(device, &(ufc_view){sizeof(ufc_view)}));

    /* Operands here and there; results that stay there. */
    ufc_view in[2] = {{sizeof(ufc_view), device}, row};
    ufc_call_options options = {sizeof options};
    options.flags = UFC_CALL_ON_DEVICE;
    OK(ufc_call_new(both, in, 2, results, 2, &options));
    for (int r = 0; r < 2; r++) {
        ufc_view got = {sizeof got};
        OK(ufc_array_describe(results[r], &info));
        CHECK(strncmp(info.place, "sim:", 4) == 0);
        OK(ufc_array_to_host(results[r], &back));
        OK(ufc_array_describe(back, &info));
        CHECK(strcmp(info.place, "host") == 0);
        OK(ufc_array_get(back, &got));
        for (int i = 0; i < 6; i++)
            CHECK(((float *)got.data)[i] == (r == 0 ? x[i] + y[i % 3] : x[i] * y[i % 3]));
        OK(ufc_array_free(back));
    }
    /* Into arrays there, in place. */
    ufc_view again[2] = {{sizeof(ufc_view), results[0]}, {sizeof(ufc_view), results[1]}};
    ufc_view one[2] = {{sizeof(ufc_view), device}, {sizeof(ufc_view), device}};
    OK(ufc_call(both, one, 2, again, 2, NULL));
    OK(ufc_array_to_host(results[1], &back));
    ufc_view got = {sizeof got};
    OK(ufc_array_get(back, &got));
    for (int i = 0; i < 6; i++)
        CHECK(((float *)got.data)[i] == x[i] * x[i]);
    OK(ufc_array_free(back));
    /* Into memory here. */
    ufc_view to[2] = {view1(sum, UFC_F32, shape), view1(product, UFC_F32, shape)};
    to[0].ndim = to[1].ndim = 2;
    OK(ufc_call(both, in, 2, to, 2, NULL));
    for (int i = 0; i < 6; i++)
        CHECK(sum[i] == x[i] + y[i % 3] && product[i] == x[i] * y[i % 3]);
    ufc_view mixed[2] = {again[0], to[1]};
    FAILS(UFC_ERROR_ARGUMENT, "1 of 2 outputs", ufc_call(both, in, 2, mixed, 2, NULL));

    struct DLManagedTensorVersioned *tensor;
    FAILS(UFC_ERROR_UNSUPPORTED, "DLPack", ufc_array_to_dlpack(device, &tensor));
    FAILS(UFC_ERROR_TARGET, "", ufc_array_to_device(&host, "abacus", &back));
    FAILS(UFC_ERROR_NULL, "`view`", ufc_array_to_device(NULL, "sim", &back));
    OK(ufc_array_free(device));
    FAILS(UFC_ERROR_HANDLE, "freed before", ufc_array_to_host(device, &back));
    CHECK(back == NULL);
    OK(ufc_array_free(results[0]));
    OK(ufc_array_free(results[1]));
    OK(ufc_ufunc_free(both));
    puts("all is well");
    return 0;
}
