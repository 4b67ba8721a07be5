// What answers in the place of Bedrock's control plane: a list of inference profiles or one of
// them. Whatever comes, what is taken from it is fit for records, for the store's lists with commas
// between, and for a terminal; and classifying by it agrees with it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "agent/residency/classification.h"
#include "agent/residency/profile_answer.h"

namespace {

using namespace invlog::residency;

void require(bool true_of_every_input) {
  if (!true_of_every_input) {
    std::abort();
  }
}

bool fit_for_a_list(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char byte) {
    return byte > ' ' && byte < '\x7f' && byte != ',';
  });
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte >= ' ' && byte < '\x7f'; });
}

void check(const Profile& profile) {
  require(fit_for_a_list(profile.id) && profile.id.size() <= 64 && printable(profile.name));
  require(printable(profile.arn) && profile.scope != Scope::unknown && !profile.models.empty());
  require((profile.scope == Scope::global) == profile.destinations.empty());
  require(std::is_sorted(profile.destinations.begin(), profile.destinations.end()));
  require(std::all_of(profile.models.begin(), profile.models.end(), fit_for_a_list));
  require(std::all_of(profile.destinations.begin(), profile.destinations.end(), fit_for_a_list));
  const auto shared = std::make_shared<const Profile>(profile);
  const auto result =
      classify(profile.id, "eu-central-1", [&](std::string_view) { return shared; });
  require(result.scope == profile.scope && result.destinations == profile.destinations);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr AnswerContext kContext{"eu-central-1", 1};
  if (const auto profile = parse_profile(input, kContext)) {
    check(*profile);
  } else {
    require(profile.error().size() < 500 && printable(profile.error()));
  }
  if (const auto page = parse_profile_page(input, kContext)) {
    std::for_each(page->profiles.begin(), page->profiles.end(), check);
    for (const std::string& problem : page->problems) {
      require(problem.size() < 500 && printable(problem));
    }
  }
  // A model id, as clients send it.
  const auto result = classify(input, "eu-central-1", {});
  require(result.scope != Scope::in_region ||
          result.destinations == std::vector<std::string>{"eu-central-1"});
  return 0;
}
