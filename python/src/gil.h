// ReleaseGil: other Python threads run while this one computes.
//
// Thread safety: for the thread that made it, which holds the GIL before and after.
#pragma once

#include <Python.h>
#include <unistd.h>

namespace forebay::python {

class ReleaseGil {
 public:
  ReleaseGil() : state_(PyEval_SaveThread()) {}
  ReleaseGil(const ReleaseGil&) = delete;
  ReleaseGil& operator=(const ReleaseGil&) = delete;

  /// While the interpreter shuts down, CPython before 3.14 ends a (daemon) thread that asks for the
  /// GIL by unwinding its stack, which no destructor survives. As 3.14 does, such a thread stands
  /// still instead, until the process is gone.
  ~ReleaseGil() {
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      while (true) {
        pause();
      }
    }
  }

 private:
  PyThreadState* state_;
};

}  // namespace forebay::python
