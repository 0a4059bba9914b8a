// CheckProperty: a RapidCheck property as a GoogleTest test, with the number of cases that the
// environment asks for.
//
// FOREBAY_PROPERTY_CASES sets how many cases each property runs. RC_PARAMS is RapidCheck's: what a
// failure prints to be reproduced goes in there, or seed=N.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <sstream>
#include <string>

namespace forebay::testing {

inline int NumPropertyCases(int by_default) {
  const char* cases = std::getenv("FOREBAY_PROPERTY_CASES");
  return cases == nullptr ? by_default : std::stoi(cases);
}

/// Runs property() for `num_cases` cases, unless the environment says how many. It draws what it
/// needs from RapidCheck's generators, and fails by throwing.
template <typename Property>
void CheckProperty(int num_cases, const Property& property) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  rc::detail::TestMetadata metadata;
  metadata.id = std::string(test->test_suite_name()) + "." + test->name();
  metadata.description = metadata.id;
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  params.maxSuccess = NumPropertyCases(num_cases);
  const auto result = rc::detail::checkTestable(property, metadata, params);
  if (!result.template is<rc::detail::SuccessResult>()) {
    std::ostringstream message;
    rc::detail::printResultMessage(result, message);
    FAIL() << message.str();
  }
}

}  // namespace forebay::testing
