// ColumnDictionaries: one growing dictionary for each dictionary-encoded part of a column, as an
// Arrow file may have only one, and what is put behind its end.
//
// Thread safety: one thread.
//
// Invariants:
//   1. A dictionary only grows: values stay where they are.
//   2. Parts are told apart by their place in the column's type: all arrays given have one type.
#pragma once

#include <arrow/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace arrow {
class Array;
struct ArrayData;
class DataType;
}  // namespace arrow

namespace forebay::segment {

class ColumnDictionaries {
 public:
  /// The same values, by indices into the dictionaries that this has now. Invalid when the type of
  /// the indices is too narrow for them.
  arrow::Result<std::shared_ptr<arrow::ArrayData>> Add(const arrow::ArrayData& column);

  /// What Add gave at some time, or rows of it, with the dictionaries that this has now.
  arrow::Result<std::shared_ptr<arrow::ArrayData>> Renew(const arrow::ArrayData& column) const;

 private:
  struct Merged {
    std::shared_ptr<arrow::ArrayData> values;
    std::shared_ptr<arrow::ArrayData> last_added;
    std::vector<std::int32_t> places;  ///< Of the values of last_added.

    arrow::Status Add(const std::shared_ptr<arrow::ArrayData>& dictionary,
                      const arrow::DataType& index_type);
    arrow::Status Append(const arrow::Array& dictionary);
    arrow::Status Unify(const arrow::Array& dictionary);
  };

  std::vector<Merged> merged_;
};

/// The same values; what views point to is in buffers of their own, that have nothing else. (A
/// slice, and what is written of it, else has all of what it is a slice of.)
arrow::Result<std::shared_ptr<arrow::ArrayData>> WithOwnViews(const arrow::ArrayData& column);

/// Whether arrays of this type have views.
bool HasViews(const arrow::DataType& type);

}  // namespace forebay::segment
