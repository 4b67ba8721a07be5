// The names of the Unix users who call, for the record's `caller`, for refusals and for rules that
// name callers.
//
// Why a cache: a look-up reads /etc/passwd or asks a directory server, on a helper thread, and
// thousands of calls a second come from the same few users. A name is kept for a minute, that there
// is none, or that nobody could be asked, only for a second, or where it took long to find out, ten
// times as long; then it is asked for anew, and a call waits for it, a second at most
// (user_lookups.h). If nobody answers a name that was known stands. At most 256 are kept.
//
// Thread: the I/O thread; the look-up runs on the helper's. Ownership: as UserLookups. Errors:
// none; a name that nobody could find out in time is empty.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <unordered_map>

#include "agent/capture/user_lookups.h"

namespace invlog::capture {

// Empty: the user has no name. The error: nobody could be asked.
using UserName = tl::expected<std::optional<std::string>, int>;

// As the system's databases have it.
UserName name_of_user(std::uint32_t uid);

class CallerNames {
 public:
  using LookUp = UserLookups<UserName>::LookUp;
  using Time = UserLookups<UserName>::Time;

  CallerNames(Executor executor, asio::thread_pool& helper, LookUp look_up,
              std::function<Time()> now, std::chrono::milliseconds patience = kLookupPatience);
  CallerNames(const CallerNames&) = delete;
  CallerNames& operator=(const CallerNames&) = delete;

  // Asks, where that is due, so that the name is there by the time that somebody wants it. Whether
  // it was due.
  bool ask(std::uint32_t uid);
  // What is known, without waiting. Of a user without a name the number.
  std::optional<std::string> known(std::uint32_t uid) const;
  // Asks where that is due, and waits for the name then; not any longer once `woken` is set.
  Task<std::optional<std::string>> of(std::uint32_t uid, Event& woken);

 private:
  struct Known {
    std::optional<std::string> name;
    Time until;
  };
  void take(std::uint32_t uid, UserName name, Time asked_at);

  const std::function<Time()> now_;
  std::unordered_map<std::uint32_t, Known> known_;
  UserLookups<UserName> lookups_;
};

}  // namespace invlog::capture
