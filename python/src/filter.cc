#include "filter.h"

#include <arrow/buffer.h>
#include <nanobind/nanobind.h>

#include "bindings.h"
#include "gil.h"
#include "status_error.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

namespace forebay::python {

Result<Filter> Filter::Parse(std::string bytes) {
  auto expression = arrow::compute::Deserialize(arrow::Buffer::FromString(std::move(bytes)));
  if (!expression.ok()) {
    return Status::InvalidArgument("the filter cannot be read: " + expression.status().ToString());
  }
  return Filter(*std::move(expression));
}

void BindFilter(nb::module_& module) {
  nb::class_<Filter>(module, "Filter", "An Arrow expression over a table's columns.")
      .def_static(
          "parse",
          [](const nb::bytes& bytes) {
            std::string copy(bytes.c_str(), bytes.size());
            const ReleaseGil released;
            return ValueOrThrow(Filter::Parse(std::move(copy)));
          },
          "data"_a, "From the bytes in pyarrow's pickle of it.");
}

}  // namespace forebay::python
