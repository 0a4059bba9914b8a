# cmake --install: headers, libraries, the forebay command, and a package for find_package().
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/forebay")

install(TARGETS forebay_core EXPORT forebay-core-targets FILE_SET HEADERS)
install(EXPORT forebay-core-targets NAMESPACE forebay:: DESTINATION ${package_dir})

if(FOREBAY_WITH_ARROW)
  install(TARGETS forebay EXPORT forebay-forebay-targets FILE_SET HEADERS)
  install(EXPORT forebay-forebay-targets NAMESPACE forebay:: DESTINATION ${package_dir})
  install(FILES cmake/FindArrowCpp.cmake cmake/FindPyArrowCpp.cmake cmake/FindRoaring.cmake
    DESTINATION ${package_dir})
  # The compiled code is bound to this major version of Arrow's libraries.
  string(REGEX MATCH "^[0-9]+" FOREBAY_ARROW_MAJOR "${ArrowCpp_VERSION}")
endif()
if(TARGET forebay_cli)
  install(TARGETS forebay_cli)
endif()

configure_package_config_file(
  cmake/ForebayConfig.cmake.in forebay-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(forebay-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/forebay-config.cmake"
  "${PROJECT_BINARY_DIR}/forebay-config-version.cmake" DESTINATION ${package_dir})
