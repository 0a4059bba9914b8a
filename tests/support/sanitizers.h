// Which sanitizer this build has, under both compilers.
//
// Thread safety: constants.
#pragma once

#if defined(__has_feature)
#define FOREBAY_HAS_FEATURE(feature) __has_feature(feature)
#else
#define FOREBAY_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || FOREBAY_HAS_FEATURE(address_sanitizer)
#define FOREBAY_TEST_ASAN 1
#else
#define FOREBAY_TEST_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || FOREBAY_HAS_FEATURE(thread_sanitizer)
#define FOREBAY_TEST_TSAN 1
#else
#define FOREBAY_TEST_TSAN 0
#endif

namespace forebay::testing {

/// Both need far more address space than a test may use up.
inline constexpr bool kSanitized = FOREBAY_TEST_ASAN != 0 || FOREBAY_TEST_TSAN != 0;

}  // namespace forebay::testing
