// NoThrow: the edge of the API, where exceptions of the standard library become a Status.
//
// Thread safety: free function without shared state.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include "forebay/status.h"

namespace forebay {

/// Returns body(); kOutOfMemory when it ran out of memory, kFailedPrecondition when something else
/// was thrown (a thread that could not be started, say).
template <typename Body>
auto NoThrow(const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Status::OutOfMemory("an allocation failed; free memory or use smaller batches");
  } catch (const std::length_error&) {
    return Status::OutOfMemory("an allocation is larger than any memory; use smaller sizes");
  } catch (const std::exception& error) {
    return Status::FailedPrecondition(std::string("the system refused: ") + error.what());
  }
}

}  // namespace forebay
