/* Unit tests of the timed loop without Python; test_loop.py builds them with sanitizers. */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The loop allocates nothing: from here on, naming one of these does not compile. */
#pragma GCC poison malloc calloc realloc free aligned_alloc
#include "_loop.h"

static int64_t noted[32];
static int count;

static int note(int64_t value) {
  noted[count++] = value;
  return value == 99 ? 7 : 0;
}

static step make(ptrdiff_t number, int64_t argument) {
  step s = {.function = (uintptr_t)note, .count = 1, .accepted = 1, .number = number};
  s.arguments[0] = argument;
  return s;
}

static void groups_run_in_order_and_tables_wrap(void) {
  int64_t table[] = {10, 11, 12};
  step steps[] = {make(3, 1), make(0, 2), make(2, 3), make(1, 4)};
  steps[1].table = table;
  steps[1].rows = 3;
  plan p = {.steps = steps, .first = {0, 1, 2, 3, 4}};
  outcome out = {0, -1, 0};
  int64_t start = 0, stop = 0;
  count = 0;
  assert(run_sample(&p, 2, 2, &start, &stop, &out));
  int64_t expected[] = {1, 11, 12, 3, 4}; /* operations 4 and 5 of rows 0, 1, 2 */
  assert(count == 5 && !memcmp(noted, expected, sizeof expected));
  assert(start > 0 && stop >= start);
}

static void the_first_bad_code_stops_the_sample(void) {
  step steps[] = {make(5, 1), make(6, 99), make(7, 2)};
  plan p = {.steps = steps, .first = {0, 1, 2, 2, 3}};
  outcome out = {0, -1, 0};
  int64_t start = 0, stop = 0;
  count = 0;
  assert(!run_sample(&p, 0, 1, &start, &stop, &out));
  assert(count == 2 && out.failed == 6 && out.code == 7 && stop == 0);
  steps[1].ok[0] = 7;
  assert(run_sample(&p, 0, 1, &start, &stop, &out));
  steps[1].accepted = 0;
  assert(run_sample(&p, 0, 1, &start, &stop, &out));
}

static void builtins_do_what_they_say(void) {
  int64_t word = 5;
  assert(store(&word, 41) == 0 && increment(&word) == 0 && word == 42);
  int64_t before = clock_now_ns();
  assert(delay(200000) == 0 && clock_now_ns() - before >= 200000);
  assert(spin_until(0) == 0 && nothing() == 0 && work(1000) == 0 && work(-1) == 0);
  assert(delay(INT64_MIN) == 0); /* in the past, not a wrap-around */
}

int main(void) {
  groups_run_in_order_and_tables_wrap();
  the_first_bad_code_stops_the_sample();
  builtins_do_what_they_say();
  puts("ok");
  return 0;
}
