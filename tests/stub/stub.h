/* What the files share: streams that run jobs in order, memory that is known, a log of calls.
 *
 * The stub stands in for libcuda and libnccl on machines without a GPU. Device memory is host
 * memory. A stream is a thread that runs its jobs in order, each job that moves data only after a
 * delay, so that whoever reads too early reads what was there before.
 *
 *   STUB_DELAY_US      pause before each job that moves data (200); below 0: no threads, jobs run
 *                      inside the call that queues them
 *   STUB_TIMEOUT_S     a job that waits for another rank, or for a gate, fails after so long (10)
 *   STUB_MEMORY_BYTES  device memory of this process (1 GiB)
 *   STUB_PINNED_BYTES  pinned memory of this process (1 GiB)
 *   STUB_DEVICES       devices of this host (1)
 *   STUB_FAIL          FUNCTION:CALL:CODE[:RANK]: that call, counted from 1, returns that code
 *   STUB_LOSE          OPERATION:RANK: NCCL's operations of that rank never end, from that one on, and
 *                      ncclCommGetAsyncError says that a peer is gone
 *   STUB_VERSION       of NCCL, as ncclGetVersion says it (29900)
 *   STUB_NO_GATE       if set, cuStreamWaitValue32 is refused
 */
#ifndef STUB_H
#define STUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_HANDLE = 400, NOT_READY = 600,
       LAUNCH_FAILED = 719, NOT_SUPPORTED = 801, CAPTURING = 900 };
enum kind { DEVICE, PINNED };

typedef struct stream stream;
typedef int (*work)(void *argument); /* returns a CUresult, which sticks to the stream */

bool stub_is_stream(const stream *s);
/* Takes over `argument`, which came from malloc; returns a CUresult. */
int stub_queue(stream *s, work what, void *argument, bool moves);
void stub_hold(stream *s, int *held); /* counts the job just captured, if one was, until it is freed */
int stub_allocate(void **pointer, size_t bytes, enum kind kind); /* returns a CUresult */
size_t stub_free(enum kind kind); /* bytes that nobody has */
int stub_release(void *pointer, enum kind kind);
bool stub_inside(const void *pointer, size_t bytes, enum kind kind);
double stub_number(const char *variable, double otherwise);
int64_t stub_now_ns(void);
void stub_pause_us(double microseconds);

/* Writes a call down; returns the code that STUB_FAIL asks for, else 0. */
int stub_note(const char *function, int count, const int64_t *arguments);
extern int stub_rank;
#define NOTE(...)                                                                                  \
  stub_note(__func__, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

#endif
