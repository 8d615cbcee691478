/* The binding of the timed loop (_loop.h): Python values to C values, signals, errors.
 *
 * The loop runs with the GIL released and writes its stamps into the caller's arrays.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <limits.h>
#include <string.h>

#include "_loop.h"

/* Signals are looked at this often; between samples, outside the clock. */
static const int64_t SIGNAL_INTERVAL_NS = 50 * 1000 * 1000;

/* Returns false with a Python exception set if a signal handler raised. */
static bool run_samples(const plan *p, int64_t *start, int64_t *stop, Py_ssize_t samples,
                        int64_t offset, int64_t batch, outcome *out) {
  bool undisturbed = true;
  memset(start, 0, (size_t)samples * sizeof *start); /* page faults now, not in the loop */
  memset(stop, 0, (size_t)samples * sizeof *stop);
  PyThreadState *thread = PyEval_SaveThread();
  int64_t looked_ns = clock_now_ns();
  for (Py_ssize_t i = 0; i < samples; i++) {
    if (!run_sample(p, offset + i, batch, &start[i], &stop[i], out))
      break;
    out->completed = i + 1;
    if (stop[i] - looked_ns < SIGNAL_INTERVAL_NS)
      continue;
    PyEval_RestoreThread(thread);
    undisturbed = PyErr_CheckSignals() == 0;
    thread = PyEval_SaveThread();
    if (!undisturbed)
      break;
    looked_ns = clock_now_ns();
  }
  PyEval_RestoreThread(thread);
  return undisturbed;
}

/* ---- Python values to C values ---- */

/* A word may be given signed or unsigned: pointers can have the highest bit set. */
static bool to_word(PyObject *object, int64_t *word) {
  long long value = PyLong_AsLongLong(object);
  if (value == -1 && PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_OverflowError))
      return false;
    PyErr_Clear();
    unsigned long long positive = PyLong_AsUnsignedLongLong(object);
    if (PyErr_Occurred())
      return false;
    value = (long long)positive;
  }
  *word = (int64_t)value;
  return true;
}

static bool fill_arguments(step *s, PyObject *arguments) {
  Py_ssize_t count = PyTuple_Size(arguments);
  if (count < 0)
    return false;
  if (count > MAX_ARGUMENTS) {
    PyErr_Format(PyExc_ValueError, "step %zd: found %zd arguments, expected at most %d", s->number,
                 count, MAX_ARGUMENTS);
    return false;
  }
  s->count = (int)count;
  for (Py_ssize_t i = 0; i < count; i++)
    if (!to_word(PyTuple_GetItem(arguments, i), &s->arguments[i]))
      return false;
  return true;
}

/* b keeps the table alive; its obj stays NULL without one. */
static bool fill_table(step *s, Py_buffer *b, PyObject *table) {
  if (table == Py_None)
    return true;
  if (PyObject_GetBuffer(table, b, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0)
    return false;
  bool words =
      b->itemsize == 8 && b->format && (!strcmp(b->format, "l") || !strcmp(b->format, "q"));
  if (!words || b->ndim != 2 || b->shape[0] < 1 || b->shape[1] != s->count || s->count == 0) {
    PyErr_Format(PyExc_ValueError,
                 "step %zd: table: expected a C-contiguous int64 array of shape (rows, %d), "
                 "one column per argument and at least one of each",
                 s->number, s->count);
    return false;
  }
  s->table = b->buf;
  s->rows = b->shape[0];
  return true;
}

static bool fill_accepted(step *s, PyObject *ok) {
  Py_ssize_t accepted = PyTuple_Size(ok);
  if (accepted < 0)
    return false;
  if (accepted > MAX_OK) {
    PyErr_Format(PyExc_ValueError, "step %zd: ok: found %zd codes, expected at most %d", s->number,
                 accepted, MAX_OK);
    return false;
  }
  s->accepted = (int)accepted;
  for (Py_ssize_t i = 0; i < accepted; i++) {
    PyObject *given = PyTuple_GetItem(ok, i);
    int beyond;
    long code = PyLong_AsLongAndOverflow(given, &beyond);
    if (code == -1 && PyErr_Occurred())
      return false;
    if (beyond || code < INT_MIN || code > INT_MAX) {
      PyErr_Format(PyExc_OverflowError, "step %zd: ok: found %R, expected a C int", s->number,
                   given);
      return false;
    }
    s->ok[i] = (int)code;
  }
  return true;
}

/* described: (function, group, arguments, table, ok) */
static bool fill_step(step *s, Py_buffer *b, PyObject *described) {
  unsigned long long function;
  int group;
  PyObject *arguments, *table, *ok;
  if (!PyArg_ParseTuple(described, "KiO!OO!", &function, &group, &PyTuple_Type, &arguments, &table,
                        &PyTuple_Type, &ok))
    return false;
  if (function == 0) {
    PyErr_Format(PyExc_ValueError, "step %zd: function: found a null pointer", s->number);
    return false;
  }
  s->function = (uintptr_t)function;
  return fill_arguments(s, arguments) && fill_table(s, b, table) && fill_accepted(s, ok);
}

/* The group of a described step, or -1 with an exception set. */
static int group_of(PyObject *described, Py_ssize_t number) {
  if (!PyTuple_Check(described) || PyTuple_Size(described) != 5) {
    PyErr_Format(PyExc_TypeError, "step %zd: expected (function, group, arguments, table, ok)",
                 number);
    return -1;
  }
  long group = PyLong_AsLong(PyTuple_GetItem(described, 1));
  if (group == -1 && PyErr_Occurred())
    return -1;
  if (group < 0 || group >= GROUPS) {
    PyErr_Format(PyExc_ValueError, "step %zd: group: found %ld, expected 0 to %d", number, group,
                 GROUPS - 1);
    return -1;
  }
  return (int)group;
}

/* A plan and the buffers of its tables, one per step. */
typedef struct {
  plan plan;
  Py_buffer *buffers;
} held_plan;

static void release(held_plan *held) {
  if (held->buffers)
    for (ptrdiff_t i = 0; i < held->plan.first[GROUPS]; i++)
      if (held->buffers[i].obj)
        PyBuffer_Release(&held->buffers[i]);
  PyMem_Free(held->buffers);
  PyMem_Free(held->plan.steps);
}

static bool build(held_plan *held, PyObject *described) {
  Py_ssize_t count = PyTuple_Size(described);
  plan *p = &held->plan;
  memset(held, 0, sizeof *held);
  p->steps = PyMem_Calloc((size_t)count + 1, sizeof *p->steps);
  held->buffers = PyMem_Calloc((size_t)count + 1, sizeof *held->buffers);
  if (!p->steps || !held->buffers) {
    PyErr_NoMemory();
    return false;
  }
  ptrdiff_t filled = 0;
  for (int group = 0; group < GROUPS; group++) {
    p->first[group] = filled;
    for (Py_ssize_t i = 0; i < count; i++) {
      PyObject *one = PyTuple_GetItem(described, i);
      int found = group_of(one, i);
      if (found < 0)
        return false;
      if (found != group)
        continue;
      step *s = &p->steps[filled];
      Py_buffer *b = &held->buffers[filled];
      s->number = i;
      p->first[GROUPS] = ++filled; /* release() goes this far */
      if (!fill_step(s, b, one))
        return false;
    }
  }
  return true;
}

static bool stamps(PyObject *object, const char *name, Py_buffer *buffer) {
  if (PyObject_GetBuffer(object, buffer, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE | PyBUF_FORMAT) < 0)
    return false;
  bool words = buffer->itemsize == 8 && buffer->format &&
               (!strcmp(buffer->format, "l") || !strcmp(buffer->format, "q"));
  if (words && buffer->ndim == 1)
    return true;
  PyErr_Format(PyExc_ValueError, "%s: expected a one-dimensional, contiguous, writable int64 array",
               name);
  PyBuffer_Release(buffer);
  return false;
}

/* ---- module ---- */

static PyObject *run_between(PyObject *described, const Py_buffer *start, const Py_buffer *stop,
                             long long offset, long long batch) {
  if (start->shape[0] != stop->shape[0])
    return PyErr_Format(PyExc_ValueError, "stop_ns: found length %zd, expected %zd as start_ns has",
                        stop->shape[0], start->shape[0]);
  if (offset < 0 || batch < 1)
    return PyErr_Format(PyExc_ValueError,
                        "offset, batch: found %lld and %lld, expected >= 0 and >= 1", offset,
                        batch);
  long long operations;
  if (__builtin_add_overflow(offset, (long long)start->shape[0], &operations) ||
      __builtin_mul_overflow(operations, batch, &operations))
    return PyErr_Format(PyExc_OverflowError,
                        "offset, batch: found %lld and %lld, expected fewer than 2^63 operations",
                        offset, batch);
  held_plan held;
  outcome out = {0, -1, 0};
  bool fine = build(&held, described) &&
              run_samples(&held.plan, start->buf, stop->buf, start->shape[0], offset, batch, &out);
  release(&held);
  return fine ? Py_BuildValue("(nni)", out.completed, out.failed, out.code) : NULL;
}

static PyObject *run_plan(PyObject *Py_UNUSED(module), PyObject *args) {
  PyObject *described, *start_object, *stop_object;
  long long offset, batch;
  if (!PyArg_ParseTuple(args, "O!OOLL", &PyTuple_Type, &described, &start_object, &stop_object,
                        &offset, &batch))
    return NULL;
  Py_buffer start, stop;
  if (!stamps(start_object, "start_ns", &start))
    return NULL;
  PyObject *result = NULL;
  if (stamps(stop_object, "stop_ns", &stop)) {
    result = run_between(described, &start, &stop, offset, batch);
    PyBuffer_Release(&stop);
  }
  PyBuffer_Release(&start);
  return result;
}

static PyObject *monotonic_ns(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(args)) {
  return PyLong_FromLongLong(clock_now_ns());
}

static PyObject *stamp(PyObject *Py_UNUSED(module), PyObject *object) {
  Py_buffer buffer;
  if (!stamps(object, "stamps_ns", &buffer))
    return NULL;
  int64_t *words = buffer.buf;
  memset(words, 0, (size_t)buffer.len);
  for (Py_ssize_t i = 0; i < buffer.shape[0]; i++)
    words[i] = clock_now_ns();
  PyBuffer_Release(&buffer);
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"run_plan", run_plan, METH_VARARGS,
     "run_plan(steps, start_ns, stop_ns, offset, batch, /)\n--\n\n"
     "Run one sample per element of start_ns and return (completed, failed, code).\n\n"
     "steps holds tuples (function, group, arguments, table, ok). failed is the number of the "
     "step\n"
     "whose return code was not accepted, or -1; completed counts the samples before it."},
    {"monotonic_ns", monotonic_ns, METH_NOARGS,
     "monotonic_ns()\n--\n\nReturn the clock that the loop stamps with, in nanoseconds."},
    {"stamp", stamp, METH_O,
     "stamp(stamps_ns, /)\n--\n\nFill an int64 array with back-to-back readings of the clock."},
    {NULL, NULL, 0, NULL}};

static bool add_address(PyObject *builtins, const char *name, uintptr_t function) {
  PyObject *address = PyLong_FromUnsignedLongLong(function);
  bool added = address && PyDict_SetItemString(builtins, name, address) == 0;
  Py_XDECREF(address);
  return added;
}

static int execute(PyObject *module) {
  PyObject *builtins = PyDict_New();
  bool fine = builtins && add_address(builtins, "spin_until", (uintptr_t)spin_until) &&
              add_address(builtins, "delay", (uintptr_t)delay) &&
              add_address(builtins, "work", (uintptr_t)work) &&
              add_address(builtins, "store", (uintptr_t)store) &&
              add_address(builtins, "increment", (uintptr_t)increment) &&
              add_address(builtins, "nothing", (uintptr_t)nothing) &&
              PyModule_AddObjectRef(module, "BUILTINS", builtins) == 0 &&
              PyModule_AddStringConstant(module, "CLOCK_NAME", COLLCAST_CLOCK_NAME) == 0 &&
              PyModule_AddIntConstant(module, "MAX_ARGUMENTS", MAX_ARGUMENTS) == 0;
  Py_XDECREF(builtins);
  return fine ? 0 : -1;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};

static struct PyModuleDef definition = {.m_base = PyModuleDef_HEAD_INIT,
                                        .m_name = "_timing",
                                        .m_doc = "The timed loop.",
                                        .m_size = 0,
                                        .m_methods = methods,
                                        .m_slots = slots};

PyMODINIT_FUNC PyInit__timing(void) { return PyModuleDef_Init(&definition); }
