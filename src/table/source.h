// Source: rows of a table that lie together, with what finds them: a MemTable or a generation.
//
// Thread safety: immutable; shared by pointers.
//
// Invariants:
//   1. A row's ordinal is its place in `rows`. Ordinals and `_rowid`s ascend together.
//   2. Of the rows of one key no more than the newest is alive.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "forebay/index.h"
#include "forebay/table.h"
#include "table/key_index.h"
#include "table/row_set.h"
#include "table/rows.h"

namespace forebay::segment {
class KeyFile;
}  // namespace forebay::segment

namespace forebay::table {

struct Source {
  /// Its number, from 1 on, and what its files take; number 0: it is a MemTable.
  GenerationStats generation = {};
  Rows rows = Rows();
  /// Rows that died; nullptr: none did.
  std::shared_ptr<const RowSet> dead = nullptr;
  std::uint64_t num_dead = 0;
  /// With a model. That of a MemTable may have more rows than `rows`: those are not to be seen yet.
  /// Row positions are ordinals.
  std::shared_ptr<IvfPqMemIndex> index = nullptr;
  /// The newest row of each key, dead or alive; nullptr: the table has no key, or this is the
  /// MemTable that is written to (the table has its keys).
  std::shared_ptr<const KeyIndex> keys = nullptr;
  /// The same of a generation.
  std::shared_ptr<const segment::KeyFile> key_file = nullptr;

  [[nodiscard]] std::uint64_t num_live() const { return rows.size() - num_dead; }
  [[nodiscard]] bool IsDead(std::uint32_t row) const {
    return dead != nullptr && dead->Contains(row);
  }
  /// Of memory.
  [[nodiscard]] std::uint64_t num_bytes() const {
    return rows.num_bytes() + (index == nullptr ? 0 : index->memory_usage().total());
  }
  [[nodiscard]] std::string name() const;

  /// Marks rows, which are alive, as dead, in a bitmap of its own.
  template <typename Ordinals>
  void Kill(const Ordinals& ordinals) {
    auto more = dead == nullptr ? std::make_shared<RowSet>() : std::make_shared<RowSet>(*dead);
    for (const std::uint32_t row : ordinals) {
      num_dead += more->Add(row) ? 1U : 0U;
    }
    dead = std::move(more);
  }
  [[nodiscard]] std::optional<std::uint32_t> FindKey(const Key& key) const;
};

}  // namespace forebay::table
