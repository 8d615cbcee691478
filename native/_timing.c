#include <Python.h>
static struct PyModuleDef d = {PyModuleDef_HEAD_INIT, "_timing", 0, 0, 0, 0, 0, 0, 0};
PyMODINIT_FUNC PyInit__timing(void) { return PyModuleDef_Init(&d); }
