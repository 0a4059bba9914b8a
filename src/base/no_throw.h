// NoThrow: the edge of the API, where exceptions of the standard library become a Status.
//
// Thread safety: free function without shared state.
#pragma once

#include <new>
#include <stdexcept>

#include "forebay/status.h"

namespace forebay {

/// Returns body(), or kOutOfMemory when it ran out of memory.
template <typename Body>
auto NoThrow(const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Status::OutOfMemory("an allocation failed; free memory or use smaller batches");
  } catch (const std::length_error&) {
    return Status::OutOfMemory("an allocation is larger than any memory; use smaller sizes");
  }
}

}  // namespace forebay
