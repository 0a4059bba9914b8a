#include "support/checked_table.h"

#include <arrow/array/array_base.h>
#include <arrow/array/array_primitive.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "support/shared_directory.h"

namespace forebay::testing {
namespace {

constexpr float kFill = 0.5F;

template <typename... Parts>
void Require(bool truth, const Parts&... parts) {
  if (!truth) {
    std::ostringstream what;
    (what << ... << parts);
    throw std::runtime_error(what.str());
  }
}

void RequireOk(const char* call, const Status& status) {
  Require(status.ok(), call, ": ", status.ToString());
}

/// What is stored of a put.
std::vector<TableRow> GoodRows(const CheckedPut& put, OnBadVectors on_bad_vectors) {
  std::vector<TableRow> rows;
  for (std::size_t i = 0; i < put.rows.size(); ++i) {
    const bool bad = std::binary_search(put.bad.begin(), put.bad.end(), i);
    if (!bad || on_bad_vectors == OnBadVectors::kFill) {
      rows.push_back(put.rows[i]);
    }
    if (bad && on_bad_vectors == OnBadVectors::kFill) {
      std::fill(rows.back().vector.begin(), rows.back().vector.end(), static_cast<double>(kFill));
    }
  }
  return rows;
}

std::shared_ptr<arrow::RecordBatch> BatchOf(const TableKind& kind, const CheckedPut& put) {
  std::vector<TableRow> rows = put.rows;
  for (const std::size_t i : put.bad) {
    rows[i].vector[i % rows[i].vector.size()] = i % 2 == 0
                                                    ? std::numeric_limits<double>::quiet_NaN()
                                                    : -std::numeric_limits<double>::infinity();
  }
  if (put.sliced) {
    Rng random(9);
    rows.insert(rows.begin(), 3, RandomRow(kind, 1, &random));
    rows.push_back(RandomRow(kind, 2, &random));
  }
  auto batch = testing::BatchOf(kind, rows);
  if (put.sliced) {
    batch = batch->Slice(3, static_cast<std::int64_t>(put.rows.size()));
  }
  return put.reordered ? batch->SelectColumns({3, 1, 0, 2}).ValueOrDie() : batch;
}

}  // namespace

CheckedTable::CheckedTable(const TableKind& kind, std::optional<IvfPqModel> model,
                           OnBadVectors on_bad_vectors)
    : on_bad_vectors_(on_bad_vectors), model_(kind) {
  auto made = Table::Impl::Create(Directory(), DefinitionOf(kind, std::move(model)), Options());
  RequireOk("Create", made.status());
  table_.emplace(*std::move(made));
}

TableOptions CheckedTable::Options() const {
  return {.merge_fan_in = 0,  // Merges are steps.
          .on_bad_vectors = on_bad_vectors_,
          .fill_value = kFill,
          .num_threads = 2};
}

std::unique_ptr<storage::Directory> CheckedTable::Directory() const {
  return std::make_unique<SharedDirectory>(directory_);
}

void CheckedTable::Put(const CheckedPut& put) {
  const auto report = table_->Put(*BatchOf(kind(), put));
  if (!put.bad.empty() && on_bad_vectors_ == OnBadVectors::kError) {
    Require(report.status().code() == StatusCode::kInvalidArgument,
            "Put took a bad vector: ", report.status().ToString());
    return;
  }
  RequireOk("Put", report.status());
  const std::vector<TableRow> rows = GoodRows(put, on_bad_vectors_);
  const bool dropped = on_bad_vectors_ == OnBadVectors::kDrop;
  Require(report->num_rows == rows.size(), "num_rows ", report->num_rows);
  Require(report->num_dropped == (dropped ? put.bad.size() : 0), "num_dropped ",
          report->num_dropped);
  Require(report->num_filled == (dropped ? 0 : put.bad.size()), "num_filled ", report->num_filled);
  Require(rows.empty() || report->first_row_id == model_.next_row_id(), "first_row_id ",
          report->first_row_id, ", expected ", model_.next_row_id());
  const std::size_t num_replaced = model_.Put(rows);
  Require(report->num_replaced == num_replaced, "num_replaced ", report->num_replaced,
          ", expected ", num_replaced);
}

void CheckedTable::Delete(std::span<const std::uint64_t> keys) {
  const auto count = table_->Delete(*KeyArray(kind(), keys));
  if (kind().key == KeyKind::kNone) {
    Require(count.status().code() == StatusCode::kFailedPrecondition, "Delete without a key");
    return;
  }
  RequireOk("Delete", count.status());
  const std::size_t expected = model_.Delete(keys);
  Require(*count == expected, "Delete by key reported ", *count, ", expected ", expected);
}

void CheckedTable::Delete(const TableFilter& filter) {
  const auto count = table_->Delete(filter.ToArrow());
  RequireOk("Delete", count.status());
  const std::size_t expected = model_.Delete(filter);
  Require(*count == expected, "Delete by filter reported ", *count, ", expected ", expected);
}

void CheckedTable::Train(const TrainOptions& options) {
  const Status trained = table_->Train(options);
  const std::size_t needed = std::max(options.num_partitions, std::size_t{1} << options.num_bits);
  if (model_.rows().size() < needed) {
    Require(trained.code() == StatusCode::kInvalidArgument, "Train with ", model_.rows().size(),
            " rows: ", trained.ToString());
  } else {
    RequireOk("Train", trained);
  }
}

void CheckedTable::Flush() {
  RequireOk("Flush", table_->Flush());
  num_flushed_ = model_.next_row_id();
}

void CheckedTable::Merge() {
  RequireOk("Merge", table_->Merge());
  const auto stats = table_->stats();
  RequireOk("stats", stats.status());
  Require(stats->generations.size() <= 1, "Merge left ", stats->generations.size(), " generations");
}

void CheckedTable::Reopen(testing::Reopen how) {
  using Way = testing::Reopen;
  std::shared_ptr<FaultyDirectory> left;
  if (how == Way::kKilled || how == Way::kPowerCut) {
    left = directory_->AfterCrash(
        how == Way::kKilled ? AfterPowerCut::kAll : AfterPowerCut::kNothing, 0);
  } else if (how == Way::kClosed) {
    RequireOk("Close", table_->Close());
    Require(!table_->Count().ok(), "a closed table can be read");
  }
  table_.reset();
  directory_ = left == nullptr ? directory_ : left;
  auto opened = Table::Impl::Open(Directory(), Options());
  RequireOk("Open", opened.status());
  table_.emplace(*std::move(opened));
  const RecoveryReport& recovery = table_->recovery();
  Require(recovery.num_rows == model_.next_row_id() - num_flushed_, "recovery has ",
          recovery.num_rows, " rows");
  const std::uint64_t num_deaths = model_.next_row_id() - model_.rows().size();
  Require(num_flushed_ > 0 ? recovery.num_deaths <= num_deaths : recovery.num_deaths == num_deaths,
          "recovery has ", recovery.num_deaths, " deaths");
  Require(recovery.torn_bytes == 0, "recovery cut ", recovery.torn_bytes, " bytes");
}

void CheckedTable::OpenBeside() const {
  const auto second = Table::Impl::Open(Directory(), Options());
  Require(second.status().code() == StatusCode::kFailedPrecondition,
          "a second writer: ", second.status().ToString());
  TableOptions options = Options();
  options.read_only = true;
  auto reader = Table::Impl::Open(Directory(), options);
  RequireOk("Open to read", reader.status());
  const std::string differs = Difference(*reader, model_);
  Require(differs.empty(), "a reader: ", differs);
  const auto put = reader->Put(*testing::BatchOf(kind(), {}));
  static_cast<void>(put);  // Nothing to write: either answer will do.
  Require(!reader->Delete(TableFilter{}.ToArrow()).ok(), "a reader wrote");
}

void CheckedTable::Search(const CheckedSearch& search) const {
  const auto dim = static_cast<std::size_t>(kind().dim);
  std::vector<float> queries;
  for (const std::vector<float>& query : search.queries) {
    queries.insert(queries.end(), query.begin(), query.end());
  }
  const arrow::compute::Expression filter = search.filter.ToArrow();
  TableSearchOptions options = search.options;
  options.filter = search.has_filter ? &filter : nullptr;
  options.columns = search.all_columns ? AllColumns() : std::vector<std::string>{"_rowid"};
  const auto result = table_->Search({queries.data(), search.queries.size(), dim}, options);
  RequireOk("Search", result.status());

  const arrow::RecordBatch& rows = *result->rows;
  const std::vector<std::uint64_t> row_ids = RowIdsOf(rows);
  const auto& indices =
      static_cast<const arrow::UInt32Array&>(*rows.GetColumnByName("query_index"));
  const auto& distances = static_cast<const arrow::FloatArray&>(*rows.GetColumnByName("_distance"));
  std::vector<std::vector<std::pair<float, std::uint64_t>>> hits(search.queries.size());
  for (std::size_t i = 0; i < row_ids.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    Require(at == 0 || indices.Value(at) >= indices.Value(at - 1), "queries are out of order");
    hits.at(indices.Value(at)).emplace_back(distances.Value(at), row_ids[i]);
  }
  for (std::size_t query = 0; query < hits.size(); ++query) {
    CheckHits(search, query, hits[query]);
  }
  const std::vector<TableRow> stored =
      search.all_columns ? RowsOf(kind(), rows) : std::vector<TableRow>();
  for (std::size_t i = 0; i < stored.size(); ++i) {
    Require(stored[i] == model_.rows().at(row_ids[i]), "row ", row_ids[i], " has other values");
  }
}

void CheckedTable::CheckHits(const CheckedSearch& search, std::size_t query,
                             std::span<const std::pair<float, std::uint64_t>> hits) const {
  const TableFilter filter = search.has_filter ? search.filter : TableFilter{};
  const auto all = model_.Nearest(search.queries[query], model_.rows().size(), filter);
  const std::size_t expected = std::min(search.options.k, all.size());
  Require(hits.size() == expected, "query ", query, " has ", hits.size(), " hits, expected ",
          expected);
  const std::size_t num_ranked = search.options.k * search.options.refine_factor;
  const bool is_exact =
      !table_->model().has_value() || (search.options.nprobes > 1000 && num_ranked >= all.size());
  for (std::size_t i = 0; i < hits.size(); ++i) {
    Require(i == 0 || hits[i - 1] < hits[i], "query ", query, ": hit ", i, " is out of order");
    Require(!is_exact || hits[i] == all[i], "query ", query, ": hit ", i, " is row ",
            hits[i].second, " at ", hits[i].first, ", expected row ", all[i].second, " at ",
            all[i].first);
    // However it was found, its distance is exact.
    Require(std::find(all.begin(), all.end(), hits[i]) != all.end(), "query ", query, ": hit ", i,
            ", row ", hits[i].second, " at ", hits[i].first, ", is not to be found");
  }
}

void CheckedTable::Get(const std::vector<std::uint64_t>& keys) const {
  const auto got = table_->Get(*KeyArray(kind(), keys), AllColumns());
  if (kind().key == KeyKind::kNone) {
    Require(got.status().code() == StatusCode::kFailedPrecondition, "Get without a key");
    return;
  }
  RequireOk("Get", got.status());
  std::vector<std::uint64_t> expected;
  for (const std::uint64_t key : keys) {
    if (const auto row_id = model_.Find(key); row_id.has_value()) {
      expected.push_back(*row_id);
    }
  }
  Require(RowIdsOf(**got) == expected, "Get gave other rows");
  const std::vector<TableRow> rows = RowsOf(kind(), **got);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Require(rows[i] == model_.rows().at(expected[i]), "Get gave other values");
  }
}

void CheckedTable::Take(const std::vector<std::uint64_t>& row_ids) const {
  const auto taken = table_->Take(row_ids, AllColumns());
  RequireOk("Take", taken.status());
  std::vector<std::uint64_t> expected = row_ids;
  std::erase_if(expected, [&](std::uint64_t id) { return !model_.rows().contains(id); });
  Require(RowIdsOf(**taken) == expected, "Take gave other rows");
  const std::vector<TableRow> rows = RowsOf(kind(), **taken);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Require(rows[i] == model_.rows().at(expected[i]), "Take gave other values");
  }
}

void CheckedTable::ScanAndCount(const TableFilter& filter) const {
  const arrow::compute::Expression expression = filter.ToArrow();
  const auto reader = table_->Scan(&expression, AllColumns());
  RequireOk("Scan", reader.status());
  const StoredRows expected = model_.Matching(filter);
  Require(ReadAll(kind(), reader->get()) == expected, "Scan gave other rows");
  const auto count = table_->Count(&expression);
  RequireOk("Count", count.status());
  Require(*count == expected.size(), "Count gave ", *count, ", expected ", expected.size());
}

void CheckedTable::Pin() {
  auto reader = table_->Scan(nullptr, AllColumns());
  RequireOk("Scan", reader.status());
  pinned_.push_back({*std::move(reader), model_.rows()});
}

void CheckedTable::Unpin() {
  for (const Pinned& pinned : pinned_) {
    Require(ReadAll(kind(), pinned.reader.get()) == pinned.expected,
            "a scan that was begun earlier saw something of what came after");
  }
  pinned_.clear();
}

void CheckedTable::CheckAll() const {
  const std::string differs = DeepDifference(*table_, model_);
  Require(differs.empty(), differs);
}

}  // namespace forebay::testing
