# How all code of this project is compiled and linked. Consumers inherit none of it.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_library(forebay_compile_flags INTERFACE)
target_compile_options(forebay_compile_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wcast-align -Wcast-qual -Woverloaded-virtual -Wundef -Wunused
  -Wdouble-promotion -Wimplicit-fallthrough -Wextra-semi
  # gcc 12 sees overlaps in std::string's own operator+ that are not there (gcc bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wreserved-identifier>
  # Results are bit-equal on every instruction set: only std::fma and the kernels' own
  # intrinsics fuse, never the compiler.
  -ffp-contract=off)

# No -march here: what ships runs on every x86-64-v3 machine. Files in src/simd name their own
# instruction sets, see src/simd/CMakeLists.txt.

if(FOREBAY_SANITIZE)
  target_compile_options(forebay_compile_flags INTERFACE
    -fsanitize=${FOREBAY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_definitions(forebay_compile_flags INTERFACE _GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=${FOREBAY_SANITIZE})
endif()

# Faster builds where the tools are there.
if(PROJECT_IS_TOP_LEVEL)
  find_program(CCACHE ccache)
  if(CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    # The same source in another folder (a source distribution unpacked, a worktree) is found too.
    set(CMAKE_CXX_COMPILER_LAUNCHER env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" "${CCACHE}")
  endif()
  find_program(MOLD mold)
  if(MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()
