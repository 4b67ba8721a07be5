#include "agent/residency/catalogue.h"

#include <algorithm>
#include <utility>

#include "agent/residency/built_in_profiles.h"
#include "agent/residency/profile_id.h"
#include "agent/residency/resource_name.h"

namespace invlog::residency {
namespace {

// What clients send is theirs to choose: what is remembered of it is bounded.
constexpr std::size_t kMostUnknown = 256;

// Whether an id can be that of a profile, and not only a model's.
bool worth_asking(std::string_view id) {
  return is_profile_id(id) &&
         (id.find('.') == std::string_view::npos || looks_like_system_profile(id));
}

bool same_reach(const Profile& system, const Profile& application) {
  return system.kind == Profile::Kind::system && system.scope == application.scope &&
         system.models == application.models && system.destinations == application.destinations;
}

}  // namespace

Catalogue::Catalogue(std::string source_region)
    : source_region_(std::move(source_region)), by_service_(std::make_shared<const Profiles>()) {}

std::shared_ptr<const Profile> Catalogue::find(std::string_view id) const {
  const auto name = parse_resource_name(id);
  return name ? find_by_id(name->id, name->type == "application-inference-profile")
              : find_by_id(id, false);
}

std::shared_ptr<const Profile> Catalogue::find_by_id(std::string_view id, bool application) const {
  const auto by_service = current();
  if (const auto found = by_service->find(id); found != by_service->end()) {
    return found->second;
  }
  auto built_in = built_in_profile(id, source_region_);
  if (!built_in && worth_asking(id)) {
    note_unknown(id, application);
  }
  return built_in;
}

std::vector<std::shared_ptr<const Profile>> Catalogue::profiles() const {
  Profiles all = *current();
  for (auto& profile : built_in_profiles(source_region_)) {
    std::string id = profile->id;
    all.emplace(std::move(id), std::move(profile));
  }
  std::vector<std::shared_ptr<const Profile>> list;
  list.reserve(all.size());
  for (auto& [id, profile] : all) {
    list.push_back(std::move(profile));
  }
  return list;
}

std::vector<Profile> Catalogue::learn(std::vector<Profile> profiles) {
  const std::lock_guard learning(learning_);
  Profiles known = *current();
  // System profiles first: they are what the others wrap.
  for (const Profile& profile : profiles) {
    if (profile.kind == Profile::Kind::system) {
      known[profile.id] = std::make_shared<const Profile>(profile);
    }
  }
  for (Profile& profile : profiles) {
    if (profile.kind == Profile::Kind::application) {
      resolve(profile, known);
      known[profile.id] = std::make_shared<const Profile>(profile);
    }
  }
  auto next = std::make_shared<const Profiles>(std::move(known));
  const std::lock_guard guard(mutex_);
  by_service_ = std::move(next);
  return profiles;
}

void Catalogue::resolve(Profile& application, const Profiles& known) const {
  application.wraps.clear();
  application.geography.clear();
  if (application.scope == Scope::in_region || application.models.size() != 1) {
    return;
  }
  std::vector<std::shared_ptr<const Profile>> wrapped;
  for (const auto& [id, profile] : known) {
    if (same_reach(*profile, application)) {
      wrapped.push_back(profile);
    }
  }
  for (const std::string_view prefix : kProfilePrefixes) {
    const std::string id = std::string(prefix) + "." + application.models.front();
    const auto built_in = known.contains(id) ? nullptr : built_in_profile(id, source_region_);
    if (built_in && same_reach(*built_in, application)) {
      wrapped.push_back(built_in);
    }
  }
  if (wrapped.size() == 1) {
    application.wraps = wrapped.front()->id;
    application.geography = wrapped.front()->geography;
  }
}

void Catalogue::set_unknown_listener(std::function<void()> listener) {
  const std::lock_guard guard(mutex_);
  listener_ = std::move(listener);
}

std::optional<std::string> Catalogue::next_unknown() {
  const std::lock_guard guard(mutex_);
  Unknown* next = nullptr;
  for (Unknown& unknown : unknown_) {
    if (!unknown.asked && (next == nullptr || unknown.application || !next->application)) {
      next = &unknown;
    }
  }
  if (next == nullptr) {
    return std::nullopt;
  }
  next->asked = true;
  return next->id;
}

bool Catalogue::has_unknown() const {
  const std::lock_guard guard(mutex_);
  return std::any_of(unknown_.begin(), unknown_.end(),
                     [](const Unknown& unknown) { return !unknown.asked; });
}

void Catalogue::forget_unknown(std::string_view id) {
  const std::lock_guard guard(mutex_);
  std::erase_if(unknown_, [id](const Unknown& unknown) { return unknown.id == id; });
}

void Catalogue::forget_unknown() {
  const std::lock_guard guard(mutex_);
  unknown_.clear();
}

std::shared_ptr<const Catalogue::Profiles> Catalogue::current() const {
  const std::lock_guard guard(mutex_);
  return by_service_;
}

void Catalogue::note_unknown(std::string_view id, bool application) const {
  const std::lock_guard guard(mutex_);
  // Without anybody to ask, nothing has to be remembered.
  if (!listener_) {
    return;
  }
  const auto known = std::find_if(unknown_.begin(), unknown_.end(),
                                  [id](const Unknown& unknown) { return unknown.id == id; });
  if (known != unknown_.end()) {
    known->application |= application;
    std::rotate(known, known + 1, unknown_.end());
    return;
  }
  if (unknown_.size() >= kMostUnknown) {
    unknown_.erase(unknown_.begin());
  }
  unknown_.push_back({std::string(id), application, false});
  listener_();
}

}  // namespace invlog::residency
