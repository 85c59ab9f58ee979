/* C17 with extensions of GCC and Clang; made by the Vitte compiler. */
#include <stdbool.h>
#include <stdint.h>

/* GCC fuses nothing in `-std=c17` and does not know the pragma. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-label"
#pragma GCC diagnostic ignored "-Wpedantic"

typedef unsigned __int128 vit_u128;
typedef __int128 vit_i128;

/* Memory by address. */
typedef uint8_t vit_mem8 __attribute__((may_alias));
typedef uint16_t vit_mem16 __attribute__((may_alias, aligned(1)));
typedef uint32_t vit_mem32 __attribute__((may_alias, aligned(1)));
typedef uint64_t vit_mem64 __attribute__((may_alias, aligned(1)));
typedef vit_u128 vit_mem128 __attribute__((may_alias, aligned(1)));
typedef float vit_memf32 __attribute__((may_alias, aligned(1)));
typedef double vit_memf64 __attribute__((may_alias, aligned(1)));
#define VIT_MEM(type, address) (*(vit_##type *)(uintptr_t)(address))
#define VIT_ADDRESS(thing) ((uint64_t)(uintptr_t)&(thing))

/* C functions keep their names, which some systems begin with an underscore. */
#define VIT_TEXT_(text) #text
#define VIT_TEXT(text) VIT_TEXT_(text)
#define VIT_C(name) __asm__(VIT_TEXT(__USER_LABEL_PREFIX__) name)

/* A count that is never reached by releases. */
#define VIT_IMMORTAL (INT64_C(1) << 62)

static inline void vit_retain(uint64_t object) { VIT_MEM(mem64, object) += 1; }
static inline bool vit_release(uint64_t object) { return (VIT_MEM(mem64, object) -= 1) == 0; }
static inline bool vit_is_shared(uint64_t object) { return VIT_MEM(mem64, object) != 1; }
/* Others still refer to what was copied, so its count stays above zero. */
static inline uint64_t vit_exchange(uint64_t object, uint64_t copy) {
    VIT_MEM(mem64, object) -= 1;
    return copy;
}

#define VIT_DIVISION(bits, type) \
    static inline type vit_sdiv##bits(type a, type b) { \
        return b == (type)-1 ? (type)(0 - a) : (type)((vit_s##bits)a / (vit_s##bits)b); \
    } \
    static inline type vit_srem##bits(type a, type b) { \
        return b == (type)-1 ? (type)0 : (type)((vit_s##bits)a % (vit_s##bits)b); \
    }
typedef int8_t vit_s8;
typedef int16_t vit_s16;
typedef int32_t vit_s32;
typedef int64_t vit_s64;
typedef vit_i128 vit_s128;
VIT_DIVISION(8, uint8_t)
VIT_DIVISION(16, uint16_t)
VIT_DIVISION(32, uint32_t)
VIT_DIVISION(64, uint64_t)
VIT_DIVISION(128, vit_u128)

static inline uint8_t vit_clz8(uint8_t a) { return a ? (uint8_t)(__builtin_clz(a) - 24) : 8; }
static inline uint16_t vit_clz16(uint16_t a) { return a ? (uint16_t)(__builtin_clz(a) - 16) : 16; }
static inline uint32_t vit_clz32(uint32_t a) { return a ? (uint32_t)__builtin_clz(a) : 32; }
static inline uint64_t vit_clz64(uint64_t a) { return a ? (uint64_t)__builtin_clzll(a) : 64; }
static inline vit_u128 vit_clz128(vit_u128 a) {
    return a >> 64 ? vit_clz64((uint64_t)(a >> 64)) : 64 + vit_clz64((uint64_t)a);
}

/* Toward zero, to the nearest that there is, and NaN to 0. Limits are powers of two, so they are exact. */
#define VIT_FROM_FLOAT(bits, limit) \
    static inline uint##bits##_t vit_to_s##bits(double a) { \
        if (!(a > -limit / 2)) return a != a ? 0 : (uint##bits##_t)INT##bits##_MIN; \
        return a >= limit / 2 ? (uint##bits##_t)INT##bits##_MAX : (uint##bits##_t)(int##bits##_t)a; \
    } \
    static inline uint##bits##_t vit_to_u##bits(double a) { \
        if (!(a > 0)) return 0; \
        return a >= limit ? UINT##bits##_MAX : (uint##bits##_t)a; \
    }
VIT_FROM_FLOAT(8, 0x1p8)
VIT_FROM_FLOAT(16, 0x1p16)
VIT_FROM_FLOAT(32, 0x1p32)
VIT_FROM_FLOAT(64, 0x1p64)

typedef union { uint32_t bits; float value; } vit_cast32;
typedef union { uint64_t bits; double value; } vit_cast64;
static inline float vit_f32(uint32_t bits) { return (vit_cast32){.bits = bits}.value; }
static inline double vit_f64(uint64_t bits) { return (vit_cast64){.bits = bits}.value; }
static inline uint32_t vit_bits32(float value) { return (vit_cast32){.value = value}.bits; }
static inline uint64_t vit_bits64(double value) { return (vit_cast64){.value = value}.bits; }

/* Strings, bytes and lists without elements. */
#define VIT_SEQUENCE(size) \
    struct { \
        int64_t count; \
        uint64_t length, capacity; \
        char data[size]; \
    }
typedef struct {
    uint64_t file, line, column;
} vit_place;
