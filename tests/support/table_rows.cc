#include "support/table_rows.h"

#include <arrow/array/array_binary.h>
#include <arrow/array/array_nested.h>
#include <arrow/array/array_primitive.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/util.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/float16.h>

#include <algorithm>
#include <ostream>
#include <stdexcept>
#include <utility>

namespace forebay::testing {
namespace {

namespace cp = arrow::compute;

/// An odd number and its inverse modulo 2^64: keys are spread over all of an integer's values.
constexpr std::uint64_t kSpread = 0x9E3779B97F4A7C15;
constexpr std::uint64_t kGather = 0xF1DE83E19937733D;
static_assert(kSpread * kGather == 1);

const char* const kKeyPrefix = "\xD1\x81\xD0\xBB\xD0\xBE\xD0\xB2\xD0\xBE-";  // Not ASCII.

[[noreturn]] void Fail(const std::string& what) { throw std::runtime_error(what); }

void Require(const arrow::Status& status) {
  if (!status.ok()) {
    Fail(status.ToString());
  }
}

template <typename T>
T Value(arrow::Result<T> result) {
  Require(result.status());
  return std::move(result).ValueUnsafe();
}

/// Key 0 is the empty text.
std::string TextKey(std::uint64_t key) {
  return key == 0 ? std::string() : kKeyPrefix + std::to_string(key);
}
std::uint64_t FromTextKey(const std::string& text) {
  return text.empty() ? 0 : std::stoull(text.substr(std::string(kKeyPrefix).size()));
}

std::shared_ptr<arrow::DataType> ElementType(ElementKind element) {
  switch (element) {
    case ElementKind::kFloat16:
      return arrow::float16();
    case ElementKind::kFloat32:
      return arrow::float32();
    case ElementKind::kFloat64:
      return arrow::float64();
  }
  Fail("no such element");
}

std::shared_ptr<arrow::DataType> KeyType(KeyKind key) {
  switch (key) {
    case KeyKind::kNone:
    case KeyKind::kInt64:
      return arrow::int64();
    case KeyKind::kUInt64:
      return arrow::uint64();
    case KeyKind::kUtf8:
      return arrow::utf8();
  }
  Fail("no such key");
}

std::shared_ptr<arrow::Schema> SchemaOf(const TableKind& kind) {
  return arrow::schema(
      {arrow::field("id", KeyType(kind.key)), arrow::field("number", arrow::int64()),
       arrow::field("text", arrow::utf8()),
       arrow::field("vector", arrow::fixed_size_list(ElementType(kind.element), kind.dim))});
}

template <typename T, typename Convert>
std::shared_ptr<arrow::Array> Elements(const std::shared_ptr<arrow::DataType>& type,
                                       std::span<const TableRow> rows, const Convert& convert) {
  std::vector<T> values;
  for (const TableRow& row : rows) {
    std::transform(row.vector.begin(), row.vector.end(), std::back_inserter(values), convert);
  }
  const auto length = static_cast<std::int64_t>(values.size());
  return arrow::MakeArray(arrow::ArrayData::Make(
      type, length, {nullptr, arrow::Buffer::FromVector(std::move(values))}));
}

std::shared_ptr<arrow::Array> VectorArray(const TableKind& kind, std::span<const TableRow> rows) {
  const auto type = ElementType(kind.element);
  std::shared_ptr<arrow::Array> elements;
  switch (kind.element) {
    case ElementKind::kFloat16:
      elements = Elements<std::uint16_t>(
          type, rows, [](double x) { return arrow::util::Float16::FromDouble(x).bits(); });
      break;
    case ElementKind::kFloat32:
      elements = Elements<float>(type, rows, [](double x) { return static_cast<float>(x); });
      break;
    case ElementKind::kFloat64:
      elements = Elements<double>(type, rows, [](double x) { return x; });
      break;
  }
  return Value(arrow::FixedSizeListArray::FromArrays(elements, kind.dim));
}

std::vector<double> VectorAt(const TableKind& kind, const arrow::Array& column, std::int64_t row) {
  const auto& lists = static_cast<const arrow::FixedSizeListArray&>(column);
  std::vector<double> vector;
  for (std::int64_t i = lists.value_offset(row); i < lists.value_offset(row) + kind.dim; ++i) {
    const arrow::Array& values = *lists.values();
    switch (kind.element) {
      case ElementKind::kFloat16:
        vector.push_back(arrow::util::Float16::FromBits(
                             static_cast<const arrow::HalfFloatArray&>(values).Value(i))
                             .ToDouble());
        break;
      case ElementKind::kFloat32:
        vector.push_back(
            static_cast<double>(static_cast<const arrow::FloatArray&>(values).Value(i)));
        break;
      case ElementKind::kFloat64:
        vector.push_back(static_cast<const arrow::DoubleArray&>(values).Value(i));
        break;
    }
  }
  return vector;
}

std::uint64_t KeyAt(const TableKind& kind, const arrow::Array& column, std::int64_t row) {
  switch (kind.key) {
    case KeyKind::kNone:
    case KeyKind::kInt64:
      return kGather *
             static_cast<std::uint64_t>(static_cast<const arrow::Int64Array&>(column).Value(row));
    case KeyKind::kUInt64:
      return kGather * static_cast<const arrow::UInt64Array&>(column).Value(row);
    case KeyKind::kUtf8:
      return FromTextKey(static_cast<const arrow::StringArray&>(column).GetString(row));
  }
  Fail("no such key");
}

const arrow::Array& Column(const arrow::RecordBatch& batch, const std::string& name) {
  const int i = batch.schema()->GetFieldIndex(name);
  return i >= 0 ? *batch.column(i) : (Fail("no column " + name), *batch.column(0));
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const TableRow& row) {
  out << "{key " << row.key << ", number " << row.number << ", text " << row.text.value_or("null")
      << ", vector";
  for (const double x : row.vector) {
    out << ' ' << x;
  }
  return out << '}';
}

bool TableFilter::Matches(const TableRow& row) const {
  switch (kind) {
    case Kind::kEverything:
      return true;
    case Kind::kNothing:
      return false;
    case Kind::kNumberBetween:
      return row.number >= low && row.number < high;
    case Kind::kTextIs:
      return row.text == text;
    case Kind::kTextIsMissing:
      return !row.text.has_value();
  }
  return false;
}

cp::Expression TableFilter::ToArrow() const {
  const cp::Expression number = cp::field_ref("number");
  switch (kind) {
    case Kind::kEverything:
      return cp::literal(true);
    case Kind::kNothing:
      return cp::literal(false);
    case Kind::kNumberBetween:
      return cp::and_(cp::greater_equal(number, cp::literal(low)),
                      cp::less(number, cp::literal(high)));
    case Kind::kTextIs:
      return cp::equal(cp::field_ref("text"), cp::literal(text));
    case Kind::kTextIsMissing:
      return cp::is_null(cp::field_ref("text"));
  }
  return cp::literal(false);
}

TableDefinition DefinitionOf(const TableKind& kind, std::optional<IvfPqModel> model) {
  return {
      .schema = SchemaOf(kind),
      .vector_column = "vector",
      .primary_key = kind.key == KeyKind::kNone ? std::nullopt : std::optional<std::string>("id"),
      .metric = kind.metric,
      .model = std::move(model)};
}

std::shared_ptr<arrow::Array> KeyArray(const TableKind& kind, std::span<const std::uint64_t> keys) {
  arrow::Int64Builder integers;
  arrow::UInt64Builder unsigned_integers;
  arrow::StringBuilder texts;
  for (const std::uint64_t key : keys) {
    switch (kind.key) {
      case KeyKind::kNone:
      case KeyKind::kInt64:
        Require(integers.Append(static_cast<std::int64_t>(kSpread * key)));
        break;
      case KeyKind::kUInt64:
        Require(unsigned_integers.Append(kSpread * key));
        break;
      case KeyKind::kUtf8:
        Require(texts.Append(TextKey(key)));
        break;
    }
  }
  switch (kind.key) {
    case KeyKind::kUInt64:
      return Value(unsigned_integers.Finish());
    case KeyKind::kUtf8:
      return Value(texts.Finish());
    default:
      return Value(integers.Finish());
  }
}

std::shared_ptr<arrow::RecordBatch> BatchOf(const TableKind& kind, std::span<const TableRow> rows) {
  std::vector<std::uint64_t> keys;
  arrow::Int64Builder numbers;
  arrow::StringBuilder texts;
  for (const TableRow& row : rows) {
    keys.push_back(row.key);
    Require(numbers.Append(row.number));
    Require(row.text.has_value() ? texts.Append(*row.text) : texts.AppendNull());
  }
  return arrow::RecordBatch::Make(SchemaOf(kind), static_cast<std::int64_t>(rows.size()),
                                  {KeyArray(kind, keys), Value(numbers.Finish()),
                                   Value(texts.Finish()), VectorArray(kind, rows)});
}

std::vector<TableRow> RowsOf(const TableKind& kind, const arrow::RecordBatch& batch) {
  const arrow::Array& keys = Column(batch, "id");
  const auto& numbers = static_cast<const arrow::Int64Array&>(Column(batch, "number"));
  const auto& texts = static_cast<const arrow::StringArray&>(Column(batch, "text"));
  const arrow::Array& vectors = Column(batch, "vector");
  std::vector<TableRow> rows;
  for (std::int64_t i = 0; i < batch.num_rows(); ++i) {
    rows.push_back({.key = KeyAt(kind, keys, i),
                    .number = numbers.Value(i),
                    .text = texts.IsNull(i) ? std::nullopt : std::optional(texts.GetString(i)),
                    .vector = VectorAt(kind, vectors, i)});
  }
  return rows;
}

std::vector<std::uint64_t> RowIdsOf(const arrow::RecordBatch& batch) {
  const auto& column = static_cast<const arrow::UInt64Array&>(Column(batch, "_rowid"));
  return {column.raw_values(), column.raw_values() + column.length()};
}

StoredRows ReadAll(const TableKind& kind, arrow::RecordBatchReader* reader) {
  StoredRows all;
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    Require(reader->ReadNext(&batch));
    if (batch == nullptr) {
      return all;
    }
    const std::vector<std::uint64_t> row_ids = RowIdsOf(*batch);
    std::vector<TableRow> rows = RowsOf(kind, *batch);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!all.empty() && all.rbegin()->first >= row_ids[i]) {
        Fail("row " + std::to_string(row_ids[i]) + " comes after a later one, or twice");
      }
      all.emplace_hint(all.end(), row_ids[i], std::move(rows[i]));
    }
  }
}

std::vector<std::string> AllColumns() { return {"_rowid", "id", "number", "text", "vector"}; }

TableRow RandomRow(const TableKind& kind, std::uint64_t key, Rng* random) {
  TableRow row = {.key = key, .number = static_cast<std::int64_t>(random->Below(100))};
  if (!random->Chance(0.2)) {
    row.text = std::string(random->Below(3), 'x') + std::to_string(random->Below(5));
  }
  const bool coarse = random->Chance(0.5);
  for (std::int32_t i = 0; i < kind.dim; ++i) {
    const double step = coarse ? 1 : 1.0 / 256;
    double x = step * static_cast<double>(random->Below(coarse ? 4 : 1024)) - (coarse ? 2 : 2);
    if (!coarse && kind.element != ElementKind::kFloat16) {
      x = static_cast<double>(random->Uniform(-2, 2));
      // More bits than a float32 has.
      x += kind.element == ElementKind::kFloat64 ? 0x1p-40 * static_cast<double>(i + 1) : 0;
    }
    row.vector.push_back(x);
  }
  if (std::all_of(row.vector.begin(), row.vector.end(), [](double x) { return x == 0; })) {
    row.vector.front() = 1;  // Under cosine it would be a bad vector.
  }
  return row;
}

std::vector<float> AsFloats(const std::vector<double>& vector) {
  std::vector<float> floats;
  std::transform(vector.begin(), vector.end(), std::back_inserter(floats),
                 [](double x) { return static_cast<float>(x); });
  return floats;
}

}  // namespace forebay::testing
