/* The timed loop: plain C, no Python.
 *
 * A plan is a list of C calls in four groups. One sample is
 *
 *     before ; start = now ; batch x timed ; complete ; stop = now ; after
 *
 * It allocates nothing and stops at the first return code that a step does not accept. Nothing here
 * knows MPI, CUDA or NCCL: functions come as addresses, arguments as 64-bit words (integers and
 * pointers only).
 */
#ifndef COLLCAST_LOOP_H
#define COLLCAST_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "_clock.h"

enum { MAX_ARGUMENTS = 12, MAX_OK = 4 };
enum group { BEFORE, TIMED, COMPLETE, AFTER, GROUPS };

typedef struct {
  uintptr_t function;
  const int64_t *table; /* rows x count words that replace the arguments, or NULL */
  ptrdiff_t rows;
  int64_t arguments[MAX_ARGUMENTS];
  int count;
  int accepted; /* how many of ok are used; 0 accepts every return code */
  int ok[MAX_OK];
  ptrdiff_t number; /* position in the caller's list */
} step;

typedef struct {
  step *steps; /* sorted by group, the caller's order kept within one */
  ptrdiff_t first[GROUPS + 1];
} plan;

typedef struct {
  ptrdiff_t completed; /* samples whose every step was accepted */
  ptrdiff_t failed;    /* number of the step that was not, or -1 */
  int code;            /* what it returned */
} outcome;

/* ---- built-in steps: ordinary C functions whose addresses the module exports ---- */

static int spin_until(int64_t when_ns) {
  while (clock_now_ns() < when_ns) {
  }
  return 0;
}

static int delay(int64_t duration_ns) {
  int64_t began_ns = clock_now_ns();
  while (clock_now_ns() - began_ns < duration_ns) {
  }
  return 0;
}

/* The same work every time it is called: a chain of dependent multiplications (Knuth's MMIX). */
static int work(int64_t rounds) {
  uint64_t x = 1;
  for (int64_t i = 0; i < rounds; i++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    __asm__ volatile("" : "+r"(x)); /* every round is done, whatever the compiler knows */
  }
  return 0;
}

static int store(int64_t *word, int64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
  return 0;
}

static int increment(int64_t *word) {
  __atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
  return 0;
}

static int nothing(void) { return 0; }

/* ---- the loop ---- */

#define W intptr_t
#define A(i) ((W)a[i])
/* Exact arity: calling through a type with more parameters than the function has is undefined. */
static inline int call(uintptr_t f, const int64_t *a, int count) {
  switch (count) {
  case 0:
    return ((int (*)(void))f)();
  case 1:
    return ((int (*)(W))f)(A(0));
  case 2:
    return ((int (*)(W, W))f)(A(0), A(1));
  case 3:
    return ((int (*)(W, W, W))f)(A(0), A(1), A(2));
  case 4:
    return ((int (*)(W, W, W, W))f)(A(0), A(1), A(2), A(3));
  case 5:
    return ((int (*)(W, W, W, W, W))f)(A(0), A(1), A(2), A(3), A(4));
  case 6:
    return ((int (*)(W, W, W, W, W, W))f)(A(0), A(1), A(2), A(3), A(4), A(5));
  case 7:
    return ((int (*)(W, W, W, W, W, W, W))f)(A(0), A(1), A(2), A(3), A(4), A(5), A(6));
  case 8:
    return ((int (*)(W, W, W, W, W, W, W, W))f)(A(0), A(1), A(2), A(3), A(4), A(5), A(6), A(7));
  case 9:
    return ((int (*)(W, W, W, W, W, W, W, W, W))f)(A(0), A(1), A(2), A(3), A(4), A(5), A(6), A(7),
                                                   A(8));
  case 10:
    return ((int (*)(W, W, W, W, W, W, W, W, W, W))f)(A(0), A(1), A(2), A(3), A(4), A(5), A(6),
                                                      A(7), A(8), A(9));
  case 11:
    return ((int (*)(W, W, W, W, W, W, W, W, W, W, W))f)(A(0), A(1), A(2), A(3), A(4), A(5), A(6),
                                                         A(7), A(8), A(9), A(10));
  default:
    return ((int (*)(W, W, W, W, W, W, W, W, W, W, W, W))f)(A(0), A(1), A(2), A(3), A(4), A(5),
                                                            A(6), A(7), A(8), A(9), A(10), A(11));
  }
}
#undef A
#undef W

static inline bool accepts(const step *s, int code) {
  for (int i = 0; i < s->accepted; i++)
    if (s->ok[i] == code)
      return true;
  return s->accepted == 0;
}

/* Runs one group for the operation of the given index; true if every step was accepted. */
static inline bool run_group(const plan *p, enum group group, int64_t index, outcome *out) {
  for (ptrdiff_t i = p->first[group]; i < p->first[group + 1]; i++) {
    const step *s = &p->steps[i];
    const int64_t *arguments = s->arguments;
    if (s->table)
      arguments = s->table + (index % s->rows) * s->count;
    int code = call(s->function, arguments, s->count);
    if (!accepts(s, code)) {
      out->failed = s->number;
      out->code = code;
      return false;
    }
  }
  return true;
}

static bool run_sample(const plan *p, int64_t index, int64_t batch, int64_t *start, int64_t *stop,
                       outcome *out) {
  if (!run_group(p, BEFORE, index, out))
    return false;
  *start = clock_now_ns();
  for (int64_t j = 0; j < batch; j++)
    if (!run_group(p, TIMED, index * batch + j, out))
      return false;
  if (!run_group(p, COMPLETE, index, out))
    return false;
  *stop = clock_now_ns();
  return run_group(p, AFTER, index, out);
}

#endif
