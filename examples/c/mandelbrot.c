/* Draws the Mandelbrot set with a kernel compiled at run time.
 *
 *     cc mandelbrot.c $(pkg-config --cflags --libs ufc) -o mandelbrot
 *     ./mandelbrot 1200 > mandelbrot.pgm
 */
#include <stdio.h>
#include <stdlib.h>

#include <ufc.h>

static const char *SOURCE =
    "/// How bright c is: the more steps z -> z*z + c stays in |z| < 2, the brighter; 255 where it does not leave.\n"
    "pub fn mandelbrot(re: f32, im: f32, iters: u32) -> u8 {\n"
    "    let c = c64(re, im);\n"
    "    let mut z = c64(0.0, 0.0);\n"
    "    for i in 0..iters {\n"
    "        z = z * z + c;\n"
    "        if z.norm_sqr() >= 4.0 {\n"
    "            return (254.0 * sqrt(i as f32 / iters as f32)) as u8;\n"
    "        }\n"
    "    }\n"
    "    255\n"
    "}\n";

static void check(ufc_status status)
{
    if (status != UFC_OK) {
        fprintf(stderr, "%s: %s\n", ufc_status_name(status), ufc_last_error_message());
        exit(1);
    }
}

/* Numbers from first to last. */
static float *linspace(float first, float last, int64_t count)
{
    float *values = malloc((size_t)count * sizeof *values);
    if (values == NULL)
        exit(1);
    for (int64_t i = 0; i < count; i++)
        values[i] = first + (last - first) * (float)i / (float)(count > 1 ? count - 1 : 1);
    return values;
}

int main(int argc, char **argv)
{
    int64_t width = argc > 1 ? atoi(argv[1]) : 600, height = width * 2 / 3;
    if (width < 2 || width > 30000) {
        fprintf(stderr, "usage: mandelbrot [WIDTH, at most 30000]\n");
        return 2;
    }
    check(ufc_abi_check(UFC_ABI_VERSION));
    ufc_module *module;
    ufc_ufunc *mandelbrot;
    check(ufc_module_from_source(SOURCE, UFC_NUL_TERMINATED, NULL, &module, NULL));
    check(ufc_module_ufunc(module, "mandelbrot", &mandelbrot));
    check(ufc_module_free(module));

    /* A row of real parts, a column of imaginary parts and one number: they are broadcast to the whole picture. */
    float *re = linspace(-2.2f, 0.8f, width), *im = linspace(-1.0f, 1.0f, height);
    uint32_t iters = 255;
    int64_t column[2] = {height, 1};
    ufc_view inputs[3] = {
        {.struct_size = sizeof(ufc_view), .data = re, .dtype = UFC_F32, .ndim = 1, .shape = &width},
        {.struct_size = sizeof(ufc_view), .data = im, .dtype = UFC_F32, .ndim = 2, .shape = column},
        {.struct_size = sizeof(ufc_view), .data = &iters, .dtype = UFC_U32},
    };
    ufc_array *picture;
    check(ufc_call_new(mandelbrot, inputs, 3, &picture, 1, NULL));

    ufc_view pixels = {.struct_size = sizeof pixels};
    check(ufc_array_get(picture, &pixels));
    printf("P5\n%d %d\n255\n", (int)width, (int)height);
    size_t size = (size_t)(width * height);
    int is_written = fwrite(pixels.data, 1, size, stdout) == size && fflush(stdout) == 0;

    check(ufc_array_free(picture));
    check(ufc_ufunc_free(mandelbrot));
    free(re);
    free(im);
    return is_written ? 0 : 1;
}
