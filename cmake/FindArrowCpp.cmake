# One name for Arrow C++, wherever it comes from: an installed package of 21 or newer if there
# is one, else a pyarrow wheel (FindPyArrowCpp).
#
#   out  ArrowCpp::arrow ::compute ::parquet, ArrowCpp_VERSION
#
# PYARROW_DIR, when given, settles it: the wheel in that folder.
include(FindPackageHandleStandardArgs)

if(NOT PYARROW_DIR)
  find_package(Arrow CONFIG QUIET)
  find_package(ArrowCompute CONFIG QUIET)
  find_package(Parquet CONFIG QUIET)
endif()
if(TARGET Arrow::arrow_shared AND TARGET ArrowCompute::arrow_compute_shared
    AND TARGET Parquet::parquet_shared)
  set(ArrowCpp_VERSION "${Arrow_VERSION}")
  set(_arrow Arrow::arrow_shared)
  set(_compute ArrowCompute::arrow_compute_shared)
  set(_parquet Parquet::parquet_shared)
else()
  find_package(PyArrowCpp QUIET)
  set(ArrowCpp_VERSION "${PyArrowCpp_VERSION}")
  set(_arrow PyArrowCpp::arrow)
  set(_compute PyArrowCpp::compute)
  set(_parquet PyArrowCpp::parquet)
endif()

find_package_handle_standard_args(ArrowCpp
  REQUIRED_VARS ArrowCpp_VERSION VERSION_VAR ArrowCpp_VERSION
  REASON_FAILURE_MESSAGE "no Arrow C++ package and no pyarrow wheel: run tools/setup, \
or set PYARROW_DIR or Python_EXECUTABLE, or build without it (-DFOREBAY_WITH_ARROW=OFF)")
if(ArrowCpp_FOUND)
  foreach(_part arrow compute parquet)
    if(NOT TARGET ArrowCpp::${_part})
      add_library(ArrowCpp::${_part} INTERFACE IMPORTED)
      set_target_properties(ArrowCpp::${_part} PROPERTIES
        INTERFACE_LINK_LIBRARIES "${_${_part}}")
    endif()
  endforeach()
endif()
