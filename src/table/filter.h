// Filters: Arrow expressions over the rows of a table.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>

#include "forebay/status.h"
#include "table/row_set.h"

namespace arrow {
class Schema;
namespace compute {
class Expression;
}  // namespace compute
}  // namespace arrow

namespace forebay::table {

struct RowBatch;
struct Source;

/// The expression with its columns looked up. kInvalidArgument when one is not in the schema, or
/// the result is not boolean.
Result<arrow::compute::Expression> BindFilter(const arrow::compute::Expression& filter,
                                              const arrow::Schema& schema);

/// Calls body(i) for each row i of a source's batch that is alive, and for which the bound filter
/// (nullptr: none) is true; null counts as false. Dead rows cannot make the filter fail.
Status ForEachLive(const Source& source, const RowBatch& batch,
                   const arrow::compute::Expression* bound,
                   const std::function<void(std::int64_t)>& body);

/// The rows of a source that are alive, and for which the bound filter (nullptr: none) is true.
Result<RowSet> LiveRows(const Source& source, const arrow::compute::Expression* bound);

}  // namespace forebay::table
