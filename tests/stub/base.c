/* The log of calls, what the environment asks for, and the memory that was handed out. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stub.h"

/* ---- log ---- */

enum { LOGGED = 1 << 17, WORDS = 8 };
struct call { const char *name; int64_t count, argument[WORDS]; };
struct call stub_log[LOGGED];
int64_t stub_calls;
int stub_rank = -1; /* of the last communicator that this process made */

int stub_note(const char *function, int count, const int64_t *arguments) {
  static int64_t seen;
  int64_t number = __atomic_fetch_add(&stub_calls, 1, __ATOMIC_RELAXED);
  struct call *c = &stub_log[number % LOGGED];
  c->name = function;
  c->count = count;
  for (int i = 0; i < count && i < WORDS; i++)
    c->argument[i] = arguments[i];
  static const char *fail;
  static bool asked;
  if (!asked) {
    fail = getenv("STUB_FAIL");
    asked = true;
  }
  if (!fail)
    return 0;
  char name[64];
  int at, code, rank = -1;
  if (sscanf(fail, "%63[^:]:%d:%d:%d", name, &at, &code, &rank) < 3 || strcmp(name, function))
    return 0;
  return (rank < 0 || rank == stub_rank) && ++seen == at ? code : 0;
}

double stub_number(const char *variable, double otherwise) {
  const char *text = getenv(variable);
  return text ? atof(text) : otherwise;
}

int64_t stub_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void stub_pause_us(double microseconds) {
  struct timespec pause = {0, (long)(microseconds * 1e3)};
  nanosleep(&pause, NULL);
}

/* ---- memory ---- */

enum { RANGES = 1024 };
static struct { char *first; size_t bytes; enum kind kind; } ranges[RANGES];
static size_t used[2];
static pthread_mutex_t memory = PTHREAD_MUTEX_INITIALIZER;

size_t stub_free(enum kind kind) {
  const char *limit = kind == DEVICE ? "STUB_MEMORY_BYTES" : "STUB_PINNED_BYTES";
  double left = stub_number(limit, 1 << 30) - (double)used[kind];
  return left > 0 ? (size_t)left : 0;
}

int stub_allocate(void **pointer, size_t bytes, enum kind kind) {
  int code = OUT_OF_MEMORY;
  pthread_mutex_lock(&memory);
  for (int i = 0; i < RANGES && code; i++) {
    if (ranges[i].first)
      continue;
    if (bytes > stub_free(kind))
      break;
    if (posix_memalign(pointer, 4096, bytes ? bytes : 1))
      break;
    memset(*pointer, 0, bytes);
    ranges[i].first = *pointer;
    ranges[i].bytes = bytes;
    ranges[i].kind = kind;
    used[kind] += bytes;
    code = SUCCESS;
  }
  pthread_mutex_unlock(&memory);
  return code;
}

int stub_release(void *pointer, enum kind kind) {
  int code = INVALID_VALUE;
  pthread_mutex_lock(&memory);
  for (int i = 0; i < RANGES; i++)
    if (pointer && ranges[i].first == pointer && ranges[i].kind == kind) {
      used[kind] -= ranges[i].bytes;
      ranges[i].first = NULL;
      free(pointer);
      code = SUCCESS;
    }
  pthread_mutex_unlock(&memory);
  return code;
}

bool stub_inside(const void *pointer, size_t bytes, enum kind kind) {
  const char *p = pointer;
  bool found = bytes == 0;
  pthread_mutex_lock(&memory);
  for (int i = 0; i < RANGES && !found; i++)
    found = ranges[i].first && ranges[i].kind == kind && p >= ranges[i].first &&
            p + bytes <= ranges[i].first + ranges[i].bytes;
  pthread_mutex_unlock(&memory);
  return found;
}
