// What the credential chain reads of others. The first byte chooses: the JSON of a process, a
// container's agent or IMDS; a pair of shared files, cut at the first zero byte, and the plan of a
// profile in them; a time; a command line; a container's address. Whatever comes, credentials fit
// into a header, messages are short and printable and never hold a value, and a plan can be
// followed.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "exporters/aws/child_process.h"
#include "exporters/aws/container_credentials.h"
#include "exporters/aws/credential_json.h"
#include "exporters/aws/iso_time.h"
#include "exporters/aws/profile_files.h"
#include "exporters/aws/profile_plan.h"
#include "exporters/aws/role_settings.h"

using namespace invlog::aws;

namespace {

void demand(bool condition) {
  if (!condition) {
    std::abort();
  }
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte >= ' ' && byte < '\x7f'; });
}

bool fits_a_header(std::string_view text) {
  return printable(text) && text.find(' ') == std::string_view::npos;
}

void check_json(std::string_view bytes) {
  for (const CredentialJsonForm form :
       {CredentialJsonForm::process, CredentialJsonForm::container, CredentialJsonForm::imds}) {
    const auto credentials = parse_credential_json(bytes, form);
    if (!credentials) {
      demand(!credentials.error().empty() && credentials.error().size() < 400);
      demand(printable(credentials.error()));
      continue;
    }
    demand(!credentials->access_key_id.empty() && !credentials->secret_access_key.empty());
    demand(form == CredentialJsonForm::process || !credentials->session_token.empty());
    demand(fits_a_header(credentials->access_key_id) &&
           fits_a_header(credentials->secret_access_key) &&
           fits_a_header(credentials->session_token));
    if (credentials->expiration) {
      demand(parse_iso_time(iso_time(*credentials->expiration)) == credentials->expiration);
    }
  }
  const std::string error = error_in_json(bytes);
  demand(error.size() <= 300 && printable(error));
}

void check_plan(const ProfilePlan& plan) {
  for (std::size_t at = 0; at < plan.size(); ++at) {
    const ProfileStep& step = plan[at];
    // A beginning, then roles.
    demand((step.kind == ProfileStep::Kind::role) == (at > 0));
    switch (step.kind) {
      case ProfileStep::Kind::keys:
        demand(!step.access_key_id.empty() && !step.secret_access_key.empty());
        break;
      case ProfileStep::Kind::role:
      case ProfileStep::Kind::web_identity:
        demand(!problem_of_role_arn(step.role.role_arn));
        demand(!problem_of_session_name(step.role.session_name));
        demand(step.role.external_id.empty() || !problem_of_external_id(step.role.external_id));
        break;
      default:
        demand(!step.text.empty());
    }
  }
}

// A file of this process's memory.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) { demand(descriptor_ >= 0); }
  std::string write(std::string_view bytes) const {
    demand(::ftruncate(descriptor_, 0) == 0);
    demand(::pwrite(descriptor_, bytes.data(), bytes.size(), 0) ==
           static_cast<ssize_t>(bytes.size()));
    return "/proc/self/fd/" + std::to_string(descriptor_);
  }

 private:
  const int descriptor_;
};

void check_files(std::string_view bytes) {
  static const MemoryFile credentials, config;
  const std::size_t cut = std::min(bytes.find('\0'), bytes.size());
  const ProfilePaths paths{credentials.write(bytes.substr(0, cut)),
                           config.write(bytes.substr(cut + (cut < bytes.size() ? 1 : 0)))};
  const auto files = ProfileFiles::read(paths);
  if (!files) {
    demand(files.error().size() < 200 && printable(files.error()));
    return;
  }
  for (const char* profile : {"default", "dev"}) {
    PlanOptions options;
    options.profile = profile;
    options.must_exist = options.must_give = true;
    const auto plan = plan_profile(*files, options);
    if (plan) {
      demand(!plan->empty());
      check_plan(*plan);
    } else {
      demand(plan.error().size() < 1000 && printable(plan.error()));
    }
  }
}

void check_time(std::string_view bytes) {
  if (const auto time = parse_iso_time(bytes)) {
    demand(parse_iso_time(iso_time(*time)) == time);
  }
}

void check_command(std::string_view bytes) {
  const auto words = split_command(bytes);
  if (!words) {
    demand(printable(words.error()));
    return;
  }
  demand(!words->empty() && !words->front().empty());
  std::size_t total = 0;
  for (const std::string& word : *words) {
    total += word.size();
  }
  demand(total <= bytes.size());
}

void check_address(std::string_view bytes) {
  const std::string url(bytes);
  const std::string problem = problem_of_container_url(url);
  demand(problem.size() < 500 && printable(problem));
  demand(!problem.empty() || fits_a_header(url));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      check_json(bytes);
      break;
    case 1:
      check_files(bytes);
      break;
    case 2:
      check_time(bytes);
      break;
    case 3:
      check_command(bytes);
      break;
    default:
      check_address(bytes);
  }
  return 0;
}
