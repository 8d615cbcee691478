/* The life of NCCL's communicators and registered memory; ranks share memory named by the id.
 *
 * Enumerations and signatures are those of nccl.h 2.32.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "comm.h"

typedef struct { char internal[128]; } unique_id;

static char last_error[160];

int stub_refuse(const char *function, const char *what) {
  snprintf(last_error, sizeof last_error, "%s : %s", function, what);
  return INVALID_ARGUMENT;
}

/* ---- ranks wait for each other ---- */

static bool await(comm *c, uint32_t *word, uint32_t value, bool equal) {
  int64_t until_ns = stub_now_ns() + (int64_t)(stub_number("STUB_TIMEOUT_S", 10) * 1e9);
  for (int spins = 0; (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value) != equal; spins++) {
    if (c->aborted || stub_now_ns() > until_ns)
      return false;
    if (spins > 100)
      stub_pause_us(20);
  }
  return true;
}

bool stub_barrier(comm *c) {
  struct shared *s = c->shared;
  uint32_t turn = __atomic_load_n(&s->turn, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&s->arrived, 1, __ATOMIC_ACQ_REL) < (uint32_t)c->ranks)
    return await(c, &s->turn, turn, false);
  __atomic_store_n(&s->arrived, 0, __ATOMIC_RELEASE);
  __atomic_add_fetch(&s->turn, 1, __ATOMIC_ACQ_REL);
  return true;
}

/* ---- life cycle ---- */

int ncclGetVersion(int *version) {
  *version = (int)stub_number("STUB_VERSION", 29900); /* 2.99.0: no NCCL */
  return OK;
}

int ncclGetUniqueId(unique_id *id) {
  memset(id, 0, sizeof *id);
  return getrandom(id->internal, 8, 0) == 8 ? OK : SYSTEM_ERROR;
}

static struct shared *join(const char *name, int rank) {
  for (int tries = 0; tries < 20000; tries++) {
    int file = shm_open(name, rank ? O_RDWR : O_RDWR | O_CREAT | O_EXCL, 0600);
    struct shared *s = MAP_FAILED;
    if (file >= 0 && (rank || ftruncate(file, sizeof *s) == 0) &&
        lseek(file, 0, SEEK_END) == sizeof *s)
      s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0)
      close(file);
    if (s != MAP_FAILED || !rank)
      return s == MAP_FAILED ? NULL : s;
    stub_pause_us(500);
  }
  return NULL;
}

int ncclCommInitRank(comm **made, int ranks, unique_id id, int rank) {
  stub_rank = rank;
  stub_forget_group();
  int code = NOTE(ranks, rank);
  if (code)
    return code;
  if (rank < 0 || rank >= ranks || ranks > MOST_RANKS)
    return stub_refuse(__func__, "rank or number of ranks");
  char name[40];
  uint64_t number;
  memcpy(&number, id.internal, sizeof number);
  snprintf(name, sizeof name, "/collcast-stub-%016llx", (unsigned long long)number);
  comm *c = calloc(1, sizeof *c);
  *c = (comm){MAGIC, rank, ranks, OK, false, join(name, rank), 0};
  bool joined = c->shared && stub_barrier(c);
  if (rank == 0)
    shm_unlink(name);
  *made = c;
  return joined ? OK : SYSTEM_ERROR;
}

/* What nccl4py calls; the configuration is not looked at. */
int ncclCommInitRankScalable(comm **made, int ranks, int rank, int ids, const unique_id *id,
                             const void *config) {
  int code = NOTE(ranks, rank, ids, (int64_t)config);
  if (code)
    return code;
  return ids == 1 ? ncclCommInitRank(made, ranks, *id, rank) : stub_refuse(__func__, "number of ids");
}

/* The lowest rank of a color makes the new id and mails it to the others through its slot. */
#ifndef STUB_NO_SPLIT /* as before NCCL 2.18 */
int ncclCommSplit(comm *c, int color, int key, comm **made, void *config) {
  int code = NOTE((int64_t)c, color, key, (int64_t)config);
  if (code)
    return code;
  if (!c || c->magic != MAGIC || color < 0)
    return stub_refuse(__func__, "communicator or color");
  struct { int color, key; unique_id id; } mine = {color, key, {{0}}}, other;
  ncclGetUniqueId(&mine.id);
  memcpy(c->shared->slot[c->rank], &mine, sizeof mine);
  if (!stub_barrier(c))
    return SYSTEM_ERROR;
  int ranks = 0, rank = 0;
  for (int i = c->ranks - 1; i >= 0; i--) {
    memcpy(&other, c->shared->slot[i], sizeof other);
    if (other.color != color)
      continue;
    ranks++;
    rank += other.key < key || (other.key == key && i < c->rank);
    mine.id = other.id;
  }
  return stub_barrier(c) ? ncclCommInitRank(made, ranks, mine.id, rank) : SYSTEM_ERROR;
}
#endif

static int end(comm *c) {
  if (!c || c->magic != MAGIC)
    return stub_refuse("ncclCommDestroy", "no communicator");
  if (c->captured)
    return stub_refuse("ncclCommDestroy", "operations in a graph: NCCL waits until it is freed");
  c->aborted = true; /* its memory stays: a thread may still look at it */
  c->magic = 0;
  return OK;
}
int ncclCommDestroy(comm *c) {
  NOTE((int64_t)c);
  return end(c);
}
int ncclCommAbort(comm *c) {
  NOTE((int64_t)c);
  return end(c);
}
int ncclCommGetAsyncError(comm *c, int *code) {
  *code = c->failed ? c->failed : c->aborted ? REMOTE_ERROR : OK;
  return OK;
}

const char *ncclGetLastError(comm *c) {
  (void)c;
  return last_error[0] ? last_error : "stub: as asked";
}
const char *ncclGetErrorString(int code) {
  static const char *texts[] = {"no error", "unhandled cuda error", "unhandled system error",
                                "internal error", "invalid argument", "invalid usage",
                                "remote process exited or there was a network error"};
  return code >= 0 && code < 7 ? texts[code] : "unknown result code";
}

/* ---- registration: written down ---- */

int ncclMemAlloc(void **pointer, size_t bytes) {
  NOTE((int64_t)bytes);
  return stub_allocate(pointer, bytes, DEVICE) ? CUDA_ERROR : OK;
}
int ncclMemFree(void *pointer) { return stub_release(pointer, DEVICE) ? CUDA_ERROR : OK; }
int ncclCommRegister(comm *c, void *buffer, size_t bytes, void **handle) {
  NOTE((int64_t)c, (int64_t)buffer, (int64_t)bytes);
  *handle = buffer;
  return c->magic == MAGIC && stub_inside(buffer, bytes, DEVICE) ? OK
                                                                 : stub_refuse(__func__, "buffer");
}
int ncclCommDeregister(comm *c, void *handle) {
  NOTE((int64_t)c, (int64_t)handle);
  return OK;
}
int ncclCommWindowRegister(comm *c, void *buffer, size_t bytes, void **window, int flags) {
  NOTE((int64_t)c, (int64_t)buffer, (int64_t)bytes, flags);
  *window = buffer;
  bool fine = c->magic == MAGIC && flags == 1 && stub_inside(buffer, bytes, DEVICE);
  return fine ? OK : stub_refuse(__func__, "buffer or flags");
}
int ncclCommWindowDeregister(comm *c, void *window) {
  NOTE((int64_t)c, (int64_t)window);
  return OK;
}
