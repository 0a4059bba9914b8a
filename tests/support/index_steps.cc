#include "support/index_steps.h"

#include <limits>
#include <ostream>

namespace forebay::testing {
namespace {

namespace gen = rc::gen;

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

rc::Gen<std::uint64_t> Seed() { return gen::noShrink(gen::inRange<std::uint64_t>(0, 1U << 30U)); }

rc::Gen<Values> AnyValues() {
  return gen::element(Values::kGaussian, Values::kSmallIntegers, Values::kFewDistinct,
                      Values::kMixedScale, Values::kLong, Values::kTiny);
}

/// True once in `n` cases.
rc::Gen<bool> Seldom(std::size_t n) {
  return gen::map(gen::resize(rc::kNominalSize, gen::inRange<std::size_t>(0, n)),
                  [n](std::size_t i) { return i + 1 == n; });
}

rc::Gen<InsertStep> InsertSteps() {
  using S = InsertStep;
  return gen::build<S>(
      gen::set(&S::num_rows,
               gen::oneOf(gen::inRange<std::size_t>(0, 8), gen::inRange<std::size_t>(0, 300))),
      gen::set(&S::num_batches, gen::inRange<std::size_t>(1, 4)),
      gen::set(&S::positions,
               gen::element(Positions::kNext, Positions::kNext, Positions::kRun,
                            Positions::kAnywhere, Positions::kEveryThird, Positions::kHuge,
                            Positions::kReplay, Positions::kTwice)),
      gen::set(&S::values, AnyValues()),
      gen::set(&S::num_bad, gen::element<std::size_t>(0, 0, 1, 9)),
      gen::set(&S::wrong_dim, Seldom(20)),
      gen::set(&S::num_threads, gen::inRange<std::size_t>(1, 4)), gen::set(&S::seed, Seed()));
}

rc::Gen<SearchStep> SearchSteps() {
  using S = SearchStep;
  return gen::build<S>(
      // So many that they go through partitions together, or not.
      gen::set(&S::num_queries,
               gen::oneOf(gen::inRange<std::size_t>(0, 6), gen::inRange<std::size_t>(0, 6),
                          gen::inRange<std::size_t>(20, 101))),
      gen::set(&S::values, AnyValues()), gen::set(&S::stored_queries),
      gen::set(&S::bad_query, Seldom(20)),
      gen::set(&S::k, gen::element<std::size_t>(0, 1, 2, 3, 10, 50, 200, kNoLimit)),
      gen::set(&S::nprobes, gen::element<std::size_t>(0, 1, 1, 2, 3, 100, kNoLimit)),
      gen::set(&S::refine_factor, gen::element<std::size_t>(0, 0, 1, 3)),
      gen::set(&S::raw_vector_missing, Seldom(10)), gen::set(&S::max_row_position),
      gen::set(&S::filter, gen::element(Filter::kNone, Filter::kBitmap, Filter::kPositions)),
      gen::set(&S::percent_allowed, gen::element<std::size_t>(0, 2, 20, 50, 90, 100)),
      gen::set(&S::hidden),
      gen::set(&S::range, gen::element(Range::kNone, Range::kNone, Range::kFound, Range::kFound,
                                       Range::kFound, Range::kEmpty, Range::kNan)),
      gen::set(&S::num_threads, gen::inRange<std::size_t>(1, 4)), gen::set(&S::seed, Seed()));
}

rc::Gen<Step> Steps() {
  return gen::oneOf(gen::cast<Step>(InsertSteps()), gen::cast<Step>(SearchSteps()));
}

rc::Gen<ModelSpec> ModelSpecs(const CodeKind& kind) {
  using S = ModelSpec;
  const auto of_this_kind = [kind](ModelSpec spec) {
    spec.metric = kind.metric;
    spec.residual = kind.residual;
    spec.num_bits = kind.num_bits;
    spec.num_sub_vectors *= kind.num_bits == 4 ? 2 : 1;
    return spec;
  };
  return gen::map(
      gen::build<S>(
          gen::set(&S::trained, Seldom(3)), gen::set(&S::values, AnyValues()),
          gen::set(&S::num_partitions,
                   gen::oneOf(gen::inRange<std::size_t>(1, 6), gen::inRange<std::size_t>(1, 40))),
          gen::set(&S::num_sub_vectors, gen::inRange<std::size_t>(1, 7)),
          gen::set(&S::sub_dim, gen::inRange<std::size_t>(1, 5)), gen::set(&S::seed, Seed())),
      of_this_kind);
}

}  // namespace

rc::Gen<IndexCase> IndexCases(const CodeKind& kind) {
  using C = IndexCase;
  return gen::build<C>(
      gen::set(&C::model, ModelSpecs(kind)),
      gen::set(&C::capacity, gen::element<std::size_t>(1, 2, 63, 64, 65, 100, 128, 1000)),
      gen::set(&C::on_bad_vectors,
               gen::element(OnBadVectors::kError, OnBadVectors::kDrop, OnBadVectors::kFill)),
      gen::set(&C::steps, gen::container<std::vector<Step>>(Steps())));
}

std::ostream& operator<<(std::ostream& out, const CodeKind& kind) {
  return out << MetricName(kind.metric) << (kind.residual ? "_residual_" : "_raw_")
             << kind.num_bits;
}

std::ostream& operator<<(std::ostream& out, const InsertStep& step) {
  return out << "\n  insert {.num_rows = " << step.num_rows
             << ", .num_batches = " << step.num_batches
             << ", .positions = " << static_cast<int>(step.positions)
             << ", .values = " << static_cast<int>(step.values) << ", .num_bad = " << step.num_bad
             << ", .wrong_dim = " << step.wrong_dim << ", .num_threads = " << step.num_threads
             << ", .seed = " << step.seed << "}";
}

std::ostream& operator<<(std::ostream& out, const SearchStep& step) {
  return out << "\n  search {.num_queries = " << step.num_queries
             << ", .values = " << static_cast<int>(step.values)
             << ", .stored_queries = " << step.stored_queries << ", .bad_query = " << step.bad_query
             << ", .k = " << step.k << ", .nprobes = " << step.nprobes
             << ", .refine_factor = " << step.refine_factor
             << ", .raw_vector_missing = " << step.raw_vector_missing
             << ", .max_row_position = " << step.max_row_position
             << ", .filter = " << static_cast<int>(step.filter)
             << ", .percent_allowed = " << step.percent_allowed << ", .hidden = " << step.hidden
             << ", .range = " << static_cast<int>(step.range)
             << ", .num_threads = " << step.num_threads << ", .seed = " << step.seed << "}";
}

std::ostream& operator<<(std::ostream& out, const IndexCase& index_case) {
  const ModelSpec& model = index_case.model;
  out << CodeKind{model.metric, model.residual, model.num_bits} << " {.trained = " << model.trained
      << ", .values = " << static_cast<int>(model.values)
      << ", .num_partitions = " << model.num_partitions
      << ", .num_sub_vectors = " << model.num_sub_vectors << ", .sub_dim = " << model.sub_dim
      << ", .seed = " << model.seed << "}\ncapacity " << index_case.capacity << ", on_bad_vectors "
      << static_cast<int>(index_case.on_bad_vectors);
  for (const Step& step : index_case.steps) {
    std::visit([&out](const auto& s) { out << s; }, step);
  }
  return out;
}

}  // namespace forebay::testing
