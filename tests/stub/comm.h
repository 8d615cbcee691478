/* NCCL's communicators, which comm.c makes and nccl.c uses. */
#ifndef STUB_COMM_H
#define STUB_COMM_H

#include "stub.h"

enum { OK, CUDA_ERROR, SYSTEM_ERROR, INTERNAL_ERROR, INVALID_ARGUMENT, INVALID_USAGE, REMOTE_ERROR };
enum { MOST_RANKS = 16, SLOT = 1 << 18, MAIL = 1 << 14, MAGIC = 0x6e63636c };

struct mail { uint32_t full; char data[MAIL]; };
struct shared {
  uint32_t arrived, turn;
  struct mail mail[MOST_RANKS][MOST_RANKS]; /* from, to */
  char slot[MOST_RANKS][SLOT];
};
typedef struct comm {
  int magic, rank, ranks, failed;
  bool aborted;
  struct shared *shared;
  int captured; /* operations in graphs that are not freed */
} comm;

bool stub_barrier(comm *c); /* false if a rank does not come */
int stub_refuse(const char *function, const char *what);
void stub_forget_group(void); /* one that was never ended is not the next communicator's */

#endif
