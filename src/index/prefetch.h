// Prefetch: begin to load memory that will be read soon.
//
// Thread safety: a free function; it reads nothing that the program can see.
#pragma once

#include <cstddef>

#include "base/aligned_array.h"

namespace forebay::index {

/// Nothing for a null pointer.
inline void Prefetch(const void* memory, std::size_t num_bytes) {
  if (memory == nullptr) {
    return;
  }
  for (std::size_t i = 0; i < num_bytes; i += kCacheLine) {
    __builtin_prefetch(static_cast<const char*>(memory) + i, 0, 2);
  }
}

}  // namespace forebay::index
