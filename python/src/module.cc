// forebay._core: what the Python files of the package are written on. Not for users: arguments
// are checked, and errors worded, there.
#include <nanobind/nanobind.h>

#include "bindings.h"
#include "status_error.h"

NB_MODULE(_core, module) {
  // At exit a daemon thread in the middle of a search rightly keeps its index.
  nanobind::set_leak_warnings(false);
  module.doc() = "The native half of forebay; use the forebay package instead.";
  module.attr("version") = FOREBAY_VERSION;
  forebay::python::RegisterStatusError();
  forebay::python::BindArrowExport(module);
  forebay::python::BindVectors(module);
  forebay::python::BindModel(module);
  forebay::python::BindTraining(module);
  forebay::python::BindIndex(module);
  forebay::python::BindFilter(module);
  forebay::python::BindNewFile(module);
  forebay::python::BindTable(module);
}
