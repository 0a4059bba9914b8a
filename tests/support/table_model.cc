#include "support/table_model.h"

#include <arrow/array/array_base.h>
#include <arrow/array/array_primitive.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "support/canonical_arithmetic.h"

namespace forebay::testing {
namespace {

/// The query as it is compared: under cosine of length 1.
std::vector<float> Prepared(Metric metric, std::vector<float> query) {
  if (metric == Metric::kCosine) {
    const float norm = std::sqrt(TreeDot(query.data(), query.data(), query.size()));
    for (float& x : query) {
      x /= norm;
    }
  }
  return query;
}

float ExactDistance(Metric metric, const std::vector<float>& query, const std::vector<float>& raw) {
  const std::size_t dim = raw.size();
  if (metric == Metric::kL2) {
    return TreeL2(query.data(), raw.data(), dim);
  }
  const float dot = TreeDot(query.data(), raw.data(), dim);
  return metric == Metric::kDot ? 1.0F - dot
                                : 1.0F - dot / std::sqrt(TreeDot(raw.data(), raw.data(), dim));
}

std::string Text(const StoredRows& rows) {
  std::ostringstream text;
  text << rows.size() << " rows";
  return text.str();
}

/// The first difference.
std::string Compare(const StoredRows& real, const StoredRows& expected) {
  std::ostringstream text;
  auto a = real.begin();
  auto b = expected.begin();
  while (a != real.end() && b != expected.end() && *a == *b) {
    ++a;
    ++b;
  }
  if (a == real.end() && b == expected.end()) {
    return "";
  }
  text << Text(real) << ", expected " << Text(expected) << "; the first that differs: ";
  if (a == real.end()) {
    text << "none, expected " << b->first << ' ' << b->second;
  } else if (b == expected.end()) {
    text << a->first << ' ' << a->second << ", expected none";
  } else {
    text << a->first << ' ' << a->second << ", expected " << b->first << ' ' << b->second;
  }
  return text.str();
}

/// Each key's row, and those of keys that are not there left out.
std::string CompareByKey(const Table& table, const TableModel& model) {
  std::vector<std::uint64_t> keys = {1U << 30U};
  StoredRows expected;
  for (const auto& [row_id, row] : model.rows()) {
    keys.push_back(row.key);
  }
  const auto got = table.Get(*KeyArray(model.kind(), keys), AllColumns());
  if (!got.ok()) {
    return "Get: " + got.status().ToString();
  }
  const std::vector<std::uint64_t> row_ids = RowIdsOf(**got);
  const std::vector<TableRow> rows = RowsOf(model.kind(), **got);
  StoredRows found;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    found.emplace(row_ids[i], rows[i]);
  }
  const std::string differs = Compare(found, model.rows());
  return differs.empty() ? "" : "Get: " + differs;
}

/// All rows, and one that is not there.
std::string CompareByRowId(const Table& table, const TableModel& model) {
  std::vector<std::uint64_t> row_ids = {model.next_row_id(), std::uint64_t{1} << 63U};
  for (const auto& [row_id, row] : model.rows()) {
    row_ids.push_back(row_id);
  }
  const auto taken = table.Take(row_ids, AllColumns());
  if (!taken.ok()) {
    return "Take: " + taken.status().ToString();
  }
  row_ids.erase(row_ids.begin(), row_ids.begin() + 2);
  return RowIdsOf(**taken) == row_ids ? "" : "Take gave other rows";
}

/// A search for everything gives each row once.
std::string CompareBySearch(const Table& table, const TableModel& model) {
  const std::size_t dim = table.dim();
  const std::vector<float> query(dim, 1.0F);
  const auto found = table.Search(
      {query.data(), 1, dim}, {.k = model.rows().size() + 10, .nprobes = 1, .columns = {"_rowid"}});
  if (!found.ok()) {
    return "Search: " + found.status().ToString();
  }
  std::vector<std::uint64_t> row_ids = RowIdsOf(*found->rows);
  std::sort(row_ids.begin(), row_ids.end());
  const bool equal =
      std::equal(row_ids.begin(), row_ids.end(), model.rows().begin(), model.rows().end(),
                 [](std::uint64_t id, const auto& row) { return id == row.first; });
  return equal ? ""
               : "a search for all rows gave " + std::to_string(row_ids.size()) + ", or others";
}

std::string CompareCounts(const Table& table, const TableModel& model) {
  const TableFilter filter = {.kind = TableFilter::Kind::kNumberBetween, .low = 10, .high = 60};
  const arrow::compute::Expression expression = filter.ToArrow();
  const auto all = table.Count();
  const auto some = table.Count(&expression);
  const auto stats = table.stats();
  if (!all.ok() || !some.ok() || !stats.ok()) {
    return "Count or stats failed";
  }
  const bool equal = *all == model.rows().size() && *some == model.Matching(filter).size() &&
                     stats->num_rows == *all;
  return equal ? "" : "counts differ";
}

}  // namespace

std::size_t TableModel::Put(std::span<const TableRow> rows) {
  std::size_t num_replaced = 0;
  for (const TableRow& row : rows) {
    if (kind_.key != KeyKind::kNone) {
      const auto [place, is_new] = row_of_key_.try_emplace(row.key, next_row_id_);
      if (!is_new) {
        rows_.erase(place->second);
        place->second = next_row_id_;
        ++num_replaced;
      }
    }
    rows_.emplace_hint(rows_.end(), next_row_id_++, row);
  }
  return num_replaced;
}

std::size_t TableModel::Delete(std::span<const std::uint64_t> keys) {
  std::size_t num_deleted = 0;
  for (const std::uint64_t key : keys) {
    if (const auto found = row_of_key_.find(key); found != row_of_key_.end()) {
      rows_.erase(found->second);
      row_of_key_.erase(found);
      ++num_deleted;
    }
  }
  return num_deleted;
}

std::size_t TableModel::Delete(const TableFilter& filter) {
  if (kind_.key != KeyKind::kNone) {
    std::erase_if(row_of_key_,
                  [&](const auto& key) { return filter.Matches(rows_.at(key.second)); });
  }
  return std::erase_if(rows_, [&](const auto& row) { return filter.Matches(row.second); });
}

StoredRows TableModel::Matching(const TableFilter& filter) const {
  StoredRows matching = rows_;
  std::erase_if(matching, [&](const auto& row) { return !filter.Matches(row.second); });
  return matching;
}

std::optional<std::uint64_t> TableModel::Find(std::uint64_t key) const {
  const auto found = row_of_key_.find(key);
  return found == row_of_key_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::pair<float, std::uint64_t>> TableModel::Nearest(const std::vector<float>& query,
                                                                 std::size_t k,
                                                                 const TableFilter& filter) const {
  const std::vector<float> prepared = Prepared(kind_.metric, query);
  std::vector<std::pair<float, std::uint64_t>> nearest;
  for (const auto& [row_id, row] : rows_) {
    if (filter.Matches(row)) {
      nearest.emplace_back(ExactDistance(kind_.metric, prepared, AsFloats(row.vector)), row_id);
    }
  }
  std::sort(nearest.begin(), nearest.end());
  nearest.resize(std::min(nearest.size(), k));
  return nearest;
}

std::string Difference(const Table& table, const TableModel& model) {
  const auto reader = table.Scan(nullptr, AllColumns());
  return reader.ok() ? Compare(ReadAll(model.kind(), reader->get()), model.rows())
                     : "Scan: " + reader.status().ToString();
}

std::string DeepDifference(const Table& table, const TableModel& model) {
  std::string differs = Difference(table, model);
  differs = differs.empty() ? CompareCounts(table, model) : differs;
  differs = differs.empty() ? CompareByRowId(table, model) : differs;
  differs =
      differs.empty() && model.kind().key != KeyKind::kNone ? CompareByKey(table, model) : differs;
  differs = differs.empty() ? CompareBySearch(table, model) : differs;
  if (differs.empty()) {
    const auto verified = table.Verify();
    differs = verified.ok() ? "" : "Verify: " + verified.status().ToString();
  }
  return differs;
}

}  // namespace forebay::testing
