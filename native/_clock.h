/* The one clock: CLOCK_MONOTONIC_RAW, which no time daemon slews. */
#ifndef COLLCAST_CLOCK_H
#define COLLCAST_CLOCK_H

#include <stdint.h>
#include <time.h>

#define COLLCAST_CLOCK CLOCK_MONOTONIC_RAW
#define COLLCAST_CLOCK_NAME "CLOCK_MONOTONIC_RAW"

static inline int64_t clock_now_ns(void) {
  struct timespec now;
  clock_gettime(COLLCAST_CLOCK, &now);
  return (int64_t)now.tv_sec * 1000000000 + (int64_t)now.tv_nsec;
}

#endif
