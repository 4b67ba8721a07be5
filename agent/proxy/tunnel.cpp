#include "agent/proxy/tunnel.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include "agent/capture/opening_connection.h"

namespace invlog::proxy {
namespace {

using capture::error_code;
using capture::Task;
using capture::use_task;
using capture::asio::buffer;
namespace asio = capture::asio;

constexpr std::size_t kCopyBytes = 64 * 1024;
constexpr std::chrono::milliseconds kQuietWhenStopping{500};

}  // namespace

Tunnel::Tunnel(capture::ClientStream near, std::shared_ptr<capture::UpstreamConnection> far,
               capture::SessionServices& services, capture::ProxyCounts& counts)
    : near_(std::move(near)),
      far_(std::move(far)),
      services_(services),
      counts_(counts),
      deadline_(services.watchdog, [this] { close(); }),
      patience_(services.options.keep_alive_timeout),
      moved_at_(services.watchdog.now()) {}

void Tunnel::moved() {
  moved_at_ = services_.watchdog.now();
  deadline_.arm(patience_);
}

template <class From, class To>
Task<void> Tunnel::copy(From& from, To& to, std::string pending) {
  error_code failure;
  std::size_t count = pending.size();
  if (pending.size() < kCopyBytes)
    pending.resize(kCopyBytes);
  for (;;) {
    if (count > 0) {
      counts_.tunnel_bytes += count;
      co_await asio::async_write(to, buffer(pending.data(), count),
                                 asio::redirect_error(use_task, failure));
      moved();
    }
    if (failure)
      break;
    count = co_await from.async_read_some(buffer(pending), asio::redirect_error(use_task, failure));
    if (failure)
      break;
  }
  if (failure == asio::error::eof) {
    to.shutdown(asio::socket_base::shutdown_send, failure);
  } else {
    close();
  }
}

Task<void> Tunnel::copy_back() {
  co_await copy(far_->socket(), near_.socket(), {});
  copying_back_ = false;
  ended_.set();
}

Task<void> Tunnel::run(std::string first_bytes) {
  const auto self = shared_from_this();
  const capture::Membership membership(services_.sessions, this);
  if (services_.sessions.draining())
    drain();
  ++counts_.tunnels;
  ++counts_.open_tunnels;
  moved();
  copying_back_ = true;
  asio::co_spawn(
      near_.get_executor(),
      [](std::shared_ptr<Tunnel> tunnel) -> Task<void> { co_await tunnel->copy_back(); }(self),
      asio::detached);
  co_await copy(near_.socket(), far_->socket(), std::move(first_bytes));
  while (copying_back_)
    co_await ended_.wait();
  close();
  --counts_.open_tunnels;
}

void Tunnel::drain() {
  patience_ = kQuietWhenStopping;
  deadline_.arm(patience_);
}

void Tunnel::close() {
  near_.cut();
  far_->cancel();
}

std::optional<capture::SessionControl::Time> Tunnel::idle_since(Time now) const {
  if (!near_.is_open())
    return std::nullopt;
  const bool idle = now - moved_at_ > services_.options.header_timeout;
  return idle ? std::optional(moved_at_) : std::nullopt;
}

}  // namespace invlog::proxy
