/* A stand-in for libnccl.so.2: ranks of one host exchange through shared memory.
 *
 * Signatures are those of nccl.h 2.32. Every rank has a slot; a collective is done slot by slot
 * between two barriers, by the thread of its stream. Sends and receives are a rendezvous, so that a
 * ring without a group blocks itself, as it does on a GPU.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm.h"
#include "element.h"

static __thread int depth;
static __thread struct batch *group;

void stub_forget_group(void) {
  depth = 0;
  group = NULL;
}

/* As if a peer had died: the operation never ends, and only ncclCommGetAsyncError tells. */
static bool loses(comm *c) {
  static int64_t seen;
  const char *lose = getenv("STUB_LOSE");
  int at, rank;
  if (!lose || sscanf(lose, "%d:%d", &at, &rank) != 2 || rank != c->rank || ++seen < at)
    return false;
  c->failed = REMOTE_ERROR;
  while (!c->aborted)
    stub_pause_us(1000);
  return true;
}

/* ---- collectives ---- */

typedef enum { ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER, ALL_TO_ALL, BROADCAST, SEND, RECV } what;
typedef struct { what what; const char *send; char *recv; size_t count; int type, op, peer; comm *comm;
                 stream *stream; } request;
typedef struct batch { int count; request requests[]; } batch;

/* One block of `count` elements for rank `target`, or for all (-1), block by block through slots. */
static bool exchange(const request *r, int target) {
  comm *c = r->comm;
  size_t size = element_bytes(r->type), most = SLOT / size;
  for (size_t first = 0; first < r->count; first += most) {
    size_t n = r->count - first < most ? r->count - first : most;
    size_t shift = (r->what == REDUCE_SCATTER || r->what == ALL_TO_ALL) ? (size_t)target : 0;
    if (r->what != BROADCAST || c->rank == r->peer)
      memcpy(c->shared->slot[c->rank], r->send + (shift * r->count + first) * size, n * size);
    if (!stub_barrier(c))
      return false;
    char *out = r->recv + first * size;
    bool mine = target < 0 || target == c->rank;
    if (mine && r->what == BROADCAST)
      memcpy(out, c->shared->slot[r->peer], n * size);
    if (mine && (r->what == ALL_GATHER || r->what == ALL_TO_ALL))
      for (int from = 0; from < c->ranks; from++)
        memcpy(out + from * r->count * size, c->shared->slot[from], n * size);
    if (mine && (r->what == ALL_REDUCE || r->what == REDUCE_SCATTER))
      for (size_t i = 0; i < n; i++)
        element_reduce(out + i * size, c->shared->slot[0] + i * size, SLOT, c->ranks, r->type, r->op);
    if (!stub_barrier(c))
      return false;
  }
  return true;
}

/* All sends and receives of a group make progress together; one alone waits for its peer. */
static bool pass(request *requests, int count) {
  size_t done[count], total = 0;
  int64_t until_ns = stub_now_ns() + (int64_t)(stub_number("STUB_TIMEOUT_S", 10) * 1e9);
  bool sent[count];
  for (int i = 0; i < count; i++) {
    done[i] = 0;
    sent[i] = false;
    total += requests[i].count > 0;
  }
  while (total > 0) {
    bool moved = false;
    for (int i = 0; i < count; i++) {
      request *r = &requests[i];
      comm *c = r->comm;
      size_t bytes = r->count * element_bytes(r->type), left = bytes - done[i];
      size_t n = left < MAIL ? left : MAIL;
      struct mail *m = r->what == SEND ? &c->shared->mail[c->rank][r->peer]
                                       : &c->shared->mail[r->peer][c->rank];
      bool full = __atomic_load_n(&m->full, __ATOMIC_ACQUIRE);
      if (done[i] == bytes)
        continue;
      if (r->what == SEND && !full) {
        if (sent[i]) { /* it was fetched: this piece is done */
          done[i] += n;
          sent[i] = false;
        } else {
          memcpy(m->data, r->send + done[i], n);
          sent[i] = true;
          __atomic_store_n(&m->full, 1, __ATOMIC_RELEASE);
        }
        moved = true;
      } else if (r->what == RECV && full) {
        memcpy(r->recv + done[i], m->data, n);
        done[i] += n;
        __atomic_store_n(&m->full, 0, __ATOMIC_RELEASE);
        moved = true;
      }
      total -= done[i] == bytes;
    }
    if (!moved && (requests[0].comm->aborted || stub_now_ns() > until_ns))
      return false;
    if (!moved)
      stub_pause_us(20);
  }
  return true;
}

static int perform(void *argument) {
  batch *b = argument;
  request *r = &b->requests[0];
  bool fine = true;
  if (loses(r->comm))
    return LAUNCH_FAILED;
  if (r->what == SEND || r->what == RECV)
    return pass(b->requests, b->count) ? SUCCESS : LAUNCH_FAILED;
  for (; fine && r < b->requests + b->count; r++) {
    bool blocks = r->what == REDUCE_SCATTER || r->what == ALL_TO_ALL;
    for (int target = 0; fine && blocks && target < r->comm->ranks; target++)
      fine = exchange(r, target);
    fine = fine && (blocks || exchange(r, -1));
  }
  return fine ? SUCCESS : LAUNCH_FAILED;
}

static int queue(batch *b) {
  const request *r = &b->requests[0];
  stream *s = r->stream;
  comm *c = r->comm;
  if (stub_queue(s, perform, b, true)) /* which may free it */
    return CUDA_ERROR;
  stub_hold(s, &c->captured);
  return OK;
}

/* Whether two buffers share memory otherwise than nccl.h allows in place: equal, or one of them the
 * caller's own block of the other. */
static bool overlaps(const request *r, size_t sent, size_t received, size_t block) {
  const char *send = r->send, *own = r->recv;
  bool apart = send + sent <= r->recv || r->recv + received <= send;
  if (r->what == ALL_GATHER)
    own += (size_t)r->comm->rank * block;
  if (r->what == REDUCE_SCATTER)
    send += (size_t)r->comm->rank * block;
  return !apart && send != own;
}

static int submit(const char *function, request r) {
  comm *c = r.comm;
  if (!c || c->magic != MAGIC)
    return stub_refuse(function, "no communicator");
  if (!stub_is_stream(r.stream))
    return stub_refuse(function, "no stream");
  if (r.type < 0 || r.type >= TYPES || r.op < 0 || r.op >= OPERATIONS)
    return stub_refuse(function, "invalid type or reduction");
  if (r.peer < 0 || r.peer >= c->ranks)
    return stub_refuse(function, "invalid root or peer");
  size_t bytes = r.count * element_bytes(r.type), ranks = (size_t)c->ranks;
  bool sends_all = r.what == REDUCE_SCATTER || r.what == ALL_TO_ALL;
  bool gets_all = r.what == ALL_GATHER || r.what == ALL_TO_ALL;
  bool reads = r.what != RECV && (r.what != BROADCAST || c->rank == r.peer);
  if (reads && !stub_inside(r.send, bytes * (sends_all ? ranks : 1), DEVICE))
    return stub_refuse(function, "send buffer is not device memory");
  if (r.what != SEND && !stub_inside(r.recv, bytes * (gets_all ? ranks : 1), DEVICE))
    return stub_refuse(function, "receive buffer is not device memory");
  if (r.what == ALL_TO_ALL && r.send == r.recv)
    return stub_refuse(function, "in place is not supported");
  if (reads && r.what != SEND &&
      overlaps(&r, bytes * (sends_all ? ranks : 1), bytes * (gets_all ? ranks : 1), bytes))
    return stub_refuse(function, "buffers overlap otherwise than in place");
  int held = depth && group ? group->count : 0;
  batch *b = realloc(depth ? group : NULL, sizeof *b + (size_t)(held + 1) * sizeof r);
  b->requests[held] = r;
  b->count = held + 1;
  if (!depth)
    return queue(b);
  group = b;
  return OK;
}

int ncclGroupStart(void) {
  int code = NOTE(0);
  depth += !code;
  return code;
}
int ncclGroupEnd(void) {
  int code = NOTE(0);
  if (code || depth == 0)
    return code ? code : INVALID_USAGE;
  batch *b = --depth ? NULL : group;
  if (b)
    group = NULL;
  return b ? queue(b) : OK;
}

#define W(x) ((int64_t)(x))
#define NOTED(...)                                                                                 \
  int code = NOTE(__VA_ARGS__);                                                                    \
  if (code)                                                                                        \
  return code

int ncclAllReduce(const void *from, void *to, size_t n, int type, int op, comm *c, stream *s) {
  NOTED(W(from), W(to), W(n), type, op, W(c), W(s));
  return submit(__func__, (request){ALL_REDUCE, from, to, n, type, op, 0, c, s});
}
int ncclReduceScatter(const void *from, void *to, size_t n, int type, int op, comm *c, stream *s) {
  NOTED(W(from), W(to), W(n), type, op, W(c), W(s));
  return submit(__func__, (request){REDUCE_SCATTER, from, to, n, type, op, 0, c, s});
}
int ncclAllGather(const void *from, void *to, size_t n, int type, comm *c, stream *s) {
  NOTED(W(from), W(to), W(n), type, W(c), W(s));
  return submit(__func__, (request){ALL_GATHER, from, to, n, type, 0, 0, c, s});
}
int ncclBroadcast(const void *from, void *to, size_t n, int type, int root, comm *c, stream *s) {
  NOTED(W(from), W(to), W(n), type, root, W(c), W(s));
  return submit(__func__, (request){BROADCAST, from, to, n, type, 0, root, c, s});
}
#ifndef STUB_NO_ALLTOALL /* as before NCCL 2.28 */
int ncclAlltoAll(const void *from, void *to, size_t n, int type, comm *c, stream *s) {
  NOTED(W(from), W(to), W(n), type, W(c), W(s));
  return submit(__func__, (request){ALL_TO_ALL, from, to, n, type, 0, 0, c, s});
}
#endif
int ncclSend(const void *from, size_t n, int type, int peer, comm *c, stream *s) {
  NOTED(W(from), W(n), type, peer, W(c), W(s));
  return submit(__func__, (request){SEND, from, NULL, n, type, 0, peer, c, s});
}
int ncclRecv(void *to, size_t n, int type, int peer, comm *c, stream *s) {
  NOTED(W(to), W(n), type, peer, W(c), W(s));
  return submit(__func__, (request){RECV, NULL, to, n, type, 0, peer, c, s});
}
