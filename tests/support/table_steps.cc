#include "support/table_steps.h"

#include <ostream>

namespace forebay::testing {
namespace {

namespace gen = rc::gen;

rc::Gen<std::uint64_t> Seed() { return gen::noShrink(gen::inRange<std::uint64_t>(0, 1U << 30U)); }

rc::Gen<PutStep> PutSteps() {
  using S = PutStep;
  return gen::build<S>(gen::set(&S::num_rows, gen::oneOf(gen::inRange<std::size_t>(0, 4),
                                                         gen::inRange<std::size_t>(0, 150))),
                       gen::set(&S::num_keys, gen::element<std::uint64_t>(1, 10, 100, 1000)),
                       gen::set(&S::num_bad, gen::element<std::size_t>(0, 0, 0, 1, 3)),
                       gen::set(&S::sliced), gen::set(&S::reordered), gen::set(&S::seed, Seed()));
}

rc::Gen<DeleteStep> DeleteSteps() {
  using S = DeleteStep;
  return gen::build<S>(gen::set(&S::by_key),
                       gen::set(&S::num_keys, gen::inRange<std::size_t>(0, 20)),
                       gen::set(&S::seed, Seed()));
}

rc::Gen<TableSearchStep> SearchSteps() {
  using S = TableSearchStep;
  return gen::build<S>(
      gen::set(&S::num_queries,
               gen::oneOf(gen::inRange<std::size_t>(0, 4), gen::inRange<std::size_t>(0, 40))),
      gen::set(&S::k, gen::element<std::size_t>(0, 1, 2, 10, 50, 1000)), gen::set(&S::everywhere),
      gen::set(&S::has_filter), gen::set(&S::all_columns),
      gen::set(&S::num_threads, gen::inRange<std::size_t>(1, 3)), gen::set(&S::seed, Seed()));
}

rc::Gen<TrainStep> TrainSteps() {
  using S = TrainStep;
  return gen::build<S>(gen::set(&S::num_partitions, gen::inRange<std::size_t>(1, 6)),
                       gen::set(&S::num_bits, gen::element(4U, 4U, 8U)),
                       gen::set(&S::seed, Seed()));
}

rc::Gen<TableStep> Steps() {
  const auto reads = gen::map(Seed(), [](std::uint64_t seed) { return TableStep(ReadStep{seed}); });
  const auto reopens = gen::map(
      gen::element(Reopen::kClosed, Reopen::kDestroyed, Reopen::kKilled, Reopen::kPowerCut),
      [](Reopen how) { return TableStep(ReopenStep{how}); });
  const auto small =
      gen::map(gen::element(SmallStep::kPin, SmallStep::kUnpin, SmallStep::kOpenBeside,
                            SmallStep::kFlush, SmallStep::kFlush, SmallStep::kMerge),
               [](SmallStep step) { return TableStep(step); });
  return gen::weightedOneOf<TableStep>({{6, gen::cast<TableStep>(PutSteps())},
                                        {2, gen::cast<TableStep>(DeleteSteps())},
                                        {4, gen::cast<TableStep>(SearchSteps())},
                                        {2, reads},
                                        {1, gen::cast<TableStep>(TrainSteps())},
                                        {1, reopens},
                                        {2, small}});
}

std::ostream& Print(std::ostream& out, const PutStep& step) {
  return out << "put {.num_rows = " << step.num_rows << ", .num_keys = " << step.num_keys
             << ", .num_bad = " << step.num_bad << ", .sliced = " << step.sliced
             << ", .reordered = " << step.reordered << ", .seed = " << step.seed << "}";
}

std::ostream& Print(std::ostream& out, const DeleteStep& step) {
  return out << "delete {.by_key = " << step.by_key << ", .num_keys = " << step.num_keys
             << ", .seed = " << step.seed << "}";
}

std::ostream& Print(std::ostream& out, const TableSearchStep& step) {
  return out << "search {.num_queries = " << step.num_queries << ", .k = " << step.k
             << ", .everywhere = " << step.everywhere << ", .has_filter = " << step.has_filter
             << ", .all_columns = " << step.all_columns << ", .num_threads = " << step.num_threads
             << ", .seed = " << step.seed << "}";
}

std::ostream& Print(std::ostream& out, const ReadStep& step) {
  return out << "read {.seed = " << step.seed << "}";
}

std::ostream& Print(std::ostream& out, const TrainStep& step) {
  return out << "train {.num_partitions = " << step.num_partitions
             << ", .num_bits = " << step.num_bits << ", .seed = " << step.seed << "}";
}

std::ostream& Print(std::ostream& out, const ReopenStep& step) {
  return out << "reopen {" << static_cast<int>(step.how) << "}";
}

std::ostream& Print(std::ostream& out, SmallStep step) {
  return out << "small {" << static_cast<int>(step) << "}";
}

}  // namespace

rc::Gen<TableCase> TableCases(KeyKind key, ElementKind element) {
  using C = TableCase;
  const auto kinds = gen::apply(
      [key, element](Metric metric, std::int32_t half_dim) {
        return TableKind{key, element, metric, 2 * half_dim};
      },
      gen::element(Metric::kL2, Metric::kCosine, Metric::kDot), gen::inRange<std::int32_t>(1, 10));
  return gen::build<C>(
      gen::set(&C::kind, kinds), gen::set(&C::has_model),
      gen::set(&C::on_bad_vectors,
               gen::element(OnBadVectors::kError, OnBadVectors::kDrop, OnBadVectors::kFill)),
      gen::set(&C::steps, gen::container<std::vector<TableStep>>(Steps())));
}

std::ostream& operator<<(std::ostream& out, const TableCase& table_case) {
  out << MetricName(table_case.kind.metric) << ", dim " << table_case.kind.dim << ", has_model "
      << table_case.has_model << ", on_bad_vectors " << static_cast<int>(table_case.on_bad_vectors);
  for (const TableStep& step : table_case.steps) {
    out << "\n  ";
    std::visit([&out](const auto& s) { Print(out, s); }, step);
  }
  return out;
}

}  // namespace forebay::testing
