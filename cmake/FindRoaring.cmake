# CRoaring, by its C interface.
#
#   out  Roaring::roaring, Roaring_LIBRARY
include(FindPackageHandleStandardArgs)

find_path(Roaring_INCLUDE_DIR roaring/roaring.h)
find_library(Roaring_LIBRARY roaring)
mark_as_advanced(Roaring_INCLUDE_DIR Roaring_LIBRARY)
find_package_handle_standard_args(Roaring REQUIRED_VARS Roaring_LIBRARY Roaring_INCLUDE_DIR)
if(Roaring_FOUND AND NOT TARGET Roaring::roaring)
  add_library(Roaring::roaring UNKNOWN IMPORTED)
  set_target_properties(Roaring::roaring PROPERTIES
    IMPORTED_LOCATION "${Roaring_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${Roaring_INCLUDE_DIR}")
endif()
