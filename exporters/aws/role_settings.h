// A role to assume, as profiles and the environment name it, and what STS takes in each field.
// Source: sts service-2.json (AssumeRole, AssumeRoleWithWebIdentity).
//
// Values and pure functions; any thread. Errors: results that name the setting and what it must be.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace invlog::aws {

struct RoleSettings {
  std::string role_arn;
  std::string session_name;
  std::string external_id;           // "" none
  std::chrono::seconds duration{0};  // 900 to 43200; 0: the service's default, an hour

  bool operator==(const RoleSettings&) const = default;
};

bool is_session_name_character(char byte);

// Each gives what is wrong with the value ("must be ..."), or nothing.
std::optional<std::string> problem_of_role_arn(std::string_view text);
std::optional<std::string> problem_of_session_name(std::string_view text);
std::optional<std::string> problem_of_external_id(std::string_view text);
// Sets `duration`.
std::optional<std::string> problem_of_duration(std::string_view text,
                                               std::chrono::seconds& duration);

}  // namespace invlog::aws
