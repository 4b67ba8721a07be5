// What is known of inference profiles as called from one source Region: what the service said, and
// under it the built-in table. Asked for each call before it is forwarded.
//
// What it has no answer for it remembers, so that whoever may ask the service can do so and the
// next call is known. Callers can make up any number of ids: of those that wait to be asked for,
// the one named last comes first, and beyond a few hundred the oldest goes.
//
// Threads: any; find() costs a look into a map and takes a lock only to copy a pointer. Ownership:
// profiles found stay as they were, whatever is learned later. Errors: none but lack of memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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

  // A FindProfile (classification.h).
  std::shared_ptr<const Profile> find(std::string_view id) const;

  // All of them, sorted by id: the service's, and those of the built-in table it said nothing of.
  std::vector<std::shared_ptr<const Profile>> profiles() const;

  // Takes what the service said over what was known; what it did not mention stays. Returns them as
  // they were taken: of application profiles, `wraps` and `geography` are found here.
  std::vector<Profile> learn(std::vector<Profile> profiles);

  // Called when next_unknown() has something new, on the thread and under a lock of find(): it may
  // only wake somebody. An empty function: nobody.
  void set_unknown_listener(std::function<void()> listener);
  // The id of a profile that calls named and nobody knew, each once until it is forgotten;
  // application profiles named by their ARNs first.
  std::optional<std::string> next_unknown();
  bool has_unknown() const;
  void forget_unknown(std::string_view id);
  void forget_unknown();

 private:
  using Profiles = std::map<std::string, std::shared_ptr<const Profile>, std::less<>>;

  struct Unknown {
    std::string id;
    bool application = false;  // named as one
    bool asked = false;        // next_unknown() has given it out
  };

  std::shared_ptr<const Profiles> current() const;
  std::shared_ptr<const Profile> find_by_id(std::string_view id, bool application) const;
  void note_unknown(std::string_view id, bool application) const;
  void resolve(Profile& application, const Profiles& known) const;

  const std::string source_region_;
  std::mutex learning_;       // one learn() at a time
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Profiles> by_service_;
  std::function<void()> listener_;
  mutable std::vector<Unknown> unknown_;  // the one named last is the last
};

}  // namespace invlog::residency
