#include "agent/cli/profiles_command.h"

#include <chrono>

#include "agent/cli/display_text.h"
#include "agent/cli/text_table.h"
#include "agent/residency/catalogue.h"
#include "agent/residency/classification.h"
#include "agent/residency/profile_client.h"
#include "agent/residency/profile_store.h"
#include "exporters/patient_caller.h"
#include "storage/joined.h"
#include "storage/json_writer.h"
#include "storage/store_error.h"
#include "storage/time_text.h"

namespace invlog::cli {
namespace {

using residency::Catalogue;
using residency::Classification;
using residency::Profile;
using residency::ProfileChange;
using residency::ProfileStore;

std::string_view kind_text(const Profile& profile) {
  return profile.kind == Profile::Kind::application ? "application" : "system";
}

std::string_view origin_text(Profile::Origin origin) {
  return origin == Profile::Origin::built_in ? "built in" : "service";
}

std::string learned_text(const Profile& profile) {
  return profile.learned_at_us == 0 ? "" : storage::iso_seconds(profile.learned_at_us);
}

// For people: the columns' "*" and "" would have to be explained.
std::string destinations_for_people(residency::Scope scope,
                                    const std::vector<std::string>& destinations) {
  if (scope == residency::Scope::global) {
    return "any commercial Region";
  }
  return destinations.empty() ? "not known" : storage::joined(destinations, " ");
}

std::string json_list(const std::vector<std::string>& list) {
  std::string json = "[";
  for (const std::string& item : list) {
    json += json.size() == 1 ? "" : ",";
    storage::append_json_string(json, item);
  }
  return json + "]";
}

std::string json_of(const Profile& profile, const std::string& source_region) {
  std::string json = "{";
  storage::append_json_member(json, "profile", profile.id);
  storage::append_json_member(json, "scope", residency::to_string(profile.scope));
  storage::append_json_member(json, "kind", kind_text(profile));
  storage::append_json_member(json, "geography", profile.geography);
  storage::append_json_raw(json, "models", json_list(profile.models));
  storage::append_json_member(json, "source_region", source_region);
  storage::append_json_raw(json, "destinations", json_list(profile.destinations));
  storage::append_json_member(json, "wraps", profile.wraps);
  storage::append_json_member(json, "name", profile.name);
  storage::append_json_member(json, "arn", profile.arn);
  storage::append_json_member(json, "origin", origin_text(profile.origin));
  storage::append_json_member(json, "learned_at", learned_text(profile));
  return json + "}";
}

std::string json_of(const Classification& result, const ProfilesShowOptions& options,
                    const std::string& source_region) {
  std::string json = "{";
  storage::append_json_member(json, "id", options.id);
  storage::append_json_member(json, "scope", residency::to_string(result.scope));
  storage::append_json_member(json, "source_region", source_region);
  storage::append_json_raw(json, "destinations", json_list(result.destinations));
  storage::append_json_member(json, "profile", result.profile);
  storage::append_json_member(json, "geography", result.geography);
  storage::append_json_member(json, "model", result.model);
  storage::append_json_member(json, "known_by", result.source);
  return json + "}";
}

std::string json_of(const ProfileChange& change) {
  std::string json = "{";
  storage::append_json_member(json, "profile", change.id);
  storage::append_json_raw(json, "new", change.is_new ? "true" : "false");
  storage::append_json_raw(json, "alarm", change.alarm ? "true" : "false");
  storage::append_json_member(json, "before", change.before);
  storage::append_json_member(json, "after", change.after);
  storage::append_json_member(json, "known_from",
                              change.is_new ? "" : origin_text(change.known_from));
  return json + "}";
}

// What the agent of this store knows: its table, over what is built in.
std::unique_ptr<Catalogue> open_catalogue(const StoreOptions& options, std::ostream& err,
                                          int& exit_code) {
  const auto reader = open_store(options, err, exit_code);
  if (!reader) {
    return nullptr;
  }
  auto catalogue = std::make_unique<Catalogue>(reader->information().region);
  catalogue->learn(ProfileStore::load(reader->connection()));
  return catalogue;
}

void print_table(const std::vector<std::shared_ptr<const Profile>>& profiles, int width,
                 std::ostream& out) {
  TextTable table(out, {"profile", "scope", "kind", "models", "destinations", "origin", "learned"},
                  width);
  for (const auto& profile : profiles) {
    table.add({{printable(profile->id), false},
               {std::string(residency::to_string(profile->scope)), false},
               {std::string(kind_text(*profile)), false},
               {printable(storage::joined(profile->models, " ")), false},
               {printable(destinations_for_people(profile->scope, profile->destinations)), false},
               {std::string(origin_text(profile->origin)), false},
               {learned_text(*profile), false}});
  }
  table.finish();
}

void print_classification(const Classification& result, const Profile* profile,
                          const std::string& id, const std::string& source_region,
                          std::ostream& out) {
  const std::string scope(residency::to_string(result.scope));
  print_field(out, "id", printable(id));
  print_field(out, "scope", scope.empty() ? "unknown" : scope);
  print_field(out, "from", source_region);
  print_field(out, "destinations", destinations_for_people(result.scope, result.destinations));
  print_field(out, "profile", printable(result.profile));
  print_field(out, "geography", printable(result.geography));
  print_field(out, "model", printable(result.model));
  print_field(out, "known by", result.source);
  if (profile != nullptr) {
    print_field(out, "kind", std::string(kind_text(*profile)));
    print_field(out, "name", printable(profile->name));
    print_field(out, "wraps", printable(profile->wraps));
    print_field(out, "learned", learned_text(*profile));
  }
}

void print_change(const ProfileChange& change, std::ostream& out) {
  const auto readable = [](const std::string& text) {
    return text == "*" ? std::string("any commercial Region") : text;
  };
  if (change.is_new) {
    out << "new      " << printable(change.id) << ": " << readable(change.after) << '\n';
    return;
  }
  out << (change.alarm ? "CHANGED  " : "changed  ") << printable(change.id) << ": was "
      << readable(change.before) << " (" << origin_text(change.known_from) << "), is "
      << readable(change.after) << '\n';
}

// Asks the service. The listing may be a part, with the reason.
residency::ProfileListing ask(const ProfilesRefreshOptions& options, const DeliveryAccess& access,
                              const std::string& endpoint) {
  const auto credentials =
      options.world.make_credentials(access.configuration, options.world.environment, nullptr);
  const auto http =
      options.world.make_http_client(access.configuration.aws, options.world.environment, nullptr);
  aws::ServiceClient bedrock(
      residency::profile_service_options(access.configuration.region, endpoint), *http,
      *credentials);
  residency::ProfileClientOptions client;
  const exporters::CallTimes times = exporters::system_call_times(nullptr);
  client.wait = times.wait;
  client.random = times.random;
  client.clock = storage::system_now_us;
  return residency::ProfileClient(bedrock, client).list();
}

// Keeps them in the store; what is new or different.
std::vector<ProfileChange> keep(std::vector<Profile> profiles, const DeliveryAccess& access) {
  const auto store = ProfileStore::open(access.store_path);
  if (!store) {
    throw storage::StoreError(with_advice(store.error(), access.store_path, StoreUse::writing));
  }
  Catalogue catalogue(access.configuration.region);
  catalogue.learn((*store)->load());
  return (*store)->save(catalogue.learn(std::move(profiles)));
}

}  // namespace

int run_profiles_list(const ProfilesListOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto catalogue = open_catalogue(options.store, err, exit_code);
  if (!catalogue) {
    return exit_code;
  }
  std::vector<std::shared_ptr<const Profile>> chosen;
  for (auto& profile : catalogue->profiles()) {
    const bool application = profile->kind == Profile::Kind::application;
    if ((options.scope.empty() || residency::to_string(profile->scope) == options.scope) &&
        (!options.application || application)) {
      chosen.push_back(std::move(profile));
    }
  }
  if (options.json) {
    for (const auto& profile : chosen) {
      out << json_of(*profile, catalogue->source_region()) << '\n';
    }
  } else if (chosen.empty()) {
    err << "invlog profiles: none is known; `invlog profiles refresh` asks the service\n";
  } else {
    print_table(chosen, options.terminal_width, out);
  }
  return kSuccess;
}

int run_profiles_show(const ProfilesShowOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto catalogue = open_catalogue(options.store, err, exit_code);
  if (!catalogue) {
    return exit_code;
  }
  const std::string& source_region = catalogue->source_region();
  const Classification result = residency::classify(
      options.id, source_region, [&](std::string_view id) { return catalogue->find(id); });
  if (options.json) {
    out << json_of(result, options, source_region) << '\n';
  } else {
    const auto profile = result.scope == residency::Scope::unknown || result.profile.empty()
                             ? nullptr
                             : catalogue->find(result.profile);
    print_classification(result, profile.get(), options.id, source_region, out);
  }
  return result.scope == residency::Scope::unknown ? kFailure : kSuccess;
}

int run_profiles_refresh(const ProfilesRefreshOptions& options, std::ostream& out,
                         std::ostream& err) {
  int exit_code = kSuccess;
  const auto access = open_delivery(options.store, options.world.environment, err, exit_code);
  if (!access) {
    return exit_code;
  }
  const auto endpoint =
      residency::profile_endpoint(access->configuration, options.world.environment);
  if (!endpoint) {
    err << "invlog profiles refresh: the upstream is not AWS's own, so AWS is not asked; [aws] "
           "bedrock_endpoint names a control plane\n";
    return kUsageError;
  }
  residency::ProfileListing listing = ask(options, *access, *endpoint);
  const std::size_t count = listing.profiles.size();
  for (const ProfileChange& change : keep(std::move(listing.profiles), *access)) {
    if (options.json) {
      out << json_of(change) << '\n';
    } else {
      print_change(change, out);
    }
    exit_code = change.alarm ? kFailure : exit_code;
  }
  for (const std::string& problem : listing.problems) {
    err << "invlog profiles refresh: left out: " << problem << '\n';
  }
  if (listing.failure) {
    err << "invlog profiles refresh: " << printable(listing.failure->message)
        << (listing.failure->kind == aws::FailureKind::denied
                ? "; allow bedrock:ListInferenceProfiles and bedrock:GetInferenceProfile"
                : "")
        << '\n';
    return kFailure;
  }
  if (!options.json) {
    out << counted(static_cast<long long>(count), "profile") << " known from the service\n";
  }
  return exit_code;
}

}  // namespace invlog::cli
