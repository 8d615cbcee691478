/* Stops a writer at its k-th call that changes something under one folder.
 *
 * Preloaded into the writer, which says when and how through `torture_arm`. A call is stopped
 *   BEFORE  the process is killed instead of the call,
 *   HALF    half of it is done (of a write: half the bytes; else all), then the process is killed,
 *   FULL    the call fails with ENOSPC, the following succeed,
 *   FILLED  the call and all following that need room fail with ENOSPC,
 *   SHORT   a write takes one byte only, and succeeds.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFF, BEFORE, HALF, FULL, FILLED, SHORT };

static char folder[PATH_MAX];
static long stop_at;
static long calls;
static int mode;

void torture_arm(const char *path, long k, int how) {
  snprintf(folder, sizeof folder, "%s", path);
  stop_at = k;
  mode = how;
  calls = 0;
}

long torture_calls(void) { return calls; }

static int inside_path(const char *path) {
  return mode != OFF && path != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static int inside(int descriptor) {
  char link[64], path[PATH_MAX];
  if (mode == OFF)
    return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0)
    return 0;
  path[length] = '\0';
  return inside_path(path);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;)
    pause();
}

/* What to do with the call that is being made: OFF lets it pass. */
static int verdict(int needs_room) {
  calls++;
  if (mode == FILLED)
    return calls >= stop_at && needs_room ? FULL : OFF;
  if (calls != stop_at)
    return OFF;
  if (mode == BEFORE)
    die();
  return mode;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRITING(name, declared, passed, halved, one)                                               \
  ssize_t name declared {                                                                          \
    int what = inside(descriptor) ? verdict(1) : OFF;                                              \
    if (what == HALF) {                                                                            \
      NEXT(name) halved;                                                                           \
      die();                                                                                       \
    }                                                                                              \
    if (what == FULL)                                                                              \
      return errno = ENOSPC, -1;                                                                   \
    if (what == SHORT)                                                                             \
      return NEXT(name) one;                                                                       \
    return NEXT(name) passed;                                                                      \
  }

WRITING(write, (int descriptor, const void *data, size_t size), (descriptor, data, size),
        (descriptor, data, size / 2), (descriptor, data, size ? 1 : 0))
WRITING(pwrite, (int descriptor, const void *data, size_t size, off_t at),
        (descriptor, data, size, at), (descriptor, data, size / 2, at),
        (descriptor, data, size ? 1 : 0, at))
WRITING(pwrite64, (int descriptor, const void *data, size_t size, off64_t at),
        (descriptor, data, size, at), (descriptor, data, size / 2, at),
        (descriptor, data, size ? 1 : 0, at))
WRITING(writev, (int descriptor, const struct iovec *parts, int count), (descriptor, parts, count),
        (descriptor, parts, count / 2), (descriptor, parts, count ? 1 : 0))
WRITING(pwritev, (int descriptor, const struct iovec *parts, int count, off_t at),
        (descriptor, parts, count, at), (descriptor, parts, count / 2, at),
        (descriptor, parts, count ? 1 : 0, at))

#define CALLING(name, declared, passed, is_inside, needs_room)                                     \
  int name declared {                                                                              \
    int what = (is_inside) ? verdict(needs_room) : OFF;                                            \
    if (what == FULL)                                                                              \
      return errno = ENOSPC, -1;                                                                   \
    int result = NEXT(name) passed;                                                                \
    if (what == HALF)                                                                              \
      die();                                                                                       \
    return result;                                                                                 \
  }

CALLING(fsync, (int descriptor), (descriptor), inside(descriptor), 1)
CALLING(fdatasync, (int descriptor), (descriptor), inside(descriptor), 1)
CALLING(ftruncate, (int descriptor, off_t size), (descriptor, size), inside(descriptor), 0)
CALLING(ftruncate64, (int descriptor, off64_t size), (descriptor, size), inside(descriptor), 0)
CALLING(truncate, (const char *path, off_t size), (path, size), inside_path(path), 0)
CALLING(rename, (const char *from, const char *to), (from, to), inside_path(to), 1)
CALLING(renameat, (int from_at, const char *from, int to_at, const char *to),
        (from_at, from, to_at, to), inside_path(to), 1)
CALLING(link, (const char *from, const char *to), (from, to), inside_path(to), 1)
CALLING(unlink, (const char *path), (path), inside_path(path), 0)
CALLING(unlinkat, (int at, const char *path, int flags), (at, path, flags), inside_path(path), 0)

#define OPENING(name)                                                                              \
  int name(const char *path, int flags, ...) {                                                     \
    va_list rest;                                                                                  \
    va_start(rest, flags);                                                                         \
    mode_t permissions = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                 \
    va_end(rest);                                                                                  \
    int changes = (flags & (O_CREAT | O_TRUNC)) && inside_path(path);                              \
    int what = changes ? verdict(1) : OFF;                                                         \
    if (what == FULL)                                                                              \
      return errno = ENOSPC, -1;                                                                   \
    int result = NEXT(name)(path, flags, permissions);                                             \
    if (what == HALF)                                                                              \
      die();                                                                                       \
    return result;                                                                                 \
  }

OPENING(open)
OPENING(open64)
