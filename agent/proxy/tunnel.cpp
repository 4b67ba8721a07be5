#include "agent/proxy/tunnel.h"

#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include "agent/capture/opening_connection.h"
#include "agent/capture/tcp_keepalive.h"

namespace invlog::proxy {
namespace {

using capture::error_code;
using capture::Task;
using capture::use_task;
using capture::asio::buffer;
namespace asio = capture::asio;

// After so many bytes without a pause, others have their turn.
constexpr std::size_t kTurnBytes = 512 * 1024;
constexpr std::chrono::milliseconds kQuietWhenStopping{500};

}  // namespace

Task<void> either_side_speaks(capture::ClientStream& near, TunnelRoute& route) {
  // Shared: the wait that is called off calls back later.
  const auto spoken = std::make_shared<capture::Event>();
  const auto speak = [spoken](error_code) { spoken->set(); };
  near.socket().async_wait(asio::socket_base::wait_read, speak);
  route.far->socket().async_wait(asio::socket_base::wait_read, speak);
  co_await spoken->wait();
  error_code ignored;
  near.socket().cancel(ignored);
  route.far->socket().cancel(ignored);
}

Tunnel::Tunnel(capture::ClientStream near, std::shared_ptr<TunnelRoute> route,
               capture::SessionServices& services, capture::ProxyCounts& counts)
    : near_(std::move(near)),
      route_(std::move(route)),
      services_(services),
      counts_(counts),
      deadline_(services.watchdog, [this] { give_up(); }),
      patience_(services.options.tunnel_timeout),
      moved_at_(services.watchdog.now()) {}

void Tunnel::moved() {
  moved_at_ = services_.watchdog.now();
  deadline_.arm(patience_);
}

void Tunnel::give_up() {
  if (!services_.sessions.draining()) {
    spdlog::debug("proxy: a tunnel to {} ends: no byte has passed for {} s", route_->name,
                  std::chrono::duration_cast<std::chrono::seconds>(patience_).count());
  }
  close();
}

template <class From, class To>
Task<void> Tunnel::pass(From& from, To& to, SplicePipe& pipe) {
  error_code failure;
  std::size_t at_a_stretch = 0;
  for (;;) {
    pipe.fill_from(from.native_handle(), failure);
    if (failure == asio::error::would_block) {
      at_a_stretch = 0;
      co_await from.async_wait(asio::socket_base::wait_read,
                               asio::redirect_error(use_task, failure));
      if (failure)
        break;
      continue;
    }
    if (failure || pipe.held() == 0)
      break;
    counts_.tunnel_bytes += pipe.held();
    at_a_stretch += pipe.held();
    while (pipe.held() > 0 && !failure) {
      const std::size_t held = pipe.held();
      pipe.drain_to(to.native_handle(), failure);
      if (pipe.held() < held)
        moved();
      if (failure == asio::error::would_block) {
        at_a_stretch = 0;
        co_await to.async_wait(asio::socket_base::wait_write,
                               asio::redirect_error(use_task, failure));
      }
    }
    if (failure)
      break;
    if (at_a_stretch >= kTurnBytes) {
      at_a_stretch = 0;
      co_await asio::post(near_.get_executor(), use_task);
    }
  }
  if (failure) {
    close();
  } else {
    to.shutdown(asio::socket_base::shutdown_send, failure);
  }
}

Task<void> Tunnel::pass_back() {
  error_code failure;
  if (const std::string& early = route_->far->early_bytes; !early.empty()) {
    counts_.tunnel_bytes += early.size();
    co_await asio::async_write(near_.socket(), buffer(early),
                               asio::redirect_error(use_task, failure));
  }
  if (failure)
    close();
  else
    co_await pass(route_->far->socket(), near_.socket(), route_->back);
  passing_back_ = false;
  ended_.set();
}

Task<void> Tunnel::run(std::string first_bytes) {
  const auto self = shared_from_this();
  const capture::Membership membership(services_.sessions, this);
  if (services_.sessions.draining())
    drain();
  capture::probe_for_tunnel(near_.native_handle());
  capture::probe_for_tunnel(route_->far->socket().native_handle());
  ++counts_.tunnels;
  ++counts_.open_tunnels;
  moved();
  // Asio makes its sockets so only where it reads or writes itself.
  error_code failure;
  near_.socket().native_non_blocking(true, failure);
  if (!failure)
    route_->far->socket().native_non_blocking(true, failure);
  passing_back_ = true;
  asio::co_spawn(
      near_.get_executor(),
      [](std::shared_ptr<Tunnel> tunnel) -> Task<void> { co_await tunnel->pass_back(); }(self),
      asio::detached);
  if (!failure && !first_bytes.empty()) {
    counts_.tunnel_bytes += first_bytes.size();
    co_await asio::async_write(route_->far->socket(), buffer(first_bytes),
                               asio::redirect_error(use_task, failure));
  }
  if (failure)
    close();
  else
    co_await pass(near_.socket(), route_->far->socket(), route_->there);
  while (passing_back_)
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
  route_->far->cancel();
}

std::optional<capture::SessionControl::Time> Tunnel::idle_since(Time now) const {
  if (!near_.is_open())
    return std::nullopt;
  const bool idle = now - moved_at_ > services_.options.header_timeout;
  return idle ? std::optional(moved_at_) : std::nullopt;
}

}  // namespace invlog::proxy
