#include "tests/bench/load_client.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace invlog::bench {
namespace {

constexpr std::size_t kPoolBytes = 16 << 20;
constexpr std::size_t kReadBytes = 256 << 10;
// messageStart before the deltas; contentBlockStop, messageStop and metadata behind them.
constexpr std::uint64_t kOtherFrames = 4;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

struct LoadClient::Slot {
  Slot(const RequestOptions& request, TextPool& pool, std::uint32_t number)
      : reader(HttpReader::Kind::response), source(request, pool, number) {}

  Channel channel;
  HttpReader reader;
  RequestSource source;
  RequestSource::Parts parts;  // of the request under way
  std::size_t sent = 0, request_bytes = 0;
  bool busy = false, measured = false, watches_write = false;
  std::int64_t start_ns = 0, first_byte_ns = 0;
  FrameReader frames;
  std::uint64_t frames_seen = 0;
  bool frames_sound = true;
};

LoadClient::LoadClient(LoadOptions options)
    : options_(std::move(options)), pool_(kPoolBytes), buffer_(kReadBytes) {
  options_.request.host = options_.tls_host.empty()
                              ? options_.host + ":" + std::to_string(options_.port)
                              : options_.tls_host;
  if (!options_.tls_host.empty()) {
    tls_ = make_client_tls(options_.ca_file);
  }
  options_.request.target =
      options_.stream
          ? "/model/bench-frames" + std::to_string(options_.frames) + "-delay" +
                std::to_string(options_.frame_delay_us) + "/converse-stream"
          : "/model/bench-response" + std::to_string(options_.response_bytes) + "/converse";
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  for (std::uint32_t number = 0; number < options_.connections; ++number) {
    slots_.push_back(std::make_unique<Slot>(options_.request, pool_, number));
    connect(*slots_.back());
  }
}

LoadClient::~LoadClient() {
  ::close(timer_);
  ::close(epoll_);
}

void LoadClient::connect(Slot& slot) {
  slot.channel.connect(options_.host, options_.port);
  if (!options_.proxy_target.empty()) {
    slot.channel.ask_proxy_for(options_.proxy_target);
  }
  if (tls_) {
    slot.channel.start_tls(tls_.get(), options_.tls_host);
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &slot;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, slot.channel.fd(), &event);
  slot.watches_write = false;
  slot.reader.next_message();
  slot.frames = FrameReader();
  ++result_.connects;
}

LoadResult LoadClient::run() {
  const auto total = options_.warm_up + options_.calls;
  result_.call_ns.reserve(options_.calls);
  if (options_.calls_per_second > 0) {
    const auto interval = static_cast<std::int64_t>(1e9 / options_.calls_per_second);
    itimerspec every{};
    every.it_interval = every.it_value = {interval / 1000000000, interval % 1000000000};
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event);
    ::timerfd_settime(timer_, 0, &every, nullptr);
    for (auto& slot : slots_) {
      idle_.push_back(slot.get());
    }
  } else {
    for (auto& slot : slots_) {
      slot_free(*slot);
    }
  }
  std::vector<epoll_event> events(256);
  while (result_.completed + result_.errors < total) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                   options_.stall_seconds * 1000);
    if (count == 0) {
      throw std::runtime_error("nothing came for " + std::to_string(options_.stall_seconds) +
                               " s, after " + std::to_string(result_.completed) + " calls");
    }
    for (int index = 0; index < count; ++index) {
      const auto& event = events[static_cast<std::size_t>(index)];
      if (event.data.ptr == nullptr) {
        calls_due();
        continue;
      }
      auto& slot = *static_cast<Slot*>(event.data.ptr);
      if ((event.events & EPOLLOUT) && slot.busy) {
        send_some(slot);
      }
      if (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        read_some(slot);
      }
    }
  }
  result_.seconds = static_cast<double>(now_ns() - first_start_ns_) / 1e9;
  return std::move(result_);
}

void LoadClient::calls_due() {
  std::uint64_t expirations = 0;
  if (::read(timer_, &expirations, sizeof expirations) != sizeof expirations) {
    return;
  }
  const auto interval = static_cast<std::int64_t>(1e9 / options_.calls_per_second);
  const auto now = now_ns();
  for (; expirations > 0 && started_ + waiting_.size() < options_.warm_up + options_.calls;
       --expirations) {
    waiting_.push_back(now - static_cast<std::int64_t>(expirations - 1) * interval);
  }
  while (!waiting_.empty() && !idle_.empty()) {
    auto* slot = idle_.back();
    idle_.pop_back();
    slot_free(*slot);
  }
}

void LoadClient::slot_free(Slot& slot) {
  if (options_.calls_per_second > 0) {
    if (waiting_.empty()) {
      idle_.push_back(&slot);
      return;
    }
    const auto due = waiting_.front();
    waiting_.pop_front();
    start_call(slot, due);
  } else if (started_ < options_.warm_up + options_.calls) {
    start_call(slot, 0);
  }
}

void LoadClient::start_call(Slot& slot, std::int64_t due_ns) {
  slot.parts = slot.source.next();
  slot.request_bytes = 0;
  for (const auto part : slot.parts) {
    slot.request_bytes += part.size();
  }
  slot.sent = 0;
  slot.frames_seen = 0;
  slot.frames_sound = true;
  slot.busy = true;
  slot.measured = started_++ >= options_.warm_up;
  slot.first_byte_ns = 0;
  slot.start_ns = due_ns != 0 ? due_ns : now_ns();
  if (slot.measured && first_start_ns_ == 0) {
    first_start_ns_ = slot.start_ns;
  }
  send_some(slot);
}

void LoadClient::send_some(Slot& slot) {
  std::array<iovec, RequestSource::kParts> vectors{};
  std::size_t used = 0, skip = slot.sent;
  for (const auto part : slot.parts) {
    const auto skipped = std::min(skip, part.size());
    skip -= skipped;
    if (skipped < part.size()) {
      vectors.at(used++) = {const_cast<char*>(part.data()) + skipped, part.size() - skipped};
    }
  }
  if (used > 0) {
    const auto count = slot.channel.send(vectors.data(), used);
    if (count > 0) {
      slot.sent += static_cast<std::size_t>(count);
    }
    // A broken connection shows when it is read, together with what the server said before.
  }
  watch(slot, slot.sent < slot.request_bytes);
}

void LoadClient::read_some(Slot& slot) {
  const auto count = slot.channel.receive(buffer_.data(), buffer_.size());
  if (count < 0) {
    return;
  }
  if (count == 0) {
    if (slot.busy) {
      call_failed(slot, "the server closed the connection under a call");
    } else {
      connect(slot);
    }
    return;
  }
  std::string_view bytes(buffer_.data(), static_cast<std::size_t>(count));
  if (!slot.busy) {
    call_failed(slot, "the server sent bytes that nobody asked for");
    return;
  }
  bytes.remove_prefix(
      slot.reader.feed(bytes, [&](std::string_view part) { body_part(slot, part); }));
  if (slot.reader.failed() || (slot.reader.complete() && !bytes.empty())) {
    call_failed(slot, "the answer is not well-formed HTTP");
  } else if (slot.reader.complete()) {
    call_answered(slot);
  }
}

void LoadClient::body_part(Slot& slot, std::string_view part) {
  if (!options_.stream) {
    return;
  }
  const auto now = now_ns();
  if (slot.first_byte_ns == 0) {
    slot.first_byte_ns = now;
  }
  const bool sound = slot.frames.feed(part, [&](std::string_view payload) {
    ++slot.frames_seen;
    const auto stamp = stamp_of(payload);
    if (stamp >= 0 && slot.measured) {
      result_.frame_lag_us.push_back(now / 1000 - stamp);
    }
  });
  slot.frames_sound = slot.frames_sound && sound;
}

void LoadClient::call_answered(Slot& slot) {
  const auto end = now_ns();
  if (slot.reader.status() != 200) {
    call_failed(slot, "status " + std::to_string(slot.reader.status()));
    return;
  }
  if (options_.stream ? slot.frames_seen != options_.frames + kOtherFrames || !slot.frames_sound ||
                            !slot.frames.at_boundary()
                      : slot.reader.body_bytes() <= options_.response_bytes) {
    call_failed(slot, "the answer's body is not what the upstream sent");
    return;
  }
  ++result_.completed;
  if (slot.measured) {
    result_.call_ns.push_back(end - slot.start_ns);
    if (options_.stream) {
      result_.first_byte_ns.push_back(slot.first_byte_ns - slot.start_ns);
    }
  }
  slot.busy = false;
  if (slot.reader.header("connection") == "close") {
    connect(slot);
  }
  slot.reader.next_message();
  slot_free(slot);
}

void LoadClient::call_failed(Slot& slot, const std::string& why) {
  ++result_.errors;
  if (result_.first_error.empty()) {
    result_.first_error = why;
  }
  slot.busy = false;
  connect(slot);
  slot_free(slot);
}

void LoadClient::watch(Slot& slot, bool write) {
  if (slot.watches_write == write) {
    return;
  }
  slot.watches_write = write;
  epoll_event event{};
  event.events = EPOLLIN | (write ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
  event.data.ptr = &slot;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, slot.channel.fd(), &event);
}

}  // namespace invlog::bench
