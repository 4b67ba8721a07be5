#include "agent/residency/profile_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "agent/delivery/aws_access.h"
#include "exporters/log_fields.h"
#include "storage/store_error.h"
#include "storage/time_text.h"

namespace invlog::residency {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Hosts that start together must not ask together: up to a tenth earlier.
milliseconds with_jitter(milliseconds wait, double random) {
  return std::chrono::duration_cast<milliseconds>(wait *
                                                  (1.0 - 0.1 * std::clamp(random, 0.0, 1.0)));
}

void log_change(const ProfileChange& change) {
  if (change.alarm) {
    const LogContext context({log_message::kProfileChanged, {}});
    spdlog::error(
        "profile {}: its destinations were {} ({}) and are {} now; they are not supposed to change",
        change.id, change.before,
        change.known_from == Profile::Origin::built_in ? "built-in table" : "as the service said",
        change.after);
  } else if (!change.is_new) {
    spdlog::info("profile {}: its destinations were {} and are {} now", change.id, change.before,
                 change.after);
  }
}

}  // namespace

ProfileService::ProfileService(const config::AgentConfig& configuration,
                               aws::CredentialsProvider& credentials,
                               const aws::Environment& environment, Catalogue& catalogue,
                               ProfileServiceOptions options)
    : store_path_(configuration.store_path()), catalogue_(catalogue), options_(std::move(options)) {
  const auto endpoint = profile_endpoint(configuration, environment);
  if (!endpoint) {
    return;
  }
  http_ = options_.http ? std::move(options_.http)
                        : delivery::make_http_client(configuration.aws, environment, &cancelled_);
  bedrock_ = std::make_unique<aws::ServiceClient>(
      profile_service_options(configuration.region, *endpoint), *http_, credentials);
  ProfileClientOptions client;
  client.wait = [this](milliseconds wait) { return pause(wait); };
  client.random = options_.random;
  client.clock = storage::system_now_us;
  client_ = std::make_unique<ProfileClient>(*bedrock_, std::move(client));
}

ProfileService::~ProfileService() {
  stop();
}

std::string ProfileService::endpoint() const {
  return bedrock_ == nullptr ? "" : bedrock_->options().endpoint;
}

void ProfileService::start() {
  load();
  if (client_ == nullptr) {
    spdlog::info(
        "inference profiles are not asked for, since the upstream is not AWS's own; [aws] "
        "bedrock_endpoint names a control plane");
    return;
  }
  catalogue_.set_unknown_listener([this] {
    {
      const std::lock_guard guard(mutex_);
      asked_for_ = true;
    }
    wake_.notify_all();
  });
  thread_ = std::thread([this] { run(); });
}

void ProfileService::stop() {
  catalogue_.set_unknown_listener({});
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  cancelled_ = true;
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void ProfileService::load() {
  try {
    if (const auto store = ProfileStore::open(store_path_)) {
      catalogue_.learn((*store)->load());
    } else {
      spdlog::warn("cannot read what is known of inference profiles: {}", store.error());
    }
  } catch (const storage::StoreError& error) {
    spdlog::warn("cannot read what is known of inference profiles: {}", error.what());
  }
}

void ProfileService::run() {
  SteadyTime due = steady_clock::now();
  do {
    if (steady_clock::now() >= due) {
      // What calls name from now on may be missing in the answer.
      catalogue_.forget_unknown();
      asked_.clear();
      const bool all = refresh();
      due = steady_clock::now() +
            with_jitter(all ? options_.refresh : options_.retry, options_.random());
    } else {
      forget_asked(steady_clock::now());
      ask_for_next();
    }
  } while (wait_until(next_step(due)));
}

ProfileService::SteadyTime ProfileService::next_step(SteadyTime due) const {
  SteadyTime next = catalogue_.has_unknown() ? std::min(due, next_question_) : due;
  for (const auto& [id, until] : asked_) {
    next = std::min(next, until);
  }
  return next;
}

void ProfileService::ask_for_next() {
  if (steady_clock::now() < next_question_) {
    return;
  }
  const auto id = catalogue_.next_unknown();
  if (id && catalogue_.find(*id)) {
    catalogue_.forget_unknown(*id);
  } else if (id) {
    ask_for(*id);
    next_question_ = steady_clock::now() + options_.between_questions;
  }
}

void ProfileService::forget_asked(SteadyTime now) {
  std::erase_if(asked_, [&](const auto& asked) {
    const bool over = asked.second <= now;
    if (over) {
      catalogue_.forget_unknown(asked.first);
    }
    return over;
  });
}

// Until then, or until the catalogue has questions. False: the service stops.
bool ProfileService::wait_until(SteadyTime moment) {
  std::unique_lock lock(mutex_);
  wake_.wait_until(lock, moment, [this] { return stopping_ || asked_for_; });
  asked_for_ = false;
  return !stopping_;
}

// Between attempts at one call. False: the service stops.
bool ProfileService::pause(milliseconds wait) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, wait, [this] { return stopping_; });
}

// Whether the service has told everything.
bool ProfileService::refresh() {
  ProfileListing listing = client_->list();
  for (const std::string& problem : listing.problems) {
    spdlog::warn("ListInferenceProfiles: {}", problem);
  }
  const std::size_t count = listing.profiles.size();
  keep(std::move(listing.profiles));
  if (listing.failure) {
    say_once(listing.failure->message);
    return false;
  }
  said_.clear();
  spdlog::info("{} inference profiles known from the service", count);
  return true;
}

void ProfileService::ask_for(const std::string& id) {
  auto profile = client_->get(id);
  if (profile) {
    spdlog::info("learned inference profile {}: {}", id, destinations_text(*profile));
    keep({std::move(*profile)});
    catalogue_.forget_unknown(id);
  } else {
    const bool soon = aws::passes_by_itself(profile.error().kind);
    asked_[id] = steady_clock::now() + (soon ? options_.ask_again_soon : options_.ask_again);
    spdlog::info("a call named inference profile {}, which stays unknown: {}", id,
                 profile.error().message);
  }
}

void ProfileService::keep(std::vector<Profile> profiles) {
  if (profiles.empty()) {
    return;
  }
  const std::vector<Profile> learned = catalogue_.learn(std::move(profiles));
  try {
    const auto store = ProfileStore::open(store_path_);
    if (!store) {
      spdlog::warn("cannot keep what the service said of inference profiles: {}", store.error());
      return;
    }
    for (const ProfileChange& change : (*store)->save(learned)) {
      log_change(change);
    }
  } catch (const storage::StoreError& error) {
    spdlog::warn("cannot keep what the service said of inference profiles: {}", error.what());
  }
}

void ProfileService::say_once(const std::string& problem) {
  if (problem == said_ || cancelled_) {
    return;
  }
  said_ = problem;
  spdlog::warn("inference profiles could not be asked for, what is known serves until they are: {}",
               problem);
}

}  // namespace invlog::residency
