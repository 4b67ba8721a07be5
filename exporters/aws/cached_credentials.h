// Keeps what a costly link gave (a role, a web identity, a process, a container, IMDS), fetches it
// anew before it expires, and keeps a link that fails from being asked in a busy loop.
//
// The rules, with botocore's times (facts/aws-delivery.md §6.2). With more than 15 minutes left the
// credentials are given as they are. From 15 minutes on (or half of what they lived for, if that is
// less), a chance part later so that hosts that started together do not ask together, one caller
// fetches new ones while the others keep the old. From 10 minutes on (or a third) callers wait for
// it. Where that fails, the old ones are given until they expire, and never after, but for IMDS: in
// an outage it gives keys that have expired by its own account and that the services still take;
// those are extended. A link that failed is asked again after 1 s, then 2, 4, ... 30 s, each less
// up to a half by chance; one that had nothing, after `absent_for`.
//
// Threads: all functions from any thread; the source is asked by one thread at a time, so that it
// may use an HttpClient of its own. A caller only waits for a fetch that it needs. Ownership: owns
// its source. Errors: the source's; an exception of the source passes through to the one caller.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/credentials.h"

namespace invlog::aws {

struct CachedCredentialsOptions {
  SystemClock system_clock = std::chrono::system_clock::now;
  SteadyClock steady_clock = std::chrono::steady_clock::now;
  std::function<double()> random = random_fraction;
  std::chrono::seconds absent_for{60};
  bool extend_expired = false;  // IMDS alone
};

class CachedCredentials final : public CredentialsProvider {
 public:
  CachedCredentials(std::unique_ptr<CredentialsProvider> source, CachedCredentialsOptions options);

  ProvideResult provide() override;
  // At most one fetch in 5 s comes of it: a service that refuses good keys must not make this host
  // flood STS.
  void forget() override;
  std::string name() const override { return source_->name(); }
  std::string why_nothing() const override;

 private:
  using SystemTime = std::chrono::system_clock::time_point;
  using SteadyTime = std::chrono::steady_clock::time_point;
  enum class Need { none, advisory, mandatory };

  Need need(SystemTime now, SteadyTime steady_now) const;
  bool may_fetch(SystemTime now, SteadyTime steady_now) const;
  bool usable(SystemTime now) const;
  void fetch(std::unique_lock<std::mutex>& lock);
  ProvideResult current(SystemTime now);
  void take(ProvideResult result);
  void take_credentials(Credentials fresh, SystemTime now, SteadyTime steady_now);
  void take_failure(CredentialsError error, SteadyTime steady_now);
  void set_windows(SystemTime now);
  void extend(Credentials& credentials, SystemTime now) const;

  const std::unique_ptr<CredentialsProvider> source_;
  const CachedCredentialsOptions options_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable fetched_;
  bool fetching_ = false;
  bool forgotten_ = false;
  bool gone_ = false;  // the source had credentials, and says that it has none
  std::optional<Credentials> held_;
  // Before held_ expires.
  std::chrono::milliseconds advisory_window_{0}, mandatory_window_{0};
  std::optional<CredentialsError> error_;  // of the last fetch, if it failed
  std::string why_nothing_ = "not asked yet";
  int failures_ = 0;                      // in a row
  std::optional<SteadyTime> not_before_;  // the next fetch
  std::optional<SteadyTime> fetched_at_;  // the last one began
};

// A cache with the chain's clocks.
std::unique_ptr<CredentialsProvider> cached(std::unique_ptr<CredentialsProvider> source,
                                            const ChainOptions& options,
                                            bool extend_expired = false);

}  // namespace invlog::aws
