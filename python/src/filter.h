// Filter: a pyarrow expression, in the form that Arrow itself gives it for pickles.
//
// Thread safety: immutable.
#pragma once

#include <arrow/compute/expression.h>

#include <string>
#include <utility>

#include "forebay/status.h"

namespace forebay::python {

class Filter {
 public:
  /// kInvalidArgument when these are no bytes of an expression.
  static Result<Filter> Parse(std::string bytes);

  [[nodiscard]] const arrow::compute::Expression& expression() const { return expression_; }

 private:
  explicit Filter(arrow::compute::Expression expression) : expression_(std::move(expression)) {}
  arrow::compute::Expression expression_;
};

/// The expression that verbs of a table take; nullptr for None.
inline const arrow::compute::Expression* ExpressionOf(const Filter* filter) {
  return filter == nullptr ? nullptr : &filter->expression();
}

}  // namespace forebay::python
