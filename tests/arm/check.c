/* Calls the guard of src/fpenv.rs, and a loop behind the entry of src/backend_cpu/clif/jit.rs, in every sort of floating-point
 * environment of aarch64: inside it must be the default one, afterwards the caller's, flags included. */
#define _GNU_SOURCE
#include <float.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "entry.h" /* ENTRY and BODY, made by scripts/arm-check */

void guard_enter(uint64_t *control, uint64_t *flags);
void guard_leave(uint64_t control, uint64_t flags);

#define CHECK(what) \
    do { \
        if (!(what)) { \
            set_control(0); \
            printf("line %d, environment %llx: %s\n", __LINE__, (unsigned long long)tried, #what); \
            exit(1); \
        } \
    } while (0)

static uint64_t tried;

static uint64_t control(void)
{
    uint64_t value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
}

static void set_control(uint64_t value)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(value) : "memory");
}

static uint64_t flags(void)
{
    uint64_t value;
    __asm__ volatile("mrs %0, fpsr" : "=r"(value));
    return value;
}

static void set_flags(uint64_t value)
{
    __asm__ volatile("msr fpsr, %0" : : "r"(value) : "memory");
}

static double divide(double a, double b)
{
    double result;
    __asm__ volatile("fdiv %d0, %d1, %d2" : "=w"(result) : "w"(a), "w"(b));
    return result;
}

static uint16_t half(float value)
{
    float result;
    __asm__ volatile("fcvt %h0, %s1" : "=w"(result) : "w"(value));
    uint32_t bits;
    memcpy(&bits, &result, 4);
    return (uint16_t)bits;
}

/* What the default environment gives, and others do not: roundings either way, subnormals, infinities of half precision. It
 * raises every flag but that of flushed arguments. */
static void compute(uint64_t results[8])
{
    double found[6] = {divide(1, 3), divide(-1, 3), divide(1, 10), divide(DBL_MIN, 8), divide(5e-324, 1), divide(1, 0)};
    memcpy(results, found, sizeof found);
    results[6] = half(1e30f);
    results[7] = half(6e-8f);
    divide(0, 0);
    divide(DBL_MAX, 0.1);
}

static uint64_t expected[8];
static int bodies;

static void body(char **arrays, const intptr_t *dims, const intptr_t *steps, void *data)
{
    uint64_t results[8];
    CHECK(control() == 0);
    CHECK(arrays == (char **)0x1111 && dims == (intptr_t *)0x2222 && steps == (intptr_t *)0x3333 && data == (void *)0x4444);
    compute(results);
    CHECK(memcmp(results, expected, sizeof results) == 0);
    bodies++;
}

typedef void loop(char **, const intptr_t *, const intptr_t *, void *);

/* The entry, and behind it a loop that is the function above. */
static loop *load(void)
{
    /* ldr x16, .+8; br x16; the address */
    static const uint32_t JUMP[2] = {0x58000050, 0xd61f0200};
    loop *to = body;
    char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(1);
    memcpy(memory, ENTRY, sizeof ENTRY);
    memcpy(memory + BODY, JUMP, sizeof JUMP);
    memcpy(memory + BODY + sizeof JUMP, &to, sizeof to);
    if (mprotect(memory, 4096, PROT_READ | PROT_EXEC) != 0)
        exit(1);
    __builtin___clear_cache(memory, memory + 4096);
    return (loop *)memory;
}

int main(void)
{
    CHECK(control() == 0);
    compute(expected);
    loop *entry = load();
    /* Rounding (two bits), flushing, flushing of halves, NaNs, another half precision. */
    static const int BITS[] = {22, 23, 24, 19, 25, 26};
    static const uint64_t FLAGS[] = {0, 0x1, 0x9b, 0x80000092, 0x0800000f, 0x4};
    int differ = 0, environments = 0;
    for (unsigned set = 0; set < 64; set++)
        for (unsigned f = 0; f < sizeof FLAGS / sizeof *FLAGS; f++) {
            uint64_t wanted = 0, results[8], caller[2];
            for (int b = 0; b < 6; b++)
                wanted |= (uint64_t)(set >> b & 1) << BITS[b];
            tried = wanted;
            set_control(wanted);
            CHECK(control() == wanted);
            compute(results);
            differ += memcmp(results, expected, sizeof results) != 0;

            set_flags(FLAGS[f]);
            uint64_t raised = flags();
            entry((char **)0x1111, (intptr_t *)0x2222, (intptr_t *)0x3333, (void *)0x4444);
            CHECK(flags() == raised && control() == wanted);

            guard_enter(&caller[0], &caller[1]);
            CHECK(control() == 0);
            compute(results);
            CHECK(memcmp(results, expected, sizeof results) == 0 && flags() != raised);
            guard_leave(caller[0], caller[1]);
            CHECK(flags() == raised && control() == wanted);
            environments++;
        }
    set_control(0);
    /* All but the default one, and those that NaNs alone tell apart, had shown in the results. */
    CHECK(bodies == environments && differ >= environments * 3 / 4);
    printf("%d environments, %d of them with other results: all is well\n", environments, differ);
    return 0;
}
