// What is known of inference profiles as called from one source Region: what the service said, and
// under it the built-in table. Asked for each call before it is forwarded.
//
// What it has no answer for it remembers, so that whoever may ask the service can do so and the
// next call is known.
//
// Threads: any; find() costs a look into a map and takes a lock only to copy a pointer. Ownership:
// profiles found stay as they were, whatever is learned later. Errors: none but lack of memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/residency/profile.h"

namespace invlog::residency {

class Catalogue {
 public:
  explicit Catalogue(std::string source_region);
  Catalogue(const Catalogue&) = delete;
  Catalogue& operator=(const Catalogue&) = delete;

  const std::string& source_region() const { return source_region_; }

  // A FindProfile (classification.h): by an id, or the last part of a profile's ARN.
  std::shared_ptr<const Profile> find(std::string_view id) const;

  // All of them, sorted by id: the service's, and those of the built-in table it said nothing of.
  std::vector<std::shared_ptr<const Profile>> profiles() const;

  // Takes what the service said over what was known; what it did not mention stays. Returns them as
  // they were taken: of application profiles, `wraps` and `geography` are found here.
  std::vector<Profile> learn(std::vector<Profile> profiles);

  // Called when take_unknown() has something new, on the thread and under a lock of find(): it may
  // only wake somebody. An empty function: nobody.
  void set_unknown_listener(std::function<void()> listener);
  // Ids of profiles that calls named and nobody knew, each once until forget_unknown().
  std::vector<std::string> take_unknown();
  void forget_unknown();

 private:
  using Profiles = std::map<std::string, std::shared_ptr<const Profile>, std::less<>>;

  std::shared_ptr<const Profiles> current() const;
  void note_unknown(std::string_view id) const;
  void resolve(Profile& application, const Profiles& known) const;

  const std::string source_region_;
  std::mutex learning_;       // one learn() at a time
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Profiles> by_service_;
  std::function<void()> listener_;
  mutable std::set<std::string, std::less<>> unknown_;  // since forget_unknown()
  mutable std::vector<std::string> pending_;            // of them, not taken yet
};

}  // namespace invlog::residency
