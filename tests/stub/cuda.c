/* A stand-in for libcuda.so.1: the driver's functions that collcast calls, on host memory. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "stub.h"

/* ---- memory ---- */

int cuMemAlloc_v2(void **pointer, size_t bytes) {
  int code = NOTE((int64_t)bytes);
  return code ? code : stub_allocate(pointer, bytes, DEVICE);
}
int cuMemGetInfo_v2(size_t *free, size_t *total) {
  *free = stub_free(DEVICE);
  *total = *free;
  return SUCCESS;
}
int cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags) {
  (void)flags;
  return stub_allocate(pointer, bytes, PINNED);
}
int cuMemHostGetDevicePointer_v2(void **device, void *host, unsigned flags) {
  if (flags || !stub_inside(host, 1, PINNED))
    return INVALID_VALUE;
  *device = host;
  return SUCCESS;
}

/* ---- streams ---- */

typedef struct job { struct job *next; work what; void *argument; bool moves; int *held; } job;
struct stream {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  job *first, *last;
  int64_t queued, done;
  int failed;
  bool ending, capturing;
  job *captured, **end, *latest; /* of the graph being captured */
};

enum { STREAMS = 64 };
static stream *streams[STREAMS];

bool stub_is_stream(const stream *s) {
  for (int i = 0; i < STREAMS; i++)
    if (s && streams[i] == s)
      return true;
  return false;
}

static int run(const job *j) {
  double delay_us = stub_number("STUB_DELAY_US", 200);
  if (j->moves && delay_us > 0)
    stub_pause_us(delay_us);
  return j->what(j->argument);
}

static void wait_until_idle(stream *s) {
  pthread_mutex_lock(&s->lock);
  while (s->done < s->queued)
    pthread_cond_wait(&s->changed, &s->lock);
  pthread_mutex_unlock(&s->lock);
}

/* As CUDA's: freeing waits for whatever may still use the memory. */
static int free_memory(void *pointer, enum kind kind) {
  for (int i = 0; i < STREAMS; i++)
    if (streams[i])
      wait_until_idle(streams[i]);
  return stub_release(pointer, kind);
}
int cuMemFree_v2(void *pointer) { return free_memory(pointer, DEVICE); }
int cuMemFreeHost(void *pointer) { return free_memory(pointer, PINNED); }

static void *serve(void *argument) {
  stream *s = argument;
  pthread_mutex_lock(&s->lock);
  while (true) {
    while (!s->first && !s->ending)
      pthread_cond_wait(&s->changed, &s->lock);
    if (!s->first)
      break;
    job *j = s->first;
    s->first = j->next;
    int code = s->failed;
    pthread_mutex_unlock(&s->lock);
    if (!code || !j->moves) /* after an error nothing moves any more */
      code = run(j);
    free(j->argument);
    free(j);
    pthread_mutex_lock(&s->lock);
    s->failed = s->failed ? s->failed : code;
    s->done++;
    pthread_cond_broadcast(&s->changed);
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

int cuStreamCreate(stream **made, unsigned flags) {
  int slot = 0;
  while (slot < STREAMS && streams[slot])
    slot++;
  if (slot == STREAMS || flags != 1) /* collcast uses streams apart from the default one only */
    return INVALID_VALUE;
  stream *s = calloc(1, sizeof *s);
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  if (stub_number("STUB_DELAY_US", 200) >= 0)
    pthread_create(&s->thread, NULL, serve, s);
  *made = streams[slot] = s;
  return SUCCESS;
}

void stub_hold(stream *s, int *held) {
  if (!s->capturing)
    return;
  s->latest->held = held;
  ++*held;
}

int cuStreamDestroy_v2(stream *s) {
  if (!stub_is_stream(s))
    return INVALID_HANDLE;
  pthread_mutex_lock(&s->lock);
  s->ending = true;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
  if (s->thread)
    pthread_join(s->thread, NULL);
  for (int i = 0; i < STREAMS; i++)
    streams[i] = streams[i] == s ? NULL : streams[i];
  free(s);
  return SUCCESS;
}

int stub_queue(stream *s, work what, void *argument, bool moves) {
  if (!stub_is_stream(s))
    return INVALID_HANDLE;
  job *j = malloc(sizeof *j);
  *j = (job){NULL, what, argument, moves, NULL};
  if (s->capturing) {
    *s->end = s->latest = j;
    s->end = &j->next;
    return SUCCESS;
  }
  if (!s->thread) {
    int code = run(j);
    s->failed = s->failed ? s->failed : code;
    free(argument);
    free(j);
    return s->failed;
  }
  pthread_mutex_lock(&s->lock);
  if (s->first)
    s->last->next = j;
  else
    s->first = j;
  s->last = j;
  s->queued++;
  int failed = s->failed;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
  return failed;
}

int cuStreamSynchronize(stream *s) {
  int code = NOTE((int64_t)s);
  if (code)
    return code;
  if (!stub_is_stream(s))
    return INVALID_HANDLE;
  if (s->capturing)
    return CAPTURING;
  wait_until_idle(s);
  return s->failed;
}

/* ---- events ---- */

typedef struct event { pthread_mutex_t lock; pthread_cond_t changed; int64_t wanted, done, when_ns; } event;

int cuEventCreate(event **made, unsigned flags) {
  event *e = calloc(1, sizeof *e);
  pthread_mutex_init(&e->lock, NULL);
  pthread_cond_init(&e->changed, NULL);
  *made = e;
  return flags ? INVALID_VALUE : SUCCESS; /* collcast's events take the time */
}
int cuEventDestroy_v2(event *e) {
  free(e);
  return SUCCESS;
}

static int complete(void *argument) {
  event *e = *(event **)argument;
  pthread_mutex_lock(&e->lock);
  e->when_ns = stub_now_ns();
  e->done++;
  pthread_cond_broadcast(&e->changed);
  pthread_mutex_unlock(&e->lock);
  return SUCCESS;
}

int cuEventRecord(event *e, stream *s) {
  int code = NOTE((int64_t)e, (int64_t)s);
  if (code)
    return code;
  if (!e || !stub_is_stream(s))
    return INVALID_HANDLE;
  if (s->capturing) /* allowed by CUDA, but such an event tells no time */
    return CAPTURING;
  event **argument = malloc(sizeof *argument);
  *argument = e;
  pthread_mutex_lock(&e->lock);
  e->wanted++;
  pthread_mutex_unlock(&e->lock);
  return stub_queue(s, complete, argument, false);
}

int cuEventSynchronize(event *e) {
  int code = NOTE((int64_t)e);
  if (code)
    return code;
  pthread_mutex_lock(&e->lock);
  while (e->done < e->wanted)
    pthread_cond_wait(&e->changed, &e->lock);
  pthread_mutex_unlock(&e->lock);
  return SUCCESS;
}

int cuEventElapsedTime_v2(float *milliseconds, event *from, event *to) {
  int code = NOTE((int64_t)milliseconds, (int64_t)from, (int64_t)to);
  if (code)
    return code;
  if (!from->wanted || !to->wanted)
    return INVALID_HANDLE;
  if (from->done < from->wanted || to->done < to->wanted)
    return NOT_READY;
  *milliseconds = (float)((double)(to->when_ns - from->when_ns) * 1e-6);
  return SUCCESS;
}

/* ---- copies ---- */

struct copy { void *to; const void *from; size_t bytes; };

static int move(void *argument) {
  struct copy *c = argument;
  memcpy(c->to, c->from, c->bytes);
  return SUCCESS;
}

static int copy(void *to, enum kind to_kind, const void *from, enum kind from_kind, size_t bytes,
                stream *s) {
  /* Synchronous copies take any host memory; asynchronous ones must be given pinned memory. */
  if ((to_kind == DEVICE || s) && !stub_inside(to, bytes, to_kind))
    return INVALID_VALUE;
  if ((from_kind == DEVICE || s) && !stub_inside(from, bytes, from_kind))
    return INVALID_VALUE;
  struct copy *c = malloc(sizeof *c);
  *c = (struct copy){to, from, bytes};
  if (s)
    return stub_queue(s, move, c, true);
  move(c);
  free(c);
  return SUCCESS;
}

#define COPY(name, to_kind, from_kind)                                                             \
  int name##_v2(void *to, const void *from, size_t bytes) {                                        \
    int code = NOTE((int64_t)to, (int64_t)from, (int64_t)bytes);                                   \
    return code ? code : copy(to, to_kind, from, from_kind, bytes, NULL);                          \
  }                                                                                                \
  int name##Async_v2(void *to, const void *from, size_t bytes, stream *s) {                        \
    int code = NOTE((int64_t)to, (int64_t)from, (int64_t)bytes, (int64_t)s);                       \
    if (!stub_is_stream(s))                                                                        \
      return INVALID_HANDLE;                                                                       \
    return code ? code : copy(to, to_kind, from, from_kind, bytes, s);                             \
  }
COPY(cuMemcpyDtoH, PINNED, DEVICE)
COPY(cuMemcpyHtoD, DEVICE, PINNED)
COPY(cuMemcpyDtoD, DEVICE, DEVICE)

struct side { size_t x, y, type; char *host, *device; void *array; size_t pitch; };
struct rows { struct side from, to; size_t width, height; }; /* CUDA_MEMCPY2D_v2 */

static int move_rows(void *argument) {
  struct rows *r = argument;
  char *from = r->from.type == 1 ? r->from.host : r->from.device;
  char *to = r->to.type == 1 ? r->to.host : r->to.device;
  for (size_t i = 0; i < r->height; i++)
    memcpy(to + i * r->to.pitch, from + i * r->from.pitch, r->width);
  return SUCCESS;
}

static bool holds(const struct side *s, size_t width, size_t height) {
  bool host = s->type == 1, fits = s->pitch >= width && height > 0;
  return (host || s->type == 2) && !s->x && !s->y && !s->array && fits &&
         stub_inside(host ? s->host : s->device, (height - 1) * s->pitch + width,
                     host ? PINNED : DEVICE);
}

int cuMemcpy2DAsync_v2(const struct rows *given, stream *s) {
  int code = NOTE((int64_t)given, (int64_t)s);
  if (code)
    return code;
  if (!stub_is_stream(s))
    return INVALID_HANDLE;
  if (!holds(&given->from, given->width, given->height) ||
      !holds(&given->to, given->width, given->height))
    return INVALID_VALUE;
  struct rows *r = malloc(sizeof *r);
  *r = *given;
  return stub_queue(s, move_rows, r, true);
}

/* ---- graphs: the captured jobs, run as one ---- */

static int replay(void *argument) {
  int code = SUCCESS;
  for (job *j = *(job **)argument; j && !code; j = j->next)
    code = run(j);
  return code;
}

int cuStreamBeginCapture_v2(stream *s, int mode) {
  if (!stub_is_stream(s) || s->capturing || mode < 0 || mode > 2)
    return INVALID_VALUE;
  s->capturing = true;
  s->captured = NULL;
  s->end = &s->captured;
  return SUCCESS;
}
int cuStreamEndCapture(stream *s, job **graph) {
  if (!stub_is_stream(s) || !s->capturing)
    return INVALID_VALUE;
  s->capturing = false;
  *graph = s->captured;
  return SUCCESS;
}
int cuGraphInstantiateWithFlags(job **instance, job *graph, unsigned long long flags) {
  *instance = graph;
  return flags || !graph ? INVALID_VALUE : SUCCESS;
}
int cuGraphLaunch(job *instance, stream *s) {
  int code = NOTE((int64_t)instance, (int64_t)s);
  job **argument = malloc(sizeof *argument);
  *argument = instance;
  return code ? code : stub_queue(s, replay, argument, false);
}
int cuGraphExecDestroy(job *instance) {
  NOTE((int64_t)instance);
  while (instance) {
    job *next = instance->next;
    if (instance->held)
      --*instance->held;
    free(instance->argument);
    free(instance);
    instance = next;
  }
  return SUCCESS;
}
int cuGraphDestroy(job *graph) {
  (void)graph; /* goes with its instance */
  return SUCCESS;
}

/* ---- the rest ---- */

int cuInit(unsigned flags) { return flags ? INVALID_VALUE : SUCCESS; }
int cuDriverGetVersion(int *version) {
  *version = 99000;
  return SUCCESS;
}
int cuDeviceGetCount(int *count) {
  *count = (int)stub_number("STUB_DEVICES", 1);
  return SUCCESS;
}
int cuGetErrorString(int code, const char **text) {
  *text = code == SUCCESS         ? "no error"
          : code == OUT_OF_MEMORY ? "out of memory"
          : code == LAUNCH_FAILED ? "unspecified launch failure"
          : code == NOT_SUPPORTED ? "operation not supported"
          : code == INVALID_VALUE ? "invalid argument"
          : code == NOT_READY     ? "device not ready"
          : code == INVALID_HANDLE ? "invalid resource handle"
                                  : "unknown error";
  return SUCCESS;
}
