// The parts of forebay._core. Each function adds the classes and functions of one file.
#pragma once

#include <nanobind/nanobind.h>

namespace forebay::python {

void BindArrowExport(nanobind::module_& module);
void BindVectors(nanobind::module_& module);
void BindModel(nanobind::module_& module);
void BindTraining(nanobind::module_& module);
void BindIndex(nanobind::module_& module);
void BindFilter(nanobind::module_& module);
void BindNewFile(nanobind::module_& module);
void BindTable(nanobind::module_& module);

}  // namespace forebay::python
