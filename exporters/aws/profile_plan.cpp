#include "exporters/aws/profile_plan.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "exporters/aws/message_text.h"

namespace invlog::aws {
namespace {

using Section = ProfileFiles::Section;
using Setting = ProfileFiles::Setting;
using Kind = ProfileStep::Kind;
using Error = tl::unexpected<std::string>;

// What needs a person in front of a browser.
constexpr std::array kInteractive = {"sso_session", "sso_start_url", "sso_account_id",
                                     "sso_role_name"};
// Profiles that one plan goes through, and how many characters of their names a message has room
// for.
constexpr std::size_t kLongestChain = 32, kLongestCircle = 400;
constexpr std::array kSources = {"Environment", "EcsContainer", "Ec2InstanceMetadata"};

class Planner {
 public:
  Planner(const ProfileFiles& files, const PlanOptions& options)
      : files_(files), options_(options) {}

  tl::expected<ProfilePlan, std::string> plan() {
    if (!files_.has(options_.profile)) {
      return options_.must_exist ? Error(subject(options_.profile) + " is in " + files_.neither() +
                                         ": correct AWS_PROFILE, or add the profile")
                                 : tl::expected<ProfilePlan, std::string>(ProfilePlan());
    }
    if (auto added = add(options_.profile, false); !added) {
      return Error(std::move(added.error()));
    }
    return std::move(plan_);
  }

 private:
  using Done = tl::expected<void, std::string>;

  static std::string subject(const std::string& profile) {
    return "profile " + one_line(profile, 128);
  }
  // The place, the profile and what is wrong in it.
  static Error wrong(const Setting& setting, const std::string& profile, const std::string& what) {
    return Error(setting.place + subject(profile) + " " + what);
  }

  // Adds the steps that give this profile's credentials. Of a source its static keys count first.
  Done add(const std::string& profile, bool is_source) {
    visited_.push_back(profile);
    if (is_source) {
      const auto keys =
          add_keys(profile, {files_.in_credentials(profile), files_.in_config(profile)});
      if (!keys || *keys) {
        return keys ? Done() : Done(Error(keys.error()));
      }
    }
    const auto role = files_.find(profile, "role_arn");
    const auto token_file = files_.find(profile, "web_identity_token_file");
    if (role) {
      return token_file ? add_web_identity(profile, *role, *token_file) : add_role(profile, *role);
    }
    for (const char* key : {"web_identity_token_file", "source_profile", "credential_source"}) {
      if (const auto setting = files_.find(profile, key)) {
        return wrong(*setting, profile, std::string("has ") + key + ", but no role_arn");
      }
    }
    return add_without_role(profile, is_source);
  }

  Done add_without_role(const std::string& profile, bool is_source) {
    for (const char* key : kInteractive) {
      if (const auto setting = files_.find(profile, key)) {
        return refuse_login(*setting, profile, key, "`aws sso login`");
      }
    }
    if (const auto setting = files_.find(profile, "login_session")) {
      return refuse_login(*setting, profile, "login_session", "`aws login`");
    }
    auto keys = add_keys(profile, {files_.in_credentials(profile)});
    if (keys && !*keys) {
      if (const auto command = files_.find(profile, "credential_process")) {
        ProfileStep step{Kind::process, profile, "", "", "", "", command->value, {}};
        plan_.push_back(std::move(step));
        return {};
      }
      keys = add_keys(profile, {files_.in_config(profile)});
    }
    if (!keys) {
      return Error(std::move(keys.error()));
    }
    return *keys || !(options_.must_give || is_source) ? Done() : without_keys(profile);
  }

  // Whether one of these sections has static keys; the first that has counts.
  tl::expected<bool, std::string> add_keys(const std::string& profile,
                                           std::initializer_list<Section> sections) {
    for (const Section& section : sections) {
      const SharedConfigValue* id = section.find("aws_access_key_id");
      const SharedConfigValue* secret = section.find("aws_secret_access_key");
      if (id == nullptr && secret == nullptr) {
        continue;
      }
      if (id == nullptr || secret == nullptr) {
        return Error(section.place((id == nullptr ? secret : id)->line) + subject(profile) +
                     " has " +
                     (id == nullptr ? "aws_secret_access_key, but no aws_access_key_id"
                                    : "aws_access_key_id, but no aws_secret_access_key"));
      }
      const SharedConfigValue* token = section.find("aws_session_token");
      ProfileStep step;
      step.kind = Kind::keys;
      step.profile = profile;
      step.access_key_id = id->value;
      step.secret_access_key = secret->value;
      step.session_token = token == nullptr ? "" : token->value;
      step.path = *section.path;
      plan_.push_back(std::move(step));
      return true;
    }
    return false;
  }

  Done add_role(const std::string& profile, const Setting& role_arn) {
    if (const auto mfa = files_.find(profile, "mfa_serial")) {
      return wrong(*mfa, profile,
                   "has mfa_serial: a service cannot enter the code of a device. Give the agent a "
                   "role whose trust policy does not ask for one");
    }
    auto role = role_of(profile, role_arn);
    if (!role) {
      return Error(std::move(role.error()));
    }
    const auto source_profile = files_.find(profile, "source_profile");
    const auto credential_source = files_.find(profile, "credential_source");
    if (source_profile && credential_source) {
      return wrong(*credential_source, profile,
                   "has source_profile and credential_source: remove one of them");
    }
    if (!source_profile && !credential_source) {
      return wrong(role_arn, profile,
                   "has role_arn, but neither source_profile nor credential_source to assume it "
                   "with");
    }
    Done added = source_profile ? add_source_profile(profile, *source_profile)
                                : add_credential_source(profile, *credential_source);
    if (added) {
      ProfileStep step;
      step.kind = Kind::role;
      step.profile = profile;
      step.role = std::move(*role);
      plan_.push_back(std::move(step));
    }
    return added;
  }

  Done add_source_profile(const std::string& profile, const Setting& source) {
    if (!files_.has(source.value)) {
      return wrong(source, profile,
                   "has the source_profile " + one_line(source.value, 128) + ", which is in " +
                       files_.neither());
    }
    const bool seen = std::find(visited_.begin(), visited_.end(), source.value) != visited_.end();
    // A profile may name itself, or an earlier one, for its static keys.
    if (seen && !has_keys(source.value)) {
      std::string circle;
      for (const std::string& visited : visited_) {
        circle += one_line(visited, 128) + " -> ";
      }
      return wrong(source, profile,
                   "closes a circle of source_profile: " +
                       one_line(circle + one_line(source.value, 128), kLongestCircle));
    }
    if (visited_.size() == kLongestChain) {
      return wrong(source, profile,
                   "is the last of " + std::to_string(kLongestChain) +
                       " profiles in a row that assume a role by the next: that many are followed");
    }
    return add(source.value, true);
  }

  bool has_keys(const std::string& profile) const {
    return files_.find(profile, "aws_access_key_id") ||
           files_.find(profile, "aws_secret_access_key");
  }

  Done add_credential_source(const std::string& profile, const Setting& source) {
    if (std::find(kSources.begin(), kSources.end(), source.value) == kSources.end()) {
      return wrong(source, profile,
                   "has a credential_source that is none of Environment, EcsContainer, "
                   "Ec2InstanceMetadata");
    }
    ProfileStep step;
    step.kind = Kind::credential_source;
    step.profile = profile;
    step.text = source.value;
    plan_.push_back(std::move(step));
    return {};
  }

  Done add_web_identity(const std::string& profile, const Setting& role_arn,
                        const Setting& token_file) {
    auto role = role_of(profile, role_arn);
    if (!role) {
      return Error(std::move(role.error()));
    }
    ProfileStep step;
    step.kind = Kind::web_identity;
    step.profile = profile;
    step.text = token_file.value;
    step.role = std::move(*role);
    plan_.push_back(std::move(step));
    return {};
  }

  tl::expected<RoleSettings, std::string> role_of(const std::string& profile,
                                                  const Setting& role_arn) const {
    RoleSettings role;
    role.role_arn = role_arn.value;
    role.session_name = options_.role_session_name;
    if (const auto problem = problem_of_role_arn(role.role_arn)) {
      return wrong(role_arn, profile, "has a role_arn that " + *problem);
    }
    if (const auto setting = files_.find(profile, "role_session_name")) {
      role.session_name = setting->value;
      if (const auto problem = problem_of_session_name(role.session_name)) {
        return wrong(*setting, profile, "has a role_session_name that " + *problem);
      }
    }
    if (const auto setting = files_.find(profile, "external_id")) {
      role.external_id = setting->value;
      if (const auto problem = problem_of_external_id(role.external_id)) {
        return wrong(*setting, profile, "has an external_id that " + *problem);
      }
    }
    if (const auto setting = files_.find(profile, "duration_seconds")) {
      if (const auto problem = problem_of_duration(setting->value, role.duration)) {
        return wrong(*setting, profile, "has duration_seconds, which " + *problem);
      }
    }
    return role;
  }

  Done refuse_login(const Setting& setting, const std::string& profile, const char* key,
                    const char* command) const {
    return wrong(setting, profile,
                 std::string("uses ") + key + ", which needs a person to run " + command +
                     ": give the agent a role (EC2, ECS, EKS, web identity), static keys, or on a "
                     "workstation another profile with `credential_process = aws configure "
                     "export-credentials --profile " +
                     one_line(profile, 128) + "`");
  }

  Done without_keys(const std::string& profile) const {
    Section section = files_.in_credentials(profile);
    if (section.values == nullptr) {
      section = files_.in_config(profile);
    }
    return Error(section.place(section.values->line) + subject(profile) +
                 " has no aws_access_key_id and aws_secret_access_key, no role_arn and no "
                 "credential_process");
  }

  const ProfileFiles& files_;
  const PlanOptions& options_;
  ProfilePlan plan_;
  std::vector<std::string> visited_;
};

}  // namespace

tl::expected<ProfilePlan, std::string> plan_profile(const ProfileFiles& files,
                                                    const PlanOptions& options) {
  return Planner(files, options).plan();
}

}  // namespace invlog::aws
