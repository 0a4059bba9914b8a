// NewFile: what Python writes into it takes the file's name when all of it is there.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "bindings.h"
#include "forebay/file.h"
#include "gil.h"
#include "status_error.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

namespace forebay::python {
namespace {

/// Python's garbage may live on for long, so what is unfinished is removed by a call.
class OpenFile {
 public:
  explicit OpenFile(NewFile file) : file_(std::move(file)) {}

  void Append(const nb::bytes& bytes) {
    const std::span all(reinterpret_cast<const std::byte*>(bytes.c_str()), bytes.size());
    const ReleaseGil released;
    ThrowIfError(file_->Append(all));
  }
  void Finish() {
    const ReleaseGil released;
    const Status finished = file_->Finish();
    file_.reset();
    ThrowIfError(finished);
  }
  void Discard() {
    const ReleaseGil released;
    file_.reset();
  }

 private:
  std::optional<NewFile> file_;
};

}  // namespace

void BindNewFile(nb::module_& module) {
  nb::class_<OpenFile>(module, "NewFile", "A file that is there when all of it is.")
      .def_static(
          "create",
          [](const std::string& path) {
            const ReleaseGil released;
            return OpenFile(ValueOrThrow(NewFile::Create(path)));
          },
          "path"_a)
      .def("append", &OpenFile::Append, "data"_a)
      .def("finish", &OpenFile::Finish, "The last call, as discard.")
      .def("discard", &OpenFile::Discard);
}

}  // namespace forebay::python
