// The name of a Unix user, for the record's `caller` and for rules that name callers.
//
// Why a cache: a lookup reads /etc/passwd or asks a directory server, and thousands of calls a
// second come from the same few users. A name is kept for a minute, so a user renamed later shows
// under the old name for as long; that there is none, or that nobody could be asked, only for a
// second, or where it took long to find out, ten times as long. If nobody can be asked a name that
// was known stands. At most 256 are kept.
//
// Thread: one at a time; user_name() and known_user_name() any, each with a cache of its own.
// Errors: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <unordered_map>

namespace invlog::bedrock {

class UserNames {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Empty: the user has no name. The error: nobody could be asked.
  using LookUp = std::function<tl::expected<std::optional<std::string>, int>(std::uint32_t uid)>;

  UserNames(LookUp look_up, std::function<Time()> now);

  // Of a user without a name the number; empty: nobody could be asked.
  std::optional<std::string> of(std::uint32_t uid);

 private:
  struct Known {
    std::optional<std::string> name;
    Time until;
  };
  Known ask(std::uint32_t uid, Time now, std::optional<std::string> before) const;

  LookUp look_up_;
  std::function<Time()> now_;
  std::unordered_map<std::uint32_t, Known> known_;
};

// As the system's databases have it.
std::optional<std::string> known_user_name(std::uint32_t uid);
// The same; the number also where nobody could be asked.
std::string user_name(std::uint32_t uid);

}  // namespace invlog::bedrock
