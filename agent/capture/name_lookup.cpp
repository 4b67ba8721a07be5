#include "agent/capture/name_lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace invlog::capture {

struct NameLookup::Shared {
  struct Job {
    std::uint64_t number;
    std::string host;
    std::uint16_t port;
  };

  Shared(Executor given, std::weak_ptr<Waiting> who_waits, std::size_t most, Resolve how)
      : executor(std::move(given)),
        waiting(std::move(who_waits)),
        most_at_once(most),
        resolve(std::move(how)) {}

  // Whoever holds the lock may post, as the loop is there until close().
  void answer(std::uint64_t number, Found found) {
    if (!open)
      return;
    asio::post(executor, [waiting = waiting, number, found = std::move(found)]() mutable {
      const auto here = waiting.lock();
      const auto place = here ? here->find(number) : Waiting::iterator();
      if (!here || place == here->end())
        return;
      const Done done = std::move(place->second);
      here->erase(place);
      done(std::move(found));
    });
  }

  std::mutex lock;
  bool open = true;
  Executor executor;
  std::weak_ptr<Waiting> waiting;
  const std::size_t most_at_once;
  const Resolve resolve;
  std::deque<Job> jobs;
  std::size_t threads = 0;
};

NameLookup::NameLookup(Executor executor, std::size_t most_at_once, Resolve resolve)
    : waiting_(std::make_shared<Waiting>()),
      shared_(std::make_shared<Shared>(std::move(executor), waiting_, most_at_once,
                                       std::move(resolve))) {}

NameLookup::~NameLookup() {
  close();
}

std::uint64_t NameLookup::start(const std::string& host, std::uint16_t port, Done done) {
  const std::uint64_t number = ++started_;
  waiting_->emplace(number, std::move(done));
  const std::lock_guard guard(shared_->lock);
  shared_->jobs.push_back({number, host, port});
  if (shared_->threads == shared_->most_at_once)
    return number;
  try {
    std::thread([shared = shared_] { work(shared); }).detach();
    ++shared_->threads;
  } catch (const std::system_error& error) {
    // Where others are at work, one of them takes it.
    if (shared_->threads == 0) {
      shared_->jobs.pop_back();
      shared_->answer(number, {std::string("no thread to do it: ") + error.what(), {}});
    }
  }
  return number;
}

void NameLookup::work(const std::shared_ptr<Shared>& shared) {
  std::unique_lock guard(shared->lock);
  while (!shared->jobs.empty()) {
    const Shared::Job job = std::move(shared->jobs.front());
    shared->jobs.pop_front();
    guard.unlock();
    Found found = shared->resolve(job.host, job.port);
    guard.lock();
    shared->answer(job.number, std::move(found));
  }
  --shared->threads;
}

void NameLookup::cancel(std::uint64_t number) {
  waiting_->erase(number);
  const std::lock_guard guard(shared_->lock);
  std::erase_if(shared_->jobs, [number](const auto& job) { return job.number == number; });
}

void NameLookup::close() {
  waiting_->clear();
  const std::lock_guard guard(shared_->lock);
  shared_->open = false;
  shared_->jobs.clear();
}

NameLookup::Found NameLookup::by_system(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* first = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &first);
  if (code != 0)
    return {code == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(code), {}};
  Found found;
  for (const addrinfo* entry = first; entry != nullptr; entry = entry->ai_next) {
    asio::ip::tcp::endpoint address;
    if (entry->ai_addrlen > address.capacity())
      continue;
    std::memcpy(address.data(), entry->ai_addr, entry->ai_addrlen);
    address.resize(entry->ai_addrlen);
    found.addresses.push_back(address);
  }
  ::freeaddrinfo(first);
  if (found.addresses.empty())
    found.problem = "no address";
  return found;
}

}  // namespace invlog::capture
