// Whether a sanitizer watches this build, which makes it several times slower: tests that try the
// same thing with thousands of seeds then try fewer. (CI runs the sanitizers after a build that
// tried them all.)
#pragma once

namespace invlog::tests {

#if defined(INVLOG_SANITIZED)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace invlog::tests
