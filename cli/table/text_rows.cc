// Rows as a table of aligned columns.
#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "arrow_input.h"
#include "table/row_formats.h"

namespace forebay::cli {
namespace {

/// Rows that are aligned with each other; a table of more is printed in such parts.
constexpr std::size_t kRowsTogether = 1000;
constexpr std::int64_t kElementsOfShort = 3;

/// Columns on a terminal, as fmt counts them: wide characters take two.
std::size_t Width(const std::string& text) {
  return 2 * text.size() - fmt::formatted_size("{:<{}}", text, text.size());
}

/// What would break the lines of a table, escaped.
std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      line += c;
    } else {
      line += c == '\n' ? "\\n" : c == '\t' ? "\\t" : fmt::format("\\x{:02x}", byte);
    }
  }
  return line;
}

std::string CellText(const arrow::Scalar& value, std::int64_t max_elements) {
  const arrow::Type::type type = value.type->id();
  if (!value.is_valid || (type != arrow::Type::LIST && type != arrow::Type::LARGE_LIST &&
                          type != arrow::Type::FIXED_SIZE_LIST)) {
    return OneLine(value.ToString());
  }
  const arrow::Array& elements = *static_cast<const arrow::BaseListScalar&>(value).value;
  std::string text = "[";
  for (std::int64_t i = 0; i < std::min(elements.length(), max_elements); ++i) {
    const auto element = elements.GetScalar(i).ValueOrDie();  // i is in range.
    text += (i == 0 ? "" : ", ") + CellText(*element, max_elements);
  }
  if (elements.length() > max_elements) {
    text += fmt::format(", ... {} in all", elements.length());
  }
  return text + "]";
}

class TextOutput final : public RowOutput {
 public:
  TextOutput(const arrow::Schema& schema, TextStyle style)
      : style_(std::move(style)), widths_(static_cast<std::size_t>(schema.num_fields())) {
    std::vector<std::string> header;
    for (const auto& field : schema.fields()) {
      header.push_back(OneLine(field->name()));
      to_the_right_.push_back(arrow::is_integer(field->type()->id()) ||
                              arrow::is_floating(field->type()->id()));
      shown_.push_back(field->name() != style_.left_out);
      max_elements_.push_back(field->name() == style_.short_column
                                  ? kElementsOfShort
                                  : std::numeric_limits<std::int64_t>::max());
    }
    pending_.push_back(std::move(header));
  }

  Status Write(const arrow::RecordBatch& rows) override {
    for (std::int64_t row = 0; row < rows.num_rows(); ++row) {
      std::vector<std::string> cells;
      for (int column = 0; column < rows.num_columns(); ++column) {
        const auto value = rows.column(column)->GetScalar(row);
        if (!value.ok()) {
          return FromArrow(rows.column_name(column), value.status());
        }
        cells.push_back(CellText(**value, max_elements_[static_cast<std::size_t>(column)]));
      }
      pending_.push_back(std::move(cells));
      if (pending_.size() >= kRowsTogether) {
        Print();
      }
    }
    return Status::Ok();
  }

  Status Finish() override {
    Print();
    return Status::Ok();
  }

 private:
  void Print() {
    for (const auto& cells : pending_) {
      for (std::size_t i = 0; i < cells.size(); ++i) {
        widths_[i] = std::max(widths_[i], Width(cells[i]));
      }
    }
    for (const auto& cells : pending_) {
      std::string line;
      for (std::size_t i = 0; i < cells.size(); ++i) {
        if (shown_[i]) {
          const std::string padding(widths_[i] - Width(cells[i]), ' ');
          line += line.empty() ? "" : "  ";
          line += to_the_right_[i] ? padding + cells[i] : cells[i] + padding;
        }
      }
      line.erase(line.find_last_not_of(' ') + 1);
      fmt::print("{}\n", line);
    }
    pending_.clear();
  }

  TextStyle style_;
  std::vector<std::size_t> widths_;
  std::vector<bool> to_the_right_;
  std::vector<bool> shown_;
  std::vector<std::int64_t> max_elements_;
  std::vector<std::vector<std::string>> pending_;
};

}  // namespace

std::unique_ptr<RowOutput> TextRows(const arrow::Schema& schema, TextStyle style) {
  return std::make_unique<TextOutput>(schema, std::move(style));
}

}  // namespace forebay::cli
