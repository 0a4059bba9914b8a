# Arrow C++ out of a pyarrow wheel, which carries headers and shared libraries.
#
#   in   PYARROW_DIR        the wheel's pyarrow folder, or else
#        Python_EXECUTABLE  a Python that has pyarrow (default: the one find_package(Python) finds)
#   out  PyArrowCpp::arrow ::compute ::acero ::dataset ::parquet, as far as the wheel has them
#
# The wheel's libraries bear only their versioned names (libarrow.so.2600), so each target
# points at that very file.
include(FindPackageHandleStandardArgs)

if(NOT PYARROW_DIR)
  if(NOT Python_EXECUTABLE)
    find_package(Python COMPONENTS Interpreter QUIET)
  endif()
  if(Python_EXECUTABLE)
    # Locating the package is enough; importing it would load all of Arrow.
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c
        "import importlib.util, pathlib; print(pathlib.Path(importlib.util.find_spec('pyarrow').origin).parent)"
      OUTPUT_VARIABLE PYARROW_DIR OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()

set(_config "${PYARROW_DIR}/include/arrow/util/config.h")
if(PYARROW_DIR AND EXISTS "${_config}")
  file(READ "${_config}" _config)
  if(_config MATCHES "define ARROW_VERSION_STRING \"([0-9.]+)")
    set(PyArrowCpp_VERSION "${CMAKE_MATCH_1}")
  endif()
  if(_config MATCHES "define ARROW_SO_VERSION \"([0-9]+)")
    set(PyArrowCpp_SO_VERSION "${CMAKE_MATCH_1}")
  endif()
endif()

find_package_handle_standard_args(PyArrowCpp
  REQUIRED_VARS PYARROW_DIR PyArrowCpp_SO_VERSION VERSION_VAR PyArrowCpp_VERSION)
if(NOT PyArrowCpp_FOUND)
  return()
endif()

# Name, file, and the targets it needs.
function(_pyarrow_library name file)
  set(path "${PYARROW_DIR}/lib${file}.so.${PyArrowCpp_SO_VERSION}")
  if(TARGET PyArrowCpp::${name} OR NOT EXISTS "${path}")
    return()
  endif()
  add_library(PyArrowCpp::${name} SHARED IMPORTED)
  set_target_properties(PyArrowCpp::${name} PROPERTIES
    IMPORTED_LOCATION "${path}"
    IMPORTED_SONAME "lib${file}.so.${PyArrowCpp_SO_VERSION}"
    INTERFACE_INCLUDE_DIRECTORIES "${PYARROW_DIR}/include"
    INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()
_pyarrow_library(arrow arrow)
_pyarrow_library(compute arrow_compute PyArrowCpp::arrow)
_pyarrow_library(acero arrow_acero PyArrowCpp::compute)
_pyarrow_library(parquet parquet PyArrowCpp::arrow)
_pyarrow_library(dataset arrow_dataset PyArrowCpp::acero PyArrowCpp::parquet)
