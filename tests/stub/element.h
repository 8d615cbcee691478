/* Elements of NCCL's data types: sizes and exact reductions, also of those that C lacks. */
#ifndef STUB_ELEMENT_H
#define STUB_ELEMENT_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { INT8, UINT8, INT32, UINT32, INT64, UINT64, FLOAT16, FLOAT32, FLOAT64, BFLOAT16, E4M3, E5M2,
       TYPES };
enum { SUM, PROD, MAX, MIN, AVG, OPERATIONS };

static inline size_t element_bytes(int type) {
  static const size_t bytes[TYPES] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
  return bytes[type];
}

/* Exponent and mantissa bits of the narrow formats; e4m3 has no infinity and one NaN (OCP "fn"). */
static inline void widths(int type, int *exponent, int *mantissa) {
  *exponent = type == FLOAT16 ? 5 : type == BFLOAT16 ? 8 : type == E4M3 ? 4 : 5;
  *mantissa = type == FLOAT16 ? 10 : type == BFLOAT16 ? 7 : type == E4M3 ? 3 : 2;
}

static inline double decode(unsigned bits, int type) {
  int e, m;
  widths(type, &e, &m);
  int exponent = (int)(bits >> m) & ((1 << e) - 1), bias = (1 << (e - 1)) - 1;
  int fraction = (int)(bits & ((1u << m) - 1));
  double sign = bits >> (e + m) & 1 ? -1 : 1;
  if (exponent == (1 << e) - 1 && (type != E4M3 || fraction == 7))
    return fraction ? NAN : sign * INFINITY;
  if (exponent == 0)
    return sign * ldexp(fraction, 1 - bias - m);
  return sign * ldexp(fraction + (1 << m), exponent - bias - m);
}

/* Rounds to the nearest, ties to even; what is too large becomes infinity (e4m3: its NaN). */
static inline unsigned encode(double value, int type) {
  int e, m, exponent;
  widths(type, &e, &m);
  int bias = (1 << (e - 1)) - 1;
  unsigned sign = (unsigned)(signbit(value) != 0) << (e + m);
  double size = fabs(value);
  if (size == 0)
    return sign;
  frexp(size, &exponent); /* size = f 2^exponent with f in [1/2, 1) */
  int shift = exponent - 1 < 1 - bias ? 1 - bias - m : exponent - 1 - m;
  double whole = nearbyint(ldexp(size, -shift)); /* below 2^(m+1), or equal to it */
  unsigned bits = (unsigned)whole;
  if (isnan(size) || isinf(size) || shift > bias)
    bits = ~0u;
  else if (bits >= 1u << m)
    bits += (unsigned)(shift + m + bias - 1) << m; /* the leading bit counts as one exponent */
  unsigned most = type == E4M3 ? (1u << (e + m)) - 1 : ((1u << e) - 1) << m;
  return sign | (bits > most ? most : bits);
}

static inline double combine(double a, double b, int op) {
  return op == PROD ? a * b : op == MAX ? fmax(a, b) : op == MIN ? fmin(a, b) : a + b;
}

#define REDUCE(T, W)                                                                               \
  do {                                                                                             \
    T x;                                                                                           \
    memcpy(&x, in, sizeof x);                                                                      \
    for (int q = 1; q < ranks; q++) {                                                              \
      T y;                                                                                         \
      memcpy(&y, in + (size_t)q * stride, sizeof y);                                               \
      x = op == PROD  ? (T)((W)x * (W)y)                                                           \
          : op == MAX ? (x > y ? x : y)                                                            \
          : op == MIN ? (x < y ? x : y)                                                            \
                      : (T)((W)x + (W)y);                                                          \
    }                                                                                              \
    if (op == AVG)                                                                                 \
      x = (T)(x / (T)ranks);                                                                       \
    memcpy(out, &x, sizeof x);                                                                     \
  } while (0)

/* out = in[0] op in[stride] op ..., one element each. */
static inline void element_reduce(char *out, const char *in, size_t stride, int ranks, int type,
                                  int op) {
  switch (type) {
  case INT8: REDUCE(int8_t, uint32_t); return;
  case UINT8: REDUCE(uint8_t, uint32_t); return;
  case INT32: REDUCE(int32_t, uint32_t); return;
  case UINT32: REDUCE(uint32_t, uint32_t); return;
  case INT64: REDUCE(int64_t, uint64_t); return;
  case UINT64: REDUCE(uint64_t, uint64_t); return;
  case FLOAT32: REDUCE(float, float); return;
  case FLOAT64: REDUCE(double, double); return;
  default: break;
  }
  size_t bytes = element_bytes(type);
  double x = 0;
  for (int q = 0; q < ranks; q++) {
    uint16_t bits = 0;
    memcpy(&bits, in + (size_t)q * stride, bytes);
    double y = decode(bits, type);
    x = q == 0 ? y : decode(encode(combine(x, y, op), type), type);
  }
  uint16_t bits = (uint16_t)encode(op == AVG ? x / ranks : x, type);
  memcpy(out, &bits, bytes);
}

#endif
