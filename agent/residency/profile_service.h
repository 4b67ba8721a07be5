// Keeps the catalogue true inside the agent: asks the service for all profiles at the start and
// once a day, and for single ones that calls named and nobody knew. One that the service did not
// know may be there later: it is asked for again when a call names it some minutes after.
//
// What it learns goes into the catalogue and the store. Without permission or network it says so
// once and tries again every hour; what was known, and the built-in table, serve meanwhile.
//
// Threads: one of its own, so that neither a call nor the agent's start waits for it; construction,
// start() and stop() belong to one thread. Ownership: credentials and catalogue must outlive it.
// Errors: logged.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/config/agent_config.h"
#include "agent/residency/catalogue.h"
#include "agent/residency/profile_client.h"
#include "agent/residency/profile_store.h"
#include "exporters/aws/chain_options.h"
#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"
#include "exporters/aws/service_client.h"

namespace invlog::residency {

struct ProfileServiceOptions {
  std::chrono::milliseconds refresh = std::chrono::hours(24);  // between successes
  std::chrono::milliseconds retry = std::chrono::hours(1);     // after a failure
  // Between questions for single profiles: calls that name one nobody knows may be many.
  std::chrono::milliseconds between_questions = std::chrono::seconds(15);
  // From an answer that left a profile unknown to the next question for it, and from a failure that
  // passes by itself.
  std::chrono::milliseconds ask_again = std::chrono::minutes(10);
  std::chrono::milliseconds ask_again_soon = std::chrono::minutes(1);
  std::function<double()> random = aws::random_fraction;
  std::unique_ptr<aws::HttpClient> http;  // null: by configuration and environment
};

class ProfileService {
 public:
  ProfileService(const config::AgentConfig& configuration, aws::CredentialsProvider& credentials,
                 const aws::Environment& environment, Catalogue& catalogue,
                 ProfileServiceOptions options = {});
  ~ProfileService();  // stop()
  ProfileService(const ProfileService&) = delete;
  ProfileService& operator=(const ProfileService&) = delete;

  // scheme://host that is asked, "" if none may be: then there is no thread.
  std::string endpoint() const;
  // Takes what the store has into the catalogue, and begins to ask. The store must be there.
  void start();
  // Returns when the thread is gone; a call under way is cancelled.
  void stop();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  void load();
  void run();
  bool refresh();
  SteadyTime next_step(SteadyTime due) const;
  void ask_for_next();
  void ask_for(const std::string& id);
  void forget_asked(SteadyTime now);
  void keep(std::vector<Profile> profiles);
  void say_once(const std::string& problem);
  bool wait_until(SteadyTime moment);
  bool pause(std::chrono::milliseconds wait);

  const std::string store_path_;
  Catalogue& catalogue_;
  ProfileServiceOptions options_;
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<aws::HttpClient> http_;
  std::unique_ptr<aws::ServiceClient> bedrock_;  // null: must not be asked
  std::unique_ptr<ProfileClient> client_;
  std::string said_;                         // by say_once() last
  SteadyTime next_question_{};               // not before
  std::map<std::string, SteadyTime> asked_;  // what stayed unknown, until it may be asked for again
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;   // guarded by mutex_
  bool asked_for_ = false;  // the catalogue has questions; guarded by mutex_
  std::thread thread_;
};

}  // namespace invlog::residency
